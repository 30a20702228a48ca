/**
 * Trust policies (C2SP tlog-policy): which logs are believed and which witnesses must have cosigned.
 *
 *   # the log of the example
 *   log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k https://example.com/foo
 *   quorum none
 *
 * This version knows `log` lines and `quorum none`; it refuses a policy that asks for witnesses, rather than accept
 * less than the policy demands.
 */

import { NewelError } from '../errors.ts';
import { formatHex } from './hex.ts';
import { decodeUtf8, isWellFormed } from './text.ts';
import { formatVkey, KEY_TYPE, parseVkey, type Vkey } from './vkey.ts';

/** A log that the policy accepts. Its key is named as its origin. */
export interface PolicyLog {
  readonly vkey: Vkey;
  /** How to reach the log: opaque text, for the application to read. */
  readonly url?: string;
}

export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly quorum: 'none';
}

/** Bytes that a policy may have. */
export const MAX_POLICY_BYTES: number = 256 * 1024;

const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const HASH_SIGN = 0x23;
// White space is ASCII space and tab alone: other Unicode spaces are part of a name or URL.
const WHITE_SPACE = /[ \t]+/;
const URL_ITEM = /^[\x21-\x7e\u0080-\u{10ffff}]+$/u;

/** Types that sign as a log. A cosignature of type 0x04 is a witness's. */
const LOG_TYPES: ReadonlySet<number> = new Set([KEY_TYPE.ed25519, KEY_TYPE.mldsa44]);

/**
 * Reads a policy file. Comments, empty lines, and the amount of white space are not kept. Throws `malformed`, saying
 * the line, or `too_large`.
 */
export function parsePolicy(bytes: Uint8Array): Policy {
  if (bytes.length > MAX_POLICY_BYTES)
    throw new NewelError('too_large', `policy is longer than ${MAX_POLICY_BYTES} bytes`);
  const logs: PolicyLog[] = [];
  const seen = new Set<string>();
  let quorum: 'none' | undefined;
  for (const [number, line] of linesOf(bytes)) {
    const [keyword, ...items] = line;
    if (keyword === 'log') {
      const log = parseLog(items, number);
      const key = formatHex(log.vkey.publicKey);
      if (seen.has(key)) throw malformed(number, 'lists the key of an earlier log again');
      seen.add(key);
      logs.push(log);
    } else if (keyword === 'quorum') {
      if (quorum !== undefined) throw malformed(number, 'is a second quorum line');
      quorum = parseQuorum(items, number);
    } else if (keyword === 'witness' || keyword === 'group') {
      throw malformed(number, `is a ${keyword} line, and this version does not know witnesses yet`);
    } else {
      throw malformed(number, 'begins with an unknown keyword');
    }
  }
  if (quorum === undefined) throw new NewelError('malformed', 'policy has no quorum line');
  return { logs, quorum };
}

/** The text of a policy, one line an item. Throws `RangeError` for a log that no line can hold. */
export function formatPolicy(policy: Policy): string {
  const lines = policy.logs.map(({ vkey, url }) => {
    if (!LOG_TYPES.has(vkey.type))
      throw new RangeError(`vkey expected a type that logs sign with, got ${vkey.type}`);
    if (url !== undefined && !(URL_ITEM.test(url) && isWellFormed(url))) {
      throw new RangeError('url expected text without white space or control characters');
    }
    return `log ${formatVkey(vkey)}${url === undefined ? '' : ` ${url}`}\n`;
  });
  return `${lines.join('')}quorum ${policy.quorum}\n`;
}

function parseLog(items: readonly string[], number: number): PolicyLog {
  const [key, url, ...rest] = items;
  if (key === undefined || rest.length > 0) throw malformed(number, 'is not of the form: log <vkey> [<url>]');
  let vkey: Vkey;
  try {
    vkey = parseVkey(key);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(cause.code, `policy line ${number}: ${cause.message}`, { cause });
  }
  if (!LOG_TYPES.has(vkey.type)) throw malformed(number, 'has a key of a type that logs do not sign with');
  return url === undefined ? { vkey } : { vkey, url };
}

function parseQuorum(items: readonly string[], number: number): 'none' {
  const [name, ...rest] = items;
  if (name === undefined || rest.length > 0) throw malformed(number, 'is not of the form: quorum <name>');
  if (name !== 'none') {
    throw malformed(
      number,
      'asks for a quorum other than none, and this version does not know witnesses yet',
    );
  }
  return name;
}

/** The items of each line that is neither empty nor a comment, with the line's number from 1. */
function* linesOf(bytes: Uint8Array): Generator<[number: number, items: string[]]> {
  let number = 1;
  for (let at = 0; at < bytes.length; number++) {
    const end = bytes.indexOf(LF, at);
    const line = bytes.subarray(at, end === -1 ? bytes.length : end);
    if (!line.every(isAllowed)) throw malformed(number, 'holds a control character other than tab');
    if (end === -1) throw malformed(number, 'does not end in a newline');
    at = end + 1;
    const first = line.find((octet) => octet !== SPACE && octet !== TAB);
    if (first === undefined || first === HASH_SIGN) continue;
    yield [number, itemsOf(line, number)];
  }
}

function itemsOf(line: Uint8Array, number: number): string[] {
  try {
    return decodeUtf8(line)
      .split(WHITE_SPACE)
      .filter((item) => item !== '');
  } catch (cause) {
    throw new NewelError(
      'malformed',
      `policy line ${number} is not UTF-8, which this version wants outside comments`,
      {
        cause,
      },
    );
  }
}

/** Whether an octet may stand in a line: tab, printable ASCII and space, or anything with the high bit set. */
function isAllowed(octet: number): boolean {
  return octet === TAB || (octet >= SPACE && octet !== 0x7f);
}

function malformed(number: number, flaw: string): NewelError {
  return new NewelError('malformed', `policy line ${number} ${flaw}`);
}
