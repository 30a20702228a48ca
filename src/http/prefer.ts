/**
 * `Prefer` (RFC 7240): what a client would like, if it can be had.
 *
 *   Prefer: return=minimal, wait=2; why="as said"
 *
 * A preference that is not known is passed over, and a header that cannot be read asks for nothing: it is never an
 * error. Of two preferences of one name the first counts. Parameters are read, and mean nothing here.
 */

const WORD = String.raw`([!#$%&'*+.^_\`|~0-9A-Za-z-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*")`;
const TOKEN = String.raw`([!#$%&'*+.^_\`|~0-9A-Za-z-]+)`;
const PAIR = String.raw`[ \t]*${TOKEN}(?:[ \t]*=[ \t]*${WORD})?`;
const PREFERENCE = new RegExp(PAIR, 'y');
const PARAMETER = new RegExp(String.raw`[ \t]*;(?:${PAIR})?`, 'y');
/** Elements of a list may be empty (RFC 9110 §5.6.1). */
const EMPTY = /[ \t]*,/y;
const END = /[ \t]*(?:,|$)/y;

/** Values by name, both in lower case; a preference without a value has an empty one. */
export function parsePrefer(header: string | undefined): ReadonlyMap<string, string> {
  const preferences = new Map<string, string>();
  const text = header?.trim() ?? '';
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match) at = pattern.lastIndex;
    return match;
  };
  while (at < text.length) {
    if (take(EMPTY)) continue;
    const [, name, value = ''] = take(PREFERENCE) ?? [];
    while (take(PARAMETER));
    if (name === undefined || !take(END)) return new Map();
    const key = name.toLowerCase();
    if (!preferences.has(key)) preferences.set(key, unquoted(value).toLowerCase());
  }
  return preferences;
}

function unquoted(word: string): string {
  return word.startsWith('"') ? word.slice(1, -1).replaceAll(/\\(.)/g, '$1') : word;
}
