/**
 * What `/checkpoint` shows: the publication of the strongest slot that has one, and never a smaller tree than was shown
 * before. Where a slot is filled for the first time, or under another policy than before, it may hold a smaller one: what
 * was shown goes on being shown until the slot holds as much, across restarts.
 *
 *   none 10 shown ─ fast is filled with 7 ─ one batch: fast 7, shown 10 ─ 10 shown ─ fast is filled with 11 ─ 11 shown
 */

import type { Row } from '../storage/store.ts';
import { type Publication, slotRow } from './kept.ts';
import { type WitnessedSlot, WITNESSED_SLOTS } from './slots.ts';

type Held = ReadonlyMap<WitnessedSlot, Publication>;

export class Shown {
  #publication: Publication;
  /** The size of what is kept to be shown after a restart. */
  #keptSize: number | undefined;
  /** Until a batch is durable that makes another slot the strongest: what is shown meanwhile would not be in it. */
  #isFixed = false;

  /** What may have been shown last: the largest of what any slot ever held, or where none counts, what is published. */
  constructor(stored: readonly Publication[], published: Publication) {
    this.#publication = stored.toSorted((a, b) => b.size - a.size)[0] ?? published;
  }

  /** What is shown now. `none` is the newest publication, which is shown where no other slot has one. */
  of(held: Held, none: Publication): Publication {
    if (this.#isFixed) return this.#publication;
    const next = strongest(held)?.publication ?? none;
    if (next.size >= this.#publication.size) this.#publication = next;
    return this.#publication;
  }

  /** What goes into the batch that fills slots so that they hold `next`; `changed()` has to follow when that is durable. */
  rowsFor(held: Held, next: Held): Row[] {
    const after = strongest(next);
    if (!after || after.slot === strongest(held)?.slot) return [];
    this.#isFixed = true;
    const { size } = this.#publication;
    if (after.publication.size >= size || this.#keptSize === size) return [];
    this.#keptSize = size;
    return [slotRow('shown', this.#publication)];
  }

  changed(): void {
    this.#isFixed = false;
  }
}

function strongest(held: Held): { slot: WitnessedSlot; publication: Publication } | undefined {
  for (const slot of WITNESSED_SLOTS.toReversed()) {
    const publication = held.get(slot);
    if (publication) return { slot, publication };
  }
  return undefined;
}
