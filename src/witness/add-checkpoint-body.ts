/**
 * What a log sends to a witness (C2SP tlog-witness, "add-checkpoint"):
 *
 *   old 20852014                                        the tree size that the proof begins at
 *   PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=        its consistency proof, a hash a line, 0 to 63 of them
 *                                                       an empty line
 *   example.com/behind-the-sofa                         a signed checkpoint, to the end
 *   …
 *
 * Only what stands before the checkpoint is read here; the note is for whoever knows the log's keys.
 */

import { concatBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { isSize } from '../core/int.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from '../formats/base64.ts';
import { parseDecimal } from '../formats/decimal.ts';
import { MAX_NOTE_BYTES } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';

export interface AddCheckpoint {
  /** Of the tree that the witness has cosigned last, as far as the log knows. */
  readonly oldSize: number;
  /** RFC 6962 §2.1.2, hashes of 32 bytes: from the tree of `oldSize` to the checkpoint's. */
  readonly proof: readonly Uint8Array[];
  /** A signed note, unread. */
  readonly checkpoint: Uint8Array;
}

/** Lines that a consistency proof, of trees or of a subtree, may have. */
const MAX_PROOF_LINES = 63;
/** Bytes that may stand before the checkpoint: more than the longest numbers and all the lines of a proof take. */
const MAX_PROOF_BYTES = 4096;
/** Bytes that the body of a request to a witness may have. */
export const MAX_WITNESS_BODY_BYTES: number = MAX_NOTE_BYTES + MAX_PROOF_BYTES;

const OLD = 'old ';
const LF = 0x0a;

/** Reads the body of `add-checkpoint`. Throws `malformed`, or `too_large` over the limits. */
export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  const { lines, checkpoint } = splitBody(bytes);
  const [first = '', ...rest] = lines;
  if (!first.startsWith(OLD)) throw malformed('does not begin with an old size line');
  const oldSize = parseDecimal(first.slice(OLD.length), 'old size');
  return { oldSize, proof: parseProofLines(rest), checkpoint };
}

/** The body of `add-checkpoint`. Throws `RangeError` for what `parseAddCheckpoint` would not give back. */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): Uint8Array {
  if (!isSize(oldSize)) throw new RangeError(`oldSize expected a whole number below 2^53, got ${oldSize}`);
  return concatBytes(encodeUtf8(`${OLD}${oldSize}\n${formatProofLines(proof)}\n`), checkpoint);
}

/**
 * The lines of a body before its first empty one, and the checkpoint behind that, unread: for both calls of a witness.
 * Throws `malformed` or `too_large`.
 */
export function splitBody(bytes: Uint8Array): { lines: string[]; checkpoint: Uint8Array } {
  if (bytes.length > MAX_WITNESS_BODY_BYTES)
    throw new NewelError('too_large', `the body is longer than ${MAX_WITNESS_BODY_BYTES} bytes`);
  const head = bytes.subarray(0, MAX_PROOF_BYTES);
  const blank = head.findIndex((octet, i) => octet === LF && head[i + 1] === LF);
  if (blank === -1) throw malformed(`has no empty line within its first ${MAX_PROOF_BYTES} bytes`);
  return { lines: decodeUtf8(head.subarray(0, blank)).split('\n'), checkpoint: bytes.subarray(blank + 2) };
}

/** The hashes of a consistency proof, one a line. Throws `malformed`. */
export function parseProofLines(lines: readonly string[]): Uint8Array[] {
  if (lines.length > MAX_PROOF_LINES) throw malformed(`has more than ${MAX_PROOF_LINES} proof lines`);
  return lines.map((line, i) => {
    const hash = parseBase64(line, `proof line ${i + 1}`);
    if (hash.length !== HASH_SIZE) throw malformed(`has ${hash.length} bytes in proof line ${i + 1}`);
    return hash;
  });
}

/** The lines of a consistency proof. Throws `RangeError` for what `parseProofLines` would not give back. */
export function formatProofLines(proof: readonly Uint8Array[]): string {
  if (proof.length > MAX_PROOF_LINES)
    throw new RangeError(`proof expected at most ${MAX_PROOF_LINES} hashes, got ${proof.length}`);
  if (proof.some((hash) => hash.length !== HASH_SIZE))
    throw new RangeError(`proof expected hashes of ${HASH_SIZE} bytes`);
  return proof.map((hash) => `${formatBase64(hash)}\n`).join('');
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `the body ${flaw}`);
}
