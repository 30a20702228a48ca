/** One task at a time for each origin, in the order in which they came; those of different origins side by side. */

export class OriginTurns {
  /** The end of the last task of each origin that has any. */
  readonly #last = new Map<string, Promise<void>>();

  async take<T>(origin: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(origin);
    const mine = before ? before.then(task) : task();
    const end = mine.then(
      () => {},
      () => {},
    );
    this.#last.set(origin, end);
    try {
      return await mine;
    } finally {
      if (this.#last.get(origin) === end) this.#last.delete(origin);
    }
  }
}
