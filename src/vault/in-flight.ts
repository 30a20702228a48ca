/**
 * Submissions that are on their way to a round, by the tag of (source, id): a second copy of one waits for the first,
 * so that two copies in one round are one leaf. From the look-up to the answer there is no other place where a copy
 * could be missed: here until it is revealed, in the store from then on.
 */

/** The right to be the first copy. */
export interface Claim<T> {
  readonly taken: Promise<T>;
  readonly isSettled: boolean;
  /** Each of the two ends it; what comes after it finds nothing under way. */
  resolve(taken: T): void;
  reject(error: unknown): void;
}

export class InFlight<T> {
  readonly #byTag = new Map<string, Promise<T>>();

  /** The submission under way with this tag, or `undefined`. */
  find(tag: Uint8Array): Promise<T> | undefined {
    return this.#byTag.get(nameOf(tag));
  }

  /** Claims a tag that no other submission is under way with. Called in the same turn as `find`. */
  claim(tag: Uint8Array): Claim<T> {
    const name = nameOf(tag);
    if (this.#byTag.has(name)) throw new Error('bug: a submission with this tag is under way');
    const claim = new TagClaim<T>(() => {
      // The tag may be another's claim by now.
      if (this.#byTag.get(name) === claim.taken) this.#byTag.delete(name);
    });
    this.#byTag.set(name, claim.taken);
    return claim;
  }
}

class TagClaim<T> implements Claim<T> {
  readonly taken: Promise<T>;
  readonly #end: () => void;
  #isSettled = false;
  #resolve!: (taken: T) => void;
  #reject!: (error: unknown) => void;

  constructor(end: () => void) {
    this.#end = end;
    this.taken = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever waits for it hears of a failure; nobody has to.
    this.taken.catch(() => {});
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  resolve(taken: T): void {
    this.#settle();
    this.#resolve(taken);
  }

  reject(error: unknown): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#end();
  }
}

function nameOf(tag: Uint8Array): string {
  return Buffer.from(tag).toString('latin1');
}
