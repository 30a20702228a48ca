/**
 * Names of keys (C2SP signed-note, "Format") and origins of logs (tlog-checkpoint, "Note text").
 *
 *   key name   sum.golang.org            one word: no Unicode space, no plus
 *   origin     log.example.com/stepup    a key name that is also the log's public URL prefix without its scheme
 */

import { NewelError } from '../errors.ts';
import { encodeUtf8, hasControlCharacter, isWellFormed } from './text.ts';

/** Bytes of UTF-8 that an origin may have. */
export const MAX_ORIGIN_BYTES = 255;

// The property White_Space is exactly what Go's unicode.IsSpace accepts; `\s` is not (it lacks U+0085 and has U+FEFF).
const UNICODE_SPACE = /\p{White_Space}/u;
const CONTROL = /\p{Cc}/u;

/**
 * Whether `name` can name a key in a note and in a vkey: not empty, well-formed, without Unicode space, `+` or ASCII
 * control character (Go's check lets the last pass, but no note can hold one).
 */
export function isKeyName(name: string): boolean {
  return (
    name !== '' &&
    isWellFormed(name) &&
    !name.includes('+') &&
    !UNICODE_SPACE.test(name) &&
    !hasControlCharacter(name)
  );
}

/**
 * Throws `malformed`, saying what is wrong, unless `origin` can be the origin of a log that this program makes: 1 to
 * 255 bytes of UTF-8, no control character, Unicode space or `+`, no scheme, no slash at either end.
 * Origins of other logs are read more liberally (`checkpoint.ts`).
 */
export function assertOrigin(origin: string): void {
  const flaw = flawOf(origin);
  if (flaw !== undefined) throw new NewelError('malformed', `origin ${flaw}`);
}

function flawOf(origin: string): string | undefined {
  if (origin === '') return 'is empty';
  if (!isWellFormed(origin)) return 'holds a lone surrogate, which UTF-8 cannot carry';
  if (encodeUtf8(origin).length > MAX_ORIGIN_BYTES) return `is longer than ${MAX_ORIGIN_BYTES} bytes`;
  // Some control characters are spaces as well; they are called by the graver name.
  if (CONTROL.test(origin)) return 'holds a control character';
  if (UNICODE_SPACE.test(origin)) return 'holds a space';
  if (origin.includes('+')) return 'holds a plus';
  if (origin.includes('://')) return 'has a scheme: write example.com/log, not https://example.com/log';
  if (origin.startsWith('/')) return 'begins with a slash';
  if (origin.endsWith('/')) return 'ends with a slash';
  return undefined;
}
