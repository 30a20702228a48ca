/**
 * Open = prove. A database that opens has proven nothing: LevelDB drops acknowledged batches out of the middle of a
 * damaged write-ahead log and says so to nobody. So before the log may write, or show anything, this proves:
 *
 *   1  identity      this is the log that the configuration means
 *   2  head          our signature and origin on the stored head; the last round record agrees with it
 *   3  proved mark   the tree at the mark, from its right-edge tiles, has the root of that round's record
 *   4  every round after the mark: numbers contiguous, records chained, every entry there and hashed into the tree, the
 *      root of each round the one in its record, every full tile and the right edge byte for byte what is stored
 *   5  guard         knows this round, or the one before it
 *   6  publications  of each slot: our signature, the witnesses' lines, and the root that the tree has at its size
 *
 * Anything else than agreement is a refusal that names the round and says what to do. Nothing here writes, and nothing
 * here looks at the clock; that is `recover.ts`.
 */

import { equalBytes } from '../core/bytes.ts';
import { tileHashReader } from '../core/tile.ts';
import { readRoot } from '../core/tree.ts';
import { NewelError } from '../errors.ts';
import { openCheckpoint } from '../formats/checkpoint.ts';
import type { NoteSignature, Verifier } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Policy } from '../formats/tlog-policy.ts';
import { headKey, identityKey, provedMarkKey, readUint64, roundKey, type Slot } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import type { Edge } from './edge.ts';
import type { Guard, GuardedHead } from './guard.ts';
import { checkIdentity, formatIdentity, type Identity } from './identity.ts';
import {
  damaged,
  parseStoredRound,
  type ProveCompanions,
  proveRounds,
  storedTiles,
  type StoredRound,
  WHAT_TO_DO,
} from './prove-rounds.ts';
import { type Publication, readSlot } from './kept.ts';
import type { SignedHead } from './round-record.ts';
import { isMetBy, WITNESSED_SLOTS, type WitnessedSlot } from './slots.ts';

export interface StoredParts {
  readonly store: Store;
  readonly guard: Guard;
  readonly identity: Identity;
  readonly verifier: Verifier;
  /** The policies of the slots beside `none`, and the keys of their witnesses. */
  readonly policies?: Readonly<Partial<Record<WitnessedSlot, Policy>>> | undefined;
  readonly witnessVerifiers?: readonly Verifier[];
  /** What the appender demands of its companions; nothing without it. */
  readonly proveCompanions?: ProveCompanions | undefined;
}

export interface Proven {
  readonly head: SignedHead;
  readonly recordHash: Uint8Array;
  readonly edge: Edge;
  readonly published: Publication;
  /** What the slots beside `none` hold, where that meets the policy as it is now. */
  readonly held: Readonly<Partial<Record<WitnessedSlot, Publication>>>;
  /** What they hold under any policy, and what was shown beside them: no smaller tree is shown again. */
  readonly stored: Readonly<Partial<Record<WitnessedSlot | 'shown', Publication>>>;
  /** How many rounds were re-played. */
  readonly provedRounds: number;
  readonly guarded: GuardedHead;
  /** Whether the last round had entries, or only published. */
  readonly lastKind: GuardedHead['kind'];
}

/** Proves the stored log, writing nothing. Throws `log_refused`, saying what was found and what to do. */
export async function proveStored(parts: StoredParts): Promise<Proven> {
  try {
    return await prove(parts);
  } catch (error) {
    if (error instanceof NewelError && error.code === 'log_refused') throw error;
    throw new NewelError(
      'log_refused',
      `the database cannot be read through, so it cannot be proven: a file of it is damaged. ${WHAT_TO_DO}`,
      { cause: error },
    );
  }
}

async function prove(parts: StoredParts): Promise<Proven> {
  const { store, guard, identity, verifier, proveCompanions } = parts;
  const [storedIdentity, note, mark] = await store.getMany([identityKey, headKey, provedMarkKey]);
  if (!storedIdentity) throw damaged(0, 'the identity is missing');
  checkIdentity(storedIdentity, identity);
  if (!note || !mark) throw damaged(0, note ? 'the proved mark is missing' : 'the signed head is missing');
  const head = openStored(note, 'signed head', [verifier], identity.origin);

  const last = await readLastRound(store);
  const guarded = await checkGuard(guard, decodeUtf8(formatIdentity(identity)), last, store);
  if (last.size !== head.size || !equalBytes(last.root, head.root)) {
    throw damaged(
      last.round,
      `its record has size ${last.size}, the signed head ${head.size}, or another root`,
    );
  }
  const { edge, provedRounds } = await proveRounds(store, readUint64(mark, 0), last, proveCompanions);
  const found = await provePublication(store, 'none', [verifier], identity.origin, last);
  if (!found) throw damaged(last.round, 'the published checkpoint is missing');
  const { publication: published } = found;
  const held: Partial<Record<WitnessedSlot, Publication>> = {};
  const stored: Partial<Record<WitnessedSlot | 'shown', Publication>> = {};
  const verifiers = [verifier, ...(parts.witnessVerifiers ?? [])];
  for (const slot of [...WITNESSED_SLOTS, 'shown'] as const) {
    const found = await provePublication(store, slot, verifiers, identity.origin, last);
    if (!found) continue;
    stored[slot] = found.publication;
    const policy = slot === 'shown' ? undefined : parts.policies?.[slot];
    // Under another policy it was met; under this one it is to be met anew.
    if (policy && policy.quorum !== 'none' && isMetBy(policy, found.signatures))
      held[slot as WitnessedSlot] = found.publication;
  }

  const { round, size, root, timeMs } = last;
  return {
    head: { round, size, root, timeMs, checkpoint: note },
    recordHash: last.hash,
    lastKind: last.first === last.size ? 'published' : 'signed',
    edge,
    published,
    held,
    stored,
    provedRounds,
    guarded,
  };
}

function openStored(
  note: Uint8Array,
  what: string,
  verifiers: readonly Verifier[],
  origin: string,
): ReturnType<typeof openCheckpoint> {
  try {
    return openCheckpoint(note, verifiers, origin);
  } catch (error) {
    throw new NewelError(
      'log_refused',
      `the ${what} in the database does not verify under the key of this log: it is damaged, or this is another log's ` +
        `key. ${WHAT_TO_DO}`,
      { cause: error },
    );
  }
}

/** What a slot holds: ours, no larger than the signed head, and a head of this very tree. */
async function provePublication(
  store: Store,
  slot: Slot | 'shown',
  verifiers: readonly Verifier[],
  origin: string,
  last: StoredRound,
): Promise<{ publication: Publication; signatures: readonly NoteSignature[] } | undefined> {
  const kept = await readSlot(store, slot).catch((error: unknown) => {
    throw damaged(last.round, 'the published checkpoint is damaged', error);
  });
  if (!kept) return undefined;
  const { size, root, signatures } = openStored(kept.checkpoint, 'published checkpoint', verifiers, origin);
  if (size > last.size)
    throw damaged(last.round, `size ${size} is published, but only ${last.size} are signed`);
  const treeRoot = await readRoot(size, tileHashReader(size, storedTiles(store, last.round)));
  if (!equalBytes(treeRoot, root))
    throw damaged(last.round, `the published root of size ${size} is not the tree's`);
  // No signature covers this time; it is never later than the round that carried it.
  const timeMs = Math.min(kept.timeMs, last.timeMs);
  return { publication: { size, root, timeMs, checkpoint: kept.checkpoint }, signatures };
}

async function readLastRound(store: Store): Promise<StoredRound> {
  const range = { from: roundKey(0), to: roundKey(Number.MAX_SAFE_INTEGER), limit: 1, reverse: true };
  const [row] = await store.scan(range);
  if (!row) throw damaged(0, 'there is no round record');
  return parseStoredRound(row);
}

/** The guard knows the last round or, where a crash came between the two writes, the one before it. */
async function checkGuard(
  guard: Guard,
  identity: string,
  last: StoredRound,
  store: Store,
): Promise<GuardedHead> {
  const guarded = await guard.read();
  if (guarded.identity !== identity) {
    throw new NewelError('log_refused', `the guard is of another log: ${guarded.identity}, not ${identity}`);
  }
  if (guarded.sequence > last.round) {
    throw new NewelError(
      'log_refused',
      `the guard knows of round ${guarded.sequence} (size ${guarded.size}), the database ends at round ${last.round} ` +
        `(size ${last.size}): it is an older copy, or it has lost round ${last.round + 1}. Signing on from here would ` +
        'fork the log. Bring back the newest database; never the guard',
    );
  }
  if (guarded.sequence < last.round - 1) {
    throw new NewelError(
      'log_refused',
      `the guard ends at round ${guarded.sequence}, the database at ${last.round}: the guard was restored or replaced`,
    );
  }
  const [row] = await store.scan({
    from: roundKey(guarded.sequence),
    to: roundKey(guarded.sequence + 1),
    limit: 1,
  });
  if (!row) throw damaged(guarded.sequence, 'its record is missing, but the guard knows it');
  const round = parseStoredRound(row);
  if (!agrees(guarded, round)) {
    throw new NewelError(
      'log_refused',
      `guard and database differ at round ${guarded.sequence}: size ${guarded.size} and ${round.size}, or other roots. ` +
        'Two copies of this log have been running',
    );
  }
  return guarded;
}

function agrees(guarded: GuardedHead, round: StoredRound): boolean {
  return (
    guarded.size === round.size && guarded.timeMs === round.timeMs && equalBytes(guarded.root, round.root)
  );
}
