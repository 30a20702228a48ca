/** An erasure as whoever asked for it sees it. */

import { NewelError } from '../errors.ts';
import type { Epoch } from './epochs.ts';
import type { ErasureRow, Tombstone } from './erasure-row.ts';
import type { Erasure } from './vault.ts';

/** An epoch is the current one for `epochMs`; its key may be there a little longer, while data keys are sealed anew. */
export function describeErasure(
  row: ErasureRow,
  { epoch, epochOf }: { readonly epoch: Epoch; readonly epochOf: (number: number) => Epoch | undefined },
  epochMs: number,
  tombstones: readonly Tombstone[] = [],
): Erasure {
  const { scope, requestedBy: _requestedBy, slices: _slices, epoch: sealedUnder, ...shown } = row;
  // What was erased under an epoch that is over opens with nothing. Single events take no data key with them.
  const under = sealedUnder === undefined ? epoch : epochOf(sealedUnder);
  const keysDestroyedByMs = 'keyId' in scope && under ? under.createdMs + epochMs : undefined;
  return { ...shown, tombstones, keysDestroyedByMs };
}

/** Throws `malformed` for a cursor that names none of them. */
export function pageOfErasures(
  erasures: readonly Erasure[],
  { limit, cursor }: { readonly limit: number; readonly cursor?: string },
): { readonly erasures: readonly Erasure[]; readonly next: string | undefined } {
  const at = cursor === undefined ? 0 : erasures.findIndex(({ erasureId }) => erasureId === cursor);
  if (at < 0) throw new NewelError('malformed', 'the cursor is none of this list');
  const next = erasures[at + limit]?.erasureId;
  return { erasures: erasures.slice(at, at + limit), next };
}
