/**
 * Checks a whole log from its public files alone, as any stranger could: the checkpoint's signature, every entry
 * against its tile, every tile against the tree that the entries make, the root against the checkpoint.
 *
 * The tree is grown again from the entries. Where an entry bundle and its level-0 tile differ, the tile above says
 * which of them is wrong, so that the walk goes on with the right one and names the other. What nobody above can
 * settle (the last bundle, or a tile above that is itself damaged) is settled by the root.
 */

import { equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashLeaf } from '../core/hash.ts';
import { CompactRange } from '../core/range.ts';
import { hashWithinTile, newTiles, TILE_BYTES, TILE_HEIGHT, TILE_WIDTH, tileWidth } from '../core/tile.ts';
import type { Tile } from '../core/tile.ts';
import { NewelError } from '../errors.ts';
import type { LogSource } from '../client/source.ts';
import { fetchCheckpoint, type OpenedCheckpoint } from '../client/tree.ts';
import { entriesPrefix, parseEntries } from '../formats/entry-bundle.ts';
import type { Verifier } from '../formats/note.ts';
import { formatTilePath } from '../formats/tile-path.ts';

export interface FsckOptions {
  readonly verifiers: readonly Verifier[];
  readonly origin: string;
  /** Called as bundles are done; both in entries. */
  readonly onProgress?: (progress: { done: number; total: number }) => void;
}

export interface Finding {
  /** The public file that is wrong, by its path. */
  readonly path: string;
  readonly problem: string;
}

export interface FsckReport {
  readonly size: number;
  readonly root: Uint8Array;
  /** Empty: the log is whole. */
  readonly findings: readonly Finding[];
}

/** Files that are fetched ahead of the one being checked. */
const READ_AHEAD = 8;

/** Reads every public file of the log once. Throws `unreachable` if the log stops answering; damage is a finding. */
export async function fsck(source: LogSource, options: FsckOptions): Promise<FsckReport> {
  let head: OpenedCheckpoint;
  try {
    head = await fetchCheckpoint(source, options.verifiers, options.origin);
  } catch (error) {
    if (!(error instanceof NewelError) || error.code === 'unreachable') throw error;
    return { size: 0, root: new Uint8Array(0), findings: [{ path: 'checkpoint', problem: error.message }] };
  }
  const { size, root } = head;
  const walk = new Walk(source, size, options.onProgress ?? (() => {}));
  return { size, root, findings: await walk.check(root) };
}

/** What the bundle and the level-0 tile of one place say the leaf hashes are. */
interface Leaves {
  readonly fromEntries: Uint8Array | undefined;
  readonly fromTile: Uint8Array | undefined;
  readonly problem: string;
}

class Walk {
  readonly #source: LogSource;
  readonly #size: number;
  readonly #onProgress: (progress: { done: number; total: number }) => void;
  readonly #findings: Finding[] = [];
  /** The tiles of level 1 and above as they are served, kept while the walk is below them. */
  readonly #upper = new Map<string, Promise<Uint8Array | undefined>>();
  /** The tree grown from the leaves: hashes of each level from 1 on, since the last full tile. */
  readonly #grown: Uint8Array[][] = [];
  readonly #range = new CompactRange();

  constructor(
    source: LogSource,
    size: number,
    onProgress: (progress: { done: number; total: number }) => void,
  ) {
    this.#source = source;
    this.#size = size;
    this.#onProgress = onProgress;
  }

  async check(root: Uint8Array): Promise<readonly Finding[]> {
    const bundles = Math.ceil(this.#size / TILE_WIDTH);
    const ahead: Promise<Leaves>[] = [];
    for (let index = 0; index < bundles; index++) {
      while (ahead.length < READ_AHEAD && index + ahead.length < bundles) {
        const leaves = this.#readLeaves(index + ahead.length);
        // Awaited in its turn; until then a rejection is nobody's.
        leaves.catch(() => {});
        ahead.push(leaves);
      }
      await this.#settle(index, await ahead.shift()!, root);
      this.#onProgress({ done: Math.min(this.#size, (index + 1) * TILE_WIDTH), total: this.#size });
    }
    await this.#checkUpperEdge();
    if (!equalBytes(this.#range.root(), root)) {
      const settled = this.#findings.length > 0 ? ', even where the files named are set right' : '';
      this.#find(
        'checkpoint',
        `the entries have another root than the checkpoint of size ${this.#size}${settled}`,
      );
    }
    return this.#findings;
  }

  async #readLeaves(index: number): Promise<Leaves> {
    const width = tileWidth(0, index, this.#size);
    const [bundle, tile] = await Promise.all([
      this.#readBundle(index, width),
      this.#readTile({ level: 0, index, width }),
    ]);
    if (!bundle) return { fromEntries: undefined, fromTile: tile, problem: 'is missing' };
    try {
      const fromEntries = new Uint8Array(width * HASH_SIZE);
      parseEntries(bundle, width).forEach((entry, i) => fromEntries.set(hashLeaf(entry), i * HASH_SIZE));
      return { fromEntries, fromTile: tile, problem: '' };
    } catch (error) {
      const problem = error instanceof Error ? error.message : 'is not readable';
      return { fromEntries: undefined, fromTile: tile, problem };
    }
  }

  /** Decides what the leaves of a bundle are, names what is wrong, and grows the tree. */
  async #settle(index: number, { fromEntries, fromTile, problem }: Leaves, root: Uint8Array): Promise<void> {
    const width = tileWidth(0, index, this.#size);
    const bundlePath = formatTilePath({ kind: 'entries', index, width });
    const tilePath = formatTilePath({ kind: 'tile', level: 0, index, width });
    if (!fromEntries) this.#find(bundlePath, problem);
    if (!fromTile) this.#find(tilePath, 'is missing or has a wrong length');
    if (!fromEntries && fromTile && !(await this.#isTrue(fromTile, index, root))) {
      this.#find(tilePath, 'is not the tile that the tree has there; its bundle is no help');
      return this.#growAsWanted(index, fromTile);
    }
    if (fromEntries && fromTile && !equalBytes(fromEntries, fromTile)) {
      const first = firstDifference(fromEntries, fromTile);
      const leaf = index * TILE_WIDTH + first;
      if (await this.#isTrue(fromTile, index, root)) {
        this.#find(bundlePath, `entry ${leaf} is not the leaf that the tree has there`);
        return this.#grow(index, fromTile);
      }
      const which = (await this.#isTrue(fromEntries, index, root))
        ? ''
        : ', nor is it settled which of the two is wrong';
      this.#find(tilePath, `hash ${first} is not of entry ${leaf}${which}`);
      if (which)
        this.#find(bundlePath, `entry ${leaf} does not hash to its tile, nor is it settled which is wrong`);
    }
    const leaves = fromEntries ?? fromTile;
    return leaves ? this.#grow(index, leaves) : this.#growAsWanted(index, new Uint8Array(width * HASH_SIZE));
  }

  /** Whether the level above, or at the very end the root, wants these leaf hashes. */
  async #isTrue(leaves: Uint8Array, index: number, root: Uint8Array): Promise<boolean> {
    if (leaves.length === TILE_BYTES) {
      const wanted = await this.#wantedAbove(index);
      return wanted !== undefined && equalBytes(hashWithinTile(leaves, 0, TILE_WIDTH), wanted);
    }
    const range = this.#range.copy();
    for (let at = 0; at < leaves.length; at += HASH_SIZE) range.append(leaves.subarray(at, at + HASH_SIZE));
    return equalBytes(range.root(), root);
  }

  /** The root that the tile above has for a full tile of level 0. */
  async #wantedAbove(index: number): Promise<Uint8Array | undefined> {
    const place = index % TILE_WIDTH;
    const above = await this.#readUpper(1, Math.floor(index / TILE_WIDTH));
    return above?.subarray(place * HASH_SIZE, (place + 1) * HASH_SIZE);
  }

  /** Where nothing of a place is to be believed: goes on with what the tile above wants there, so as to blame no other. */
  async #growAsWanted(index: number, leaves: Uint8Array): Promise<void> {
    const wanted = leaves.length === TILE_BYTES ? await this.#wantedAbove(index) : undefined;
    return wanted ? this.#growFull(index, wanted) : this.#grow(index, leaves);
  }

  async #grow(index: number, leaves: Uint8Array): Promise<void> {
    if (leaves.length === TILE_BYTES) return this.#growFull(index, hashWithinTile(leaves, 0, TILE_WIDTH));
    for (let at = 0; at < leaves.length; at += HASH_SIZE)
      this.#range.append(leaves.subarray(at, at + HASH_SIZE));
  }

  async #growFull(index: number, root: Uint8Array): Promise<void> {
    this.#range.appendNode(TILE_HEIGHT, root);
    let hash = root;
    let below = index;
    for (let level = 1; ; level++) {
      const hashes = (this.#grown[level] ??= []);
      hashes.push(hash);
      if (hashes.length < TILE_WIDTH) return;
      below = Math.floor(below / TILE_WIDTH);
      const tile = new Uint8Array(TILE_BYTES);
      hashes.forEach((grown, i) => tile.set(grown, i * HASH_SIZE));
      this.#grown[level] = [];
      await this.#compareUpper(level, below, tile);
      hash = hashWithinTile(tile, 0, TILE_WIDTH);
    }
  }

  /** The partial tiles above level 0, once all leaves are there. */
  async #checkUpperEdge(): Promise<void> {
    for (const { level, index, width } of newTiles(0, this.#size)) {
      if (level === 0 || width === TILE_WIDTH) continue;
      const grown = (this.#grown[level] ?? []).slice(0, width);
      const tile = new Uint8Array(width * HASH_SIZE);
      grown.forEach((hash, i) => tile.set(hash, i * HASH_SIZE));
      await this.#compareUpper(level, index, tile);
    }
  }

  async #compareUpper(level: number, index: number, grown: Uint8Array): Promise<void> {
    const served = await this.#readUpper(level, index);
    this.#upper.delete(`${level}/${index}`);
    const path = formatTilePath({ kind: 'tile', level, index, width: grown.length / HASH_SIZE });
    if (!served) return this.#find(path, 'is missing or has a wrong length');
    if (equalBytes(served, grown)) return;
    this.#find(path, `hash ${firstDifference(served, grown)} is not the root of the tile below it`);
  }

  #readUpper(level: number, index: number): Promise<Uint8Array | undefined> {
    const key = `${level}/${index}`;
    const tile =
      this.#upper.get(key) ?? this.#readTile({ level, index, width: tileWidth(level, index, this.#size) });
    this.#upper.set(key, tile);
    return tile;
  }

  async #readTile(tile: Tile): Promise<Uint8Array | undefined> {
    const data = await this.#source.read(formatTilePath({ kind: 'tile', ...tile }));
    if (data) return data.length === tile.width * HASH_SIZE ? data : undefined;
    if (tile.width === TILE_WIDTH) return undefined;
    // A log may drop a partial tile or bundle once the full one exists (tlog-tiles, "Partial Tiles").
    const full = await this.#source.read(formatTilePath({ kind: 'tile', ...tile, width: TILE_WIDTH }));
    return full?.length === TILE_BYTES ? full.subarray(0, tile.width * HASH_SIZE) : undefined;
  }

  async #readBundle(index: number, width: number): Promise<Uint8Array | undefined> {
    const bundle = await this.#source.read(formatTilePath({ kind: 'entries', index, width }));
    if (bundle || width === TILE_WIDTH) return bundle;
    const full = await this.#source.read(formatTilePath({ kind: 'entries', index, width: TILE_WIDTH }));
    try {
      return full && entriesPrefix(full, width);
    } catch {
      return undefined;
    }
  }

  #find(path: string, problem: string): void {
    this.#findings.push({ path, problem });
  }
}

/** The number of the first hash in which two tiles differ. */
function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const at = a.findIndex((byte, i) => byte !== b[i]);
  return Math.floor((at < 0 ? a.length : at) / HASH_SIZE);
}
