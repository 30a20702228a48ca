/** A head that is to be brought to one witness, and those who want it cosigned. */

import type { NoteSignature } from '../formats/note.ts';
import type { WitnessConflict } from './conflict.ts';
import type { HeadToCosign } from './conversation.ts';

/** Who wants a head cosigned. */
export interface Asker {
  readonly head: HeadToCosign;
  readonly largestSize: () => number;
  /** Asks even if the witness has failed just now or answered just now, and once only. */
  readonly isOnce: boolean;
  onLines(lines: readonly NoteSignature[]): void;
  onConflict(conflict: WitnessConflict): void;
  /** There is no answer for now, which is told once. Unless `isOnce`, lines may come later. */
  onNone(why: string): void;
  /** Something of ours failed. */
  onFault(error: unknown): void;
}

/** Of those who ask for one head again and again while nothing answers, as many as may still want late lines. */
const MAX_ASKERS = 8;

export class Job {
  readonly head: HeadToCosign;
  readonly #askers: Asker[];
  /** Those who know already that there is nothing yet. */
  readonly #told: Set<Asker>;
  readonly #onThrow: (error: unknown) => void;

  /** `onThrow` is told what an asker throws: that is its own fault, and no reason to stop asking. */
  constructor(
    askers: readonly [Asker, ...Asker[]],
    onThrow: (error: unknown) => void,
    told: ReadonlySet<Asker> = new Set(),
  ) {
    this.head = askers[0].head;
    this.#askers = [...askers];
    this.#told = new Set(told);
    this.#onThrow = onThrow;
  }

  /** One more who wants this head. Where there are many, the oldest that was told already is forgotten. */
  add(asker: Asker): void {
    this.#askers.push(asker);
    if (this.#askers.length <= MAX_ASKERS) return;
    const oldest = this.#askers.findIndex((one) => this.#told.has(one) && !one.isOnce);
    if (oldest < 0) return;
    this.#told.delete(this.#askers[oldest]!);
    this.#askers.splice(oldest, 1);
  }

  /** Whether somebody waits for this one try. */
  get isUrgent(): boolean {
    return this.#askers.some((asker) => asker.isOnce && !this.#told.has(asker));
  }

  /** Size of the largest head that was ever signed here. */
  get largestSize(): number {
    return Math.max(...this.#askers.map((asker) => asker.largestSize()));
  }

  tell(call: (asker: Asker) => void): void {
    this.#tellThose(this.#askers, call);
  }

  /** Tells those who have not been told yet. */
  tellNone(why: string): void {
    const untold = this.#askers.filter((asker) => !this.#told.has(asker));
    for (const asker of untold) this.#told.add(asker);
    this.#tellThose(untold, (asker) => asker.onNone(why));
  }

  /** The same for those who did not ask for one try alone; `undefined` without them. */
  again(): Job | undefined {
    const [first, ...others] = this.#askers.filter(({ isOnce }) => !isOnce);
    return first && new Job([first, ...others], this.#onThrow, this.#told);
  }

  #tellThose(askers: readonly Asker[], call: (asker: Asker) => void): void {
    for (const asker of askers) {
      try {
        call(asker);
      } catch (error) {
        this.#onThrow(error);
      }
    }
  }
}
