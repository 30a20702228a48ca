/**
 * Presentations: a statement with some of its disclosures, its proof, and a JWT by the statement key that says for whom
 * and when it was presented so. It is not key binding: the log says it, not the holder of the event.
 *
 *   header    {"alg":"Ed25519","kid":"<RFC 7638 thumbprint>","typ":"newel-presentation+jwt"}
 *   payload   {"iss":…,"iat":…,"aud":"auditor.example","nonce":"n-0S6_WzA2Mj","sd_hash":"<of the statement>"}
 */

import { NewelError } from '../errors.ts';
import {
  AUDIENCE_FORM,
  NONCE_FORM,
  PRESENTATION_NAMES,
  PRESENTATION_TYPE,
} from '../event/statement-names.ts';
import { digestOf, parseSdJwt } from '../formats/sd-jwt.ts';
import { receiptOfParts } from './receipt-of-parts.ts';
import { type Findings, findParsed, type PresentationFound, type VerifyOptions } from './receipt-checks.ts';
import { type ReceiptReport, reportOf } from './report.ts';
import { isEncodingOf, kidOf, type OpenedStatement, verifySignature } from './statement.ts';
import { formatUtc } from './time-words.ts';
import type { Trust } from './trust.ts';
import { type VerifiedReceipt, verified } from './verify.ts';

export interface Presented {
  /** SD-JWT, without key binding. */
  readonly statement: string;
  /** The JWT beside it. */
  readonly presentation: string;
  /** Its tlog-proof. */
  readonly proof: string;
  /** What the statement is said to be of; compared where it is given. */
  readonly eventId?: string | undefined;
}

/** What a JWT of presentation says. */
export interface OpenedPresentation {
  readonly audience: string;
  readonly nonce: string;
  /** `iat`, seconds since 1970. */
  readonly issuedTimeS: number;
  /** Thumbprint of the statement key that signed it. */
  readonly kid: string;
}

/** What a presentation is to say, where whoever verifies it knows. */
export interface Expected {
  readonly audience?: string | undefined;
  readonly nonce?: string | undefined;
  readonly issuedTimeS?: number | undefined;
  /** The clock of whoever verifies, milliseconds since 1970; by default that of this machine. */
  readonly nowMs?: number | undefined;
}

export interface PresentationOptions extends VerifyOptions, Expected {}

export interface VerifiedPresentation extends VerifiedReceipt {
  readonly presentation: OpenedPresentation;
}

/** How far the clocks of the log and of a verifier may be apart. */
const MAX_SKEW_S = 300;
const MEMBERS = PRESENTATION_NAMES.join();
const WHAT = 'presentation';

/**
 * Verifies a presentation under a trust file: all that `verifyReceipt` verifies, and that the log presented this statement,
 * with these claims and no others, to the audience and under the nonce that are expected. Rejects with the error of the
 * first check that fails: those of `verifyReceipt`, and `proof_invalid` for another audience, nonce, time or statement.
 */
export async function verifyPresentation(
  presented: Presented,
  options: PresentationOptions,
): Promise<VerifiedPresentation> {
  let opened: OpenedPresentation | undefined;
  const receipt = verified(findPresentation(presented, options, (found) => (opened = found)));
  if (!opened) throw new Error('bug: a presentation that holds was not opened');
  return { ...receipt, presentation: opened };
}

/** What `verifyPresentation` finds, check by check. Throws only for what is no trust file. */
export function checkPresentation(presented: Presented, options: PresentationOptions): ReceiptReport {
  return reportOf(findPresentation(presented, options));
}

function findPresentation(
  { statement, presentation, proof, eventId }: Presented,
  options: PresentationOptions,
  onOpened?: (opened: OpenedPresentation) => void,
): Findings {
  const receipt = receiptOfParts(statement, proof, eventId);
  return findParsed(receipt, options, (found, trust) => {
    const opened = openPresentation(presentation, statement, trust);
    assertExpected(opened, found, options);
    onOpened?.(opened);
    return inWords(opened, options);
  });
}

/**
 * Verifies the JWT of a presentation of `statement`, as it was presented. Throws `malformed`, `signer_unknown`,
 * `signature_invalid`, or `proof_invalid` where it is of another statement or of other claims of it.
 */
export function openPresentation(jwt: string, statement: string, trust: Trust): OpenedPresentation {
  // What an SD-JWT without disclosures is.
  const parsed = within(() => parseSdJwt(`${jwt}~`));
  if (parsed.disclosures.length > 0 || parsed.keyBinding !== undefined) throw flaw('is not one JWT');
  const kid = kidOf(parsed, PRESENTATION_TYPE, WHAT);
  verifySignature(parsed, kid, trust, WHAT);
  const { payload, encodedPayload } = parsed;
  const { iss, iat, aud, nonce, sd_hash: sdHash } = payload;
  if (Object.keys(payload).join() !== MEMBERS) throw flaw('has other claims, or in another order');
  if (!isEncodingOf(encodedPayload, payload)) throw flaw('has a payload of another form');
  if (iss !== trust.issuer) throw new NewelError('signer_unknown', `${WHAT} is of another issuer`);
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat) || iat < 0) throw flaw('has no time in seconds');
  if (typeof aud !== 'string' || !AUDIENCE_FORM.test(aud)) throw flaw('has an audience that is none');
  if (typeof nonce !== 'string' || !NONCE_FORM.test(nonce)) throw flaw('has a nonce that is none');
  if (sdHash !== digestOf(statement))
    throw differs('is of another statement, or of other claims of this one');
  return { audience: aud, nonce, issuedTimeS: iat, kid };
}

function assertExpected(
  { audience, nonce, issuedTimeS }: OpenedPresentation,
  { receivedTimeS }: OpenedStatement,
  expected: Expected,
): void {
  const { nowMs = Date.now() } = expected;
  if (audience !== (expected.audience ?? audience))
    throw differs('is for another audience than the one expected');
  if (nonce !== (expected.nonce ?? nonce)) throw differs('has another nonce than the one expected');
  if (issuedTimeS !== (expected.issuedTimeS ?? issuedTimeS)) {
    throw differs('was made at another time than the manifest says');
  }
  if (issuedTimeS + MAX_SKEW_S < receivedTimeS) throw differs('was made before the log received the event');
  if (issuedTimeS - MAX_SKEW_S > nowMs / 1000) {
    throw differs(
      `is of a time to come: its clock and the one here are more than ${MAX_SKEW_S / 60} minutes apart`,
    );
  }
}

function inWords(
  { audience, nonce, issuedTimeS }: OpenedPresentation,
  expected: Expected,
): PresentationFound {
  const detail = `for ${audience}, nonce ${nonce}, made ${formatUtc(issuedTimeS)}`;
  const open = (['audience', 'nonce'] as const).filter((name) => expected[name] === undefined);
  return open.length === 0
    ? { detail }
    : { detail, note: `nobody said which was expected: ${open.join(', ')}` };
}

function within<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(cause.code, `${WHAT} cannot be read: ${cause.message}`, { cause });
  }
}

function flaw(found: string): NewelError {
  return new NewelError('malformed', `${WHAT} ${found}`);
}

function differs(how: string): NewelError {
  return new NewelError('proof_invalid', `${WHAT} ${how}`);
}
