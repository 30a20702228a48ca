/**
 * Bytes that come piece by piece, in one buffer: what is held is what is counted, however small the pieces are.
 *
 *   "ab" ─ add "c" ─▶ [a b c .]     full ─ add ─▶ twice as large, at most `maxBytes`, and never smaller than what it holds
 */

const EMPTY: Uint8Array = new Uint8Array(0);

export class GrowingBytes {
  readonly #maxBytes: number;
  #buffer = EMPTY;
  #length = 0;

  /** Beyond `maxBytes` the buffer grows by what comes alone; to refuse more is for whoever adds it. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Bytes that are held: of the buffer, with what is empty of it. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** What `heldBytes` is once `count` more are added. */
  heldBytesWith(count: number): number {
    const needed = this.#length + count;
    const held = this.#buffer.length;
    return needed <= held ? held : Math.max(needed, Math.min(2 * held, this.#maxBytes));
  }

  /** Adds a copy of `piece`. */
  add(piece: Uint8Array): void {
    const heldBytes = this.heldBytesWith(piece.length);
    if (heldBytes > this.#buffer.length) {
      const grown = new Uint8Array(heldBytes);
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(piece, this.#length);
    this.#length += piece.length;
  }

  /** All that was added, in an array of just that length; nothing is held any more. */
  take(): Uint8Array {
    const length = this.#length;
    const bytes = length === this.#buffer.length ? this.#buffer : this.#buffer.slice(0, length);
    this.clear();
    return bytes;
  }

  clear(): void {
    this.#buffer = EMPTY;
    this.#length = 0;
  }
}
