/** An erasure as whoever asked for it sees it. */

import type { Epoch } from './epochs.ts';
import type { ErasureRow, Tombstone } from './erasure-row.ts';
import type { Erasure } from './vault.ts';

export interface EpochTimes {
  /** The current one. */
  readonly epoch: Epoch;
  readonly epochOf: (number: number) => Epoch | undefined;
  /** How long an epoch is the current one. */
  readonly epochMs: number;
  readonly nowMs: number;
}

/** How long it may take to notice that an epoch is over and to seal the data keys anew, where nothing is in the way. */
export const ROTATION_MS = 600_000;

/** An epoch is the current one for `epochMs`; its key may be there a little longer, while data keys are sealed anew. */
export function describeErasure(
  row: ErasureRow,
  { epoch, epochOf, epochMs, nowMs }: EpochTimes,
  tombstones: readonly Tombstone[] = [],
): Erasure {
  const { scope, requestedBy: _requestedBy, slices: _slices, epoch: sealedUnder, ...shown } = row;
  // What was erased under an epoch that is over opens with nothing. Single events take no data key with them.
  const under = sealedUnder === undefined ? epoch : epochOf(sealedUnder);
  const keysDestroyedByMs = 'keyId' in scope && under ? under.createdMs + epochMs : undefined;
  const areKeysOverdue = keysDestroyedByMs !== undefined && nowMs > keysDestroyedByMs + ROTATION_MS;
  return { ...shown, tombstones, keysDestroyedByMs, areKeysOverdue };
}
