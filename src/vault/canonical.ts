/** One text for equal JSON values: members sorted by their names' UTF-16 units, nothing else between tokens. */

import type { JsonValue } from '../formats/json.ts';

/** Member names as they are written; the schema's few hundred come again and again. */
const quoted = new Map<string, string>();
const MAX_QUOTED = 1024;

export function formatCanonical(value: JsonValue): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '[' : ','}${formatCanonical(item)}`;
    return text === '' ? '[]' : `${text}]`;
  }
  const names = Object.keys(value).sort();
  for (const name of names)
    text += `${text === '' ? '{' : ','}${quote(name)}:${formatCanonical(value[name]!)}`;
  return text === '' ? '{}' : `${text}}`;
}

function quote(name: string): string {
  const known = quoted.get(name);
  if (known !== undefined) return known;
  const text = JSON.stringify(name);
  if (quoted.size < MAX_QUOTED) quoted.set(name, text);
  return text;
}
