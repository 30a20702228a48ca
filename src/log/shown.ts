/**
 * What `/checkpoint` shows: the publication of the strongest slot that has one, and never a smaller tree than was shown
 * before. Where a slot is filled for the first time, or under another policy, it may hold a smaller one: what was shown
 * goes on being shown until the slot holds as much. A row remembers across restarts that more was shown than a slot holds.
 *
 *   none 10 shown ─ fast is filled with 7 ─ one batch: fast 7, shown 10 ─ 10 shown ─ fast is filled with 11 ─ 11 shown
 *   fast 10 shown ─ another policy: fast counts no more ─ begin: shown 10 ─ none 11, 12, … shown ─ the first policy again: none
 */

import type { Row } from '../storage/store.ts';
import { type Publication, slotRow } from './kept.ts';
import { type WitnessedSlot, WITNESSED_SLOTS } from './slots.ts';

type Held = ReadonlyMap<WitnessedSlot, Publication>;

export interface ShownParts {
  /** What slots have stored under any policy, and the row that says that more was shown. */
  readonly stored: Readonly<Partial<Record<WitnessedSlot | 'shown', Publication>>>;
  /** What they hold under theirs. */
  readonly held: Held;
  readonly published: Publication;
}

export class Shown {
  #publication: Publication;
  readonly #isOfOtherPolicy: boolean;
  /** The size of what is kept to be shown after a restart. */
  #keptSize: number | undefined;
  /** Until the row is durable that goes with what is to be shown next. */
  #isFixed: boolean;

  constructor({ stored, held, published }: ShownParts) {
    const { shown, ...slots } = stored;
    const largest = Object.values(slots).toSorted((a, b) => b.size - a.size)[0];
    // With the row, anything up to what is published may have been shown.
    this.#publication = largest && !(shown && shown.size >= largest.size) ? largest : published;
    this.#isOfOtherPolicy = held.size === 0 && largest !== undefined;
    this.#isFixed = this.#isOfOtherPolicy;
  }

  /** What has to be durable before more is shown than slots of another policy hold; `changed()` has to follow. */
  rowsAtBegin(published: Publication): Row[] {
    return this.#isOfOtherPolicy ? [slotRow('shown', published)] : [];
  }

  /** What is shown now. `none` is the newest publication, which is shown where no other slot has one. */
  of(held: Held, none: Publication): Publication {
    if (this.#isFixed) return this.#publication;
    const next = strongest(held)?.publication ?? none;
    if (next.size >= this.#publication.size) this.#publication = next;
    return this.#publication;
  }

  /** What goes into the batch that fills slots so that they hold `next`; `changed()` has to follow when it is durable. */
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
