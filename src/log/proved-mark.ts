/**
 * Where the proved mark may stand: at the round that recovery proved, and later at a round so old that three of
 * LevelDB's write buffers were written after it, so that it has left the write-ahead log.
 */

import { WRITE_BUFFERS_BYTES } from './limits.ts';

export class ProvedMark {
  #due: number | undefined;
  /** Rounds, oldest first, with the bytes written before the end of each. */
  readonly #rounds: { round: number; writtenBytes: number }[] = [];
  #writtenBytes = 0;

  constructor(provedRound: number) {
    this.#due = provedRound;
  }

  /** The round to move the mark to, once. */
  due(): number | undefined {
    const due = this.#due;
    this.#due = undefined;
    return due;
  }

  committed(round: number, bytes: number): void {
    this.#writtenBytes += bytes;
    const newest = this.#rounds.at(-1);
    // One remembered round a megabyte is fine enough.
    if (!newest || this.#writtenBytes - newest.writtenBytes >= 2 ** 20) {
      this.#rounds.push({ round, writtenBytes: this.#writtenBytes });
    }
    while (
      this.#rounds.length > 0 &&
      this.#writtenBytes - this.#rounds[0]!.writtenBytes > WRITE_BUFFERS_BYTES
    ) {
      this.#due = this.#rounds.shift()!.round;
    }
  }
}
