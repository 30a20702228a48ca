import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { SeededRandom } from '../../bench/support/seeded-random.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import {
  formatManifest,
  isPackName,
  type Manifest,
  namesOfEvent,
  namesOfPack,
  parseManifest,
} from '../../src/client/evidence-manifest.ts';
import {
  checkPack,
  openEmbedded,
  type PackFiles,
  type PackOptions,
  type PackReport,
} from '../../src/client/evidence-pack.ts';
import { NewelError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { hasCode } from '../formats/cases.ts';
import { FLAT, FULL } from '../support/event-requests.ts';
import { AUDIENCE, makeMemoryPack, type MemoryPack, NONCE } from '../support/evidence.ts';
import { SLOW } from '../support/slow.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';

const FLIPS = SLOW ? 20_000 : 500;
const SEED = 20_261_121;

let pack: MemoryPack;
let other: MemoryPack;
before(async () => {
  pack = await makeMemoryPack([FULL, FLAT]);
  other = await makeMemoryPack([{ ...FULL, id: 'other' }]);
});

function check(files: PackFiles, options: PackOptions = {}): PackReport {
  return checkPack(files, { ed25519: nodeEd25519, nowMs: pack.nowMs, ...options });
}

/** The lines that fail, of the pack and of its events. */
function failuresOf(files: PackFiles, options: PackOptions = {}): string[] {
  const { ok, error, checks, events, level } = check(files, options);
  const failed = [
    ...checks.flatMap(({ name, result }) => (result === 'failed' ? [name] : [])),
    ...events.flatMap(({ report }) =>
      report.checks.flatMap(({ name, result }) => (result === 'failed' ? [`event ${name}`] : [])),
    ),
  ];
  assert.equal(ok, failed.length === 0, failed.join());
  assert.equal(ok, error === undefined);
  if (!ok) assert.equal(level, undefined);
  return failed;
}

/** The pack with other files, and a manifest that lists them as they are: what whoever makes packs can make. */
function rewritten(
  changes: Readonly<Record<string, Uint8Array | string>>,
  edit: (manifest: Manifest) => Manifest = (manifest) => manifest,
): PackFiles {
  const files = new Map(pack.files);
  for (const [name, content] of Object.entries(changes)) {
    files.set(name, typeof content === 'string' ? encodeUtf8(content) : content);
  }
  const manifest = edit(parseManifest(files.get('manifest.json')!));
  const listed = namesOfPack(manifest.events).map((name) => ({
    name,
    size: files.get(name)!.length,
    sha256: createHash('sha256').update(files.get(name)!).digest('hex'),
  }));
  return files.set('manifest.json', encodeUtf8(formatManifest({ ...manifest, files: listed })));
}

const textIn = (files: PackFiles, name: string): string => decodeUtf8(files.get(name)!);

describe('a pack that holds', () => {
  test('says so, under its own trust file and under one that was there before', () => {
    for (const trust of [undefined, pack.trust]) {
      const report = check(pack.files, { trust, audience: AUDIENCE, nonce: NONCE });
      assert.equal(report.ok, true, String(report.error));
      assert.equal(report.level, 'signed');
      assert.equal(report.isPinned, trust !== undefined);
      assert.deepEqual(
        report.checks.map(({ name, result }) => [name, result]),
        [
          ['manifest', 'ok'],
          ['files', 'ok'],
          ['claims', 'ok'],
          ['events', 'ok'],
          ['keys', trust ? 'ok' : 'skipped'],
        ],
      );
      assert.deepEqual(
        report.events.map(({ eventId }) => eventId),
        pack.eventIds,
      );
      for (const { report: found } of report.events) assert.equal(found.checks.length, 6);
    }
  });

  test('has one checkpoint, and with it each proof is a tlog-proof', () => {
    const checkpoints = [...pack.files.keys()].filter((name) => name.includes('checkpoint'));
    assert.deepEqual(checkpoints, ['checkpoint']);
    for (const eventId of pack.eventIds) {
      assert.match(
        textIn(pack.files, namesOfEvent(eventId).proof),
        /^c2sp\.org\/tlog-proof@v1\nindex \d\n.*\n\n$/s,
      );
    }
  });

  test('verifies from inside its own page, but for the other files', () => {
    const manifest = JSON.parse(textIn(pack.files, 'manifest.json')) as JsonObject;
    const texts = new Map(
      [...pack.files.keys()]
        .filter((name) => !['manifest.json', 'README.txt', 'verify.html'].includes(name))
        .map((name) => [name, textIn(pack.files, name)]),
    );
    const opened = openEmbedded(manifest, texts, { nowMs: pack.nowMs });
    const report = opened.conclude(opened.summary.events.map((eventId) => opened.check(eventId)));
    assert.equal(report.ok, true);
    assert.deepEqual(
      report.checks.map(({ name, result }) => [name, result]).filter(([name]) => name === 'files'),
      [['files', 'skipped']],
    );
    const missing = opened.conclude([]);
    assert.equal(missing.ok, false);
    assert.equal(missing.checks.find(({ name }) => name === 'events')!.result, 'failed');
  });
});

describe('each thing that is wrong fails in its own line', () => {
  test('for another audience or nonce than expected', () => {
    assert.deepEqual(
      [...new Set(failuresOf(pack.files, { audience: 'x' }))],
      ['manifest', 'events', 'event presentation'],
    );
    assert.deepEqual(
      [...new Set(failuresOf(pack.files, { nonce: 'x' }))],
      ['manifest', 'events', 'event presentation'],
    );
  });

  test('a file that is missing, changed, or more than listed', () => {
    const [first] = pack.eventIds;
    const { statement } = namesOfEvent(first!);
    const without = new Map(pack.files);
    without.delete('README.txt');
    assert.deepEqual(failuresOf(without), ['files']);
    for (const name of ['README.txt', 'verify.html']) {
      const changed = new Map(pack.files).set(name, encodeUtf8(`${textIn(pack.files, name)} `));
      assert.deepEqual(failuresOf(changed), ['files']);
      const { checks } = check(changed);
      assert.equal(checks[1]!.detail, `${name} is not as the manifest lists it`);
    }
    const more = new Map(pack.files).set('<b>more</b>', new Uint8Array(0));
    assert.deepEqual(failuresOf(more), ['files']);
    assert.equal(check(more).checks[1]!.detail, '1 more than the manifest lists');
    const lost = new Map(pack.files);
    lost.delete(statement);
    assert.deepEqual(failuresOf(lost), ['files', 'events', 'event statement', 'event inclusion']);
  });

  test('a statement in the place of another', () => {
    const [a, b] = pack.eventIds.map((eventId) => namesOfEvent(eventId).statement);
    const swapped = rewritten({ [a!]: pack.files.get(b!)!, [b!]: pack.files.get(a!)! });
    const failed = failuresOf(swapped);
    assert.deepEqual(failed.filter((line) => line === 'event statement').length, 2);
    assert.ok(!failed.includes('files'));
  });

  test('a presentation of another event', () => {
    const [a, b] = pack.eventIds.map((eventId) => namesOfEvent(eventId).presentation);
    assert.deepEqual(failuresOf(rewritten({ [a!]: pack.files.get(b!)! })), ['events', 'event presentation']);
  });

  test('a proof of another event', () => {
    const [a, b] = pack.eventIds.map((eventId) => namesOfEvent(eventId).proof);
    assert.deepEqual(failuresOf(rewritten({ [a!]: pack.files.get(b!)! })), ['events', 'event inclusion']);
  });

  test('a statement that shows more than was presented, or less', () => {
    const [a] = pack.eventIds.map((eventId) => namesOfEvent(eventId).statement);
    const less = presentSdJwt(textIn(pack.files, a!), (path) => path[0] === 'type');
    assert.deepEqual(failuresOf(rewritten({ [a!]: less })), ['events', 'event presentation']);
  });

  test('a statement that shows more than the manifest says', () => {
    const narrowed = rewritten({}, (manifest) => ({
      ...manifest,
      claims: ['type'],
      travels_along: [],
    }));
    assert.deepEqual(failuresOf(narrowed), ['claims']);
  });

  test('another time, audience, nonce or origin in the manifest', () => {
    const edits: [edit: (manifest: Manifest) => Manifest, lines: string[]][] = [
      [
        (manifest) => ({ ...manifest, created_time: '2026-11-20T12:00:00.000Z' }),
        ['events', 'event presentation'],
      ],
      [(manifest) => ({ ...manifest, audience: 'x' }), ['events', 'event presentation']],
      [(manifest) => ({ ...manifest, nonce: 'x' }), ['events', 'event presentation']],
      [(manifest) => ({ ...manifest, origin: 'log.example/other' }), ['manifest']],
    ];
    for (const [edit, lines] of edits) assert.deepEqual([...new Set(failuresOf(rewritten({}, edit)))], lines);
  });

  test('a trust file of another log', () => {
    const strange = makeTestReceipt().trustFile;
    const failed = failuresOf(pack.files, { trust: strange });
    assert.deepEqual(new Set(failed), new Set(['manifest', 'events', 'event statement', 'event checkpoint']));
    const forged = rewritten({ 'log.json': JSON.stringify(strange) });
    assert.deepEqual(new Set(failuresOf(forged)), new Set(failed));
    // Under one's own trust file it does not matter what the pack has in its place.
    assert.deepEqual(failuresOf(forged, { trust: pack.trust }), []);
  });

  test('the checkpoint of another tree', () => {
    const failed = failuresOf(rewritten({ checkpoint: other.files.get('checkpoint')! }));
    assert.ok(failed.includes('event inclusion') && !failed.includes('files'), failed.join());
  });

  test('an event that is left out of the manifest is not missed, and one that is added is', () => {
    const [a, b] = pack.eventIds;
    const fewer = new Map(rewritten({}, (manifest) => ({ ...manifest, events: [a!] })));
    for (const name of Object.values(namesOfEvent(b!))) fewer.delete(name as string);
    assert.deepEqual(failuresOf(fewer), []);
    assert.equal(check(fewer).events.length, 1);
    const [foreign] = other.eventIds;
    const added = Object.fromEntries(
      Object.values(namesOfEvent(foreign!)).map((name) => [name as string, other.files.get(name as string)!]),
    );
    const more = rewritten(added, (manifest) => ({ ...manifest, events: [...manifest.events, foreign!] }));
    assert.deepEqual(failuresOf(more), ['events', 'event inclusion']);
  });
});

describe('what is no pack', () => {
  test('has no manifest that can be read', () => {
    assert.throws(() => check(new Map()), hasCode('malformed'));
    assert.throws(() => check(new Map([['manifest.json', encodeUtf8('{}')]])), hasCode('malformed'));
    assert.throws(
      () => check(new Map([['manifest.json', new Uint8Array(3 * 1024 * 1024)]])),
      hasCode('too_large'),
    );
    const many = new Map(Array.from({ length: 4000 }, (_, i) => [`${i}`, new Uint8Array(0)]));
    assert.throws(() => check(many), hasCode('too_large'));
  });

  test('a manifest has one form', () => {
    const text = textIn(pack.files, 'manifest.json');
    assert.equal(formatManifest(parseManifest(encodeUtf8(text))), text);
    const wrong = [
      text.slice(0, -1),
      `${text}\n`,
      text.replace('"format"', ' "format"'),
      text.replace('newel-evidence/1', 'newel-evidence/2'),
      text.replace(/"claims": \[/, '"claims": [\n  "action",'),
      text.replace('"outcome",', '"outcomf",'),
      text.replace('"action.time",\n', ''),
      text.replace('README.txt', '../README.txt'),
      text.replace(/"sha256": "./, '"sha256": "G'),
      text.replace(/"created_time": "[^"]+"/, '"created_time": "2026-11-20T12:00:00.001Z"'),
      text.replace(/"audience": "[^"]+"/, '"audience": ""'),
      text.replace(pack.eventIds[0]!, `evt_${'/'.repeat(22)}`),
      text.replace('"events": [', '"more": 1,\n "events": ['),
    ];
    for (const changed of wrong) {
      assert.notEqual(changed, text);
      assert.throws(() => parseManifest(encodeUtf8(changed)), { name: 'NewelError' }, changed.slice(0, 200));
    }
  });

  test('no name of a pack leads out of it', () => {
    for (const name of namesOfPack(pack.eventIds)) assert.ok(isPackName(name), name);
    for (const name of [
      '..',
      '../log.json',
      '/log.json',
      'statements',
      'statements/',
      'statements/../log.json',
    ]) {
      assert.ok(!isPackName(name), name);
    }
    const [eventId] = pack.eventIds;
    for (const name of [
      `statements/${eventId}.jwt`,
      `proofs/x/${eventId}.path`,
      `Statements/${eventId}.sd-jwt`,
      `statements\\${eventId}.sd-jwt`,
      `statements/${eventId}.sd-jwt/x`,
      'constructor/x',
    ]) {
      assert.ok(!isPackName(name), name);
    }
  });
});

describe(`one bit changed anywhere, seed ${SEED}`, () => {
  test('in the files as they are, is found', () => {
    const names = [...pack.files.keys()];
    const found = new Map<string, number>();
    for (let i = 0; i < FLIPS; i++) {
      const random = new SeededRandom(SEED + i);
      const name = names[random.below(names.length)]!;
      const bytes = Uint8Array.from(pack.files.get(name)!);
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      const files = new Map(pack.files).set(name, bytes);
      let isFound: boolean;
      try {
        isFound = !check(files).ok;
      } catch (error) {
        assert.ok(error instanceof NewelError, String(error));
        isFound = true;
      }
      assert.ok(isFound, `${name}, flip ${i}`);
      found.set(name, (found.get(name) ?? 0) + 1);
    }
    assert.deepEqual([...found.keys()].sort(), names.sort());
  });

  test('with a manifest that lists it so, is found in all that is proven', () => {
    const proven = [...pack.files.keys()].filter(
      (name) => !['manifest.json', 'README.txt', 'verify.html', 'log.json'].includes(name),
    );
    for (let i = 0; i < FLIPS / 3; i++) {
      const random = new SeededRandom(SEED + i);
      const name = proven[random.below(proven.length)]!;
      const bytes = Uint8Array.from(pack.files.get(name)!);
      bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      // Under keys that were there before; those in the pack are whoever's.
      const failed = failuresOf(rewritten({ [name]: bytes }), { trust: pack.trust });
      assert.ok(
        failed.includes('events') && !failed.includes('files'),
        `${name}, flip ${i}: ${failed.join()}`,
      );
    }
  });
});
