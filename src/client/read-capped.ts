/** The body of an answer, however long it claims to be and whether or not it ends. */

import { NewelError } from '../errors.ts';
import { concatBytes } from '../core/bytes.ts';

/** Reads a body, counting. Throws `too_large`, and lets go of the rest, where it is larger than `what` may be. */
export async function readCapped(response: Response, maxBytes: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    const chunk: Uint8Array = next.value;
    length += chunk.length;
    if (length > maxBytes) {
      await reader?.cancel();
      throw new NewelError('too_large', `the answer is larger than ${what}, ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}
