/** The public files of a log that is not running, read from its store as they are: for `fsck --data`. */

import { concatBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { NewelError } from '../errors.ts';
import { entriesPrefix } from '../formats/entry-bundle.ts';
import { parseTilePath } from '../formats/tile-path.ts';
import type { LogSource } from '../client/source.ts';
import { entriesKey, tileKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { readSlot } from './publish.ts';

export function storeSource(store: Store): LogSource {
  return {
    async read(path) {
      if (path === 'checkpoint') return (await readSlot(store, 'none'))?.checkpoint;
      const tile = parseTilePath(path);
      if (tile.kind === 'tile') {
        const [data] = await store.getMany([tileKey(tile.level, tile.index)]);
        const bytes = tile.width * HASH_SIZE;
        return data && data.length >= bytes ? data.subarray(0, bytes) : undefined;
      }
      const first = tile.index * TILE_WIDTH;
      const rows = await store.scan({
        from: entriesKey(first),
        to: entriesKey(first + tile.width),
        limit: TILE_WIDTH,
      });
      try {
        return entriesPrefix(concatBytes(...rows.map(({ value }) => value)), tile.width);
      } catch (error) {
        // There is no such bundle, or not as wide.
        if (error instanceof NewelError) return undefined;
        throw error;
      }
    },
  };
}
