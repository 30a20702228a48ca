/**
 * Which bits are flipped, in which pass of fsck. The classes of public files of a tree:
 *
 *   checkpoint                     one file
 *   level 0, full | partial        tiles of leaf hashes; one is partial
 *   upper, full | partial          tiles above; one of each level is partial
 *   bundle, full | partial         entries; one is partial
 *
 * Passes are separate or crossed. In a separate one no two flips bear on the same place of the tree, so fsck must name
 * the flipped files and no other. In a crossed one a bundle and its tile, a tile and its parent are flipped together:
 * then fsck cannot know in every case who is right, but it must still name every flipped file.
 */

import { newTiles, TILE_WIDTH, type Tile } from '../../src/core/tile.ts';
import { formatTilePath } from '../../src/formats/tile-path.ts';
import type { SeededRandom } from './seeded-random.ts';

export const FILE_CLASSES = [
  'checkpoint',
  'tile, level 0, full',
  'tile, level 0, partial',
  'tile, upper, full',
  'tile, upper, partial',
  'bundle, full',
  'bundle, partial',
] as const;
export type FileClass = (typeof FILE_CLASSES)[number];

export interface Flip {
  readonly path: string;
  readonly fileClass: FileClass;
  /** Which bit, as a fraction of all bits of the file. */
  readonly at: number;
}

export interface Pass {
  readonly flips: readonly Flip[];
  /** Whether fsck must name nothing but the flipped files. */
  readonly isSeparate: boolean;
}

interface File {
  readonly path: string;
  readonly fileClass: FileClass;
  readonly tile: Tile;
}

/** How many files of a class are flipped together in one separate pass; of the rest, one. */
const TOGETHER = { leafTiles: 80, bundles: 80, upperTiles: 3 } as const;
const CROSSED_PLACES = 20;

/** One flip after another of the checkpoint, each in a pass of its own, which ends where the checkpoint is refused. */
export function checkpointPasses(random: SeededRandom, count: number): Pass[] {
  return Array.from({ length: count }, () => ({
    flips: [{ path: 'checkpoint', fileClass: 'checkpoint', at: random.fraction() }],
    isSeparate: true,
  }));
}

/** Many flips in different places, of all classes but the checkpoint. */
export function separatePass(random: SeededRandom, size: number, turn: number): Pass {
  const { leafTiles, bundles, upperFull, upperPartial, leafPartial } = filesOf(size);
  const flippedUpper = random.sample(upperFull, TOGETHER.upperTiles);
  const parents = new Set(flippedUpper.map(({ tile }) => tile.index));
  // Whatever lies below a flipped tile stays whole; so does all that is below the partial one of level 1.
  const isFree = ({ tile }: File): boolean => {
    const parent = Math.floor(tile.index / TILE_WIDTH);
    return (
      !parents.has(parent) && upperFull.some((upper) => upper.tile.level === 1 && upper.tile.index === parent)
    );
  };
  const flippedTiles = random.sample(leafTiles.filter(isFree), TOGETHER.leafTiles);
  const taken = new Set(flippedTiles.map(({ tile }) => tile.index));
  const isUntaken = (file: File): boolean => isFree(file) && !taken.has(file.tile.index);
  const flippedBundles = random.sample(bundles.filter(isUntaken), TOGETHER.bundles);
  // The last tile and the last bundle are of the same place: in turns.
  const last = leafPartial.slice(turn % 2, (turn % 2) + 1);
  const files = [...flippedUpper, ...flippedTiles, ...flippedBundles, ...upperPartial, ...last];
  return { flips: flipEach(random, files), isSeparate: true };
}

/** One flip of each partial upper tile, and of the last tile or the last bundle in turns. */
export function edgePass(random: SeededRandom, size: number, turn: number): Pass {
  const { upperPartial, leafPartial } = filesOf(size);
  const last = leafPartial.slice(turn % 2, (turn % 2) + 1);
  return { flips: flipEach(random, [...upperPartial, ...last]), isSeparate: true };
}

/** Bundles and their tiles, tiles and their parents, and the whole right edge, all in one. */
export function crossedPass(random: SeededRandom, size: number): Pass {
  const { leafTiles, bundles, upperFull, upperPartial, leafPartial } = filesOf(size);
  const places = new Set(random.sample(leafTiles, CROSSED_PLACES).map(({ tile }) => tile.index));
  const isPlace = ({ tile }: File): boolean => places.has(tile.index);
  const parents = new Set([...places].map((index) => Math.floor(index / TILE_WIDTH)));
  const above = upperFull.filter(({ tile }) => tile.level === 1 && parents.has(tile.index));
  const files = [...leafTiles.filter(isPlace), ...bundles.filter(isPlace), ...above];
  return { flips: flipEach(random, [...files, ...upperPartial, ...leafPartial]), isSeparate: false };
}

function flipEach(random: SeededRandom, files: readonly File[]): Flip[] {
  return files.map(({ path, fileClass }) => ({ path, fileClass, at: random.fraction() }));
}

/** The public files of a tree but for the checkpoint. `leafPartial` is the last tile, then the last bundle. */
function filesOf(
  size: number,
): Record<'leafTiles' | 'bundles' | 'upperFull' | 'upperPartial' | 'leafPartial', File[]> {
  const all = [...newTiles(0, size)];
  const leaves = all.filter(({ level }) => level === 0);
  const uppers = all.filter(({ level }) => level > 0).map(upperFile);
  const files = [...leaves.map(leafTileFile), ...leaves.map(bundleFile)];
  const ofClass = (from: readonly File[], fileClass: FileClass): File[] =>
    from.filter((file) => file.fileClass === fileClass);
  return {
    leafTiles: ofClass(files, 'tile, level 0, full'),
    bundles: ofClass(files, 'bundle, full'),
    upperFull: ofClass(uppers, 'tile, upper, full'),
    upperPartial: ofClass(uppers, 'tile, upper, partial'),
    leafPartial: [...ofClass(files, 'tile, level 0, partial'), ...ofClass(files, 'bundle, partial')],
  };
}

function leafTileFile(tile: Tile): File {
  const fileClass = tile.width === TILE_WIDTH ? 'tile, level 0, full' : 'tile, level 0, partial';
  return { path: formatTilePath({ kind: 'tile', ...tile }), fileClass, tile };
}

function upperFile(tile: Tile): File {
  const fileClass = tile.width === TILE_WIDTH ? 'tile, upper, full' : 'tile, upper, partial';
  return { path: formatTilePath({ kind: 'tile', ...tile }), fileClass, tile };
}

function bundleFile(tile: Tile): File {
  const fileClass = tile.width === TILE_WIDTH ? 'bundle, full' : 'bundle, partial';
  const { index, width } = tile;
  return { path: formatTilePath({ kind: 'entries', index, width }), fileClass, tile };
}
