/**
 * What `verify` finds, check by check, each naming itself. A check that fails does not keep the others from running:
 * which of them hold says where a receipt was changed.
 *
 *   statement    the SD-JWT is in its one form, by a statement key of the log, and says what the receipt says
 *   presentation the log presented it as it stands, and for whom, where it comes with that (presentation.ts)
 *   leaf         the leaf commits to this statement, and is the one that the proof is of
 *   inclusion    the path leads from the leaf to the root in the checkpoint
 *   checkpoint   the log signed that root
 *   witnesses    the witness lines reach the level that was asked for
 */

import { NewelError } from '../errors.ts';
import { equalBytes } from '../core/bytes.ts';
import { hashLeaf } from '../core/hash.ts';
import { verifyInclusion } from '../core/proof.ts';
import { commitmentOf, formatEventLeaf } from '../event/leaf.ts';
import { parseBase64 } from '../formats/base64.ts';
import { type Checkpoint, openCheckpoint, parseCheckpoint } from '../formats/checkpoint.ts';
import type { JsonObject } from '../formats/json.ts';
import { type NoteSignature, parseNote } from '../formats/note.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parseTlogProof, type TlogProof } from '../formats/tlog-proof.ts';
import { formatKeyId } from '../formats/vkey.ts';
import { assertLevel, type Level, levelOf } from './level.ts';
import { parseReceipt, type Receipt } from './receipt.ts';
import { type OpenedStatement, openStatement } from './statement.ts';
import { toTrust, type Trust, type TrustInput } from './trust.ts';

export type CheckName = 'statement' | 'presentation' | 'leaf' | 'inclusion' | 'checkpoint' | 'witnesses';

export interface Check {
  readonly name: CheckName;
  /** `skipped`: nothing to check, or what it needs could not be read. */
  readonly result: 'ok' | 'failed' | 'skipped';
  /** What was found, in words and numbers; never a value of the event. */
  readonly detail: string;
  /** What stands beside it: how many claims are shown, which level is reached. */
  readonly note?: string;
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
  /** Names of the witnesses whose lines were verified. */
  readonly cosigners: readonly string[];
}

export interface SignedHead extends Checkpoint {
  readonly signatures: readonly NoteSignature[];
}

export interface VerifyOptions {
  readonly trust: TrustInput;
  /** What is to hold; `signed` by default. */
  readonly level?: Level;
}

/**
 * Checks a receipt under a trust file: everything that can be checked, whatever fails. Throws only for what is no
 * receipt or no trust file (`malformed`, `too_large`).
 */
export function checkReceipt(input: unknown, options: VerifyOptions): ReceiptReport {
  return checkParsed(parseReceipt(input), options);
}

/** One more check, of the statement once it holds: for whom it is presented. Says what it found. */
export type PresentationCheck = (statement: OpenedStatement, trust: Trust) => Omit<Check, 'name' | 'result'>;

/** Checks a receipt that is parsed. With `presented` it was made of its parts, and claims neither `id` nor `source`. */
export function checkParsed(
  receipt: Receipt,
  { trust, level = 'signed' }: VerifyOptions,
  presented?: PresentationCheck,
): ReceiptReport {
  const pinned = toTrust(trust);
  const parts = splitProof(receipt);
  const statement = attempt(() => checkStatement(receipt, pinned));
  const presentation = presented && attempt(() => presented(holding(statement), pinned));
  const leaf = attempt(() => checkLeaf(receipt, payloadOf(receipt, statement), parts.proof));
  const inclusion = attempt(() => checkInclusion(receipt, parts));
  const checkpoint = attempt(() => checkCheckpoint(receipt, parts, pinned));
  const found = levelOf(pinned.policy, checkpoint.value?.signatures ?? [], pinned.origin);
  const claimed = presentation ? [statement, presentation] : [statement];
  const isTrue = [...claimed, leaf, inclusion, checkpoint].every(({ error }) => error === undefined);
  const witnesses = attempt(() => {
    if (!isTrue) throw new Skipped('nothing is proven');
    assertLevel(pinned.policy, found, level);
    return found;
  });

  const { origin } = pinned;
  const opened = statement.value;
  const checks: Check[] = [
    lineOf('statement', statement, ({ kid, claimsShown, event }) => ({
      detail: `signed by ${issuerOf(pinned)}, key ${kid.slice(0, 4)}…`,
      note: `${claimsShown} ${claimsShown === 1 ? 'claim' : 'claims'} shown${presented ? '' : withheldOf(event)}`,
    })),
    ...(presentation ? [lineOf('presentation', presentation, (found) => found)] : []),
    lineOf('leaf', leaf, (index) => ({ detail: `${index} of ${origin} commits to it` })),
    lineOf('inclusion', inclusion, (size) => ({ detail: `in tree of ${size}` })),
    lineOf('checkpoint', checkpoint, ({ signatures }) => ({
      detail: `log key ${signatures.map(formatKey).join(', ')}`,
    })),
    lineOf('witnesses', witnesses, ({ have, need }) => ({
      result: need === 0 ? 'skipped' : 'ok',
      detail: `${have} of ${need} needed by the policy`,
      note: `level: ${found.level}`,
    })),
  ];
  const error = [...claimed, leaf, checkpoint, inclusion, witnesses].find(hasFailed)?.error;
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
  };
}

/** A check that has nothing to work on. Never seen outside. */
class Skipped extends NewelError {
  constructor(why: string) {
    super('proof_invalid', why);
  }
}

type Outcome<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: NewelError };

function attempt<T>(check: () => T): Outcome<T> {
  try {
    return { value: check() };
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return { error };
  }
}

function holding<T>({ value, error }: Outcome<T>): T {
  if (error !== undefined) throw new Skipped('the statement does not hold');
  return value;
}

function hasFailed({ error }: Outcome<unknown>): boolean {
  return error !== undefined && !(error instanceof Skipped);
}

function lineOf<T>(
  name: CheckName,
  outcome: Outcome<T>,
  say: (value: T) => Omit<Check, 'name' | 'result'> & Partial<Pick<Check, 'result'>>,
): Check {
  if (outcome.error === undefined) return { name, result: 'ok', ...say(outcome.value) };
  return { name, result: hasFailed(outcome) ? 'failed' : 'skipped', detail: outcome.error.message };
}

function checkStatement(receipt: Receipt, trust: Trust): OpenedStatement {
  const statement = openStatement(receipt.statement, trust);
  const { eventId, receivedTimeS, event } = statement;
  if (eventId !== receipt.event_id) throw differs('statement is of another event than the receipt');
  if (receivedTimeS !== Math.floor(Date.parse(receipt.received_time) / 1000)) {
    throw differs('receipt has another received_time than the statement');
  }
  for (const name of NAMES) {
    if (Object.hasOwn(event, name) && event[name] !== receipt[name]) {
      throw differs(`receipt has another ${name} than the statement`);
    }
  }
  return statement;
}

/** Members of a receipt that are the event's own: its statement vouches for them where it shows them. */
const NAMES = ['id', 'source'] as const;

/** Which of them it does not vouch for. */
function withheldOf(event: JsonObject): string {
  const names = NAMES.filter((name) => !Object.hasOwn(event, name));
  return names.length === 0 ? '' : `; not shown, so not verified: ${names.join(', ')}`;
}

/** The index of the leaf. */
function checkLeaf(receipt: Receipt, encodedPayload: string | undefined, proof: Outcome<TlogProof>): number {
  if (encodedPayload === undefined) throw new Skipped('the statement cannot be read');
  const hash = hashLeaf(formatEventLeaf(commitmentOf(encodedPayload)));
  if (!equalBytes(hash, leafHashOf(receipt))) throw differs('leaf_hash is not that of this statement');
  if (proof.error !== undefined) throw new Skipped('no proof says which leaf it is');
  if (proof.value.index !== receipt.leaf_index)
    throw differs('receipt has another leaf_index than the proof');
  return proof.value.index;
}

/** The size of the tree. Whether the log signed its root is for the checkpoint's check to say. */
function checkInclusion(receipt: Receipt, { head, proof }: ProofParts): number {
  if (head?.error) throw new Skipped('the checkpoint cannot be read');
  if (proof.error !== undefined) throw proof.error;
  if (!head) throw new Error('bug: a proof without a checkpoint was parsed');
  const { size, root } = head.value;
  verifyInclusion(proof.value.index, size, leafHashOf(receipt), proof.value.path, root);
  return size;
}

function checkCheckpoint(receipt: Receipt, { checkpoint }: ProofParts, trust: Trust): SignedHead {
  if (receipt.log !== trust.origin) {
    throw new NewelError('signer_unknown', 'receipt is of another log than the trust file');
  }
  if (!checkpoint) throw new Skipped('the proof has none');
  if (checkpoint.error !== undefined) throw checkpoint.error;
  const head = openCheckpoint(checkpoint.value, trust.verifiers, trust.origin);
  if (head.size !== receipt.tree_size) throw differs('receipt has another tree_size than the checkpoint');
  return head;
}

/** A proof in its two halves, so that what is wrong with one is not said of the other. */
interface ProofParts {
  readonly proof: Outcome<TlogProof>;
  /** The signed note, and what it says, of which nothing is verified; `undefined` where the proof has no blank line. */
  readonly checkpoint: Outcome<Uint8Array> | undefined;
  readonly head: Outcome<Checkpoint> | undefined;
}

function splitProof({ proof: text }: Receipt): ProofParts {
  const proof = attempt(() => parseTlogProof(encodeUtf8(text)));
  const blank = text.indexOf('\n\n');
  if (blank === -1) return { proof, checkpoint: undefined, head: undefined };
  const checkpoint = attempt(() => encodeUtf8(text.slice(blank + 2)));
  const head = attempt(() => {
    if (checkpoint.error !== undefined) throw checkpoint.error;
    return parseCheckpoint(parseNote(checkpoint.value).text);
  });
  return { proof, checkpoint, head };
}

function payloadOf(receipt: Receipt, statement: Outcome<OpenedStatement>): string | undefined {
  return statement.value?.encodedPayload ?? attempt(() => parseSdJwt(receipt.statement).encodedPayload).value;
}

function leafHashOf(receipt: Receipt): Uint8Array {
  return parseBase64(receipt.leaf_hash, 'leaf_hash');
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

function differs(how: string): NewelError {
  return new NewelError('proof_invalid', how);
}
