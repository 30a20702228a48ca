/** The public files of a log, by their C2SP tlog-tiles paths: `checkpoint`, `tile/0/000.p/42`, `tile/entries/000`. */

import { NewelError } from '../errors.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';
import { readCapped } from './read-capped.ts';

export interface LogSource {
  /**
   * The file, or `undefined` where the log says that it has none. Rejects with `unreachable` for anything else. A source
   * that heeds `signal` ends what is under way when that is aborted.
   */
  read(path: string, signal?: AbortSignal): Promise<Uint8Array | undefined>;
}

export interface HttpSourceOptions {
  readonly fetch?: typeof globalThis.fetch;
  readonly timeoutMs?: number;
}

/** No public file is larger: a full bundle of the largest entries. */
const MAX_FILE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);

/** Reads from a log's URL prefix, over `fetch`. */
export function httpSource(url: string, options: HttpSourceOptions = {}): LogSource {
  const { fetch = globalThis.fetch, timeoutMs = 30_000 } = options;
  const prefix = url.replace(/\/+$/, '');
  return {
    async read(path) {
      const where = `${prefix}/${path}`;
      let response: Response;
      try {
        response = await fetch(where, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
        if (response.status === 404) return undefined;
        if (response.ok) return await readCapped(response, MAX_FILE_BYTES, 'any public file');
      } catch (error) {
        if (error instanceof NewelError) throw error;
        throw new NewelError('unreachable', `${where} does not answer`, { cause: error });
      }
      throw new NewelError('unreachable', `${where} answers ${response.status}`);
    },
  };
}
