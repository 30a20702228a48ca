/**
 * The checks of a receipt. One that fails does not keep the others from running: which of them hold says where a receipt
 * was changed. What was found is told in words by `report.ts`, or thrown by `verify.ts`.
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
import { type Note, type NoteSignature, parseNote } from '../formats/note.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parseTlogProof, type TlogProof } from '../formats/tlog-proof.ts';
import { assertLevel, type Level, type LevelFound, levelOf } from './level.ts';
import { parseReceipt, type Receipt } from './receipt.ts';
import { type OpenedStatement, openStatement } from './statement.ts';
import { toTrust, type Trust, type TrustInput } from './trust.ts';

export interface SignedHead extends Checkpoint {
  /** The lines that were verified. */
  readonly signatures: readonly NoteSignature[];
}

export interface VerifyOptions {
  readonly trust: TrustInput;
  /** What is to hold; `signed` by default. */
  readonly level?: Level;
}

/** What was found about a receipt. */
export interface Findings {
  /** As it came. */
  readonly receipt: Receipt;
  readonly trust: Trust;
  readonly statement: Outcome<OpenedStatement>;
  /** Of a receipt that comes with one. */
  readonly presentation: Outcome<PresentationFound> | undefined;
  /** The index of the leaf. */
  readonly leaf: Outcome<number>;
  /** The size of the tree. */
  readonly inclusion: Outcome<number>;
  readonly checkpoint: Outcome<SignedHead>;
  readonly witnesses: Outcome<LevelFound>;
  /** Whether all but the witnesses hold. */
  readonly isTrue: boolean;
  /** What the verified lines reach. Worth nothing where not all is true. */
  readonly found: LevelFound;
  /** The checkpoint with all of its lines, of which nothing is verified. */
  readonly note: Outcome<Note>;
  /** Why it does not hold: a false checkpoint before what it was to include, the level only where nothing is false. */
  readonly error: NewelError | undefined;
}

export type Outcome<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: NewelError };

/** In words, what a presentation says. */
export interface PresentationFound {
  readonly detail: string;
  readonly note?: string;
}

/** One more check, of the statement once it holds: for whom it is presented. Says what it found. */
export type PresentationCheck = (statement: OpenedStatement, trust: Trust) => PresentationFound;

/** Checks a receipt under a trust file. Throws only for what is no receipt or no trust file (`malformed`, `too_large`). */
export function findReceipt(input: unknown, options: VerifyOptions): Findings {
  return findParsed(parseReceipt(input), options);
}

/** Checks a receipt that is parsed. With `presented` it was made of its parts, and claims neither `id` nor `source`. */
export function findParsed(
  receipt: Receipt,
  { trust: input, level = 'signed' }: VerifyOptions,
  presented?: PresentationCheck,
): Findings {
  const trust = toTrust(input);
  const parts = splitProof(receipt);
  const statement = attempt(() => checkStatement(receipt, trust));
  const presentation = presented && attempt(() => presented(holding(statement), trust));
  const leaf = attempt(() => checkLeaf(receipt, payloadOf(receipt, statement), parts.proof));
  const inclusion = attempt(() => checkInclusion(receipt, parts));
  const checkpoint = attempt(() => checkCheckpoint(receipt, parts, trust));
  const found = levelOf(trust.policy, checkpoint.value?.signatures ?? [], trust.origin);
  const claimed = [statement, ...(presentation ? [presentation] : []), leaf, checkpoint, inclusion];
  const isTrue = claimed.every(({ error }) => !error);
  const witnesses = attempt(() => {
    if (!isTrue) throw new Skipped('nothing is proven');
    assertLevel(trust.policy, found, level);
    return found;
  });
  return {
    receipt,
    trust,
    statement,
    presentation,
    leaf,
    inclusion,
    checkpoint,
    witnesses,
    isTrue,
    found,
    note: parts.note,
    error: [...claimed, witnesses].find(hasFailed)?.error,
  };
}

/** A check that has nothing to work on. Never seen outside. */
class Skipped extends NewelError {
  constructor(why: string) {
    super('proof_invalid', why);
  }
}

function attempt<T>(check: () => T): Outcome<T> {
  try {
    return { value: check() };
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return { error };
  }
}

function holding<T>({ value, error }: Outcome<T>): T {
  if (error) throw new Skipped('the statement does not hold');
  return value;
}

/** Whether a check failed, rather than having had nothing to work on. */
export function hasFailed({ error }: Outcome<unknown>): boolean {
  return !!error && !(error instanceof Skipped);
}

function checkStatement(receipt: Receipt, trust: Trust): OpenedStatement {
  const statement = openStatement(receipt.statement, trust);
  const { eventId, receivedTimeS, event } = statement;
  if (eventId !== receipt.event_id) throw differs('statement is of another event than the receipt');
  if (receivedTimeS !== Math.floor(Date.parse(receipt.received_time) / 1000)) {
    throw differs('receipt has another received_time than the statement');
  }
  for (const name of EVENT_NAMES) {
    if (Object.hasOwn(event, name) && event[name] !== receipt[name]) {
      throw differs(`receipt has another ${name} than the statement`);
    }
  }
  return statement;
}

/** Members of a receipt that are the event's own: its statement vouches for them where it shows them. */
export const EVENT_NAMES = ['id', 'source'] as const;

/** The index of the leaf. */
function checkLeaf(receipt: Receipt, encodedPayload: string | undefined, proof: Outcome<TlogProof>): number {
  if (encodedPayload === undefined) throw new Skipped('the statement cannot be read');
  const hash = hashLeaf(formatEventLeaf(commitmentOf(encodedPayload)));
  if (!equalBytes(hash, leafHashOf(receipt))) throw differs('leaf_hash is not that of this statement');
  if (proof.error) throw new Skipped('no proof says which leaf it is');
  if (proof.value.index !== receipt.leaf_index)
    throw differs('receipt has another leaf_index than the proof');
  return proof.value.index;
}

/** The size of the tree. Whether the log signed its root is for the checkpoint's check to say. */
function checkInclusion(receipt: Receipt, { head, proof }: ProofParts): number {
  if (hasFailed(head)) throw new Skipped('the checkpoint cannot be read');
  const { index, path } = valueOf(proof);
  const { size, root } = valueOf(head);
  verifyInclusion(index, size, leafHashOf(receipt), path, root);
  return size;
}

function checkCheckpoint(receipt: Receipt, { checkpoint }: ProofParts, trust: Trust): SignedHead {
  if (receipt.log !== trust.origin) {
    throw new NewelError('signer_unknown', 'receipt is of another log than the trust file');
  }
  const head = openCheckpoint(valueOf(checkpoint), trust.verifiers, trust.origin);
  if (head.size !== receipt.tree_size) throw differs('receipt has another tree_size than the checkpoint');
  return head;
}

/** A proof in its two halves, so that what is wrong with one is not said of the other. */
interface ProofParts {
  readonly proof: Outcome<TlogProof>;
  /** The signed note, and what it says, of which nothing is verified. Skipped where the proof has no blank line. */
  readonly checkpoint: Outcome<Uint8Array>;
  readonly note: Outcome<Note>;
  readonly head: Outcome<Checkpoint>;
}

function splitProof({ proof: text }: Receipt): ProofParts {
  const proof = attempt(() => parseTlogProof(encodeUtf8(text)));
  const checkpoint = attempt(() => {
    const blank = text.indexOf('\n\n');
    if (blank === -1) throw new Skipped('the proof has none');
    return encodeUtf8(text.slice(blank + 2));
  });
  const note = attempt(() => parseNote(valueOf(checkpoint)));
  const head = attempt(() => parseCheckpoint(valueOf(note).text));
  return { proof, checkpoint, note, head };
}

function valueOf<T>({ value, error }: Outcome<T>): T {
  if (error) throw error;
  return value;
}

function payloadOf(receipt: Receipt, statement: Outcome<OpenedStatement>): string | undefined {
  return statement.value?.encodedPayload ?? attempt(() => parseSdJwt(receipt.statement).encodedPayload).value;
}

function leafHashOf(receipt: Receipt): Uint8Array {
  return parseBase64(receipt.leaf_hash, 'leaf_hash');
}

function differs(how: string): NewelError {
  return new NewelError('proof_invalid', how);
}
