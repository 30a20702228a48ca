import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import type { Row } from '../../src/storage/store.ts';
import { Keyring } from '../../src/vault/keyring.ts';
import {
  exceptionKey,
  formatIndex,
  formatMarker,
  indexOfKey,
  keyEventKey,
  parseRecordRow,
  recordKey,
  retiredKey,
  TERM_BYTES,
  tombstoneKey,
} from '../../src/vault/rows.ts';
import { openRecordChecker } from '../../src/vault/check-records.ts';
import { Sealing } from '../../src/vault/states.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import { exampleEvents, TEST_ISSUER, TEST_MASTER } from '../support/test-vault.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  eventAbout,
  openCrashVault,
  rowsOf,
  snapshotOf,
  subjectOf,
  submitGroup,
} from '../support/vault-crash.ts';

const TRANSACTIONS = 0x8a;
const NO_TERM = new Uint8Array(TERM_BYTES);

interface Filled {
  readonly crash: CrashVault;
  /** Of anna and bert, in turn. Anna's at place 0 is erased, and so is all of carl, whose are the last three. */
  readonly events: readonly StoredEvent[];
  readonly tombstones: readonly number[];
  /** Rows of the private zone from before the erasures that are there no more. */
  readonly erased: readonly Row[];
}

async function fill(): Promise<Filled> {
  const crash = await openCrashVault();
  const names = ['anna', 'bert', 'anna', 'bert', 'anna', 'bert', 'carl', 'carl', 'carl'];
  const sent: JsonObject[] = names.map((name, i) => eventAbout(name, `e-${i}`, { src: { ip: '192.0.2.1' } }));
  const events = (await submitGroup(crash.now(), sent)).map(({ submitted }) => submitted!.event);
  const before = await zoneOf(crash);
  const tombstones: number[] = [];
  for (const target of [{ eventIds: [events[0]!.eventId] }, { subject: subjectOf('carl') }]) {
    const { erasureId } = await crash.now().vault.erase(erasing(target));
    const { tombstones: said } = await erasureIn(crash.now(), erasureId, 'done');
    tombstones.push(...said.map(({ leafIndex }) => leafIndex));
  }
  const after = await crash.store.getMany(before.map(({ key }) => key));
  return { crash, events, tombstones, erased: before.filter((_, i) => !after[i]) };
}

function zoneOf({ store }: CrashVault): Promise<Row[]> {
  return store.scan({ from: Uint8Array.of(0x80), to: Uint8Array.of(0x90), limit: 1_000_000 });
}

async function remove(crash: CrashVault, key: Uint8Array): Promise<void> {
  await crash.store.commit({ puts: [], deletes: [key] });
}

async function firstOf(crash: CrashVault, prefix: number): Promise<Row> {
  const [row] = await rowsOf(crash.store, prefix);
  assert.ok(row);
  return row;
}

/** Takes a data key from its owner, as the acceptance of an erasure does; returns what says so. */
async function retire({ crash }: Filled): Promise<Row> {
  const owner = await firstOf(crash, 0x84);
  const erasure = await firstOf(crash, 0x8b);
  const retired = { key: retiredKey(owner.value), value: erasure.key.subarray(1) };
  await crash.store.commit({ puts: [retired], deletes: [owner.key] });
  return retired;
}

async function replace(crash: CrashVault, key: Uint8Array, value: Uint8Array): Promise<void> {
  await crash.store.commit({ puts: [{ key, value }] });
}

/** What seals rows, as the vault that is open has it. */
async function sealingOf(crash: CrashVault): Promise<Sealing> {
  const keyring = await Keyring.open(crash.store, TEST_MASTER, await crash.epochs.read());
  return new Sealing(keyring.indexKey);
}

async function valueOf(crash: CrashVault, key: Uint8Array): Promise<Uint8Array> {
  const [value] = await crash.store.getMany([key]);
  assert.ok(value);
  return value;
}

describe('a check of all records', () => {
  test('finds nothing where nothing is wrong, with erasures in the log, and changes nothing', async () => {
    const { crash } = await fill();
    const snapshot = await snapshotOf(crash.store);
    assert.deepEqual(await crash.findings(), []);
    assert.deepEqual(await snapshotOf(crash.store), snapshot);
  });

  const damages: Record<string, { damage: (filled: Filled) => Promise<void>; finding: RegExp }> = {
    'a record that is gone': {
      damage: async ({ crash, events }) =>
        crash.store.commit({ puts: [], deletes: [recordKey(events[1]!.leafIndex)] }),
      finding: /^leaf 2: its record is missing/,
    },
    'a marker that stands where nothing was erased': {
      damage: async ({ crash, events, tombstones }) => {
        const key = recordKey(events[2]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(
          crash,
          key,
          formatMarker({ eventId, idTag, erasedBy: tombstones[0]!, sourceTerm: NO_TERM }),
        );
      },
      finding: /^leaf 3: its marker names leaf \d+, which does not say that it is erased/,
    },
    'a marker that names an event that is no erasure': {
      damage: async ({ crash, events }) => {
        const key = recordKey(events[0]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(
          crash,
          key,
          formatMarker({ eventId, idTag, erasedBy: events[1]!.leafIndex, sourceTerm: NO_TERM }),
        );
      },
      finding: /^leaf 1: its marker names leaf 2, which does not say that it is erased/,
    },
    'a marker that names a leaf beyond the log': {
      damage: async ({ crash, events }) => {
        const key = recordKey(events[0]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(crash, key, formatMarker({ eventId, idTag, erasedBy: 1_000_000, sourceTerm: NO_TERM }));
      },
      finding: /^leaf 1: its marker names leaf 1000000, which there is not/,
    },
    'a marker that names the log statement': {
      damage: async ({ crash, events }) => {
        const key = recordKey(events[0]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(crash, key, formatMarker({ eventId, idTag, erasedBy: 0, sourceTerm: NO_TERM }));
      },
      finding: /^leaf 1: its marker names leaf 0, which does not open/,
    },
    'a record that is back in place of its marker': {
      damage: async ({ crash, events }) => {
        const record = await valueOf(crash, recordKey(events[1]!.leafIndex));
        await replace(crash, recordKey(events[0]!.leafIndex), record);
      },
      finding: /^leaf 1: /,
    },
    'a term that leads nowhere any more': {
      damage: async ({ crash, events }) => {
        const rows = await rowsOf(crash.store, 0x88);
        const row = rows.find(({ key }) => indexOfKey(key) === events[3]!.leafIndex)!;
        await crash.store.commit({ puts: [], deletes: [row.key] });
      },
      finding: /^leaf 4: one of its terms does not lead to it/,
    },
    'an event that its data key has lost': {
      damage: async ({ crash, events }) => {
        const row = parseRecordRow(await valueOf(crash, recordKey(events[4]!.leafIndex)));
        assert.ok('keyId' in row);
        await crash.store.commit({ puts: [], deletes: [keyEventKey(row.keyId, events[4]!.leafIndex)] });
      },
      finding: /^leaf 5: its data key does not lead to it/,
    },
    'a count that is not that of the events': {
      damage: async ({ crash }) => {
        const [row] = await rowsOf(crash.store, 0x87);
        await replace(crash, row!.key, formatIndex(99));
      },
      finding: /^a data key says that it has 99 events, and has \d/,
    },
    'an erasure event that is gone': {
      damage: async ({ crash, tombstones }) =>
        crash.store.commit({ puts: [], deletes: [recordKey(tombstones[1]!)] }),
      finding: /^leaf 7: its marker names leaf \d+, which does not open/,
    },
  };
  for (const [what, { damage, finding }] of Object.entries(damages)) {
    test(`finds ${what}`, async () => {
      const filled = await fill();
      await damage(filled);
      const findings = await filled.crash.findings();
      assert.ok(
        findings.some((text) => finding.test(text)),
        findings.join('\n'),
      );
    });
  }

  const STRAY: Readonly<Record<string, { prefix: number; findings: readonly RegExp[] }>> = {
    'an owner': { prefix: 0x84, findings: [/^an owner has a data key that is not there$/] },
    'a data key': {
      prefix: 0x85,
      findings: [/^a data key has no count$/, /^a data key is that of no owner, and of no erasure/],
    },
    'an event under its data key': {
      prefix: 0x86,
      findings: [
        /^a data key leads to \d events?, and has \d$/,
        /^leaf \d+: its data key leads to it, and it has no/,
      ],
    },
    'the count of a data key': {
      prefix: 0x87,
      findings: [/^there is the count of a data key that is not there$/],
    },
    'a term': {
      prefix: 0x88,
      findings: [
        /^the terms of all events are \d+, and there are \d+$/,
        /^leaf \d+: a term leads to it, and it has no/,
      ],
    },
  };
  for (const [what, { prefix, findings }] of Object.entries(STRAY)) {
    test(`finds each row by which an erasure would not have been whole: ${what}`, async () => {
      const { crash, erased } = await fill();
      const rows = erased.filter(({ key }) => key[0] === prefix);
      assert.ok(rows.length > 0);
      for (const row of rows) {
        await crash.store.commit({ puts: [row] });
        const found = await crash.findings();
        for (const finding of findings)
          assert.ok(
            found.some((text) => finding.test(text)),
            found.join('\n'),
          );
        await remove(crash, row.key);
      }
      assert.deepEqual(await crash.findings(), []);
    });
  }

  test('finds a term of an erased event beside a record that does not open', async () => {
    const { crash, events, erased } = await fill();
    const term = erased.find(({ key }) => key[0] === 0x88)!;
    const key = recordKey(events[1]!.leafIndex);
    const record = await valueOf(crash, key);
    const damaged = Uint8Array.from(record, (byte, i) => (i === record.length - 1 ? byte ^ 1 : byte));
    await replace(crash, key, damaged);
    const alone = await crash.findings();
    assert.equal(alone.length, 1, alone.join('\n'));
    await crash.store.commit({ puts: [term] });
    const stray = `leaf ${indexOfKey(term.key)}: a term leads to it, and it has no record`;
    assert.deepEqual(await crash.findings(), [...alone, stray]);
  });

  test('finds a row of each kind that is gone', async () => {
    const { crash } = await fill();
    const gone: readonly (readonly [number, RegExp])[] = [
      [0x84, /^a data key is that of no owner, and of no erasure under way$/],
      [0x85, /^an owner has a data key that is not there$/],
      [0x86, /^leaf \d+: its data key does not lead to it/],
      [0x87, /^a data key has no count$/],
      [0x88, /^the terms of all events are \d+, and there are \d+$/],
    ];
    for (const [prefix, finding] of gone) {
      const row = await firstOf(crash, prefix);
      await remove(crash, row.key);
      const found = await crash.findings();
      assert.ok(
        found.some((text) => finding.test(text)),
        found.join('\n'),
      );
      await crash.store.commit({ puts: [row] });
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('takes a data key whose events are being erased, while both it and the erasure are there', async () => {
    const filled = await fill();
    const { crash } = filled;
    const retired = await retire(filled);
    assert.deepEqual(await crash.findings(), []);
    await remove(crash, retired.key);
    assert.ok(
      (await crash.findings()).includes('a data key is that of no owner, and of no erasure under way'),
    );
    for (const value of [new Uint8Array(16), new Uint8Array(0)]) {
      await replace(crash, retired.key, value);
      assert.deepEqual(await crash.findings(), [
        'a data key is being erased by an erasure that is not there',
      ]);
    }
    await replace(crash, retired.key, retired.value);
    await replace(crash, retiredKey(new Uint8Array(16)), retired.value);
    assert.deepEqual(await crash.findings(), ['a data key that is not there is said to be under erasure']);
  });

  test('finds an owner whose data key is of another, or is being erased', async () => {
    const { crash } = await fill();
    const [one, other] = await rowsOf(crash.store, 0x84);
    await replace(crash, one!.key, other!.value);
    assert.ok((await crash.findings()).includes('an owner has a data key that is of another'));
    await replace(crash, one!.key, one!.value);
    const erasure = await firstOf(crash, 0x8b);
    await replace(crash, retiredKey(one!.value), erasure.key.subarray(1));
    assert.deepEqual(await crash.findings(), ['an owner has a data key whose events are being erased']);
  });

  test('finds an id that leads to an event that is not its own, erased or not, or to none', async () => {
    const { crash, events } = await fill();
    const live = formatIndex(events[1]!.leafIndex);
    const erased = formatIndex(events[0]!.leafIndex);
    for (const [prefix, bytes, what] of [
      [0x81, 16, 'an event id'],
      [0x82, 32, 'an id'],
    ] as const) {
      const key = Uint8Array.of(prefix, ...new Uint8Array(bytes));
      for (const value of [live, erased, formatIndex(0), formatIndex(9999)]) {
        await replace(crash, key, value);
        const index = value.at(-1)! + 256 * value.at(-2)!;
        assert.deepEqual(await crash.findings(), [`leaf ${index}: ${what} leads to it that is not its own`]);
      }
      await replace(crash, key, new Uint8Array(3));
      assert.deepEqual(await crash.findings(), [`${what} leads to what is no leaf`]);
      await remove(crash, key);
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('finds what is to be said about another event, or about none', async () => {
    const { crash, events } = await fill();
    const sealing = await sealingOf(crash);
    const row = (index: number, eventId: string): Row =>
      sealing.jsonRow(exceptionKey(index), { event_id: eventId, rules: ['hash_differs'] });
    const [erased, live] = events as [StoredEvent, StoredEvent];
    for (const event of [live, erased]) {
      const { leafIndex, eventId } = event;
      await crash.store.commit({ puts: [row(leafIndex, eventId)] });
      assert.deepEqual(await crash.findings(), []);
      await crash.store.commit({ puts: [row(leafIndex, events[2]!.eventId)] });
      const finding = `leaf ${leafIndex}: what is to be said about it is about another, or does not open`;
      assert.deepEqual(await crash.findings(), [finding]);
      await replace(crash, exceptionKey(leafIndex), new Uint8Array(60));
      assert.deepEqual(await crash.findings(), [finding]);
      await remove(crash, exceptionKey(leafIndex));
    }
    for (const index of [0, 9999]) {
      await crash.store.commit({ puts: [row(index, live.eventId)] });
      assert.deepEqual(await crash.findings(), [
        `leaf ${index}: there is something to say about it, and it is no event`,
      ]);
      await remove(crash, exceptionKey(index));
    }
  });

  test('finds an erasure that does not list its events, or lists what does not say it', async () => {
    const { crash, tombstones, events } = await fill();
    const listed = await rowsOf(crash.store, 0x8f);
    assert.equal(listed.length, 2);
    for (const row of listed) {
      await remove(crash, row.key);
      const [finding, ...more] = await crash.findings();
      assert.match(finding!, /^leaf \d+: it says that leaves are erased, and its erasure does not list it$/);
      assert.deepEqual(more, []);
      await crash.store.commit({ puts: [row] });
    }
    const [one, other] = listed as [Row, Row];
    const idOf = ({ key }: Row): Uint8Array => key.subarray(1, 17);
    const sealing = await sealingOf(crash);
    const said = sealing.openJson(one.key, one.value) as { eventId: string; erased: number };
    const at = indexOfKey(one.key);
    const wrong: readonly (readonly [Row, RegExp])[] = [
      [sealing.jsonRow(one.key, { ...said, erased: said.erased + 1 }), /lists it otherwise than it says$/],
      [sealing.jsonRow(one.key, { ...said, eventId: events[0]!.eventId }), /lists it otherwise/],
      [{ key: one.key, value: other.value }, new RegExp(`^leaf ${at}: `)],
      [sealing.jsonRow(tombstoneKey(idOf(other), at), said), /lists it otherwise than it says$/],
      [sealing.jsonRow(tombstoneKey(idOf(one), events[1]!.leafIndex), said), /lists it otherwise/],
      [sealing.jsonRow(tombstoneKey(idOf(one), events[0]!.leafIndex), said), /which does not open$/],
      [sealing.jsonRow(tombstoneKey(idOf(one), 9999), said), /which there is not$/],
      [
        sealing.jsonRow(tombstoneKey(new Uint8Array(16), tombstones[0]!), said),
        /^an erasure that is not there/,
      ],
    ];
    for (const [row, finding] of wrong) {
      const [before] = await crash.store.getMany([row.key]);
      await crash.store.commit({ puts: [row] });
      const found = await crash.findings();
      assert.equal(found.length, 1, found.join('\n'));
      assert.match(found[0]!, finding);
      if (before) await replace(crash, row.key, before);
      else await remove(crash, row.key);
    }
    assert.deepEqual(await crash.findings(), []);
  });

  test('finds what is kept of a transaction whose events are erased, and what of one does not open', async () => {
    const crash = await openCrashVault();
    const flow = exampleEvents('wire-transfer.ndjson') as JsonObject[];
    const events = (await submitGroup(crash.now(), flow)).map(({ submitted }) => submitted!.event);
    const kept = await firstOf(crash, TRANSACTIONS);
    assert.deepEqual(await crash.findings(), []);
    await replace(
      crash,
      kept.key,
      kept.value.map((byte, i) => (i === 30 ? byte ^ 1 : byte)),
    );
    assert.deepEqual(await crash.findings(), ['what is kept of a transaction does not open']);
    await crash.store.commit({ puts: [kept] });
    const eventIds = events.map(({ eventId }) => eventId);
    const { erasureId } = await crash.now().vault.erase(erasing({ eventIds }));
    await erasureIn(crash.now(), erasureId, 'done');
    assert.deepEqual(await rowsOf(crash.store, TRANSACTIONS), []);
    assert.deepEqual(await crash.findings(), []);
    await crash.store.commit({ puts: [kept] });
    assert.deepEqual(await crash.findings(), ['something is kept of a transaction that has no event']);
    // An event that plays no part in its transaction keeps nothing of it.
    const { txn } = flow[1]!;
    await crash.now().submit(eventAbout('anna', 'plain', { type: 'logout', txn: txn! }));
    assert.deepEqual(await crash.findings(), ['something is kept of a transaction that has no event']);
  });

  test('needs the master key, and the epochs of now', async () => {
    const { crash } = await fill();
    const { log } = crash.now().test;
    const parts = {
      store: crash.store,
      master: TEST_MASTER,
      epochs: await crash.epochs.read(),
      issuing: { issuer: TEST_ISSUER, origin: log.identity.origin },
      readEntries: async (first: number, count: number) => log.readEntries(first, count),
    };
    await openRecordChecker(parts);
    const stale = [{ number: 1, createdMs: 0, key: new Uint8Array(32).fill(7) }];
    for (const wrong of [{ master: new Uint8Array(32) }, { epochs: stale }]) {
      await assert.rejects(openRecordChecker({ ...parts, ...wrong }), { code: 'log_refused' });
    }
  });
});
