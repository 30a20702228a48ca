/** Making a log: round 0, and its guard. */

import { EMPTY_ROOT } from '../core/hash.ts';
import { formatCheckpoint } from '../formats/checkpoint.ts';
import { type Signer, signNote } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { headKey, identityKey, roundKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { type Clock, systemClock } from './clock.ts';
import type { GuardedHead } from './guard.ts';
import { formatIdentity, type Identity } from './identity.ts';
import { publicationOf, publicationRows } from './publish.ts';
import { provedMarkRow } from './round.ts';
import { formatRoundRecord, NO_PREVIOUS, type SignedHead } from './round-record.ts';

export interface CreateOptions {
  readonly store: Store;
  readonly identity: Identity;
  readonly signer: Signer;
  readonly createGuard: (head: GuardedHead) => Promise<void>;
  readonly clock?: Clock;
}

/** Writes round 0 into an empty store: identity, the signed head of the empty tree, its publication; then the guard. */
export async function createLog(options: CreateOptions): Promise<void> {
  const { store, identity, signer, createGuard, clock = systemClock } = options;
  const stored = formatIdentity(identity);
  const timeMs = clock.now();
  const root = EMPTY_ROOT;
  const checkpoint = signNote(formatCheckpoint({ origin: identity.origin, size: 0, root }), [signer]);
  const head: SignedHead = { round: 0, size: 0, root, timeMs, checkpoint };
  const record = formatRoundRecord({ first: 0, size: 0, timeMs, root, previous: NO_PREVIOUS });
  await store.commit({
    puts: [
      { key: identityKey, value: stored },
      { key: headKey, value: checkpoint },
      { key: roundKey(0), value: record },
      provedMarkRow(0),
      ...publicationRows(publicationOf(head, timeMs), 0),
    ],
  });
  await createGuard({ identity: decodeUtf8(stored), sequence: 0, kind: 'signed', size: 0, root, timeMs });
}
