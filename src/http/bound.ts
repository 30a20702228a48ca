/**
 * How far a request may read: strangers to what is published, the bearer of a token to what is revealed. A head is
 * taken once a request, so that everything in an answer is about the same tree.
 */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import type { Caching } from './respond.ts';
import type { Site } from './site.ts';
import { headerOf, type LeafRef } from './target.ts';

export interface Bound {
  readonly size: number;
  readonly root: Uint8Array;
  /** Whether this is more than strangers see. */
  readonly isPrivate: boolean;
}

export function mayReadRevealed(c: Context, site: Site): boolean {
  if (!site.mayReadRevealed) return false;
  const authorization = headerOf(c, 'authorization');
  return authorization !== undefined && site.mayReadRevealed(authorization);
}

export function boundOf(c: Context, site: Site): Bound {
  const isPrivate = mayReadRevealed(c, site);
  const { size, root } = isPrivate ? site.log.revealed : site.log.published;
  return { size, root, isPrivate };
}

/** How an answer within `bound` may be kept: as strangers' answers may, or not at all. */
export function cachingOf(bound: Bound, ofStrangers: Caching): Caching {
  return bound.isPrivate ? 'private' : ofStrangers;
}

/** Throws `not_found` for a tree that is larger than the bound. */
export function assertWithin(size: number, bound: Bound, name: string): void {
  if (size <= bound.size) return;
  throw new NewelError(
    'not_found',
    `${name} is beyond the newest checkpoint, which has ${bound.size} leaves`,
  );
}

/** The index of a leaf in the tree of `size` leaves; of a hash, the lowest one. Throws `not_found`. */
export async function findIndex(site: Site, leaf: LeafRef, size: number): Promise<number> {
  const index = 'index' in leaf ? leaf.index : await site.log.findLeaf(leaf.hash, size);
  if (index !== undefined && index < size) return index;
  throw new NewelError('not_found', `the tree of ${size} leaves has no such leaf`);
}
