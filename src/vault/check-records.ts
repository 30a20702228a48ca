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
  return async (first, entries) => {
    const findings: string[] = [];
    for (const [i, entry] of entries.entries()) {
      try {
        await proveRecords(store, first + i, [entry]);
        if (parseLeaf(entry).version === EVENT_LEAF_VERSION) await openRecordOf(parts, first + i, entry);
      } catch (error) {
        if (!(error instanceof NewelError)) throw error;
        const { message } = error;
        findings.push(error.code === 'log_refused' ? message : `leaf ${first + i}: ${message}`);
      }
    }
    return findings;
  };
}
