/** What a policy asks for, and how it differs from another one, in words. */

import { NewelError } from '../errors.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parsePolicy, type Policy } from '../formats/tlog-policy.ts';
import { formatKeyId, formatVkey, parseVkey, type Vkey } from '../formats/vkey.ts';

/** `2 of a, b, c`; of groups within groups `all of (2 of a, b, c), (any of d, e)`; `none`. */
export function quorumWords({ groups, quorum }: Policy): string {
  const byName = new Map(groups.map((group) => [group.name, group]));
  const wordsOf = (name: string): string => {
    const group = byName.get(name);
    if (!group) return name;
    const { threshold, members } = group;
    const count = threshold === members.length ? 'all' : threshold === 1 ? 'any' : String(threshold);
    const inner = members.map((member) => (byName.has(member) ? `(${wordsOf(member)})` : member));
    return `${count} of ${inner.join(', ')}`;
  };
  return wordsOf(quorum);
}

/** Each difference between two policies, as texts; that they differ, where one of them cannot be read. */
export function policyChanges(earlier: string, later: string): string[] {
  const [was, is] = [readPolicy(earlier), readPolicy(later)];
  if (!was || !is) return ['its text is another'];
  const logs = keyChanges(
    was.logs.map(({ vkey }) => vkey),
    is.logs.map(({ vkey }) => vkey),
    'log key',
  );
  const [before, after] = [was, is].map(({ witnesses }) => new Map(witnesses.map((one) => [one.name, one])));
  const names = new Set([...before!.keys(), ...after!.keys()]);
  const witnesses = [...names].flatMap((name) => {
    const [one, other] = [before!.get(name), after!.get(name)];
    if (!one || !other) return `witness ${name} is ${one ? 'gone' : 'new'}`;
    if (formatVkey(one.vkey) !== formatVkey(other.vkey)) return `witness ${name} has another key`;
    return one.url === other.url ? [] : `witness ${name} has another URL`;
  });
  const [quorum, now] = [quorumWords(was), quorumWords(is)];
  return [...logs, ...witnesses, ...(quorum === now ? [] : [`the quorum was ${quorum} and is ${now}`])];
}

/** The keys that one list of vkeys has and the other has not, as texts. */
export function vkeyChanges(earlier: readonly string[], later: readonly string[]): string[] {
  try {
    return keyChanges(earlier.map(parseVkey), later.map(parseVkey), 'key');
  } catch (error) {
    if (error instanceof NewelError) return ['one of them is no key'];
    throw error;
  }
}

function keyChanges(earlier: readonly Vkey[], later: readonly Vkey[], what: string): string[] {
  const [was, is] = [earlier.map(formatVkey), later.map(formatVkey)];
  const said = ({ name, keyId, type }: Vkey): string =>
    `${what} ${name}+${formatKeyId(keyId)} of type ${type}`;
  return [
    ...earlier.filter((key) => !is.includes(formatVkey(key))).map((key) => `${said(key)} is gone`),
    ...later.filter((key) => !was.includes(formatVkey(key))).map((key) => `${said(key)} is new`),
  ];
}

function readPolicy(text: string): Policy | undefined {
  try {
    return parsePolicy(encodeUtf8(text));
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}
