/**
 * Which logs a witness cosigns: the list format of the public witness network (witness-network.org, `logs/v0`).
 *
 *   # comments and empty lines count for nothing
 *   logs/v0
 *
 *   vkey log.example/bank+2b1d3a4c+AbKU…            begins a log; its key, of type 0x01 or 0x06
 *   origin log.example/bank                         its origin, or none (default): the name of the key
 *   qpd 86400                                       cosignatures a day that it is granted (default: not limited of itself)
 *   bastion none                                    read and not used, and so is
 *   contact ops@log.example                         whom to ask
 *
 * The vkey comes first, the others in any order, each at most once. White space around a line counts for nothing. An
 * origin that is listed several times has several keys, each good alone, and the largest of its grants.
 */

import { NewelError } from '../errors.ts';
import { parseDecimal } from '../formats/decimal.ts';
import { MAX_ORIGIN_BYTES } from '../formats/key-name.ts';
import { decodeUtf8, encodeUtf8, hasControlCharacter } from '../formats/text.ts';
import { formatKeyId, KEY_TYPE, parseVkey, type Vkey } from '../formats/vkey.ts';

/** A log that a witness knows. */
export interface ListedLog {
  readonly origin: string;
  /** One or more, no two of one name and key id. A signature by any of them is the log's. */
  readonly vkeys: readonly Vkey[];
  /**
   * Cosignatures a day, so many each of larger trees, of the same tree again and of subtrees. Without one, the log is not
   * limited of itself.
   */
  readonly perDay?: number;
}

/** Bytes that a list may have: that of 40,000 logs has 6 MB. */
export const MAX_LOG_LIST_BYTES: number = 16 * 2 ** 20;
/** Keys that one origin may have. */
const MAX_LOG_KEYS = 16;

const HEADER = 'logs/v0';
const MEMBERS = ['origin', 'qpd', 'bastion', 'contact'] as const;
type Member = (typeof MEMBERS)[number];
const LOG_TYPES: ReadonlySet<number> = new Set([KEY_TYPE.ed25519, KEY_TYPE.mldsa44]);

/** One entry, as it is read. */
interface Entry {
  readonly number: number;
  readonly vkey: Vkey;
  readonly members: Map<Member, string>;
}

/** Reads a list: its logs by origin. Throws `malformed`, saying the line and what is wrong with it, or `too_large`. */
export function parseLogList(bytes: Uint8Array): Map<string, ListedLog> {
  if (bytes.length > MAX_LOG_LIST_BYTES)
    throw new NewelError('too_large', `the log list is longer than ${MAX_LOG_LIST_BYTES} bytes`);
  const entries: Entry[] = [];
  let begun = false;
  for (const [number, line] of linesOf(bytes)) {
    if (!begun) {
      if (line !== HEADER) throw flaw(number, `is not ${HEADER}, which a list begins with`);
      begun = true;
      continue;
    }
    const [, keyword = '', value = ''] = /^(\S+)[ \t]*(.*)$/su.exec(line) ?? [];
    if (keyword === 'vkey') entries.push({ number, vkey: parseKey(value, number), members: new Map() });
    else addMember(entries.at(-1), keyword, value, number);
  }
  if (!begun) throw new NewelError('malformed', `the log list has no line ${HEADER}`);
  return gather(entries);
}

function addMember(entry: Entry | undefined, keyword: string, value: string, number: number): void {
  const member = MEMBERS.find((name) => name === keyword);
  if (member === undefined) throw flaw(number, `begins with none of vkey, ${MEMBERS.join(', ')}`);
  if (!entry) throw flaw(number, `has ${member} before any vkey`);
  if (entry.members.has(member)) throw flaw(number, `has a second ${member} of one log`);
  if (value === '') throw flaw(number, `has no value after ${member}`);
  if (member === 'qpd') parsePerDay(value, number);
  if (member === 'origin' && !isListedOrigin(value))
    throw flaw(number, `has no origin of 1 to ${MAX_ORIGIN_BYTES} bytes`);
  entry.members.set(member, value);
}

function gather(entries: readonly Entry[]): Map<string, ListedLog> {
  const logs = new Map<string, { origin: string; vkeys: Vkey[]; perDay?: number }>();
  for (const { number, vkey, members } of entries) {
    const named = members.get('origin') ?? 'none';
    const origin = named === 'none' ? vkey.name : named;
    if (!isListedOrigin(origin)) throw flaw(number, `has a key name of more than ${MAX_ORIGIN_BYTES} bytes`);
    const qpd = members.get('qpd');
    const perDay = qpd === undefined ? undefined : parsePerDay(qpd, number);
    const log = logs.get(origin);
    if (!log) {
      logs.set(origin, { origin, vkeys: [vkey], ...(perDay === undefined ? {} : { perDay }) });
      continue;
    }
    if (log.vkeys.some((known) => known.name === vkey.name && known.keyId === vkey.keyId))
      throw flaw(
        number,
        `has the name and key id ${formatKeyId(vkey.keyId)} of an earlier key of this origin`,
      );
    if (log.vkeys.length === MAX_LOG_KEYS)
      throw flaw(number, `is of an origin with ${MAX_LOG_KEYS} keys already`);
    log.vkeys.push(vkey);
    if (perDay === undefined || log.perDay === undefined) delete log.perDay;
    else log.perDay = Math.max(log.perDay, perDay);
  }
  return logs;
}

function parseKey(text: string, number: number): Vkey {
  let vkey: Vkey;
  try {
    vkey = parseVkey(text);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(cause.code, `log list line ${number}: ${cause.message}`, { cause });
  }
  if (!LOG_TYPES.has(vkey.type)) throw flaw(number, 'has a key of a type that logs do not sign with');
  return vkey;
}

function parsePerDay(text: string, number: number): number {
  const perDay = parseDecimal(text, `log list line ${number}: qpd`);
  if (perDay === 0) throw flaw(number, 'grants no cosignature at all: leave the log out');
  return perDay;
}

function isListedOrigin(origin: string): boolean {
  return encodeUtf8(origin).length <= MAX_ORIGIN_BYTES;
}

/** The lines that say something, without the white space around them, with their numbers from 1. */
function* linesOf(bytes: Uint8Array): Generator<[number: number, line: string]> {
  let number = 0;
  for (const raw of decodeUtf8(bytes).split('\n')) {
    number += 1;
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    if (hasControlCharacter(line.replaceAll('\t', ' '))) throw flaw(number, 'holds a control character');
    yield [number, line];
  }
}

function flaw(number: number, what: string): NewelError {
  return new NewelError('malformed', `log list line ${number} ${what}`);
}
