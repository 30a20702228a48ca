/**
 * Trust policies (C2SP tlog-policy): which logs are believed and which witnesses must have cosigned.
 *
 *   # the log of the example
 *   log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k https://example.com/foo
 *
 *   witness W1 witness.example/w1+…+BA… https://witness.example
 *   witness W2 witness.example/w2+…+BA…
 *   witness W3 witness.example/w3+…+Bg…
 *   group W 2 W1 W2 W3                              or "any" for 1, "all" for 3; members may be groups
 *   quorum W                                        or a witness, or "none"
 *
 * The names of witnesses and groups mean something within the policy alone. Each is a member of one group at most.
 */

import { NewelError } from '../errors.ts';
import { isDecimal } from './decimal.ts';
import { decodeUtf8, encodeUtf8, isWellFormed } from './text.ts';
import { formatVkey, KEY_TYPE, parseVkey, type Vkey } from './vkey.ts';

/** A log that the policy accepts. Its key is named as its origin. */
export interface PolicyLog {
  readonly vkey: Vkey;
  /** How to reach the log: opaque text, for the application to read. */
  readonly url?: string;
}

export interface PolicyWitness {
  /** What groups and the quorum call it. */
  readonly name: string;
  /** Of type 0x04 or 0x06. */
  readonly vkey: Vkey;
  /** How to reach the witness: opaque text, by recommendation its submission prefix. */
  readonly url?: string;
}

export interface PolicyGroup {
  readonly name: string;
  /** How many of the members must have witnessed a checkpoint, at least 1. */
  readonly threshold: number;
  /** Names of witnesses and of earlier groups. */
  readonly members: readonly string[];
}

export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  /** Each after its members. */
  readonly groups: readonly PolicyGroup[];
  /** The name of a witness or a group, or `none`. */
  readonly quorum: string;
}

/** Bytes that a policy may have. */
export const MAX_POLICY_BYTES: number = 256 * 1024;
/** Logs, witnesses and groups that a policy may have together. */
export const MAX_POLICY_LINES = 512;

const NONE = 'none';
const FORMS =
  'it is none of: log <vkey> [<url>], witness <name> <vkey> [<url>], group <name> all|any|<k> <name>..., quorum <name>';
const REPEATED = 'an earlier line has that name, key or quorum already';
const UNDEFINED = 'no earlier line defines that name, or a group has it already';
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const HASH_SIGN = 0x23;
// White space is ASCII space and tab alone: other Unicode spaces are part of a name or URL.
const WHITE_SPACE = /[ \t]+/;
const ITEM = /^[\x21-\x7e\u0080-\u{10ffff}]+$/u;

/** Types that sign as a log. A cosignature of type 0x04 is a witness's. */
const LOG_TYPES: readonly number[] = [KEY_TYPE.ed25519, KEY_TYPE.mldsa44];
const WITNESS_TYPES: readonly number[] = [KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44];

/**
 * Reads a policy file. Comments, empty lines, and the amount of white space are not kept. Throws `malformed`, saying
 * the line, or `too_large`.
 */
export function parsePolicy(bytes: Uint8Array): Policy {
  if (bytes.length > MAX_POLICY_BYTES)
    throw new NewelError('too_large', `policy is longer than ${MAX_POLICY_BYTES} bytes`);
  const logs: PolicyLog[] = [];
  const witnesses: PolicyWitness[] = [];
  const groups: PolicyGroup[] = [];
  let quorum: string | undefined;
  /** Whether what a name stands for is a member of a group already or, as `none`, can be no member. */
  const names = new Map([[NONE, true]]);
  const keys = new Set<string>();
  const define = (name: string): void => {
    demand(!names.has(name), REPEATED);
    names.set(name, false);
  };
  const parseKeyed = ([key, url, ...rest]: readonly string[], types: readonly number[]): PolicyLog => {
    demand(key !== undefined && rest.length === 0);
    const vkey = parseVkey(key);
    const { name, keyId, type, publicKey } = vkey;
    demand(types.includes(type), 'the key is of a type that does not sign so');
    // One key under two names is one signer; two keys of one name and key id cannot be told apart.
    for (const seen of [`${types[0]} ${publicKey.join()}`, `${name} ${keyId}`]) {
      demand(!keys.has(seen), REPEATED);
      keys.add(seen);
    }
    return url === undefined ? { vkey } : { vkey, url };
  };
  const read = ([keyword, ...items]: readonly string[]): void => {
    if (keyword === undefined) return;
    if (keyword === 'log') {
      logs.push(parseKeyed(items, LOG_TYPES));
    } else if (keyword === 'witness') {
      const [name = '', ...rest] = items;
      define(name);
      witnesses.push({ name, ...parseKeyed(rest, WITNESS_TYPES) });
    } else if (keyword === 'group') {
      const [name = '', k = '', ...members] = items;
      const threshold = k === 'any' ? 1 : k === 'all' ? members.length : isDecimal(k) ? Number(k) : 0;
      demand(threshold > 0);
      demand(threshold <= members.length, 'it asks for more than it has');
      for (const member of members) {
        demand(names.get(member) === false, UNDEFINED);
        names.set(member, true);
      }
      define(name);
      groups.push({ name, threshold, members });
    } else {
      demand(keyword === 'quorum' && items.length === 1);
      demand(quorum === undefined, REPEATED);
      [quorum] = items;
      demand(names.has(quorum!), UNDEFINED);
    }
    demand(
      logs.length + names.size <= MAX_POLICY_LINES,
      `there are more than ${MAX_POLICY_LINES} such lines`,
    );
  };
  let number = 0;
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(LF, at);
    number++;
    try {
      demand(end !== -1, 'it does not end in a newline');
      read(itemsOf(bytes.subarray(at, end)));
    } catch (cause) {
      if (!(cause instanceof NewelError)) throw cause;
      throw new NewelError(cause.code, `policy line ${number}: ${cause.message}`, { cause });
    }
    at = end + 1;
  }
  if (quorum === undefined) throw new NewelError('malformed', 'policy has no quorum line');
  return { logs, witnesses, groups, quorum };
}

/** The text of a policy, one line an item. Throws `RangeError` for a policy that `parsePolicy` would not give back. */
export function formatPolicy({ logs, witnesses, groups, quorum }: Policy): string {
  const lines = [
    ...logs.map((log) => ['log', ...keyedItems(log)]),
    ...witnesses.map((witness) => ['witness', witness.name, ...keyedItems(witness)]),
    ...groups.map(({ name, threshold, members }) => ['group', name, `${threshold}`, ...members]),
    ['quorum', quorum],
  ];
  if (!lines.flat().every((item) => ITEM.test(item) && isWellFormed(item)))
    throw new RangeError('policy expected items without white space or control characters');
  const text = lines.map((items) => `${items.join(' ')}\n`).join('');
  try {
    parsePolicy(encodeUtf8(text));
  } catch (cause) {
    throw new RangeError('policy expected what can be read back', { cause });
  }
  return text;
}

/** How many more witnesses, at the fewest, meet the policy together with those that have cosigned; 0 where it is met. */
export function missingWitnesses(policy: Policy, cosigned: ReadonlySet<string>): number {
  const missing = new Map([[NONE, 0]]);
  for (const { name } of policy.witnesses) missing.set(name, cosigned.has(name) ? 0 : 1);
  for (const { name, threshold, members } of policy.groups) {
    const fewest = members.map((member) => missing.get(member)!).sort((a, b) => a - b);
    missing.set(
      name,
      fewest.slice(0, threshold).reduce((sum, more) => sum + more),
    );
  }
  return missing.get(policy.quorum)!;
}

/** Whether the policy's witnesses of these names, having cosigned a checkpoint, meet its quorum; `none` is always met. */
export function isQuorumMet(policy: Policy, cosigned: ReadonlySet<string>): boolean {
  return missingWitnesses(policy, cosigned) === 0;
}

/** The policy's witness whose key a signature line is by, if any. */
export function witnessOf(
  { witnesses }: Policy,
  line: { readonly name: string; readonly keyId: number },
): PolicyWitness | undefined {
  return witnesses.find(({ vkey }) => vkey.name === line.name && vkey.keyId === line.keyId);
}

/**
 * Names of the fewest witnesses that meet the quorum, of those available (all, unless said); of equals the first listed.
 * None for `none`; `undefined` where those available cannot meet it.
 */
export function smallestQuorum(
  policy: Policy,
  available?: ReadonlySet<string>,
): readonly string[] | undefined {
  const found = new Map<string, readonly string[]>([[NONE, []]]);
  for (const { name } of policy.witnesses) if (available?.has(name) ?? true) found.set(name, [name]);
  for (const { name, threshold, members } of policy.groups) {
    const ways = members.flatMap((member) => {
      const way = found.get(member);
      return way ? [way] : [];
    });
    if (ways.length < threshold) continue;
    const fewest = ways.sort((a, b) => a.length - b.length).slice(0, threshold);
    found.set(name, fewest.flat());
  }
  return found.get(policy.quorum);
}

/** The items of a line, none of an empty one and of a comment. */
function itemsOf(line: Uint8Array): string[] {
  demand(line.every(isAllowed), 'it holds a control character other than tab');
  const first = line.find((octet) => octet !== SPACE && octet !== TAB);
  // What a comment says may be in any encoding.
  if (first === undefined || first === HASH_SIGN) return [];
  return decodeUtf8(line)
    .split(WHITE_SPACE)
    .filter((item) => item !== '');
}

function keyedItems({ vkey, url }: PolicyLog): string[] {
  return [formatVkey(vkey), ...(url === undefined ? [] : [url])];
}

/** Whether an octet may stand in a line: tab, printable ASCII and space, or anything with the high bit set. */
function isAllowed(octet: number): boolean {
  return octet === TAB || (octet >= SPACE && octet !== 0x7f);
}

function demand(holds: boolean, flaw: string = FORMS): asserts holds {
  if (!holds) throw new NewelError('malformed', flaw);
}
