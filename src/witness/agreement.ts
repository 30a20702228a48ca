/** When enough witnesses agree that nothing can be cosigned without them, so that the log may write. */

import { isQuorumMet, type Policy } from '../formats/tlog-policy.ts';

/**
 * Whether every quorum of the policy has one of `agreed` in it (for k of n: n − k + 1 of them): the others alone cannot
 * meet it, so a tree that these witnesses do not know has no quorum. At once where the policy wants no witnesses.
 */
export function intersectsEveryQuorum(policy: Policy, agreed: ReadonlySet<string>): boolean {
  if (policy.quorum === 'none') return true;
  const others = policy.witnesses.map(({ name }) => name).filter((name) => !agreed.has(name));
  return !isQuorumMet(policy, new Set(others));
}
