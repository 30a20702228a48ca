/**
 * What `/checkpoint` shows: the publication of the strongest slot that has one, and never a smaller tree than was shown
 * before. Where that slot holds less than was shown, what was shown goes on being shown until it holds as much.
 *
 *   none 10 shown ─ fast is filled with 7 ─ one batch: fast 7, shown 10 ─ 10 shown ─ fast is filled with 11 ─ 11 shown
 *   public 5 shown, fast holds 10 ─ public counts no more ─ begin: shown 10 ─ 10 shown ─ public again ─ 10 shown ─ public 11
 *   fast 10 shown ─ fast counts no more ─ begin: shown, of no time ─ none 11, 12, … shown ─ fast again ─ begin: shown 12
 *
 * What is stored says what was shown last, whatever the policies are at the next start: the row `shown`, or the slot that
 * is the strongest of all that were ever filled, where it holds more than that row. Of no time (0), the row says that it
 * was what is published. Each batch by which another thing is shown than what is stored would say writes the row, and
 * until the batch is durable what was shown before is shown.
 */

import { equalBytes } from '../core/bytes.ts';
import type { Row } from '../storage/store.ts';
import { type Publication, slotRow } from './kept.ts';
import { type WitnessedSlot, WITNESSED_SLOTS } from './slots.ts';

type Held = ReadonlyMap<WitnessedSlot, Publication>;

export interface ShownParts {
  /** What slots have stored under any policy, and the row `shown`. */
  readonly stored: Readonly<Partial<Record<WitnessedSlot | 'shown', Publication>>>;
  /** What they hold under theirs, at any time: what a batch fills is in it before `filled()`. */
  readonly held: Held;
  readonly published: Publication;
}

/** The time of the row where what is published is shown. */
const NO_TIME_MS = 0;

export class Shown {
  readonly #held: Held;
  /** As they are stored when the batches that are under way are durable; the row too. */
  readonly #stored: Map<WitnessedSlot, Publication>;
  #row: Publication | undefined;
  #publication: Publication;
  /** Batches after which another publication may be shown; the first one of a start among them. */
  #underWay = 1;

  constructor({ stored: { shown, ...slots }, held, published }: ShownParts) {
    this.#held = held;
    this.#stored = new Map(WITNESSED_SLOTS.flatMap((slot) => (slots[slot] ? [[slot, slots[slot]]] : [])));
    this.#row = shown;
    this.#publication = this.#remembered() ?? published;
  }

  /** What goes into the first batch; `began()` has to follow when it is durable. */
  rowsAtBegin(published: Publication): Row[] {
    const next = strongest(this.#held);
    if (next) return this.#rowsToShow(this.#after(next));
    if (!this.#remembered()) return [];
    this.#row = { ...published, timeMs: NO_TIME_MS };
    return [slotRow('shown', this.#row)];
  }

  began(): void {
    this.#underWay -= 1;
  }

  /** What is shown now. `none` is the newest publication, which is shown where no other slot has one. */
  of(none: Publication): Publication {
    if (this.#underWay === 0) this.#publication = this.#after(strongest(this.#held) ?? none);
    return this.#publication;
  }

  /** What goes into the batch that fills slots with these; `filled()` has to follow when it is durable. */
  rowsFor(met: Held): Row[] {
    if (met.size === 0) return [];
    const now = strongest(this.#held);
    if (now) this.of(now);
    this.#underWay += 1;
    for (const [slot, publication] of met) this.#stored.set(slot, publication);
    return this.#rowsToShow(this.#after(strongest(new Map([...this.#held, ...met]))!));
  }

  filled(met: Held): void {
    if (met.size > 0) this.#underWay -= 1;
  }

  /** What is to be shown when `next` may be. */
  #after(next: Publication): Publication {
    return next.size >= this.#publication.size ? next : this.#publication;
  }

  /** The row, where what is stored does not say by itself that this is shown. */
  #rowsToShow(publication: Publication): Row[] {
    const remembered = this.#remembered();
    if (remembered && equalBytes(remembered.checkpoint, publication.checkpoint)) return [];
    this.#row = publication;
    return [slotRow('shown', publication)];
  }

  /** What is shown according to what is stored; `undefined` for what is published. */
  #remembered(): Publication | undefined {
    const row = this.#row;
    if (row?.timeMs === NO_TIME_MS) return undefined;
    const slot = strongest(this.#stored);
    return slot && !(row && row.size >= slot.size) ? slot : row;
  }
}

function strongest(held: Held): Publication | undefined {
  for (const slot of WITNESSED_SLOTS.toReversed()) {
    const publication = held.get(slot);
    if (publication) return publication;
  }
  return undefined;
}
