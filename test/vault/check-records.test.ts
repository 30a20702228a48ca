import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import {
  formatIndex,
  formatMarker,
  indexOfKey,
  keyEventKey,
  parseRecordRow,
  recordKey,
} from '../../src/vault/rows.ts';
import { openRecordChecker } from '../../src/vault/check-records.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import { TEST_ISSUER, TEST_MASTER } from '../support/test-vault.ts';
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

interface Filled {
  readonly crash: CrashVault;
  /** Of anna and bert, in turn. Anna's at place 0 is erased, and so is all of carl, whose are the last three. */
  readonly events: readonly StoredEvent[];
  readonly tombstones: readonly number[];
}

async function fill(): Promise<Filled> {
  const crash = await openCrashVault();
  const names = ['anna', 'bert', 'anna', 'bert', 'anna', 'bert', 'carl', 'carl', 'carl'];
  const sent: JsonObject[] = names.map((name, i) => eventAbout(name, `e-${i}`, { src: { ip: '192.0.2.1' } }));
  const events = (await submitGroup(crash.now(), sent)).map(({ submitted }) => submitted!.event);
  const tombstones: number[] = [];
  for (const target of [{ eventIds: [events[0]!.eventId] }, { subject: subjectOf('carl') }]) {
    const { erasureId } = await crash.now().vault.erase(erasing(target));
    const { tombstones: said } = await erasureIn(crash.now(), erasureId, 'done');
    tombstones.push(...said.map(({ leafIndex }) => leafIndex));
  }
  return { crash, events, tombstones };
}

async function replace(crash: CrashVault, key: Uint8Array, value: Uint8Array): Promise<void> {
  await crash.store.commit({ puts: [{ key, value }] });
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
        await replace(crash, key, formatMarker({ eventId, idTag, erasedBy: tombstones[0]! }));
      },
      finding: /^leaf 3: its marker names leaf \d+, which does not say that it is erased/,
    },
    'a marker that names an event that is no erasure': {
      damage: async ({ crash, events }) => {
        const key = recordKey(events[0]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(crash, key, formatMarker({ eventId, idTag, erasedBy: events[1]!.leafIndex }));
      },
      finding: /^leaf 1: its marker names leaf 2, which does not say that it is erased/,
    },
    'a marker that names a leaf beyond the log': {
      damage: async ({ crash, events }) => {
        const key = recordKey(events[0]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(crash, key, formatMarker({ eventId, idTag, erasedBy: 1_000_000 }));
      },
      finding: /^leaf 1: its marker names leaf 1000000, which there is not/,
    },
    'a marker that names the log statement': {
      damage: async ({ crash, events }) => {
        const key = recordKey(events[0]!.leafIndex);
        const { eventId, idTag } = parseRecordRow(await valueOf(crash, key));
        await replace(crash, key, formatMarker({ eventId, idTag, erasedBy: 0 }));
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
