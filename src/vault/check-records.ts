/**
 * Checking a whole private zone, with its keys: every event in the tree has a record that opens and says what its leaf
 * commits to, or a marker that names the erasure which names it; every term leads to it, and each data key has as many
 * events as it says. The other way round no row leads to what is not there (`check-rows.ts`, `check-keys.ts`).
 * `prove-records.ts` is the part of it that every start can afford.
 */

import { EVENT_LEAF_VERSION, parseLeaf } from '../event/leaf.ts';
import { linkFactsOf } from '../event/link.ts';
import type { EventMembers } from '../event/schema.ts';
import { NewelError } from '../errors.ts';
import type { JsonObject } from '../formats/json.ts';
import type { Store } from '../storage/store.ts';
import { checkMarker, checkSaid, checkTombstones, type ErasuresToCheck } from './check-erasures.ts';
import { checkKeys } from './check-keys.ts';
import { checkRows, readTransactions, type RowsToCheck } from './check-rows.ts';
import { EpochSealing } from './epoch-sealing.ts';
import type { Epoch } from './epochs.ts';
import { openRecordOf, readRecordRow } from './events.ts';
import { Keyring } from './keyring.ts';
import type { Issuing } from './open-claims.ts';
import { proveRecords } from './prove-records.ts';
import { nameOf } from './row-pages.ts';
import { termKey } from './rows.ts';
import { Sealing } from './states.ts';
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

type CheckParts = RowsToCheck & ErasuresToCheck;

/** Throws `log_refused` where the master key opens nothing. */
export async function openRecordChecker(records: RecordsToCheck): Promise<RecordChecker> {
  const { store, master, epochs, issuing, readEntries } = records;
  const keyring = await Keyring.open(store, master, epochs);
  const { indexKey } = keyring;
  const unopened: string[] = [];
  const transactions = await readTransactions(store, new EpochSealing(keyring), (finding) =>
    unopened.push(finding),
  );
  const parts: CheckParts = {
    store,
    issuing,
    keyring,
    terms: new Terms(indexKey),
    sealing: new Sealing(indexKey),
    readEntries,
    seen: { events: 0, terms: 0, unopened: 0, byKey: new Map(), transactions },
  };
  return {
    async check(first, entries) {
      // One by one only where not all of them are whole.
      const isWhole = (await findingOf(first, () => proveRecords(store, first, entries))).length === 0;
      const findings = entries.map((entry, i) =>
        findingOf(first + i, async () => {
          const isEvent = isEventLeaf(entry);
          if (isEvent) parts.seen.events += 1;
          if (!isWhole) await proveRecords(store, first + i, [entry]);
          if (isEvent) await checkLeaf(parts, first + i, entry);
        }),
      );
      return (await Promise.all(findings)).flat();
    },
    async end() {
      return [
        ...unopened,
        ...(await checkKeys(parts)),
        ...(await checkRows(parts)),
        ...(await checkTombstones(parts)),
      ];
    },
  };
}

/** False as well for one that cannot be read, which proving says. */
function isEventLeaf(entry: Uint8Array): boolean {
  try {
    return parseLeaf(entry).version === EVENT_LEAF_VERSION;
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return false;
  }
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
  const { store, terms, seen } = parts;
  const row = await readRecordRow(store, index);
  if ('erasedBy' in row) return checkMarker(parts, index, row.erasedBy);
  const keyId = nameOf(row.keyId);
  seen.byKey.set(keyId, (seen.byKey.get(keyId) ?? 0) + 1);
  seen.unopened += 1;
  const { content } = await openRecordOf(parts, index, entry);
  seen.unopened -= 1;
  seeTransaction(parts, content);
  const keys = splitTerms(terms.termsOf(content)).map((term) => termKey(term, index));
  seen.terms += keys.length;
  if ((await store.getMany(keys)).includes(undefined)) {
    throw new NewelError('storage_failed', 'one of its terms does not lead to it');
  }
  await checkSaid(parts, index, content);
}

/** Takes note that the transaction of an event has an event that moves it. */
function seeTransaction({ terms, seen }: CheckParts, content: JsonObject): void {
  const { txn } = content;
  if (typeof txn !== 'string' || seen.transactions.size === 0) return;
  if (linkFactsOf(content as EventMembers)) seen.transactions.delete(nameOf(terms.tag('link', txn)));
}
