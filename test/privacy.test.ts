/**
 * Nothing of an event is public, logged, echoed or stored in clear. Events of every type go in with a canary in every text
 * that the schema lists, and so do requests that are wrong in every place where a value could stand, secrets by every rule,
 * and callers with JWTs. Numbers go missing, transactions do not fit, people are erased, the epoch ends. Then all that the
 * process has shown to strangers, said, answered as a problem and written to disk is searched for every canary, for its
 * SHA-256, and for both in hex and base64. What the bearer of a token is given, and what the keys open, shows that the
 * search finds them; and a copy of the folder without the master key opens with nothing that is in it.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { type Folder, formatFolderConfig } from '../src/cli/folder.ts';
import type { Notice } from '../src/event/notice.ts';
import { parseBase64Url } from '../src/formats/base64url.ts';
import type { JsonObject } from '../src/formats/json.ts';
import { PROBLEMS } from '../src/http/problems.ts';
import { openLevelStore } from '../src/storage/level.ts';
import { createLines } from '../src/telemetry/lines.ts';
import {
  type Canary,
  CanaryMaker,
  canaryPlaces,
  EXEMPT_FORMS,
  EXEMPT_KINDS,
  MIN_CANARY_CHARS,
} from './support/canary-events.ts';
import {
  type Evidence,
  leaksIn,
  readFolder,
  readPublic,
  readRows,
  withStore,
} from './support/canary-evidence.ts';
import { ERASED, play } from './support/canary-play.ts';
import { CanaryScanner } from './support/canary-scanner.ts';
import { CALLER_PLACE, openIssuer, readOwnEvents } from './support/canary-scenes.ts';
import {
  askFor,
  createTokens,
  getting,
  newSources,
  type Stage,
  stageAt,
  TOKEN_PLACE,
} from './support/canary-stage.ts';
import { runCli, startCli, startServe } from './support/cli.ts';
import { assertCopyRevealsNothing, type CopyParts } from './support/copied-folder.ts';
import { fetchDescribed } from './support/openapi.ts';
import { openRows } from './support/opened-rows.ts';
import { newDiskLog, serveDiskLog } from './support/served-log.ts';
import { SLOW } from './support/slow.ts';
import { tempFolder } from './support/temp-folder.ts';
import { bearer } from './support/wrong-requests.ts';

/** All that there is to notice, and all of it is met. */
const NOTICES: Readonly<Record<Notice['code'], true>> = {
  clock_skew: true,
  time_unit: true,
  secret_redacted: true,
  sequence_gap: true,
  sequence_fork: true,
  link_mismatch: true,
};
/**
 * What the preset of auditors shows that is a canary: within its claims what has no disclosure of its own there, the type of
 * an action, which travels along with its hash, and the holder’s key, which is open.
 */
const AUDITOR_PLACES: readonly string[] = [
  'stepup/1 challenge.amr',
  'stepup/1 authentication.acr',
  'stepup/1 authentication.previous_acr',
  'stepup/1 authentication.verifier',
  'stepup/1 action.transaction_data_hash',
  'stepup/1 action.type',
  'flat/1 action',
  'stepup/1 holder',
];
const TIMEOUT_MS = SLOW ? 1_200_000 : 600_000;

/** Resolves with the size of the published tree once that does not grow. */
async function publishedSize(stage: Stage): Promise<number> {
  for (let last = -1; ;) {
    const { body } = await stage.send(getting('/checkpoint'));
    const size = Number(Buffer.from(body).toString().split('\n')[1]);
    if (size === last) return size;
    last = size;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

interface Ended {
  readonly child: { kill(signal: 'SIGTERM'): boolean };
  readonly ended: Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>;
}

/** Ends a process in order, and returns what it has written. */
async function stop({ child, ended }: Ended): Promise<string> {
  child.kill('SIGTERM');
  const { code, out, err } = await ended;
  assert.equal(code, 0, err);
  return out + err;
}

/** As if the epoch had begun longer ago than it lasts. */
async function ageEpoch({ paths }: Folder): Promise<void> {
  const list = JSON.parse(await readFile(paths.epochs, 'utf8')) as object[];
  const created = new Date(Date.now() - 8 * 86_400_000).toISOString();
  await writeFile(paths.epochs, JSON.stringify(list.map((epoch) => ({ ...epoch, created }))));
}

async function epochNumbers({ paths }: Folder): Promise<number[]> {
  const list = JSON.parse(await readFile(paths.epochs, 'utf8')) as { epoch: number }[];
  return list.map(({ epoch }) => epoch);
}

test(
  'nothing of an event is public, logged, echoed or stored in clear',
  { timeout: TIMEOUT_MS },
  async (t) => {
    const parent = await tempFolder(t);
    const { dir, folder } = await newDiskLog(parent, 'log', { kind: 'events' });
    const maker = new CanaryMaker(1);
    const sources = newSources(maker);
    const issuer = await openIssuer();
    t.after(() => issuer.close());
    const rules = {
      [sources.redact[0]!.value]: { secrets: 'redact' },
      [sources.strict[0]!.value]: { sequence: 'strict' },
    } as const;
    await writeFile(
      folder.paths.config,
      formatFolderConfig({ ...folder, sources: rules, oidc: issuer.config }),
    );
    const shared = {
      maker,
      sources,
      tokens: await createTokens(folder.paths.tokens, { maker, sources }),
      shown: [] as Evidence[],
      codes: new Map<string, number>(),
      notices: new Map<string, Evidence[]>(),
    };

    const served = await startServe(t, dir, ['--log-level', 'debug', '--publish-interval-ms', '20']);
    const first = stageAt(shared, Number(new URL(served.url).port));
    const { taken, redacted, erased, pack, cursors } = await play(first, issuer);
    const saidFirst = await stop(served);

    // The next start is that of `dev`, which writes a file more, and ends the epoch.
    await ageEpoch(folder);
    const options = ['--data', dir, '--listen', '127.0.0.1:0', '--log-level', 'debug', '--json'];
    const again = startCli(t, ['dev', ...options], { cwd: parent });
    const [line] = await again.waitFor('out', /^\{.*\}$/m);
    const stage = stageAt(shared, Number(new URL((JSON.parse(line) as { url: string }).url).port));
    const { token } = JSON.parse(await readFile(folder.paths.client, 'utf8')) as { token: string };
    maker.keep(TOKEN_PLACE, token, token.slice('newel_'.length));
    while ((await epochNumbers(folder)).join() !== '2')
      await new Promise((resolve) => setTimeout(resolve, 50));
    const kept = taken.filter((one) => !erased.includes(one));
    for (const { eventId } of kept.slice(-5)) {
      await askFor(stage, { request: getting(`/v1/events/${eventId}`, shared.tokens.audit), status: 200 });
    }
    const own = await readOwnEvents(stage);
    const open = await readPublic(stage.port, await publishedSize(stage));
    const said = saidFirst + (await stop(again));

    const files = [...(await readFolder(dir)), { where: 'guard', bytes: await readFile(folder.paths.guard) }];
    const rows = await withStore(folder.paths.db, readRows);
    const keys = {
      master: parseBase64Url((await readFile(folder.paths.master, 'utf8')).trim(), 'key'),
      epochs: await readFile(folder.paths.epochs, 'utf8'),
    };
    const opened = await withStore(folder.paths.db, (store) => openRows(store, keys));
    const scanner = new CanaryScanner(maker.made);
    const placesIn = (evidence: readonly Evidence[]): Set<string> =>
      new Set(evidence.flatMap(({ bytes }) => scanner.find(bytes).map(({ canary }) => canary.place)));
    const isOfAny = (canaries: Iterable<Canary>): ((canary: Canary) => boolean) => {
      const randoms = new Set(Array.from(canaries, ({ random }) => random));
      return ({ random }) => randoms.has(random);
    };
    const isSource = isOfAny(Object.values(sources).flat());
    t.diagnostic(
      `${taken.length} events, ${maker.made.length} canaries, ${shared.shown.length} answers, ${open.length} public files, ${rows.length} rows, ${own.length} events of the log`,
    );

    await t.test('every text that the schema lists had one, in an event that was taken', () => {
      const { places, kinds, forms } = canaryPlaces();
      const held = new Set(taken.flatMap(({ canaries }) => canaries.map(({ place }) => place)));
      assert.deepEqual(
        [...places].filter((place) => !held.has(place)),
        [],
      );
      assert.ok(maker.made.every(({ random }) => random.length >= MIN_CANARY_CHARS));
      const filled = ['text', 'subject_identifier', 'holder', 'labels', 'extension'];
      assert.deepEqual([...kinds].sort(), [...EXEMPT_KINDS, ...filled].sort());
      assert.deepEqual(EXEMPT_KINDS, ['constant', 'choice', 'integer', 'number', 'boolean', 'instant']);
      assert.deepEqual(EXEMPT_FORMS, ['time', 'country']);
      assert.ok(EXEMPT_FORMS.every((form) => forms.has(form)));
    });

    await t.test('control: who may read an event is given every one of them', () => {
      for (const { canaries, given } of taken) {
        const seen = new Set(scanner.find(given).map(({ canary }) => canary.random));
        const missing = canaries.filter(({ random }) => !seen.has(random));
        assert.deepEqual(missing, []);
      }
    });

    await t.test('no public route shows any', () => assert.deepEqual(leaksIn(scanner, open), []));

    await t.test('no problem and no header of an answer repeats any', () => {
      assert.deepEqual(leaksIn(scanner, shared.shown), []);
      const unmet = Object.keys(PROBLEMS).filter((name) => !shared.codes.has(name));
      const unseen = ['queue_full', 'not_ready', 'storage_failed', 'internal'];
      assert.deepEqual(unmet, unseen, 'problems that were not met');
    });

    await t.test('no notice and no cursor has any', () => {
      const notices = [...shared.notices.values()].flat();
      assert.deepEqual(leaksIn(scanner, [...notices, ...cursors]), []);
      assert.deepEqual(new Set(shared.notices.keys()), new Set(Object.keys(NOTICES)));
      assert.ok(cursors.length > 0);
    });

    await t.test('no log line has any', () => {
      assert.deepEqual(leaksIn(scanner, [{ where: 'log lines', bytes: Buffer.from(said) }]), []);
      const requests = said.split('\n').filter((text) => text.includes('"msg":"request"')).length;
      assert.ok(requests > shared.shown.length, 'a line for each request');
    });

    const allowed: Readonly<Record<string, (canary: Canary, spelling: string) => boolean>> = {
      'file tokens.json': (canary, spelling) =>
        isSource(canary) || (canary.place === TOKEN_PLACE && spelling === 'SHA-256 in hex'),
      'file newel.json': isOfAny([...sources.redact, ...sources.strict]),
      // It is its bearer’s own.
      'file client.json': (canary) => canary.value === token,
    };
    const mayHave: CopyParts['mayHave'] = (where, canary, spelling) =>
      allowed[where]?.(canary, spelling) === true;

    await t.test(
      'no file has any but sources by name, where tokens and rules are, and hashes of tokens',
      () => {
        const found = files.flatMap(({ where, bytes }) =>
          scanner.find(bytes).map(({ canary, spelling }) => ({ where, canary, spelling })),
        );
        assert.deepEqual(
          found
            .filter(({ where, canary, spelling }) => !mayHave(where, canary, spelling))
            .map(({ where, canary, spelling }) => `${where}: ${spelling} of ${canary.place}`),
          [],
        );
        assert.deepEqual(new Set(found.map(({ where }) => where)), new Set(Object.keys(allowed)));
        for (const name of [
          'keys/epochs',
          'keys/master',
          'policy',
          'newel.json',
          'tokens.json',
          'client.json',
        ]) {
          assert.ok(
            files.some(({ where }) => where === `file ${name}`),
            name,
          );
        }
        assert.ok(files.some(({ where }) => /^file db\/.*\.(log|ldb)$/.test(where)));
      },
    );

    await t.test('no row of the database has any', async () => {
      assert.deepEqual(leaksIn(scanner, rows), []);
      const { code, out } = await runCli(['fsck', '--data', dir, '--json'], { cwd: parent });
      assert.equal(code, 0, out);
      const { signed_size: size } = JSON.parse(out) as { signed_size: number };
      const prefixes = new Set(rows.map(({ where }) => where.slice('row '.length).slice(0, 2)));
      for (const prefix of ['80', '81', '82', '84', '85', '86', '87', '88', '89', '8a', '8b', '8d']) {
        assert.ok(prefixes.has(prefix), `no row ${prefix}`);
      }
      assert.equal(rows.filter(({ where }) => where.startsWith('row 83')).length, size - 1);
    });

    await t.test('what the keys open has those of events, but none that was erased, and no secret', () => {
      const found = new Set(
        opened.flatMap(({ bytes }) => scanner.find(bytes).map(({ canary }) => canary.random)),
      );
      // The flat profile’s session is in what was sent; a key is in the record as JSON.
      const missing = kept.flatMap(({ canaries }) => canaries.filter(({ random }) => !found.has(random)));
      assert.deepEqual(missing, []);
      const isKept = isOfAny(kept.flatMap(({ canaries }) => canaries));
      const gone = erased.flatMap(({ canaries }) => canaries.filter((canary) => !isKept(canary)));
      assert.ok(gone.length > 10 * ERASED);
      assert.deepEqual(
        gone.filter(({ random }) => found.has(random)),
        [],
      );
      const secrets = maker.made.filter(({ place }) => place.startsWith('secret ') || place === TOKEN_PLACE);
      assert.deepEqual(
        secrets.filter(({ random }) => found.has(random)),
        [],
      );
    });

    await t.test('no secret is given out of an event in which it was replaced', () => {
      const given = redacted.map(({ given: bytes, eventId }) => ({ where: eventId, bytes }));
      const isSecret = ({ place }: Canary): boolean => place.startsWith('secret ');
      assert.deepEqual(
        given.flatMap(({ where, bytes }) =>
          scanner
            .find(bytes)
            .flatMap(({ canary }) => (isSecret(canary) ? [`${where}: ${canary.place}`] : [])),
        ),
        [],
      );
      assert.ok(redacted.every(({ given: bytes }) => Buffer.from(bytes).includes('[REDACTED:')));
      assert.ok(placesIn(given).size > 10);
    });

    await t.test(
      'the log’s own events have none but callers in log.accessed, and sources in source.gap',
      () => {
        const isOwn = ({ bytes }: Evidence): boolean => Buffer.from(bytes).includes('newel:log');
        const evidence = [
          ...own.map((event) => ({
            where: 'an event of the log',
            bytes: Buffer.from(JSON.stringify(event)),
          })),
          // Those that were said at the end, too.
          ...opened.filter(({ where }) => where.startsWith('record ')).filter(isOwn),
        ];
        const found = evidence.flatMap(({ where, bytes }) =>
          scanner.find(bytes).map(({ canary }) => ({ where, bytes: Buffer.from(bytes), canary })),
        );
        const leaks = found.filter(({ bytes, canary }) => {
          if (bytes.includes('"source.gap"')) return !isSource(canary);
          return !(bytes.includes('"log.accessed"') && canary.place === CALLER_PLACE);
        });
        assert.deepEqual(
          leaks.map(({ where, canary }) => `${where}: ${canary.place}`),
          [],
        );
        assert.ok(found.some(({ canary }) => isSource(canary)));
        assert.ok(found.some(({ canary }) => canary.place === CALLER_PLACE));
        const types = new Set(own.map(({ event }) => (event as JsonObject)['type']));
        assert.deepEqual(types, new Set(['log.accessed', 'source.gap', 'exception.raised', 'erasure']));
        assert.ok(evidence.length > own.length);
      },
    );

    await t.test('a pack for an auditor has those of the preset, and of what travels along, alone', () => {
      const places = [...placesIn(pack)].map((place) => place.replace(/ \(name\)$/, ''));
      assert.deepEqual(new Set(places), new Set(AUDITOR_PLACES));
    });

    await t.test('a copy of the folder without the master key reveals no value', (subtest) =>
      assertCopyRevealsNothing(subtest, { folder, parent, scanner, mayHave }),
    );
  },
);

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

test('control: what is planted is found', async (t) => {
  const parent = await tempFolder(t);
  const { dir, folder, token } = await newDiskLog(parent, 'opaque');
  const maker = new CanaryMaker(1);
  for (const place of ['leaf', 'hash', 'hash as text', 'row', 'line', 'absent']) maker.plain(place);
  const [leaf, hashed, spelled, row, line] = maker.made.map(({ value }) => value);
  const scanner = new CanaryScanner(maker.made);
  const placesIn = (evidence: readonly Evidence[]): string[] =>
    [
      ...new Set(evidence.flatMap(({ bytes }) => scanner.find(bytes).map(({ canary }) => canary.place))),
    ].sort();

  const served = await serveDiskLog(t, dir);
  await served.add(`{"ip":"${leaf}"}`, token);
  await served.add(hashOf(spelled!).toString('base64url'), token);
  const { status } = await fetchDescribed(`${served.url}/add`, {
    method: 'POST',
    body: new Uint8Array(hashOf(hashed!)),
    headers: Object.fromEntries([bearer(token)]),
  });
  assert.equal(status, 200);
  await served.published(3);
  const open = await readPublic(Number(new URL(served.url).port), 3, ['/.well-known/jwks.json']);
  const all = ['hash', 'hash as text', 'leaf'];
  assert.deepEqual(placesIn(open), all);
  assert.deepEqual(placesIn(open.filter(({ where }) => where === 'GET /tile/entries/000.p/3')), all);
  // In base64, so that what is text in base64url by itself is beyond recognition.
  assert.deepEqual(placesIn(open.filter(({ where }) => where === 'GET /v1/leaves')), ['hash', 'leaf']);
  await served.service.stop();

  const store = await openLevelStore(folder.paths.db, { create: false });
  const value = Buffer.concat([Buffer.alloc(1000), hashOf(row!), Buffer.alloc(1000)]);
  await store.commit({ puts: [{ key: Uint8Array.of(0xff, 0xff), value }] });
  await store.close();
  assert.deepEqual(placesIn(await readFolder(folder.paths.db)), [...all, 'row']);
  assert.deepEqual(
    placesIn((await withStore(folder.paths.db, readRows)).filter(({ where }) => where === 'row ffff')),
    ['row'],
  );

  const said: string[] = [];
  const lines = createLines({ level: 'debug', write: (text) => void said.push(text) });
  lines.say('info', `nothing of ${line} is said`);
  assert.deepEqual(placesIn([{ where: 'log lines', bytes: Buffer.from(said.join('')) }]), ['line']);
});
