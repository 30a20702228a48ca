/** How much a receipt proves (design §4): `signed` by the log, or `witnessed` as its policy demands. */

import { NewelError } from '../errors.ts';

export const LEVELS = ['signed', 'witnessed'] as const;
export type Level = (typeof LEVELS)[number];

/**
 * Checks what a query asks for. Throws `malformed` for what is no level, and `no_witnesses` for `witnessed`: a policy
 * has the quorum none in this version, so nothing will ever be called so.
 */
export function assertLevel(text: string | undefined): void {
  if (text === undefined || text === 'signed') return;
  if (text === 'witnessed') {
    throw new NewelError(
      'no_witnesses',
      'the policy of this log names no witnesses, so that no receipt of it is ever witnessed',
    );
  }
  throw new NewelError('malformed', `level is one of ${LEVELS.join(', ')}`);
}
