/**
 * Corrections of what is to be erased: they say again what an event said, often without naming whom it is about, so they go
 * with it. They go first: once the event is gone, nothing leads to them.
 */

import type { Store } from '../storage/store.ts';
import type { Events } from './events.ts';
import { readRecordRow } from './events.ts';
import { indexOfKey, termKey } from './rows.ts';
import type { Terms } from './terms.ts';

export interface CorrectionParts {
  readonly store: Store;
  readonly events: Pick<Events, 'open'>;
  readonly terms: Terms;
}

const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * The leaves, each before it all that corrects it, by its own source; none twice, none that is erased. What corrects a
 * correction is among them.
 */
export async function withCorrections(
  parts: CorrectionParts,
  indexes: readonly number[],
): Promise<readonly number[]> {
  const known = new Set(indexes);
  const ordered: number[] = [];
  const add = async (index: number): Promise<void> => {
    for (const correction of await correctionsAt(parts, index)) {
      if (known.has(correction)) continue;
      known.add(correction);
      await add(correction);
    }
    ordered.push(index);
  };
  for (const index of indexes) await add(index);
  return ordered;
}

async function correctionsAt(
  { store, events, terms }: CorrectionParts,
  index: number,
): Promise<readonly number[]> {
  const row = await readRecordRow(store, index);
  if ('erasedBy' in row) return [];
  const event = (await events.open(index))?.event;
  if (!event) return [];
  const lists = [event.eventId, event.id].map((id) => terms.term('corrects', id));
  const rows = await Promise.all(
    lists.map((term) => store.scan({ from: termKey(term, 0), to: termKey(term, NO_LIMIT), limit: NO_LIMIT })),
  );
  const found = [...new Set(rows.flat().map(({ key }) => indexOfKey(key)))];
  const isOfSource = await store.getMany(found.map((at) => termKey(terms.term('source', event.source), at)));
  return found.filter((_, i) => isOfSource[i] !== undefined);
}
