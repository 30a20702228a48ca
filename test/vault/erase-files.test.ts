/** What an erasure leaves in the files of the database, and what opens with the keys that are left: nothing. */

import assert from 'node:assert/strict';
import { createDecipheriv } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { openLevelStore } from '../../src/storage/level.ts';
import type { Store } from '../../src/storage/store.ts';
import type { Epoch, EpochFile } from '../../src/vault/epochs.ts';
import { dataKeyKey, indexOfKey, parseDataKeyRow, parseRecordRow, recordKey } from '../../src/vault/rows.ts';
import { Keyring } from '../../src/vault/keyring.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import { parseTable } from '../support/sstable.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { TEST_TIME_MS } from '../support/test-log.ts';
import { exampleEvents, TEST_MASTER } from '../support/test-vault.ts';
import { until } from '../support/until.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { SLOW } from '../support/slow.ts';
import {
  type CrashVault,
  erasing,
  erasureIn,
  openCrashVault,
  rowsOf,
  subjectOf,
  submitGroup,
} from '../support/vault-crash.ts';

const EVENTS = SLOW ? 12_000 : 3000;
const SUBJECTS = 60;
const EPOCH_MS = 3_600_000;
const CHECK_MS = 60_000;
const [FULL] = exampleEvents('full.json') as [JsonObject];

interface Filled {
  readonly crash: CrashVault;
  readonly store: Store;
  readonly folder: string;
  readonly epochs: MemoryEpochs;
  readonly events: readonly StoredEvent[];
  /** Of vault, log and store. */
  close(): Promise<void>;
}

class MemoryEpochs implements EpochFile {
  readonly had: (readonly Epoch[])[] = [
    [{ number: 1, createdMs: TEST_TIME_MS, key: new Uint8Array(32).fill(0x45) }],
  ];

  async read(): Promise<readonly Epoch[]> {
    return this.had.at(-1)!;
  }

  async replace(epochs: readonly Epoch[]): Promise<void> {
    this.had.push(epochs);
  }
}

function nameOf(i: number): string {
  return `person-${i % SUBJECTS}`;
}

async function fill(t: TestContext, count: number): Promise<Filled> {
  const folder = join(await tempFolder(t), 'db');
  const store = await openLevelStore(folder, { create: true });
  const epochs = new MemoryEpochs();
  const crash = await openCrashVault({ store, vault: { epochs, epochMs: EPOCH_MS } });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await crash.now().vault.close();
    await crash.now().test.log.close();
    await store.close();
  };
  t.after(close);
  const events: StoredEvent[] = [];
  for (let at = 0; at < count; at += 500) {
    const group = Array.from({ length: 500 }, (_, i) => ({
      ...FULL,
      id: `e-${at + i}`,
      txn: `txn-${at + i}`,
      subject: { sub_id: subjectOf(nameOf(at + i)) },
      src: { ip: `10.1.${(at + i) >> 8}.${(at + i) & 255}` },
    }));
    for (const { submitted, error } of await submitGroup(crash.now(), group)) {
      if (!submitted) throw error!;
      events.push(submitted.event);
    }
  }
  // All in tables: in the write-ahead log a value may be in two pieces.
  await store.compact(Uint8Array.of(0x80), Uint8Array.of(0xff));
  return { crash, store, folder, epochs, events, close };
}

/** What of those leaves is in the database and has to go, by what it is. */
async function captured(
  store: Store,
  indexes: ReadonlySet<number>,
  alsoKeys: boolean,
): Promise<Map<string, Uint8Array[]>> {
  const found = new Map<string, Uint8Array[]>();
  const add = (what: string, bytes: Uint8Array): void =>
    void found.set(what, [...(found.get(what) ?? []), bytes]);
  for (const index of indexes) {
    const row = parseRecordRow((await store.getMany([recordKey(index)]))[0]!);
    assert.ok('keyId' in row);
    add('ciphertext', row.sealedRecord.slice(100, 132));
    add('wrapped seed', row.sealedSeed.slice(12));
    add('content MAC', row.contentMac.slice());
    if (!alsoKeys) continue;
    const sealed = parseDataKeyRow((await store.getMany([dataKeyKey(row.keyId)]))[0]!);
    add('wrapped data key', sealed.sealedKey.slice(12));
  }
  for (const [what, prefix] of [
    ['term', 0x88],
    ['key and leaf', 0x86],
  ] as const) {
    for (const { key } of await rowsOf(store, prefix))
      if (indexes.has(indexOfKey(key))) add(what, key.slice(1));
  }
  return new Map([...found].map(([what, all]) => [what, some(all)]));
}

/** At most 100 of them, from all over. */
function some<T>(all: readonly T[]): T[] {
  const step = Math.max(1, Math.ceil(all.length / 100));
  return all.filter((_, i) => i % step === 0);
}

/** What is in the files: tables taken apart, since they are compressed and keys in them share their beginnings. */
async function contentsOf(folder: string): Promise<{ name: string; bytes: Buffer }[]> {
  const names = await readdir(folder);
  return Promise.all(
    names.map(async (name) => {
      const file = await readFile(join(folder, name));
      const bytes = name.endsWith('.ldb')
        ? Buffer.concat(parseTable(file).flatMap(({ key, value }) => [key, value]))
        : file;
      return { name: name.replace(/[0-9]+/, 'N'), bytes };
    }),
  );
}

/** In how many kinds of files how many of the needles are, as they are or as LevelDB's own log writes them. */
async function filesWith(folder: string, needles: readonly Uint8Array[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { name, bytes } of await contentsOf(folder)) {
    const count = needles.filter(
      (needle) => bytes.includes(needle) || (name === 'LOG' && bytes.includes(escaped(needle))),
    ).length;
    if (count > 0) found[name] = (found[name] ?? 0) + count;
  }
  return found;
}

function escaped(bytes: Uint8Array): string {
  const text = (byte: number): string =>
    byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
  return Array.from(bytes, text).join('');
}

/** Each of them is in the files. */
async function assertThere(
  folder: string,
  needles: ReadonlyMap<string, readonly Uint8Array[]>,
): Promise<void> {
  for (const [what, all] of needles) {
    const found = Object.values(await filesWith(folder, all)).reduce((sum, count) => sum + count, 0);
    assert.ok(
      all.length > 0 && found >= all.length,
      `${what}: ${found} of ${all.length} are in the files to begin with`,
    );
  }
}

/** What LevelDB writes about its tables: a few keys that one of them began or ended with. */
const ABOUT_TABLES = ['MANIFEST-N', 'LOG', 'LOG.old'];

/** None of them is in the files; but for what is said about tables, which a second start writes anew. */
async function assertGone(
  folder: string,
  needles: ReadonlyMap<string, readonly Uint8Array[]>,
  { isStartedAnew = false }: { isStartedAnew?: boolean } = {},
): Promise<void> {
  for (const [what, all] of needles) {
    const found = await filesWith(folder, all);
    const isKey = what === 'term' || what === 'key and leaf';
    if (isKey && !isStartedAnew) for (const name of ABOUT_TABLES) delete found[name];
    assert.deepEqual(found, {}, what);
  }
}

function opensWith(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): boolean {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
      .setAAD(context)
      .setAuthTag(sealed.subarray(-16));
    decipher.update(sealed.subarray(12, -16));
    decipher.final();
    return true;
  } catch {
    return false;
  }
}

describe('the files of the database after an erasure', () => {
  test('of people and of events have nothing of what led to them or was sealed of them', async (t) => {
    const filled = await fill(t, EVENTS);
    const { crash, store, folder, events } = filled;
    const people = new Set([3, 17, 41]);
    const ofPeople = new Set(
      events.filter((_, i) => people.has(i % SUBJECTS)).map(({ leafIndex }) => leafIndex),
    );
    const single = events.filter((_, i) => i % 97 === 5 && !people.has(i % SUBJECTS));
    const ofSingle = new Set(single.map(({ leafIndex }) => leafIndex));
    const needles = await captured(store, ofPeople, true);
    const singles = await captured(store, ofSingle, false);
    const kept = await captured(store, new Set([events[4]!.leafIndex]), true);
    await assertThere(folder, needles);
    await assertThere(folder, singles);
    const accepted = [];
    for (const person of people) {
      accepted.push(await crash.now().vault.erase(erasing({ subject: subjectOf(nameOf(person)) })));
    }
    accepted.push(await crash.now().vault.erase(erasing({ eventIds: single.map(({ eventId }) => eventId) })));
    for (const { erasureId } of accepted) await erasureIn(crash.now(), erasureId, 'done', 'failed');
    assert.equal((await crash.now().vault.findErasure(accepted[0]!.erasureId))?.state, 'done');
    await assertGone(folder, needles);
    await assertGone(folder, singles);
    assert.deepEqual(await crash.findings(), []);
    for (const what of ['ciphertext', 'wrapped seed', 'wrapped data key']) {
      assert.notDeepEqual(
        await filesWith(folder, kept.get(what)!),
        {},
        `${what} of another person is still there`,
      );
    }
    await filled.close();
    for (let start = 0; start < 2; start++) await (await openLevelStore(folder, { create: false })).close();
    await assertGone(folder, needles, { isStartedAnew: true });
    await assertGone(folder, singles, { isStartedAnew: true });
  });

  test('and the next epoch: what was captured of a data key opens with no key that is left', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { crash, store, epochs, events } = await fill(t, 500);
    const record = parseRecordRow((await store.getMany([recordKey(events[3]!.leafIndex)]))[0]!);
    assert.ok('keyId' in record);
    const { sealedKey, ownerTag } = parseDataKeyRow((await store.getMany([dataKeyKey(record.keyId)]))[0]!);
    const context = Buffer.concat([Buffer.from('newel/data-key/v1'), record.keyId, ownerTag]);
    const { erasureId } = await crash.now().vault.erase(erasing({ subject: subjectOf(nameOf(3)) }));
    await erasureIn(crash.now(), erasureId, 'done');
    crash.now().test.clock.set(TEST_TIME_MS + EPOCH_MS);
    t.mock.timers.tick(CHECK_MS);
    await until(async () => epochs.had.at(-1)!.length === 1 && epochs.had.length > 2);
    const { indexKey } = await Keyring.open(store, TEST_MASTER, await epochs.read());
    const left = [TEST_MASTER, indexKey, ...(await epochs.read()).map(({ key }) => key)];
    for (const key of left) assert.equal(opensWith(key, sealedKey, context), false);
    assert.equal(
      opensWith(epochs.had[0]![0]!.key, sealedKey, context),
      true,
      'the key that was destroyed opens it',
    );
    assert.equal((await crash.now().vault.findErasure(erasureId))?.keysDestroyedByMs, undefined);
    assert.deepEqual(await crash.findings(), []);
  });
});
