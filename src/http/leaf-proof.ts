/** What the proof of a leaf is made of: the checkpoint that it stands on, and an audit path that has been verified. */

import { proveInclusion, verifyInclusion } from '../core/proof.ts';
import type { Checkpoint } from '../formats/checkpoint.ts';
import type { OwnHeads } from './heads.ts';
import type { Site } from './site.ts';

/**
 * The checkpoint that a proof stands on: the earliest kept one that covers the leaf, so that its witnesses' times bound
 * the leaf from above; for a leaf that is not published, which only the bearer of a token gets here, the signed head.
 */
export async function coveringNote(site: Site, heads: OwnHeads, index: number): Promise<Uint8Array> {
  const { published, revealed } = site.log;
  if (index >= published.size) return revealed.checkpoint;
  const kept = await site.log.checkpointCovering(index);
  // What is kept is durable a moment before it is published; until then the slot's own checkpoint serves.
  return kept && heads.open(kept.checkpoint).size <= published.size ? kept.checkpoint : published.checkpoint;
}

/**
 * The earliest kept checkpoint that covers the leaf and is witnessed; `undefined` while there is none. What is kept may be
 * larger than what strangers see, for a moment.
 */
export async function witnessedNote(
  site: Site,
  heads: OwnHeads,
  index: number,
): Promise<Uint8Array | undefined> {
  const kept = await site.log.witnessedCovering(index, ({ checkpoint }) => {
    return heads.open(checkpoint).level === 'witnessed';
  });
  return kept && heads.open(kept.checkpoint).size <= site.log.published.size ? kept.checkpoint : undefined;
}

/**
 * The audit path of a leaf, checked by our own verifier against the root that was signed. Where the leaf's hash is given,
 * it has been shown to be the one in the tree; else it is read from there.
 */
export async function provenPath(
  site: Site,
  index: number,
  { size, root }: Pick<Checkpoint, 'size' | 'root'>,
  leafHash?: Uint8Array,
): Promise<Uint8Array[]> {
  const path = await proveInclusion(index, size, site.log.hashes(size));
  const hash = leafHash ?? (await site.log.hashes(size)([{ level: 0, index }]))[0]!;
  verifyInclusion(index, size, hash, path, root);
  return path;
}
