/**
 * Checking a whole private zone, with its keys: every event in the tree has a record that opens and says what its leaf
 * commits to, or a marker that names the erasure which names it; every term leads to it, and each data key has as many
 * events as it says. `prove-records.ts` is the part of it that every start can afford.
 */

import { EVENT_LEAF_VERSION, parseLeaf } from '../event/leaf.ts';
import { LOG_SOURCE } from '../event/log-events.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../formats/json.ts';
import type { Store } from '../storage/store.ts';
import type { Epoch } from './epochs.ts';
import { type OpeningParts, openRecordOf, readRecordRow } from './events.ts';
import { Keyring } from './keyring.ts';
import type { Issuing } from './open-claims.ts';
import { proveRecords } from './prove-records.ts';
import { KEY_ID_BYTES, parseIndex, rangeOf, retiredKey, termKey } from './rows.ts';
import { splitTerms, Terms } from './terms.ts';

export interface RecordsToCheck {
  readonly store: Store;
  /** 32 bytes. */
  readonly master: Uint8Array;
  readonly epochs: readonly Epoch[];
  readonly issuing: Issuing;
  /** Entries of the tree: [first, first + count). */
  readonly readEntries: (first: number, count: number) => Promise<readonly Uint8Array[]>;
}

export interface RecordChecker {
  /** Looks at the records of the leaves from `first` on, whose entries are given, and returns what is wrong, in words. */
  check(first: number, entries: readonly Uint8Array[]): Promise<string[]>;
  /** What is wrong with all of them together, once each was looked at. */
  end(): Promise<string[]>;
}

const COUNTS = rangeOf(0x87);
const AT_ONCE = 10_000;

/** Throws `log_refused` where the master key opens nothing. */
export async function openRecordChecker(records: RecordsToCheck): Promise<RecordChecker> {
  const { store, master, epochs, issuing, readEntries } = records;
  const keyring = await Keyring.open(store, master, epochs);
  const parts: CheckParts = {
    store,
    issuing,
    keyring,
    terms: new Terms(keyring.indexKey),
    readEntries,
    counts: new Map(),
  };
  return {
    async check(first, entries) {
      // One by one only where not all of them are whole.
      const isWhole = (await findingOf(first, () => proveRecords(store, first, entries))).length === 0;
      const findings = entries.map((entry, i) =>
        findingOf(first + i, async () => {
          if (!isWhole) await proveRecords(store, first + i, [entry]);
          if (parseLeaf(entry).version === EVENT_LEAF_VERSION) await checkLeaf(parts, first + i, entry);
        }),
      );
      return (await Promise.all(findings)).flat();
    },
    end: () => checkCounts(parts),
  };
}

interface CheckParts extends OpeningParts {
  readonly terms: Terms;
  readonly readEntries: RecordsToCheck['readEntries'];
  /** Events by data key. */
  readonly counts: Map<string, number>;
}

async function findingOf(index: number, check: () => Promise<unknown>): Promise<string[]> {
  try {
    await check();
    return [];
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return [error.code === 'log_refused' ? error.message : `leaf ${index}: ${error.message}`];
  }
}

async function checkLeaf(parts: CheckParts, index: number, entry: Uint8Array): Promise<void> {
  const { store, terms, counts } = parts;
  const row = await readRecordRow(store, index);
  if ('erasedBy' in row) return checkMarker(parts, index, row.erasedBy);
  const keyId = nameOf(row.keyId);
  counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
  const { content } = await openRecordOf(parts, index, entry);
  const keys = splitTerms(terms.termsOf(content)).map((term) => termKey(term, index));
  if ((await store.getMany(keys)).includes(undefined)) throw wrong('one of its terms does not lead to it');
  for (const erased of erasedBy(content) ?? []) {
    const other = await readRecordRow(store, erased);
    if ('erasedBy' in other && other.erasedBy === index) continue;
    throw wrong(`it says that leaf ${erased} is erased, which has no marker that names it`);
  }
}

async function checkMarker(parts: CheckParts, index: number, by: number): Promise<void> {
  const named = erasedBy(await contentAt(parts, by));
  if (!named?.includes(index))
    throw wrong(`its marker names leaf ${by}, which does not say that it is erased`);
}

async function contentAt(parts: CheckParts, index: number): Promise<JsonObject> {
  try {
    const [entry] = await parts.readEntries(index, 1);
    if (entry) return (await openRecordOf(parts, index, entry)).content;
  } catch (cause) {
    throw wrong(`its marker names leaf ${index}, which does not open`, cause);
  }
  throw wrong(`its marker names leaf ${index}, which there is not`);
}

/** The leaves that an `erasure` event names; `undefined` for another event. */
function erasedBy({ source, type, ext }: JsonObject): readonly number[] | undefined {
  // Others may use the type as well, and what they say erases nothing.
  if (source !== LOG_SOURCE || type !== 'erasure' || !isJsonObject(ext)) return undefined;
  const said = ext['newel:erasure'];
  const indexes = isJsonObject(said) ? said['leaf_indexes'] : undefined;
  return Array.isArray(indexes) ? indexes.map(Number) : undefined;
}

async function checkCounts({ store, counts }: CheckParts): Promise<string[]> {
  const findings: string[] = [];
  for (let { from } = COUNTS; ;) {
    const rows = await store.scan({ ...COUNTS, from, limit: AT_ONCE });
    const retired = await store.getMany(rows.map(({ key }) => retiredKey(key.subarray(-KEY_ID_BYTES))));
    for (const [i, { key, value }] of rows.entries()) {
      // Its events are being erased, and are not counted any more.
      if (retired[i]) continue;
      const found = counts.get(nameOf(key.subarray(-KEY_ID_BYTES))) ?? 0;
      const count = parseIndex(value);
      if (count !== found) findings.push(`a data key says that it has ${count} events, and has ${found}`);
    }
    if (rows.length < AT_ONCE) return findings;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
}

function nameOf(keyId: Uint8Array): string {
  return Buffer.from(keyId).toString('latin1');
}

function wrong(message: string, cause?: unknown): NewelError {
  return new NewelError('storage_failed', message, { cause });
}
