/** The public files of a log, by their C2SP tlog-tiles paths: `checkpoint`, `tile/0/000.p/42`, `tile/entries/000`. */

import { NewelError } from '../errors.ts';
import { concatBytes } from '../core/bytes.ts';
import { TILE_WIDTH } from '../core/tile.ts';
import { MAX_ENTRY_BYTES } from '../formats/entry-bundle.ts';

export interface LogSource {
  /** The file, or `undefined` where the log says that it has none. Rejects with `unreachable` for anything else. */
  read(path: string): Promise<Uint8Array | undefined>;
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
        if (response.ok) return await readCapped(response);
      } catch (error) {
        if (error instanceof NewelError) throw error;
        throw new NewelError('unreachable', `${where} does not answer`, { cause: error });
      }
      throw new NewelError('unreachable', `${where} answers ${response.status}`);
    },
  };
}

async function readCapped(response: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    const chunk: Uint8Array = next.value;
    length += chunk.length;
    if (length > MAX_FILE_BYTES) {
      await reader?.cancel();
      throw new NewelError('too_large', `the answer is larger than any public file, ${MAX_FILE_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}
