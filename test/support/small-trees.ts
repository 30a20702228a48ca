/** What the tests of `core` look at exhaustively: every tree to 130 leaves, of which leaf i is the one byte i. */

import type { HashReader, Node } from '../../src/core/tree.ts';
import { ReferenceTree } from './reference-tree.ts';

/** Trees of 0 … 130 leaves: past a half and a whole power of two, with both neighbours. */
export const SIZES = 130;

export const tree130: ReferenceTree = ReferenceTree.ofEntries(
  Array.from({ length: SIZES }, (_, i) => Uint8Array.of(i)),
);

/** Whether leaves [begin, end) are a subtree of some tree: `begin` is a multiple of a power of two ≥ end − begin. */
export function isSubtree(begin: number, end: number): boolean {
  let width = 1;
  while (width < end - begin) width *= 2;
  return begin <= end && (begin === end || begin % width === 0);
}

/** A reader that remembers what it was asked for, one list a call. */
export function countingReader(read: HashReader): { read: HashReader; calls: (readonly Node[])[] } {
  const calls: (readonly Node[])[] = [];
  return {
    calls,
    read: (nodes) => {
      calls.push(nodes);
      return read(nodes);
    },
  };
}
