/**
 * Taking a data key from its owner, with which an erasure of a person is accepted: from then on events of that person get
 * another one. The key knows how many events it has; where fewer are found, nothing is touched.
 */

import { NewelError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Row } from '../storage/store.ts';
import { type ErasureRow, type ErasureRows, type ErasureScope, parseErasureId } from './erasure-row.ts';
import { scopeOfOwner } from './erasure-scope.ts';
import { COUNTED_AT_ONCE, type CountParts, EventCount } from './event-count.ts';
import type { Keyring } from './keyring.ts';
import { ownerKey, retiredKey } from './rows.ts';

export interface RetireParts extends CountParts {
  readonly log: Pick<Log, 'revealed' | 'write'>;
  readonly keyring: Keyring;
  readonly erasures: ErasureRows;
}

/** How often to go on counting what came meanwhile, before submitters are made to wait for the rest. */
const MAX_PASSES = 8;

/**
 * Resolves to the erasure that `make` made, durable. Throws `not_found` where the owner has no data key any more, and
 * `storage_failed` where not all its events are found.
 */
export async function retireKey(
  parts: RetireParts,
  { ownerTag, keyId: before }: { readonly ownerTag: Uint8Array; readonly keyId: Uint8Array },
  make: (scope: ErasureScope, events: number) => ErasureRow,
): Promise<ErasureRow> {
  const { keyring, log, erasures } = parts;
  const counts = [new EventCount(parts, before)];
  try {
    await countMost(counts[0]!);
    return await keyring.alone(ownerTag, async () => {
      const { scope, events, keyId } = await scopeOfOwner(parts, ownerTag);
      // Another erasure may have taken the one that was counted.
      if (!Buffer.from(keyId).equals(before)) counts.push(new EventCount(parts, keyId));
      const count = counts.at(-1)!;
      await count.goOn();
      if (count.found < events) {
        throw new NewelError(
          'storage_failed',
          `a data key has ${events} events and leads to ${count.found}: nothing was erased; check the log with newel fsck --data`,
        );
      }
      const erasure = make(scope, events);
      const mark: Row = { key: retiredKey(keyId), value: parseErasureId(erasure.erasureId)! };
      await log.write({ puts: [erasures.row(erasure), mark], deletes: [ownerKey(ownerTag)] });
      return erasure;
    });
  } finally {
    for (const count of counts) count.end();
  }
}

/** Until so few are left that they are looked at at once. */
async function countMost(count: EventCount): Promise<void> {
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    if ((await count.goOn()) < COUNTED_AT_ONCE) return;
  }
}
