/** What receipts below the level asked for still lack, in words. */

import type { Pending } from '../client/proven-receipt.ts';
import { formatCount } from './terminal.ts';

const REASONS: Readonly<Record<string, string>> = {
  deadline: ' when the wait was over',
  witnesses_unreachable: ', and the log does not reach the rest',
  policy_differs: ', which is enough for the policy of the log, and not for the one that is believed here',
};

/** `1 of 2 witnesses had signed when the wait was over (deadline)`. */
export function pendingWords({ have, need, reason }: Pending): string {
  const words = REASONS[reason] ?? '';
  return `${have} of ${formatCount(need, 'witness', 'witnesses')} had signed${words} (${reason})`;
}
