/** Data as one line of JSON, for programs and for whoever looks at it on a terminal. */

const UNPRINTABLE = /[\x7f-\x9f\p{Cf}\u2028\u2029]/gu;

/**
 * The value as JSON and a newline. Characters that JSON lets stand and a terminal acts on (C1 controls, directions, what
 * has no width) are escaped, so every reader of JSON gets the same value, and the line moves no cursor and turns nothing.
 */
export function formatJsonLine(value: unknown): string {
  return `${JSON.stringify(value).replaceAll(UNPRINTABLE, escapeUnits)}\n`;
}

function escapeUnits(char: string): string {
  return char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');
}
