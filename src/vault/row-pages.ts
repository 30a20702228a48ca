/** Reading all rows of a kind, some at a time, and what is stored under names that they have. */

import type { Row, Store } from '../storage/store.ts';
import { rangeOf } from './rows.ts';

/** Rows of a few bytes. */
const AT_ONCE = 10_000;

/** All rows that begin with that byte, some at a time. */
export async function* pagesOf(store: Store, prefix: number): AsyncGenerator<readonly Row[]> {
  const range = rangeOf(prefix);
  for (let { from } = range; ;) {
    const rows = await store.scan({ ...range, from, limit: AT_ONCE });
    if (rows.length > 0) yield rows;
    if (rows.length < AT_ONCE) return;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
}

type Values = readonly (Uint8Array | undefined)[];

/** What is stored for each of the names, under each of the kinds of keys. */
export async function lookUp<const K extends readonly ((name: Uint8Array) => Uint8Array)[]>(
  store: Store,
  names: readonly Uint8Array[],
  keysOf: K,
): Promise<{ readonly [I in keyof K]: Values }> {
  const found = keysOf.map((keyOf) => store.getMany(names.map(keyOf)));
  return (await Promise.all(found)) as { readonly [I in keyof K]: Values };
}

/** What a key names: all of it but the byte that says of which kind it is. */
export function nameInKey({ key }: Row): Uint8Array {
  return key.subarray(1);
}

/** Bytes as the name of an entry of a map. */
export function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
