/** What was found about a receipt, check by check, in words (`receipt-checks.ts` has the checks). */

import type { NewelError } from '../errors.ts';
import type { JsonObject } from '../formats/json.ts';
import type { NoteSignature } from '../formats/note.ts';
import { formatKeyId } from '../formats/vkey.ts';
import type { Level } from './level.ts';
import type { Receipt } from './receipt.ts';
import {
  type Findings,
  findReceipt,
  hasFailed,
  EVENT_NAMES,
  type Outcome,
  type SignedHead,
  type VerifyOptions,
} from './receipt-checks.ts';
import type { OpenedStatement } from './statement.ts';
import type { Trust } from './trust.ts';
import { checkOfWitnesses, uncheckedWitnesses } from './witness-words.ts';

export type { SignedHead, VerifyOptions } from './receipt-checks.ts';

export type CheckName = 'statement' | 'presentation' | 'leaf' | 'inclusion' | 'checkpoint' | 'witnesses';

export interface Check {
  readonly name: CheckName;
  /** `skipped`: nothing to check, or what it needs could not be read. */
  readonly result: 'ok' | 'failed' | 'skipped';
  /** What was found, in words and numbers; never a value of the event. */
  readonly detail: string;
  /** What stands beside it: how many claims are shown, which level is reached. */
  readonly note?: string;
  /** What holds, and is to be looked at all the same. */
  readonly warning?: string;
}

export interface ReceiptReport {
  /** Whether all holds, the level that was asked for too. */
  readonly ok: boolean;
  /** What the lines reach; `undefined` where a check failed, so that nothing is proven. */
  readonly level: Level | undefined;
  /** As it came. `id` and `source` are those of the statement only where `event` has them. */
  readonly receipt: Receipt;
  readonly eventId: string;
  /** The event's type, where the statement holds and shows it. */
  readonly type: string | undefined;
  /** As the receipt says, to the millisecond; to the second it is in the statement. */
  readonly receivedTimeMs: number;
  /** Always the five, in this order; of a presentation six, with its own check as the second. */
  readonly checks: readonly Check[];
  /** Why it is not ok: a false checkpoint before what it was to include, the level only where nothing is false. */
  readonly error: NewelError | undefined;
  /** What the statement proves, where it holds. */
  readonly statement: OpenedStatement | undefined;
  /** The event as far as it is shown, where the statement holds. */
  readonly event: JsonObject | undefined;
  /** What the log signed, where the checkpoint holds. */
  readonly checkpoint: SignedHead | undefined;
  /** Key names of the policy's witnesses whose lines were verified. */
  readonly cosigners: readonly string[];
  /** Key names of the policy's witnesses whose lines are there and were not checked, for want of ML-DSA-44. */
  readonly unchecked: readonly string[];
  /** When enough of the witnesses had signed, by their own clocks, in seconds since 1970; at `witnessed` alone. */
  readonly witnessedTimeS: number | undefined;
}

/**
 * Checks a receipt under a trust file: everything that can be checked, whatever fails. Throws only for what is no
 * receipt or no trust file (`malformed`, `too_large`).
 */
export function checkReceipt(input: unknown, options: VerifyOptions): ReceiptReport {
  return reportOf(findReceipt(input, options));
}

/** The same of what was found. */
export function reportOf(findings: Findings): ReceiptReport {
  const { receipt, trust, statement, presentation, leaf, inclusion, checkpoint } = findings;
  const { isTrue, found, error } = findings;
  const { origin } = trust;
  const checks: Check[] = [
    lineOf('statement', statement, ({ kid, claimsShown, event }) => ({
      detail: `signed by ${issuerOf(trust)}, key ${kid.slice(0, 4)}…`,
      note: `${claimsShown} ${claimsShown === 1 ? 'claim' : 'claims'} shown${presentation ? '' : withheldOf(event)}`,
    })),
    ...(presentation ? [lineOf('presentation', presentation, (said) => said)] : []),
    lineOf('leaf', leaf, (index) => ({ detail: `${index} of ${receipt.log} commits to it` })),
    lineOf('inclusion', inclusion, (size) => ({ detail: `in tree of ${size}` })),
    lineOf('checkpoint', checkpoint, ({ signatures }) => ({
      detail: `log key ${signatures
        .filter(({ name }) => name === origin)
        .map(formatKey)
        .join(', ')}`,
    })),
    checkOfWitnesses(findings),
  ];
  const opened = statement.value;
  return {
    ok: error === undefined && isTrue,
    level: isTrue ? found.level : undefined,
    receipt,
    eventId: receipt.event_id,
    type: typeOf(opened?.event),
    receivedTimeMs: Date.parse(receipt.received_time),
    checks,
    error,
    statement: opened,
    event: opened?.event,
    checkpoint: checkpoint.value,
    cosigners: isTrue ? found.cosigners : [],
    unchecked: isTrue ? uncheckedWitnesses(findings).map(({ vkey }) => vkey.name) : [],
    witnessedTimeS: isTrue ? found.witnessedTimeS : undefined,
  };
}

function lineOf<T>(
  name: CheckName,
  outcome: Outcome<T>,
  say: (value: T) => Pick<Check, 'detail' | 'note'>,
): Check {
  if (outcome.error === undefined) return { name, result: 'ok', ...say(outcome.value) };
  return { name, result: hasFailed(outcome) ? 'failed' : 'skipped', detail: outcome.error.message };
}

/** Which of them it does not vouch for. */
function withheldOf(event: JsonObject): string {
  const names = EVENT_NAMES.filter((name) => !Object.hasOwn(event, name));
  return names.length === 0 ? '' : `; not shown, so not verified: ${names.join(', ')}`;
}

/** The issuer as it is named among people: as the log, where it is called so. */
function issuerOf({ issuer = '', origin }: Trust): string {
  return issuer === `https://${origin}` ? origin : issuer;
}

function formatKey({ name, keyId }: NoteSignature): string {
  return `${name}+${formatKeyId(keyId)}`;
}

const TYPE = /^[a-z][a-z0-9_.]{0,63}$/;

/** A type that can be printed anywhere. */
function typeOf(event: JsonObject | undefined): string | undefined {
  const type = event?.['type'];
  return typeof type === 'string' && TYPE.test(type) ? type : undefined;
}
