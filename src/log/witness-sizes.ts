/**
 * The size that each witness has cosigned last, remembered across restarts: it saves a question each.
 *
 *   41 w1                  size, the name that the policy has
 */

import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { witnessSizesKey } from '../storage/keys.ts';
import type { Row, Store } from '../storage/store.ts';

export function witnessSizesRow(sizes: ReadonlyMap<string, number>): Row {
  const lines = [...sizes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, size]) => `${size} ${name}\n`);
  return { key: witnessSizesKey, value: encodeUtf8(lines.join('')) };
}

/** What is damaged is forgotten. */
export async function readWitnessSizes(store: Store): Promise<ReadonlyMap<string, number>> {
  const [value] = await store.getMany([witnessSizesKey]);
  const sizes = new Map<string, number>();
  if (!value) return sizes;
  for (const line of decodeUtf8(value).split('\n')) {
    const found = /^(\d{1,15}) (.+)$/.exec(line);
    if (found) sizes.set(found[2]!, Number(found[1]));
  }
  return sizes;
}
