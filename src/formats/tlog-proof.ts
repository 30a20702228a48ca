/**
 * Offline proofs of inclusion (C2SP tlog-proof).
 *
 *   c2sp.org/tlog-proof@v1
 *   extra YWdl…                        optional; Newel writes none
 *   index 73894
 *   gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
 *   …                                  one hash a line, from the leaf's sibling to the root's child
 *                                      a blank line
 *   example.com/fancylog               the signed checkpoint, byte for byte
 *   …
 */

import { HASH_SIZE } from '../core/hash.ts';
import { isSize } from '../core/int.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { parseDecimal } from './decimal.ts';
import { MAX_NOTE_BYTES, parseNote } from './note.ts';
import { decodeUtf8 } from './text.ts';

export interface TlogProof {
  /** The leaf's index, below 2^53. */
  readonly index: number;
  /** The audit path, 32 bytes a hash, at most 63. */
  readonly path: readonly Uint8Array[];
  /** The signed checkpoint as it was received. */
  readonly checkpoint: Uint8Array;
  /** Opaque bytes that nothing vouches for; absent rather than empty. */
  readonly extra?: Uint8Array;
}

/** Hashes that a path may have: enough for every tree that a signed 64-bit size can name. */
export const MAX_PROOF_HASHES = 63;
/** Bytes of the extra data of a proof. */
export const MAX_PROOF_EXTRA_BYTES: number = 64 * 1024;
/** Bytes before the checkpoint: two short lines, the extra data in base64, the hashes. */
const MAX_HEAD_BYTES = 128 + 4 * Math.ceil(MAX_PROOF_EXTRA_BYTES / 3) + MAX_PROOF_HASHES * 45;
/** Bytes that a proof may have. */
export const MAX_PROOF_BYTES: number = MAX_HEAD_BYTES + MAX_NOTE_BYTES;

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const LF = 0x0a;

/** The text of a proof. Throws `RangeError` for a head that cannot be written; the checkpoint is taken as it is. */
export function formatTlogProof(proof: TlogProof): string {
  const { index, path, extra } = proof;
  if (!isSize(index)) throw new RangeError(`index expected a whole number below 2^53, got ${index}`);
  if (path.length > MAX_PROOF_HASHES) {
    throw new RangeError(`path expected at most ${MAX_PROOF_HASHES} hashes, got ${path.length}`);
  }
  if (path.some((hash) => hash.length !== HASH_SIZE)) {
    throw new RangeError(`path expected hashes of ${HASH_SIZE} bytes`);
  }
  if (extra !== undefined && (extra.length === 0 || extra.length > MAX_PROOF_EXTRA_BYTES)) {
    throw new RangeError(`extra expected 1 to ${MAX_PROOF_EXTRA_BYTES} bytes, got ${extra.length}`);
  }
  return `${formatHead(proof)}\n${decodeUtf8(proof.checkpoint)}`;
}

/**
 * Reads a proof. The checkpoint is checked for its form; nothing is verified. Throws `malformed`, or `too_large` over
 * the limits.
 */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  if (bytes.length > MAX_PROOF_BYTES)
    throw new NewelError('too_large', `proof is longer than ${MAX_PROOF_BYTES} bytes`);
  const blank = indexOfBlankLine(bytes);
  if (blank === -1) throw malformed('has no blank line before the checkpoint');
  if (blank > MAX_HEAD_BYTES)
    throw new NewelError('too_large', 'proof has too many bytes before the checkpoint');
  const head = decodeUtf8(bytes.subarray(0, blank));
  const checkpoint = bytes.subarray(blank + 1);
  const proof = { ...parseHead(head), checkpoint };
  if (formatHead(proof) !== head) throw malformed('is not in its canonical form');
  parseCheckpoint(parseNote(checkpoint).text);
  return proof;
}

function formatHead({ index, path, extra }: Omit<TlogProof, 'checkpoint'>): string {
  const first = extra === undefined ? '' : `extra ${formatBase64(extra)}\n`;
  const hashes = path.map((hash) => `${formatBase64(hash)}\n`);
  return `${FIRST_LINE}\n${first}index ${index}\n${hashes.join('')}`;
}

/** Reads the lines before the blank one, each with its newline. */
function parseHead(head: string): Omit<TlogProof, 'checkpoint'> {
  const [first, ...lines] = head.slice(0, -1).split('\n');
  if (first !== FIRST_LINE) throw malformed(`does not begin with ${FIRST_LINE}`);
  let extra: Uint8Array | undefined;
  if (lines[0]?.startsWith('extra ')) {
    extra = parseBase64(lines.shift()!.slice('extra '.length), 'extra data');
    if (extra.length === 0) throw malformed('has an empty extra line');
    if (extra.length > MAX_PROOF_EXTRA_BYTES) {
      throw new NewelError('too_large', `proof has more than ${MAX_PROOF_EXTRA_BYTES} bytes of extra data`);
    }
  }
  const indexLine = lines.shift();
  if (!indexLine?.startsWith('index ')) throw malformed('has no index line');
  const index = parseDecimal(indexLine.slice('index '.length), 'leaf index');
  if (lines.length > MAX_PROOF_HASHES)
    throw new NewelError('too_large', `proof has more than ${MAX_PROOF_HASHES} hashes`);
  const path = lines.map((line, i) => {
    const hash = parseBase64(line, `hash ${i} of the proof`);
    if (hash.length !== HASH_SIZE) throw malformed(`has ${hash.length} bytes in hash ${i}, not ${HASH_SIZE}`);
    return hash;
  });
  return { index, path, ...(extra !== undefined && { extra }) };
}

/** Where the first empty line is: the index of its newline. */
function indexOfBlankLine(bytes: Uint8Array): number {
  let at = bytes.indexOf(LF);
  while (at !== -1 && bytes[at + 1] !== LF) at = bytes.indexOf(LF, at + 1);
  return at === -1 ? -1 : at + 1;
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `proof ${flaw}`);
}
