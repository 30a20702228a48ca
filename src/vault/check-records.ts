/**
 * Checking a whole private zone, with its keys: every event in the tree has a record that opens and says what its leaf
 * commits to, or a marker that names the erasure which names it; every term leads to it, and each data key has as many
 * events as it says. The other way round no row leads to what is not there: that is what an erasure that was not done
 * whole, or an older row that came back, leaves behind. `prove-records.ts` is the part of it that every start can afford.
 */

import { EVENT_LEAF_VERSION, parseLeaf } from '../event/leaf.ts';
import { LOG_SOURCE } from '../event/log-events.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject } from '../formats/json.ts';
import type { Row, Store } from '../storage/store.ts';
import type { Epoch } from './epochs.ts';
import { type OpeningParts, openRecordOf, readRecordRow } from './events.ts';
import { Keyring } from './keyring.ts';
import type { Issuing } from './open-claims.ts';
import { proveRecords } from './prove-records.ts';
import {
  dataKeyKey,
  erasureKey,
  EVENT_ID_BYTES,
  INDEX_BYTES,
  indexOfKey,
  KEY_ID_BYTES,
  keyCountKey,
  ownerKey,
  parseDataKeyRow,
  parseIndex,
  parseRecordRow,
  rangeOf,
  recordKey,
  retiredKey,
  termKey,
} from './rows.ts';
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

/** Rows of a few bytes. */
const AT_ONCE = 10_000;
const RECORDS_AT_ONCE = 500;
const NOTHING = new Uint8Array(0);

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
    found: { terms: 0, unopened: 0 },
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
    async end() {
      const findings: string[] = [];
      for (const check of [
        checkOwners,
        checkDataKeys,
        checkKeyEvents,
        checkCounts,
        checkTerms,
        checkRetired,
      ]) {
        findings.push(...(await check(parts)));
      }
      return findings;
    },
  };
}

interface CheckParts extends OpeningParts {
  readonly terms: Terms;
  readonly readEntries: RecordsToCheck['readEntries'];
  /** Events by data key. */
  readonly counts: Map<string, number>;
  /** Terms of the events that opened, and how many did not. */
  readonly found: { terms: number; unopened: number };
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
  const { store, terms, counts, found } = parts;
  const row = await readRecordRow(store, index);
  if ('erasedBy' in row) return checkMarker(parts, index, row.erasedBy);
  const keyId = nameOf(row.keyId);
  counts.set(keyId, (counts.get(keyId) ?? 0) + 1);
  found.unopened += 1;
  const { content } = await openRecordOf(parts, index, entry);
  found.unopened -= 1;
  const keys = splitTerms(terms.termsOf(content)).map((term) => termKey(term, index));
  found.terms += keys.length;
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

/** 84 → 85, 87: no owner has a data key that is gone, going, or of another. */
async function checkOwners({ store }: CheckParts): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x84)) {
    const ids = rows.map(({ value }) => value);
    const [dataKeys, counts, retired] = await lookUp(store, ids, [dataKeyKey, keyCountKey, retiredKey]);
    for (const [i, { key }] of rows.entries()) {
      const dataKey = dataKeys[i];
      if (!dataKey) findings.push('an owner has a data key that is not there');
      else if (nameOf(ownerKey(ownerTagOf(dataKey))) !== nameOf(key))
        findings.push('an owner has a data key that is of another');
      if (!counts[i]) findings.push('an owner has a data key without a count');
      if (retired[i]) findings.push('an owner has a data key whose events are being erased');
    }
  }
  return findings;
}

/** 85 → 84 or 8e, 87: what was erased has no data key any more. */
async function checkDataKeys({ store }: CheckParts): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x85)) {
    const ids = rows.map(keyIdOf);
    const [counts, retired] = await lookUp(store, ids, [keyCountKey, retiredKey]);
    const [owned] = await lookUp(
      store,
      rows.map(({ value }) => ownerTagOf(value)),
      [ownerKey],
    );
    for (const [i, id] of ids.entries()) {
      if (!counts[i]) findings.push('a data key has no count');
      if (!retired[i] && nameOf(owned[i] ?? NOTHING) !== nameOf(id))
        findings.push('a data key is that of no owner, and of no erasure under way');
    }
  }
  return findings;
}

/** 86 → 83: a data key leads to its events and to nothing else. That it leads to each of them is known by then. */
async function checkKeyEvents({ store, counts }: CheckParts): Promise<string[]> {
  const findings: string[] = [];
  let last = { name: '', rows: 0 };
  const endKey = (): void => {
    const events = counts.get(last.name) ?? 0;
    if (last.rows !== events && last.rows > 0)
      findings.push(`a data key leads to ${last.rows} events, and has ${events}`);
  };
  for await (const rows of pagesOf(store, 0x86)) {
    for (const { key } of rows) {
      const name = nameOf(key.subarray(1, 1 + KEY_ID_BYTES));
      if (name !== last.name) {
        endKey();
        last = { name, rows: 0 };
      }
      last.rows += 1;
    }
  }
  endKey();
  return findings.length === 0 ? [] : [...findings, ...(await findStray(store, 0x86, 'its data key'))];
}

/** 87 → 85, and the count. */
async function checkCounts({ store, counts }: CheckParts): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x87)) {
    const ids = rows.map(keyIdOf);
    const [dataKeys, retired] = await lookUp(store, ids, [dataKeyKey, retiredKey]);
    for (const [i, { value }] of rows.entries()) {
      if (!dataKeys[i]) findings.push('there is the count of a data key that is not there');
      // Its events are being erased, and are not counted any more.
      if (retired[i]) continue;
      const found = counts.get(nameOf(ids[i]!)) ?? 0;
      const count = parseIndex(value);
      if (count !== found) findings.push(`a data key says that it has ${count} events, and has ${found}`);
    }
  }
  return findings;
}

/** 88 → 83: no term leads to anything but the events of which it is true. */
async function checkTerms({ store, found }: CheckParts): Promise<string[]> {
  let total = 0;
  for await (const rows of pagesOf(store, 0x88)) total += rows.length;
  if (total === found.terms) return [];
  const stray = await findStray(store, 0x88, 'a term');
  // Of what does not open nobody knows how many there should be.
  if (found.unopened > 0) return stray;
  return [`the terms of all events are ${found.terms}, and there are ${total}`, ...stray];
}

/** 8e → 8b, 85: what is said to be under erasure is there, and so is the erasure. */
async function checkRetired({ store }: CheckParts): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x8e)) {
    const [erasures] = await lookUp(
      store,
      rows.map(({ value }) => value),
      [erasureKey],
    );
    const [dataKeys] = await lookUp(store, rows.map(keyIdOf), [dataKeyKey]);
    for (const [i, { value }] of rows.entries()) {
      if (!erasures[i] || value.length !== EVENT_ID_BYTES)
        findings.push('a data key is being erased by an erasure that is not there');
      if (!dataKeys[i]) findings.push('a data key that is not there is said to be under erasure');
    }
  }
  return findings;
}

/** Names the leaves that rows lead to and that have no record that opens. */
async function findStray(store: Store, prefix: number, what: string): Promise<string[]> {
  const stray = new Set<number>();
  for await (const rows of pagesOf(store, prefix)) {
    const whole = rows.filter(({ key }) => key.length === 1 + KEY_ID_BYTES + INDEX_BYTES);
    const indexes = [...new Set(whole.map(({ key }) => indexOfKey(key)))];
    for (let at = 0; at < indexes.length; at += RECORDS_AT_ONCE) {
      const some = indexes.slice(at, at + RECORDS_AT_ONCE);
      const stored = await store.getMany(some.map(recordKey));
      some.forEach((index, i) => {
        if (!isLive(stored[i])) stray.add(index);
      });
    }
  }
  return [...stray].map((index) => `leaf ${index}: ${what} leads to it, and it has no record`);
}

function isLive(record: Uint8Array | undefined): boolean {
  try {
    return record !== undefined && 'keyId' in parseRecordRow(record);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    // It is damaged, which is a finding of its own.
    return true;
  }
}

/** All rows that begin with that byte, some at a time. */
async function* pagesOf(store: Store, prefix: number): AsyncGenerator<readonly Row[]> {
  const range = rangeOf(prefix);
  for (let { from } = range; ;) {
    const rows = await store.scan({ ...range, from, limit: AT_ONCE });
    if (rows.length > 0) yield rows;
    if (rows.length < AT_ONCE) return;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
}

type Values = readonly (Uint8Array | undefined)[];

/** What is stored for each of the names, under each of the kinds of keys. */
async function lookUp<const K extends readonly ((name: Uint8Array) => Uint8Array)[]>(
  store: Store,
  names: readonly Uint8Array[],
  keysOf: K,
): Promise<{ readonly [I in keyof K]: Values }> {
  const found = keysOf.map((keyOf) => store.getMany(names.map(keyOf)));
  return (await Promise.all(found)) as { readonly [I in keyof K]: Values };
}

function keyIdOf({ key }: Row): Uint8Array {
  return key.subarray(1);
}

/** Empty where the row is damaged: what is under the key says so. */
function ownerTagOf(dataKey: Uint8Array): Uint8Array {
  try {
    return parseDataKeyRow(dataKey).ownerTag;
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return NOTHING;
  }
}

function nameOf(keyId: Uint8Array): string {
  return Buffer.from(keyId).toString('latin1');
}

function wrong(message: string, cause?: unknown): NewelError {
  return new NewelError('storage_failed', message, { cause });
}
