/** Which witnesses `--ignore-witness` means: those that a policy calls so, those of a group, and those of a key name. */

import { NewelError } from '../errors.ts';
import type { Policy } from '../formats/tlog-policy.ts';
import type { Policies } from './policies.ts';

/**
 * Names of the witnesses of the policies that are behind these names. Throws `usage` for a name that is in neither policy,
 * with those that are.
 */
export function ignoredWitnesses(
  { fast, public: open, witnesses }: Pick<Policies, 'fast' | 'public' | 'witnesses'>,
  names: readonly string[],
): ReadonlySet<string> {
  const policies = [fast.policy, ...(open ? [open.policy] : [])];
  const ignored = new Set<string>();
  for (const name of names) {
    const found = [
      ...witnesses.filter((witness) => witness.name === name || witness.vkey.name === name),
      ...policies.flatMap((policy) => membersOf(policy, name)),
    ];
    if (found.length === 0) {
      throw new NewelError(
        'usage',
        `--ignore-witness names a witness that is in no policy of this log: ${wordsOf(policies)}`,
      );
    }
    for (const witness of found) ignored.add(witness.name);
  }
  return ignored;
}

/** The witnesses of a group, and of the groups in it. None of what is no group. */
function membersOf(policy: Policy, name: string): Policy['witnesses'] {
  const group = policy.groups.find((candidate) => candidate.name === name);
  return (group?.members ?? []).flatMap((member) => {
    const witness = policy.witnesses.find((candidate) => candidate.name === member);
    return witness ? [witness] : membersOf(policy, member);
  });
}

/** From the operator's own files, so that they may be shown. */
function wordsOf(policies: readonly Policy[]): string {
  const names = policies.flatMap(({ witnesses, groups }) => [
    ...groups.map(({ name }) => name),
    ...witnesses.flatMap(({ name, vkey }) => [name, vkey.name]),
  ]);
  return names.length === 0 ? 'there is none' : `there are ${[...new Set(names)].join(', ')}`;
}
