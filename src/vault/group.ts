/** What becomes of the events of a group, one by one. */

import { NewelError } from '../errors.ts';
import type { GroupOutcome, Submitted } from './vault.ts';

/** The outcomes of a group as they come about. */
export class Group {
  readonly #outcomes: (GroupOutcome | undefined)[];
  readonly isAtomic: boolean;
  #hasFailed = false;

  constructor(length: number, isAtomic: boolean) {
    this.#outcomes = Array.from({ length });
    this.isAtomic = isAtomic;
  }

  /** Whether nothing of it may be stored any more. */
  get isRefused(): boolean {
    return this.isAtomic && this.#hasFailed;
  }

  /** What `work` resolves to; `undefined` where it fails, which is then the outcome of event `i`. */
  async attempt<T>(i: number, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.fail(i, error);
      return undefined;
    }
  }

  check(i: number, assert: () => void): void {
    try {
      assert();
    } catch (error) {
      this.fail(i, error);
    }
  }

  settle(i: number, submitted: () => Submitted): void {
    try {
      this.#outcomes[i] = { submitted: submitted() };
    } catch (error) {
      this.fail(i, error);
    }
  }

  /** Throws what is no refusal but a fault of ours. */
  fail(i: number, error: unknown): void {
    if (!(error instanceof NewelError)) throw error;
    this.#hasFailed = true;
    this.#outcomes[i] = { error };
  }

  errorOf(i: number): NewelError {
    return this.#outcomes[i]?.error ?? new NewelError('queue_full', 'another event of its group was refused');
  }

  outcomes(): readonly GroupOutcome[] {
    return Array.from(this.#outcomes, (outcome) => outcome ?? {});
  }
}

/**
 * Resolves when all of them are settled, and not before one that fails: what they hold may be let go then. Rejects as the
 * first of them does that fails.
 */
export async function settleAll(promises: readonly Promise<unknown>[]): Promise<void> {
  if (promises.length === 1) return void (await promises[0]);
  for (const settled of await Promise.allSettled(promises)) {
    if (settled.status === 'rejected') throw settled.reason;
  }
}
