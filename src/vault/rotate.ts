/**
 * Going on to the next epoch: the erasing act. Data keys that are still there are sealed anew; those that were erased are
 * not, and nothing opens them once the old epoch's key is gone.
 *
 *   both keys in the file → data keys and transactions sealed anew, some at a time → their old rows cleared from the files
 *                         → old key gone
 *
 * A crash or a stop anywhere leaves both keys in the file, and the next start goes on.
 */

import type { LinkState } from '../event/link.ts';
import { NewelError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Row, Store } from '../storage/store.ts';
import type { EpochSealing } from './epoch-sealing.ts';
import { type EpochFile, newEpoch } from './epochs.ts';
import type { Keyring } from './keyring.ts';
import type { Mutex } from './mutex.ts';
import { KEY_ID_BYTES, rangeOf, TERM_BYTES } from './rows.ts';
import type { States } from './states.ts';

const AT_ONCE = 1000;
const DATA_KEYS = rangeOf(0x85);
const TRANSACTIONS = rangeOf(0x8a);
/** Each range is cleared in so many slices: keys are spread over it. */
const SLICES = 16;

export interface RotateParts {
  readonly log: Pick<Log, 'write'>;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly epochs: EpochFile;
  /** Whoever deletes data keys takes it as well: a key that is being sealed anew must not come back. */
  readonly keyRows: Mutex;
  readonly links: Pick<States<LinkState>, 'alone'>;
  readonly epochSealing: EpochSealing;
  /** Whether to leave the rest to the next start. */
  readonly isStopped: () => boolean;
  readonly now: () => number;
}

/** Ends a rotation that was begun and not ended. */
export async function endRotation(parts: RotateParts): Promise<void> {
  if ((await parts.epochs.read()).length === 1) return;
  try {
    await rotateEpoch(parts);
  } catch (error) {
    // Where the file cannot be written the log is served all the same: it is tried again in service, which says so.
    if (error instanceof NewelError) throw error;
  }
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
  if (!(await sealKeysAnew(parts)) || !(await sealTransactionsAnew(parts))) return;
  for (const { from } of [DATA_KEYS, TRANSACTIONS]) {
    for (let i = 0; i < SLICES; i++) {
      if (parts.isStopped()) return;
      await store.compact(...sliceOf(from[0]!, i));
    }
  }
  await epochs.replace([keyring.epoch]);
  keyring.endEarlierEpochs();
}

/** False where it was stopped. */
async function sealKeysAnew({ log, store, keyring, keyRows, isStopped }: RotateParts): Promise<boolean> {
  return inPages(store, DATA_KEYS, isStopped, (page) =>
    keyRows.take(async () => {
      // Read again: what was deleted meanwhile must not come back.
      const stored = await store.getMany(page.map(({ key }) => key));
      const puts = page.flatMap(({ key }, i): Row[] => {
        const value = stored[i];
        const row = value && keyring.resealed(key.subarray(-KEY_ID_BYTES), value);
        return row ? [row] : [];
      });
      if (puts.length > 0) await log.write({ puts });
    }),
  );
}

/** False where it was stopped. No event moves one of them while it is being sealed. */
async function sealTransactionsAnew(parts: RotateParts): Promise<boolean> {
  const { log, store, links, epochSealing, isStopped } = parts;
  return inPages(store, TRANSACTIONS, isStopped, (page) =>
    links.alone(
      page.map(({ key }) => key.subarray(-TERM_BYTES)),
      async () => {
        const stored = await store.getMany(page.map(({ key }) => key));
        const puts: Row[] = [];
        const deletes: Uint8Array[] = [];
        for (const [i, { key }] of page.entries()) {
          const sealed = stored[i];
          const value = sealed && epochSealing.resealed(key, sealed);
          if (sealed && value === undefined) deletes.push(key);
          else if (value instanceof Uint8Array) puts.push({ key, value });
        }
        if (puts.length + deletes.length > 0) await log.write({ puts, deletes });
      },
    ),
  );
}

async function inPages(
  store: Store,
  range: { readonly from: Uint8Array; readonly to: Uint8Array },
  isStopped: () => boolean,
  work: (page: readonly Row[]) => Promise<void>,
): Promise<boolean> {
  for (let { from } = range; ;) {
    if (isStopped()) return false;
    const page = await store.scan({ ...range, from, limit: AT_ONCE });
    await work(page);
    if (page.length < AT_ONCE) return true;
    from = Buffer.concat([page.at(-1)!.key, Uint8Array.of(0)]);
  }
}

function sliceOf(prefix: number, i: number): [from: Uint8Array, to: Uint8Array] {
  const at = (slice: number): number => (256 / SLICES) * slice;
  return [
    Uint8Array.of(prefix, at(i)),
    i + 1 < SLICES ? Uint8Array.of(prefix, at(i + 1)) : Uint8Array.of(prefix + 1),
  ];
}
