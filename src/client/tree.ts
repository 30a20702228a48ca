/**
 * A tree that somebody else keeps, seen through one signed head: whatever is read from it is proven against the root
 * of that head before it is used.
 */

import { NewelError } from '../errors.ts';
import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { proveConsistency, verifyConsistency } from '../core/proof.ts';
import { edgeTiles, tileHashReader, TILE_WIDTH } from '../core/tile.ts';
import type { Tile } from '../core/tile.ts';
import { readRoot } from '../core/tree.ts';
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
import type { NoteSignature, Verifier } from '../formats/note.ts';
import { formatTilePath } from '../formats/tile-path.ts';
import type { LogSource } from './source.ts';
import { VerifiedTiles } from './verified-tiles.ts';

/** Tiles that a client keeps once they were verified: 4 MiB. */
const MAX_CACHED_TILES = 512;

export interface OpenedCheckpoint extends Checkpoint {
  readonly signatures: readonly NoteSignature[];
  /** The signed note, as it was read. */
  readonly note: Uint8Array;
}

/**
 * A log's own tiles show that the tree of the newer head does not begin with that of the older one. With both heads as the
 * log signed them, this is what convicts it.
 */
export class NotExtendedError extends NewelError {
  override name = 'NotExtendedError';
  /** The root of what the newer tree begins with: as many leaves as the older one has. */
  readonly root: Uint8Array;
  /** Proves that the newer tree begins with `root`. */
  readonly proof: readonly Uint8Array[];

  constructor(message: string, root: Uint8Array, proof: readonly Uint8Array[], options?: ErrorOptions) {
    super('inconsistent', message, options);
    this.root = root;
    this.proof = proof;
  }
}

/** The log's newest checkpoint, opened under its keys. */
export async function fetchCheckpoint(
  source: LogSource,
  verifiers: readonly Verifier[],
  origin: string,
): Promise<OpenedCheckpoint> {
  const note = await source.read('checkpoint');
  if (!note) throw new NewelError('unreachable', 'the log serves no checkpoint');
  return { ...openCheckpoint(note, verifiers, origin), note };
}

/**
 * The tiles of a tree head, verified. Reads the right edge at once, and throws `root_mismatch` if it has another root.
 */
export async function openTree(
  source: LogSource,
  head: Pick<Checkpoint, 'size' | 'root'>,
): Promise<VerifiedTiles> {
  const fetchTile = async (tile: Tile): Promise<Uint8Array> => {
    const path = formatTilePath({ kind: 'tile', ...tile });
    // A log may drop a partial tile once the full one exists (tlog-tiles, "Partial Tiles").
    const data =
      (await source.read(path)) ?? (tile.width < TILE_WIDTH ? await source.read(fullPath(tile)) : undefined);
    if (!data) throw new NewelError('unreachable', `the log has no ${path}`);
    if (data.length < tile.width * HASH_SIZE) throw new NewelError('malformed', `${path} is too short`);
    return data.subarray(0, tile.width * HASH_SIZE);
  };
  const edge = new Map<string, Uint8Array>();
  const readEdge = (tiles: readonly Tile[]): Promise<Uint8Array[]> =>
    Promise.all(
      tiles.map(async (tile) => {
        const data = await fetchTile(tile);
        edge.set(`${tile.level}/${tile.index}`, data);
        return data;
      }),
    );
  const root = await readRoot(head.size, tileHashReader(head.size, readEdge));
  if (!equalBytes(root, head.root)) {
    const names = edgeTiles(head.size).map((tile) => formatTilePath({ kind: 'tile', ...tile }));
    throw new NewelError(
      'root_mismatch',
      `${names.join(', ')} have not the root of the checkpoint of size ${head.size}`,
    );
  }
  return new VerifiedTiles(
    {
      known: ({ level, index }) => edge.get(`${level}/${index}`),
      fetch: (level, index) => fetchTile({ level, index, width: TILE_WIDTH }),
    },
    MAX_CACHED_TILES,
  );
}

/**
 * Throws unless the newer head extends the older one, by a proof computed from the log's own tiles: `NotExtendedError` if
 * the tiles show that it does not, and `inconsistent` where it is smaller. An older head of size 0 is extended by anything.
 */
export async function checkExtends(
  source: LogSource,
  older: Pick<Checkpoint, 'size' | 'root'>,
  newer: Pick<Checkpoint, 'size' | 'root'>,
): Promise<readonly Uint8Array[]> {
  if (older.size > newer.size)
    throw new NewelError('inconsistent', `the tree shrank from ${older.size} to ${newer.size}`);
  if (older.size === 0) return [];
  const tiles = await openTree(source, newer);
  const read = tiles.hashes(newer.size);
  const proof = await proveConsistency(older.size, newer.size, read);
  try {
    verifyConsistency(older.size, newer.size, older.root, newer.root, proof);
  } catch (cause) {
    const message = `the tree of ${newer.size} leaves does not begin with the tree of ${older.size} that was signed`;
    throw new NotExtendedError(message, await readRoot(older.size, read), proof, { cause });
  }
  return proof;
}

function fullPath({ level, index }: Tile): string {
  return formatTilePath({ kind: 'tile', level, index, width: TILE_WIDTH });
}
