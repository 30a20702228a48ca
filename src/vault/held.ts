/**
 * Rows that change with events under way. Between the moment an event has its place and the moment it is durable, what
 * is in memory is ahead of the store; so whoever may change a row holds the one copy of it until then, and the next one
 * who wants it gets that copy, never the store's.
 *
 *   hold ─ load once ─ change, in the turn in which the event gets its place ─ durable ─ release
 */

export interface Hold<T> {
  readonly value: T;
  /** Once the change is durable, or none was made. Of no effect the second time. */
  release(): void;
}

interface Held<T> {
  readonly loading: Promise<T>;
  holds: number;
  waiting: (() => void)[];
}

export class HeldRows<T> {
  /** By name, in the order of their last use. */
  readonly #held = new Map<string, Held<T>>();
  readonly #maxIdle: number;

  /** `maxIdle`: how many may stay in memory that nobody holds. */
  constructor(maxIdle: number) {
    this.#maxIdle = maxIdle;
  }

  /** Holds the row of that name, loaded if it is not in memory. Rejects as `load` does; then nothing is held. */
  async hold(name: string, load: () => Promise<T>): Promise<Hold<T>> {
    const held: Held<T> = this.#held.get(name) ?? { loading: load(), holds: 0, waiting: [] };
    // To the end of the map, which is where the ones used last are.
    this.#held.delete(name);
    this.#held.set(name, held);
    held.holds += 1;
    try {
      const value = await held.loading;
      let isReleased = false;
      return {
        value,
        release: () => {
          if (!isReleased) this.#release(held);
          isReleased = true;
        },
      };
    } catch (error) {
      if (this.#held.get(name) === held) this.#held.delete(name);
      this.#release(held);
      throw error;
    }
  }

  /**
   * Has rows alone while `work` runs: after all who hold one of them now, and before all who ask for one from now on, who
   * then load what it left. All that someone needs at once is asked for in one turn: else two could wait for each other.
   */
  async alone<R>(
    names: readonly string[],
    load: (name: string) => Promise<T>,
    work: () => Promise<R>,
  ): Promise<R> {
    let open!: () => void;
    const next = new Promise<void>((resolve) => (open = resolve));
    try {
      await Promise.all(names.map((name) => this.retire(name, next, async () => load(name))));
      return await work();
    } finally {
      open();
    }
  }

  /**
   * Gives the row of that name up: resolves when all who hold it now have released it. Who asks for it from now on waits
   * for `next`, and then loads it anew.
   */
  async retire(name: string, next: Promise<unknown>, load: () => Promise<T>): Promise<void> {
    const old = this.#held.get(name);
    const loading = next.then(load, load);
    // Held until it is loaded: who comes meanwhile must find it here.
    const fresh: Held<T> = { loading, holds: 1, waiting: [] };
    this.#held.set(name, fresh);
    loading.then(
      () => this.#release(fresh),
      () => {
        if (this.#held.get(name) === fresh) this.#held.delete(name);
        this.#release(fresh);
      },
    );
    if (!old || old.holds === 0) return;
    await new Promise<void>((resolve) => old.waiting.push(resolve));
  }

  /** What is in memory now. */
  async loaded(): Promise<readonly T[]> {
    const settled = await Promise.allSettled([...this.#held.values()].map(({ loading }) => loading));
    return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  }

  #release(held: Held<T>): void {
    held.holds -= 1;
    if (held.holds > 0) return;
    for (const resolve of held.waiting.splice(0)) resolve();
    this.#evict();
  }

  #evict(): void {
    let over = this.#held.size - this.#maxIdle;
    for (const [name, { holds }] of this.#held) {
      if (over <= 0) return;
      over -= 1;
      if (holds === 0) this.#held.delete(name);
    }
  }
}
