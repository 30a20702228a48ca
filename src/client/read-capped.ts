/** The body of an answer, however long it claims to be and whether or not it ends. */

import { NewelError } from '../errors.ts';
import { GrowingBytes } from '../core/growing-bytes.ts';

/** Reads a body, counting. Throws `too_large`, and lets go of the rest, where it is larger than `what` may be. */
export async function readCapped(response: Response, maxBytes: number, what: string): Promise<Uint8Array> {
  const body = new GrowingBytes(maxBytes);
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    const chunk: Uint8Array = next.value;
    if (body.length + chunk.length > maxBytes) {
      await reader?.cancel();
      throw new NewelError('too_large', `the answer is larger than ${what}, ${maxBytes} bytes`);
    }
    body.add(chunk);
  }
  return body.take();
}
