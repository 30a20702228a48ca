/**
 * Going on to the next epoch: the erasing act. Data keys that are still there are sealed anew; those that were erased are
 * not, and nothing opens them once the old epoch's key is gone.
 *
 *   both keys in the file → data keys sealed anew, some at a time → their old rows cleared from the files → old key gone
 *
 * A crash anywhere leaves both keys in the file, and the next start goes on.
 */

import type { Log } from '../log/log.ts';
import type { Row, Store } from '../storage/store.ts';
import { type EpochFile, newEpoch } from './epochs.ts';
import type { Keyring } from './keyring.ts';
import type { Mutex } from './mutex.ts';
import { KEY_ID_BYTES, rangeOf } from './rows.ts';

const AT_ONCE = 1000;
const DATA_KEYS = rangeOf(0x85);

export interface RotateParts {
  readonly log: Pick<Log, 'write'>;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly epochs: EpochFile;
  /** Whoever deletes data keys takes it as well: a key that is being sealed anew must not come back. */
  readonly keyRows: Mutex;
  readonly now: () => number;
}

/** Whether an epoch that was begun was not ended. */
export async function isRotating({ epochs }: Pick<RotateParts, 'epochs'>): Promise<boolean> {
  return (await epochs.read()).length > 1;
}

export async function rotateEpoch(parts: RotateParts): Promise<void> {
  const { epochs, keyring, log, store, now } = parts;
  const known = await epochs.read();
  if (known.length === 1) {
    const next = newEpoch(known[0], now());
    await epochs.replace([...known, next]);
    await keyring.beginEpoch(next);
  }
  // What was on its way to the store when the epoch began is there after this.
  await log.write({ puts: [] });
  await sealAnew(parts);
  await store.compact(DATA_KEYS.from, DATA_KEYS.to);
  await epochs.replace([keyring.epoch]);
  keyring.endEarlierEpochs();
}

async function sealAnew({ log, store, keyring, keyRows }: RotateParts): Promise<void> {
  for (let { from } = DATA_KEYS; ;) {
    const rows = await keyRows.take(async () => {
      const rows = await store.scan({ ...DATA_KEYS, from, limit: AT_ONCE });
      const puts = rows.flatMap(({ key, value }): Row[] => {
        const row = keyring.resealed(key.subarray(-KEY_ID_BYTES), value);
        return row ? [row] : [];
      });
      if (puts.length > 0) await log.write({ puts });
      return rows;
    });
    if (rows.length < AT_ONCE) return;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
}
