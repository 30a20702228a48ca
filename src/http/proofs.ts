/** Inclusion and consistency proofs for any pair of sizes. An answer is about sizes that never change: kept for ever. */

import type { Context, Hono } from 'hono';
import { proveConsistency, proveInclusion } from '../core/proof.ts';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import { parseHex } from '../formats/hex.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { assertWithin, boundOf, cachingOf, findIndex } from './bound.ts';
import { JSON_TYPE, respondJson } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { type LeafRef, numberOf, queryOf } from './target.ts';

export function addProofRoutes(app: Hono, site: Site): void {
  const produces = JSON_TYPE;
  addRoute(app, site, '/v1/proofs/inclusion', (c) => showInclusion(c, site), { produces });
  addRoute(app, site, '/v1/proofs/consistency', (c) => showConsistency(c, site), { produces });
}

async function showInclusion(c: Context, site: Site): Promise<Response> {
  const query = queryOf(c, ['leaf_index', 'hash', 'tree_size']);
  const leaf = leafOf(query.leaf_index, query.hash);
  const size = numberOf(query.tree_size, 'tree_size');
  const bound = boundOf(c, site);
  assertWithin(size, bound, 'tree_size');
  const index = await findIndex(site, leaf, size);
  const path = await proveInclusion(index, size, site.log.hashes(size));
  const body = { leaf_index: index, tree_size: size, audit_path: path.map(formatBase64) };
  return respondJson(c, body, cachingOf(bound, 'immutable'));
}

function leafOf(index: string | undefined, hash: string | undefined): LeafRef {
  if ((index === undefined) === (hash === undefined)) {
    throw new NewelError('malformed', 'the query has to have one of leaf_index and hash');
  }
  if (hash === undefined) return { index: numberOf(index, 'leaf_index') };
  if (hash.length !== 2 * HASH_SIZE) {
    throw new NewelError('malformed', `hash is not ${2 * HASH_SIZE} lower-case hex digits`);
  }
  return { hash: parseHex(hash, 'hash') };
}

async function showConsistency(c: Context, site: Site): Promise<Response> {
  const query = queryOf(c, ['first', 'second']);
  const first = numberOf(query.first, 'first');
  const second = numberOf(query.second, 'second');
  if (first > second) throw new NewelError('malformed', 'first is larger than second');
  const bound = boundOf(c, site);
  assertWithin(second, bound, 'second');
  const proof = await proveConsistency(first, second, site.log.hashes(second));
  return respondJson(
    c,
    { first, second, consistency: proof.map(formatBase64) },
    cachingOf(bound, 'immutable'),
  );
}
