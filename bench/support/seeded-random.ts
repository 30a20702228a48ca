/** Random numbers that come again with the same seed (xorshift32 with a Weyl sequence; nothing here is secret). */
export class SeededRandom {
  #state: number;
  #weyl: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1;
    this.#weyl = seed >>> 0;
    for (let i = 0; i < 16; i++) this.#next();
  }

  /** From 0 up to 1, without it. */
  fraction(): number {
    return this.#next() / 2 ** 32;
  }

  /** A whole number from 0 up to `end`, without it. */
  below(end: number): number {
    return Math.floor(this.fraction() * end);
  }

  /** At most `count` different items, each with the same chance. */
  sample<T>(items: readonly T[], count: number): T[] {
    const rest = [...items];
    const taken: T[] = [];
    while (taken.length < count && rest.length > 0) {
      const at = this.below(rest.length);
      taken.push(rest[at]!);
      rest[at] = rest.at(-1)!;
      rest.pop();
    }
    return taken;
  }

  #next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    this.#weyl = (this.#weyl + 0x9e3779b9) >>> 0;
    return (this.#state + this.#weyl) >>> 0;
  }
}
