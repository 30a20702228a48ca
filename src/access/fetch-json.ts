/** Small JSON documents of the issuer, fetched with a bound on everything that a peer can stretch. */

import { NewelError } from '../errors.ts';

/** Of the whole exchange. */
const TIMEOUT_MS = 5000;
const MAX_BYTES: number = 256 * 1024;

/**
 * The JSON object at `url`. No redirect is followed: it would be a place that nobody configured. Throws `unreachable`
 * where there is no answer but 200, and none whole within 5 s, and `too_large` or `malformed` for what it holds.
 */
export async function fetchJson(url: string, fetchOne: typeof fetch): Promise<Record<string, unknown>> {
  let bytes: Uint8Array;
  try {
    const response = await fetchOne(url, {
      headers: { Accept: 'application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      throw new NewelError('unreachable', `the answer has the status ${response.status}`);
    }
    bytes = await readCapped(response);
  } catch (cause) {
    if (cause instanceof NewelError) throw cause;
    throw new NewelError('unreachable', 'there is no whole answer', { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The cause would quote what was received.
    throw new NewelError('malformed', 'the answer is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new NewelError('malformed', 'the answer is not a JSON object');
  }
  return value as Record<string, unknown>;
}

async function readCapped({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    const chunk: Uint8Array = next.value;
    length += chunk.length;
    if (length > MAX_BYTES) {
      await reader?.cancel();
      throw new NewelError('too_large', `the answer is larger than ${MAX_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
