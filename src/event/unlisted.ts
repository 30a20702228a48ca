/**
 * What is said of members that a schema does not list: how many there are, which places they have in their object, and
 * the listed names that they may have been meant as. Their own names stay unsaid: one may be a secret in the wrong place.
 *
 *   has 2 members that the schema does not list, its 3rd and 7th: did you mean tenant?
 */

/** Members that are told one by one. */
const MAX_TOLD = 5;
/** Single-character edits that a mistyped name may need. */
const MAX_EDITS = 2;
/** A list up to here is spelled out. */
const MAX_SPELLED_OUT = 12;

/** Continues the name of an object that has members beside the `listed` ones. */
export function flawOfUnlisted(object: Readonly<Record<string, unknown>>, listed: readonly string[]): string {
  const known = new Set(listed);
  const names = Object.keys(object);
  const places = names.flatMap((name, i) => (known.has(name) ? [] : [i]));
  const what = places.length === 1 ? 'a member' : `${places.length} members`;
  const told = places.slice(0, MAX_TOLD);
  const meant = new Set(told.flatMap((i) => nearestOf(names[i]!, listed) ?? []));
  const hint = meant.size === 0 ? '' : `: did you mean ${[...meant].join(', ')}?`;
  const all =
    listed.length > MAX_SPELLED_OUT ? 'spec/event.md lists them all' : `listed are: ${listed.join(', ')}`;
  const where = isInOrder(names) ? `, its ${ordinals(told, places.length)}` : '';
  return `has ${what} that the schema does not list${where}${hint === '' ? ';' : hint} ${all}`;
}

/** Whether keys are in the order of the text: those like array indexes come first in an object, wherever they stood. */
function isInOrder(names: readonly string[]): boolean {
  return !names.some((name) => /^(?:0|[1-9][0-9]*)$/.test(name));
}

/** `3rd, 7th and 2 more`, for places that are counted from 0. */
function ordinals(told: readonly number[], count: number): string {
  const items = told.map((place) => ordinal(place + 1));
  if (count > told.length) items.push(`${count - told.length} more`);
  const last = items.pop()!;
  return items.length === 0 ? last : `${items.join(', ')} and ${last}`;
}

const ENDINGS = new Map([
  [1, 'st'],
  [2, 'nd'],
  [3, 'rd'],
]);

function ordinal(n: number): string {
  const tens = Math.floor(n / 10) % 10;
  return `${n}${(tens === 1 ? undefined : ENDINGS.get(n % 10)) ?? 'th'}`;
}

/** The listed name that `name` is the fewest edits from; a short one has to be the nearer. */
function nearestOf(name: string, listed: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let fewest = MAX_EDITS + 1;
  for (const candidate of listed) {
    if (Math.abs(candidate.length - name.length) > MAX_EDITS) continue;
    const count = edits(name.toLowerCase(), candidate);
    if (count >= fewest || 2 * count > candidate.length) continue;
    nearest = candidate;
    fewest = count;
  }
  return nearest;
}

/** Insertions, deletions and replacements of a character that make one text of the other (Levenshtein's distance). */
function edits(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[other.length]!;
}
