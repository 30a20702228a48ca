/**
 * The public files of a log that is not running, read from its store as they are: for `fsck --data`. What cannot be read,
 * or is not as wide as asked for, is not there; whoever checks says which file that is.
 */

import { concatBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { entriesPrefix } from '../formats/entry-bundle.ts';
import { parseTilePath, type TilePath } from '../formats/tile-path.ts';
import type { LogSource } from '../client/source.ts';
import { entriesKey, tileKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { readSlot } from './kept.ts';

export function storeSource(store: Store): LogSource {
  return {
    async read(path) {
      const tile = path === 'checkpoint' ? undefined : parseTilePath(path);
      try {
        return tile ? await readStored(store, tile) : (await readSlot(store, 'none'))?.checkpoint;
      } catch {
        return undefined;
      }
    },
  };
}

async function readStored(store: Store, tile: TilePath): Promise<Uint8Array | undefined> {
  if (tile.kind === 'tile') {
    const [data] = await store.getMany([tileKey(tile.level, tile.index)]);
    const bytes = tile.width * HASH_SIZE;
    return data && data.length >= bytes ? data.subarray(0, bytes) : undefined;
  }
  const first = tile.index * TILE_WIDTH;
  const range = { from: entriesKey(first), to: entriesKey(first + tile.width), limit: TILE_WIDTH };
  const rows = await store.scan(range);
  return entriesPrefix(concatBytes(...rows.map(({ value }) => value)), tile.width);
}
