/** Leaves with their entries, and the tlog-proof of one. The names are those of RFC 6962 §4. */

import type { Context, Hono } from 'hono';
import { HASH_SIZE } from '../core/hash.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { formatTlogProof } from '../formats/tlog-proof.ts';
import { boundOf, cachingOf, findIndex } from './bound.ts';
import { type OwnHeads, ownHeadsOf } from './heads.ts';
import { coveringNote, provenPath, witnessedNote } from './leaf-proof.ts';
import { WANTED_KEYS, wantedOf } from './level.ts';
import { formatJson, JSON_INIT, JSON_TYPE, respond, TEXT_INIT } from './respond.ts';
import { respondLarge } from './respond-large.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { type LeafRef, numberOf, parseLeafRef, pathOf, queryOf, targetOf } from './target.ts';

/** Leaves in an answer where the query does not say, and at most. */
const DEFAULT_LEAVES = 100;
export const MAX_LEAVES = 1000;
/** Characters of `leaf_input` in an answer, unless its first leaf alone has more. */
const MAX_LEAVES_CHARS: number = 4 * 2 ** 20;
/** Characters around a `leaf_input`: its names, index and hash. */
const LEAF_FRAME_CHARS = 256;
/** Characters of one leaf with all that stands around it in an answer, at most: base64, hashes, an audit path. */
const MAX_LEAF_CHARS: number = Math.ceil(MAX_ENTRY_BYTES / 3) * 4 + 4096;
/** Entries that are read at a time; so many of the largest are what an answer can hold. */
const READ_AT_ONCE = 64;

interface Leaf {
  readonly leaf_index: number;
  readonly leaf_input: string;
  readonly leaf_hash: string;
}

export function addLeafRoutes(app: Hono, site: Site): void {
  const heads = ownHeadsOf(site);
  const produces = JSON_TYPE;
  addRoute(app, site, '/v1/leaves', (c) => showLeaves(c, site), { produces });
  addRoute(app, site, '/v1/leaves/:leaf', (c) => showLeaf(c, site), { produces });
  addRoute(app, site, '/v1/leaves/:leaf/proof', (c) => showProof(c, site, heads), { produces: 'text/plain' });
}

async function showLeaves(c: Context, site: Site): Promise<Response> {
  const query = queryOf(c, ['start', 'limit']);
  const start = numberOf(query.start, 'start', 0);
  const limit = numberOf(query.limit, 'limit', DEFAULT_LEAVES);
  if (limit === 0) throw new NewelError('malformed', 'limit is at least 1');
  const bound = boundOf(c, site);
  // One past the last leaf is where a reader that keeps up begins: an empty answer, no error.
  if (start > bound.size) {
    throw new NewelError(
      'not_found',
      `start is beyond the newest checkpoint, which has ${bound.size} leaves`,
    );
  }
  const end = Math.min(bound.size, start + Math.min(limit, MAX_LEAVES));
  const maxChars = Math.min((end - start) * MAX_LEAF_CHARS, MAX_LEAVES_CHARS + MAX_LEAVES * LEAF_FRAME_CHARS);
  return respondLarge(c, site, maxChars, async () => {
    const items = await readLeaves(site, start, end);
    const next = start + items.length;
    const body = { items, tree_size: bound.size, next: next < bound.size ? next : null };
    return { body: formatJson(body), init: JSON_INIT[cachingOf(bound, 'short')] };
  });
}

/** Leaves [start, end), or fewer where they are large; at least one if there is one. */
async function readLeaves(site: Site, start: number, end: number): Promise<Leaf[]> {
  const items: Leaf[] = [];
  let chars = 0;
  for (let at = start; at < end;) {
    const index = Math.floor(at / TILE_WIDTH);
    const first = index * TILE_WIDTH;
    const width = Math.min(TILE_WIDTH, end - first, at - first + READ_AT_ONCE);
    const [entries, tile] = await Promise.all([
      site.log.readEntries(at, first + width - at),
      site.log.readTile({ level: 0, index, width }),
    ]);
    for (const entry of entries) {
      // Node's own, which is many times as fast where an answer has megabytes of it.
      const leafInput = Buffer.from(entry.buffer, entry.byteOffset, entry.length).toString('base64');
      chars += leafInput.length;
      if (items.length > 0 && chars > MAX_LEAVES_CHARS) return items;
      const hash = tile.subarray((at - first) * HASH_SIZE, (at - first + 1) * HASH_SIZE);
      items.push({ leaf_index: at, leaf_input: leafInput, leaf_hash: formatBase64(hash) });
      at++;
    }
  }
  return items;
}

async function showLeaf(c: Context, site: Site): Promise<Response> {
  const ref = leafRefOf(c);
  const bound = boundOf(c, site);
  const index = await findIndex(site, ref, bound.size);
  return respondLarge(c, site, MAX_LEAF_CHARS, async () => {
    const [leaf] = await readLeaves(site, index, index + 1);
    const body = {
      ...leaf!,
      tree_size: bound.size,
      audit_path: (await provenPath(site, index, bound)).map(formatBase64),
      proof_url: `${site.url}/v1/leaves/${index}/proof`,
    };
    return { body: formatJson(body), init: JSON_INIT[cachingOf(bound, 'short')] };
  });
}

async function showProof(c: Context, site: Site, heads: OwnHeads): Promise<Response> {
  const wanted = wantedOf(c, heads, queryOf(c, WANTED_KEYS));
  const ref = leafRefIn(c);
  const bound = boundOf(c, site);
  const index = await findIndex(site, ref, bound.size);
  const whole =
    wanted.level === 'witnessed'
      ? await witnessedNote(site, heads, index)
      : await coveringNote(site, heads, index);
  if (!whole) throw new NewelError('not_found', 'the leaf is not witnessed yet');
  const note = heads.trim(whole, wanted.lines);
  const head = heads.open(note);
  const path = await provenPath(site, index, head);
  const isPrivate = head.size > site.log.published.size;
  const proof = formatTlogProof({ index, path, checkpoint: note });
  return respond(c, proof, TEXT_INIT[cachingOf({ ...bound, isPrivate }, 'short')]);
}

function leafRefOf(c: Context): LeafRef {
  queryOf(c, []);
  return leafRefIn(c);
}

function leafRefIn(c: Context): LeafRef {
  // Not Hono's parameter, which is percent-decoded.
  return parseLeafRef(pathOf(targetOf(c.req.raw, c.env)).split('/')[3] ?? '');
}
