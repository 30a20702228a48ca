/**
 * Two signed heads of one log, held against each other: of one tree, provably not, or not to be decided.
 *
 *   one size                     the roots say it
 *   two sizes, m < n             the tiles of the larger tree, verified up to its root, say which root its first m leaves
 *                                have: the smaller head's, or another one, and then that and its proof convict
 *   no tiles of the larger tree  undecided: that is worth an alert, and proves nothing
 *
 * Tiles need not be trusted, and may be anybody's: those that do not lead to the larger head's root are no help.
 */

import { EMPTY_ROOT } from '../core/hash.ts';
import { equalBytes } from '../core/bytes.ts';
import { proveConsistency, verifyConsistency } from '../core/proof.ts';
import { readRoot } from '../core/tree.ts';
import { type EvidenceBundle, FORK, ROLLBACK, type Sighting, sightingOf } from '../client/evidence-bundle.ts';
import { formatKeyName, headKeysOf, type LinedHead, readTrueLines } from '../client/head-lines.ts';
import { type Rollback, rollbackAmong, rollbacksAmong } from '../client/rollback-evidence.ts';
import type { LogSource } from '../client/source.ts';
import { openTree } from '../client/tree.ts';
import { toTrust, type TrustInput } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import { parseNote } from '../formats/note.ts';

/** A head that somebody showed, with a log's line on it that was verified. */
export interface HeadSeen {
  /** The signed note. */
  readonly checkpoint: Uint8Array;
  readonly size: number;
  readonly root: Uint8Array;
  /** Who showed it: a URL, or a name. */
  readonly source: string;
  /** When, in milliseconds since 1970. */
  readonly timeMs: number;
}

export type Comparison =
  | { readonly kind: 'consistent' }
  | { readonly kind: 'evidence'; readonly bundle: EvidenceBundle }
  | { readonly kind: 'undecided'; readonly why: string };

/** Where the tiles of each head's tree may be read. */
export interface TileSources {
  readonly a: LogSource;
  readonly b: LogSource;
}

export const CONSISTENT: Comparison = { kind: 'consistent' };

/**
 * Compares two heads whose signatures were verified. Where the larger one's source has not its tiles, the other's are
 * tried. Rejects only with what is no fault of a source: `RangeError` for heads of two logs, the reason of a signal.
 */
export async function compareHeads(a: HeadSeen, b: HeadSeen, sources: TileSources): Promise<Comparison> {
  const origin = originOf(a);
  if (originOf(b) !== origin) throw new RangeError('heads expected of one log');
  const [small, large] = a.size <= b.size ? [a, b] : [b, a];
  if (small.size === large.size) {
    if (equalBytes(small.root, large.root)) return CONSISTENT;
    return { kind: 'evidence', bundle: forkBundle(origin, small, large) };
  }
  if (small.size === 0) {
    // Its root says nothing about any other tree: there is no proof from it.
    if (equalBytes(small.root, EMPTY_ROOT)) return CONSISTENT;
    return { kind: 'undecided', why: 'a head of no leaves has another root than the empty tree' };
  }
  const whys = new Set<string>();
  for (const source of new Set(large === b ? [sources.b, sources.a] : [sources.a, sources.b])) {
    try {
      return await compareIn(source, origin, small, large);
    } catch (error) {
      if (!(error instanceof NewelError)) throw error;
      whys.add(error.message);
    }
  }
  return { kind: 'undecided', why: [...whys].join('; ') };
}

/** Throws what `openTree` throws where the source has not the tiles of the larger tree. */
async function compareIn(
  source: LogSource,
  origin: string,
  small: HeadSeen,
  large: HeadSeen,
): Promise<Comparison> {
  const read = (await openTree(source, large)).hashes(large.size);
  const root = await readRoot(small.size, read);
  if (equalBytes(root, small.root)) return CONSISTENT;
  const proof = await proveConsistency(small.size, large.size, read);
  verifyConsistency(small.size, large.size, root, large.root, proof);
  return { kind: 'evidence', bundle: { ...forkBundle(origin, small, large), root, proof } };
}

/** The two heads that show that a key has gone back, if any of these do. Heads with no true line are passed over. */
export function findRollback(heads: readonly HeadSeen[], trust: TrustInput): EvidenceBundle | undefined {
  const known = toTrust(trust);
  const { origin } = known;
  const keys = headKeysOf(known);
  const lined = heads.flatMap((head) => {
    try {
      return [{ ...head, ...readTrueLines(head.checkpoint, origin, keys) }];
    } catch (error) {
      if (error instanceof NewelError) return [];
      throw error;
    }
  });
  const found = rollbackAmong(lined);
  return found && rollbackBundle(origin, found);
}

/**
 * What the lines of a head contradict of known ones, all verified: that those contradict each other is not its fault. A
 * pair of heads convicts every key that has gone back between them, so that there is one bundle for each pair that
 * convicts somebody whom those before it do not.
 */
export function rollbacksWith<Head extends HeadSeen & LinedHead>(
  origin: string,
  known: readonly Head[],
  head: Head,
): EvidenceBundle[] {
  const convicted = new Set<string>();
  return known.flatMap((one) => {
    const found = rollbacksAmong([one, head]);
    const names = found.map(({ key }) => formatKeyName(key));
    if (names.every((name) => convicted.has(name))) return [];
    for (const name of names) convicted.add(name);
    return [rollbackBundle(origin, found[0]!)];
  });
}

function rollbackBundle(origin: string, { earlier, later }: Rollback<HeadSeen & LinedHead>): EvidenceBundle {
  return { evidence: ROLLBACK, origin, ...pairOf(earlier.head, later.head) };
}

/** The bundle of two heads of one size, or what a bundle of two sizes has besides root and proof. */
function forkBundle(origin: string, small: HeadSeen, large: HeadSeen): EvidenceBundle {
  return { evidence: FORK, origin, ...pairOf(small, large) };
}

function pairOf(first: HeadSeen, second: HeadSeen): Pick<EvidenceBundle, 'heads' | 'seen'> {
  const seen: Sighting[] = [first, second].map(({ source, timeMs }) => sightingOf(source, timeMs));
  return { heads: [first.checkpoint, second.checkpoint], seen };
}

function originOf({ checkpoint }: HeadSeen): string {
  return parseCheckpointWithExtensions(parseNote(checkpoint).text).origin;
}
