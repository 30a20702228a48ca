/**
 * Nodes and ranges of an RFC 6962 tree, and the one way to read hashes from it.
 *
 *   level 3 │        0
 *   level 2 │    0       1          node (1, 2) covers leaves 4 and 5
 *   level 1 │  0   1   2   3   (4)  range [0, 7) = nodes (2, 0) (1, 2) (0, 6)
 *   level 0 │ 0 1 2 3 4 5 6
 *
 * A proof is a list of ranges. Each range is a list of perfect nodes. So whoever proves anything first plans all the
 * nodes it needs, reads them in one call, and then computes: the same code runs over memory, a database and tiles
 * that come over HTTP (the idea of `HashReader` in Go's sumdb/tlog).
 */

import { assertSize, bitLength, trailingZeros } from './int.ts';
import { EMPTY_ROOT, hashNode } from './hash.ts';

/** The root of a perfect subtree: it covers leaves [index · 2^level, (index + 1) · 2^level). */
export interface Node {
  readonly level: number;
  readonly index: number;
}

/** Leaves [begin, end) whose subtree is a node of some RFC 6962 tree: `begin` is a multiple of a power of two ≥ end − begin. */
export interface Range {
  readonly begin: number;
  readonly end: number;
}

/**
 * Reads the hashes of many perfect nodes at once, in the order asked for.
 * An implementation returns exactly one 32-byte hash a node, or rejects; it never returns a guess.
 */
export type HashReader = (nodes: readonly Node[]) => Promise<readonly Uint8Array[]>;

/** The perfect nodes that cover `range`, from left to right (for a range of a tree: the largest first). */
export function nodesOf({ begin, end }: Range): Node[] {
  const nodes: Node[] = [];
  for (let at = begin; at < end;) {
    const fits = bitLength(end - at) - 1;
    const level = at === 0 ? fits : Math.min(fits, trailingZeros(at));
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** The hash of a range, from the hashes of `nodesOf` it, left to right. */
export function foldNodes(hashes: readonly Uint8Array[]): Uint8Array {
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => hashNode(left, right));
}

/** The hash of each range, with one call of `read`. */
export async function hashRanges(ranges: readonly Range[], read: HashReader): Promise<Uint8Array[]> {
  const plans = ranges.map(nodesOf);
  const hashes = await readNodes(plans.flat(), read);
  let at = 0;
  return plans.map((plan) => foldNodes(hashes.slice(at, (at += plan.length))));
}

/** The root of the tree of `size` leaves. */
export async function readRoot(size: number, read: HashReader): Promise<Uint8Array> {
  assertSize(size, 'size');
  return foldNodes(await readNodes(nodesOf({ begin: 0, end: size }), read));
}

async function readNodes(nodes: readonly Node[], read: HashReader): Promise<readonly Uint8Array[]> {
  const hashes = await read(nodes);
  // Too few would fold to the hash of another range, none at all to the root of the empty tree.
  if (hashes.length !== nodes.length)
    throw new Error(`bug: ${nodes.length} nodes asked for, ${hashes.length} read`);
  return hashes;
}
