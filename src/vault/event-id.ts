/** The log's own name of an event: `evt_` and 128 random bits in base64url. The only id in URLs, answers and `jti`. */

import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';
import { randomBytes } from './random.ts';
import { EVENT_ID_BYTES } from './rows.ts';

const PREFIX = 'evt_';

export function newEventId(): Uint8Array {
  return randomBytes(EVENT_ID_BYTES);
}

export function formatEventId(bytes: Uint8Array): string {
  return PREFIX + formatBase64Url(bytes);
}

/** `undefined` for what is no event id, in the one spelling that there is. */
export function parseEventId(text: string): Uint8Array | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  try {
    const bytes = parseBase64Url(text.slice(PREFIX.length), 'event id');
    return bytes.length === EVENT_ID_BYTES ? bytes : undefined;
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}
