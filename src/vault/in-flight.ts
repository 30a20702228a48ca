/**
 * Submissions that are on their way to a round, by the tag of (source, id): a second copy of one waits for the first,
 * so that two copies in one round are one leaf. From the look-up to the answer there is no other place where a copy
 * could be missed: here until it is revealed, in the store from then on.
 */

export class InFlight<T> {
  readonly #byTag = new Map<string, Promise<T>>();

  /** The submission under way with this tag, or `undefined`. */
  find(tag: Uint8Array): Promise<T> | undefined {
    return this.#byTag.get(nameOf(tag));
  }

  /** Runs a submission that no other with its tag is under way with. Called in the same turn as `find`. */
  run(tag: Uint8Array, submit: () => Promise<T>): Promise<T> {
    const name = nameOf(tag);
    if (this.#byTag.has(name)) throw new Error('bug: a submission with this tag is under way');
    const running = submit().finally(() => this.#byTag.delete(name));
    this.#byTag.set(name, running);
    return running;
  }
}

function nameOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('latin1');
}
