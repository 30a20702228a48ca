/**
 * Checking a whole private zone, with its keys: every event in the tree has a record that opens and says what its leaf
 * commits to. `prove-records.ts` is the part of it that every start can afford.
 */

import { EVENT_LEAF_VERSION, parseLeaf } from '../event/leaf.ts';
import { NewelError } from '../errors.ts';
import type { Store } from '../storage/store.ts';
import { openRecordOf } from './events.ts';
import { Keyring } from './keyring.ts';
import type { Issuing } from './open-claims.ts';
import { proveRecords } from './prove-records.ts';

export interface RecordsToCheck {
  readonly store: Store;
  /** 32 bytes. */
  readonly master: Uint8Array;
  readonly issuing: Issuing;
}

/** Looks at the records of the leaves from `first` on, whose entries are given, and returns what is wrong, in words. */
export type RecordChecker = (first: number, entries: readonly Uint8Array[]) => Promise<string[]>;

/** Throws `log_refused` where the master key opens nothing. */
export async function openRecordChecker({ store, master, issuing }: RecordsToCheck): Promise<RecordChecker> {
  const parts = { store, issuing, keyring: await Keyring.open(store, master) };
  const findingOf = async (index: number, check: () => Promise<unknown>): Promise<string[]> => {
    try {
      await check();
      return [];
    } catch (error) {
      if (!(error instanceof NewelError)) throw error;
      return [error.code === 'log_refused' ? error.message : `leaf ${index}: ${error.message}`];
    }
  };
  return async (first, entries) => {
    // One by one only where not all of them are whole.
    const isWhole = (await findingOf(first, () => proveRecords(store, first, entries))).length === 0;
    const findings = entries.map((entry, i) =>
      findingOf(first + i, async () => {
        if (!isWhole) await proveRecords(store, first + i, [entry]);
        if (parseLeaf(entry).version === EVENT_LEAF_VERSION) await openRecordOf(parts, first + i, entry);
      }),
    );
    return (await Promise.all(findings)).flat();
  };
}
