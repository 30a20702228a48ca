/** What a submission or an upgrade may end with beside an answer, each with what it takes to go on. */

import { NewelError } from '../errors.ts';
import type { ProvenReceipt } from './proven-receipt.ts';

/** A receipt that is true, still below the level that it was to be upgraded to. */
export class LevelNotMetError extends NewelError {
  override name = 'LevelNotMetError';
  /** As the log hands it out now, of the same event: `pending` says what is lacking. */
  readonly receipt: ProvenReceipt;

  constructor(message: string, receipt: ProvenReceipt) {
    super('level_not_met', message);
    this.receipt = receipt;
  }
}

/**
 * Whether the event is in the log is not known: of one attempt or more nobody can say how it ended, or the log took the
 * event and its answer does not hold. The code is that of `cause`, which is what was found last.
 */
export class OutcomeUnknownError extends NewelError {
  override name = 'OutcomeUnknownError';
  /** The event's `id`: submitted again with it, the event is logged once. */
  readonly id: string;

  constructor(error: NewelError, id: string) {
    super(error.code, `${error.message}; whether the event is logged is not known`, { cause: error });
    this.id = id;
  }
}
