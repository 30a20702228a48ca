/**
 * Which size a witness may have recorded for this log, as far as the log can know: the last one that it told, and those of
 * requests whose answer never came, which it may record at any time.
 *
 * A witness that conforms records a head only in the place of the size that the request says, and only a larger one. So a
 * request from `old` is of no account any more once the witness is known to stand above `old`.
 */

interface Unanswered {
  readonly old: number;
  readonly size: number;
}

/** Requests without an answer that are remembered. */
const MAX_UNANSWERED = 64;

export class Standing {
  #size: number;
  #unanswered: Unanswered[] = [];
  /** Sizes of before this process began to ask. */
  #earlier: readonly number[] = [];
  #isComplete = true;

  /** `size`: the one remembered, or 0. */
  constructor(size: number) {
    this.#size = size;
  }

  /** The last size that the witness is known to have recorded. */
  get size(): number {
    return this.#size;
  }

  /** Sizes of heads that an earlier process may have asked for. */
  mayBe(sizes: readonly number[]): void {
    this.#earlier = sizes;
  }

  /** Notes that the answer to a request never came. */
  unanswered(old: number, size: number): void {
    if (this.#unanswered.some((known) => known.old === old && known.size === size)) return;
    if (this.#unanswered.length === MAX_UNANSWERED) this.#isComplete = false;
    else this.#unanswered.push({ old, size });
  }

  /** The witness says where it stands. */
  is(size: number): void {
    this.#size = size;
    this.#earlier = [];
    this.#unanswered = this.#unanswered.filter(({ old }) => old >= size);
    this.#isComplete = true;
  }

  /**
   * From which sizes a head of `size` leaves is to be offered to a witness that stands somewhere and does not say where.
   * First the likely ones; then all from the smallest to the largest: while these are tried, a request of before may still
   * be recorded, but only ever upwards, so none is missed. `recent`: sizes of our heads since the one that is remembered.
   */
  candidates(size: number, recent: readonly number[]): number[] {
    const possible = [0, this.#size, size, ...this.#sent, ...this.#earlier, ...recent];
    const all = new Set(possible.filter((candidate) => candidate <= size).toSorted((a, b) => a - b));
    const newest = this.#sent.filter((sent) => sent < size).at(-1);
    return [size, ...(newest === undefined ? [] : [newest]), ...all];
  }

  /** Whether no request of ours may have had it record another size than one of the candidates. */
  isOneOfCandidates(size: number): boolean {
    return this.#isComplete && this.#size <= size && this.#sent.every((sent) => sent <= size);
  }

  get #sent(): number[] {
    return this.#unanswered.map((request) => request.size);
  }
}
