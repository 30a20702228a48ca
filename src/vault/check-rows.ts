/**
 * What leads to records, held against them: an erasure that was not done whole, or an older row that came back, leaves
 * behind what leads to nothing.
 *
 *   81 event id, 82 id → 83 record or marker       88 term → 83 record       8c unsaid → 83       8a ← txn of a record
 */

import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonValue } from '../formats/json.ts';
import type { Row, Store } from '../storage/store.ts';
import type { EpochSealing } from './epoch-sealing.ts';
import { formatEventId } from './event-id.ts';
import { linkForm } from './place.ts';
import { lookUp, nameInKey, nameOf, pagesOf } from './row-pages.ts';
import {
  eventKey,
  idKey,
  INDEX_BYTES,
  indexOfKey,
  KEY_ID_BYTES,
  linkKey,
  type Marker,
  parseIndex,
  parseRecordRow,
  recordKey,
  type RecordRow,
} from './rows.ts';
import type { Sealing } from './states.ts';

const RECORDS_AT_ONCE = 500;

/** What the records have shown, each of which was looked at. */
export interface Seen {
  /** Leaves that are events, erased or not. */
  events: number;
  /** Terms of those that opened. */
  terms: number;
  /** Those that did not open. */
  unopened: number;
  /** Events by data key. */
  readonly byKey: Map<string, number>;
  /** Transactions of which something is kept, and of which no event was seen yet. */
  readonly transactions: Set<string>;
}

export interface RowsToCheck {
  readonly store: Store;
  readonly sealing: Sealing;
  readonly seen: Seen;
}

/** What is wrong, in words, once each record was looked at. */
export async function checkRows(parts: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for (const check of [checkEventIds, checkIds, checkTerms, checkUnsaid, checkTransactions]) {
    findings.push(...(await check(parts)));
  }
  return findings;
}

/** 81 → 83. That each record is led to is known by then, so that as many rows as events are all there should be. */
function checkEventIds({ store, seen }: RowsToCheck): Promise<string[]> {
  const keyOf = ({ eventId }: RecordRow | Marker): Uint8Array => eventKey(eventId);
  return checkLeads(store, { prefix: 0x81, events: seen.events, what: 'an event id', keyOf });
}

/** 82 → 83. */
function checkIds({ store, seen }: RowsToCheck): Promise<string[]> {
  const keyOf = ({ idTag }: RecordRow | Marker): Uint8Array => idKey(idTag);
  return checkLeads(store, { prefix: 0x82, events: seen.events, what: 'an id', keyOf });
}

async function checkLeads(
  store: Store,
  leads: {
    readonly prefix: number;
    readonly events: number;
    readonly what: string;
    readonly keyOf: (row: RecordRow | Marker) => Uint8Array;
  },
): Promise<string[]> {
  const { prefix, events, what, keyOf } = leads;
  let total = 0;
  for await (const rows of pagesOf(store, prefix)) total += rows.length;
  if (total === events) return [];
  const findings: string[] = [];
  for await (const rows of pagesOf(store, prefix)) {
    for (let at = 0; at < rows.length; at += RECORDS_AT_ONCE) {
      const some = rows.slice(at, at + RECORDS_AT_ONCE);
      const indexes = some.map(({ value }) => indexOrNone(value));
      const stored = await readRows(
        store,
        indexes.filter((index) => index !== undefined),
      );
      for (const [i, { key }] of some.entries()) {
        const index = indexes[i];
        const row = index === undefined ? undefined : stored.get(index);
        // One that is damaged is a finding of its own.
        if (row === 'damaged' || (row && nameOf(keyOf(row)) === nameOf(key))) continue;
        findings.push(
          index === undefined
            ? `${what} leads to what is no leaf`
            : `leaf ${index}: ${what} leads to it that is not its own`,
        );
      }
    }
  }
  return findings;
}

/** 88 → 83: no term leads to anything but the events of which it is true. */
async function checkTerms({ store, seen }: RowsToCheck): Promise<string[]> {
  let total = 0;
  for await (const rows of pagesOf(store, 0x88)) total += rows.length;
  if (total === seen.terms) return [];
  const stray = await findStray(store, 0x88, 'a term');
  // Of what does not open nobody knows how many there should be.
  if (seen.unopened > 0) return stray;
  return [`the terms of all events are ${seen.terms}, and there are ${total}`, ...stray];
}

/** 8c → 83: what is yet to be said is about the event at that leaf, erased or not. */
async function checkUnsaid({ store, sealing }: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x8c)) {
    const stored = await readRows(
      store,
      rows.map(({ key }) => indexOfKey(key)),
    );
    for (const row of rows) {
      const index = indexOfKey(row.key);
      const about = stored.get(index);
      if (about === 'damaged') continue;
      if (!about) findings.push(`leaf ${index}: there is something to say about it, and it is no event`);
      else if (eventIdIn(sealing, row) !== formatEventId(about.eventId))
        findings.push(`leaf ${index}: what is to be said about it is about another, or does not open`);
    }
  }
  return findings;
}

/** 8a: of a transaction nothing is kept once none of its events is left. */
async function checkTransactions({ store, seen }: RowsToCheck): Promise<string[]> {
  // What does not open may be of any of them.
  if (seen.unopened > 0) return [];
  const tags = [...seen.transactions].map((name) => Buffer.from(name, 'latin1'));
  const [kept] = await lookUp(store, tags, [linkKey]);
  return kept.flatMap((row) => (row ? ['something is kept of a transaction that has no event'] : []));
}

/** The transactions of which something is kept. What of them does not open is said by `say`. */
export async function readTransactions(
  store: Store,
  epochSealing: EpochSealing,
  say: (finding: string) => void,
): Promise<Set<string>> {
  const transactions = new Set<string>();
  for await (const rows of pagesOf(store, 0x8a)) {
    for (const row of rows) {
      transactions.add(nameOf(nameInKey(row)));
      try {
        linkForm.parse(epochSealing.open(row.key, row.value));
      } catch (error) {
        if (!(error instanceof NewelError)) throw error;
        say('what is kept of a transaction does not open');
      }
    }
  }
  return transactions;
}

/** Names the leaves that rows lead to and that have no record that opens. */
export async function findStray(store: Store, prefix: number, what: string): Promise<string[]> {
  const stray = new Set<number>();
  for await (const rows of pagesOf(store, prefix)) {
    const whole = rows.filter(({ key }) => key.length === 1 + KEY_ID_BYTES + INDEX_BYTES);
    const indexes = [...new Set(whole.map(({ key }) => indexOfKey(key)))];
    for (let at = 0; at < indexes.length; at += RECORDS_AT_ONCE) {
      const some = indexes.slice(at, at + RECORDS_AT_ONCE);
      const stored = await readRows(store, some);
      for (const index of some) {
        const row = stored.get(index);
        // One that is damaged is a finding of its own.
        if (row !== 'damaged' && !(row && 'keyId' in row)) stray.add(index);
      }
    }
  }
  return [...stray].map((index) => `leaf ${index}: ${what} leads to it, and it has no record`);
}

async function readRows(
  store: Store,
  indexes: readonly number[],
): Promise<ReadonlyMap<number, RecordRow | Marker | 'damaged' | undefined>> {
  const stored = await store.getMany(indexes.map(recordKey));
  return new Map(indexes.map((index, i) => [index, stored[i] && rowOf(stored[i])]));
}

function rowOf(stored: Uint8Array): RecordRow | Marker | 'damaged' {
  try {
    return parseRecordRow(stored);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return 'damaged';
  }
}

function indexOrNone(value: Uint8Array): number | undefined {
  try {
    return parseIndex(value);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return undefined;
  }
}

function eventIdIn(sealing: Sealing, { key, value }: Row): unknown {
  try {
    const unsaid = sealing.openJson(key, value) as JsonValue;
    return isJsonObject(unsaid) ? unsaid['event_id'] : undefined;
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return undefined;
  }
}
