/**
 * What is sent to a witness to have it sign a subtree of a tree that it has cosigned (C2SP tlog-witness, "sign-subtree"):
 *
 *   subtree 8 13                                        the leaves of the subtree, [8, 13)
 *   mbsQCg+dEIMGlpqeGgk94JutQwKKS2Lo5IuDhKmDjiU=        its root
 *   CD82D2LDm0phY0+xKbHyZfq3Hw21lVkuV7Zis5EFg0k=        its consistency proof, a hash a line, 0 to 63 of them
 *                                                       an empty line
 *   example.com/behind-the-sofa                         a checkpoint that the witness has cosigned, to the end
 *   …
 */

import { concatBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from '../formats/base64.ts';
import { isDecimal } from '../formats/decimal.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { formatProofLines, parseProofLines, splitBody } from './add-checkpoint-body.ts';

export interface SignSubtree {
  /** Leaves [start, end): whether they are a subtree is for whoever knows the tree. */
  readonly start: number;
  readonly end: number;
  /** The root of the subtree, 32 bytes. */
  readonly hash: Uint8Array;
  /** Hashes of 32 bytes: from the subtree to the tree of the checkpoint. */
  readonly proof: readonly Uint8Array[];
  /** A signed note, unread. */
  readonly checkpoint: Uint8Array;
}

const SUBTREE = 'subtree';

/** Reads the body of `sign-subtree`. Throws `malformed`, or `too_large` over the limits. */
export function parseSignSubtree(bytes: Uint8Array): SignSubtree {
  const { lines, checkpoint } = splitBody(bytes);
  const [range = '', root = '', ...rest] = lines;
  const [keyword, start = '', end = '', ...more] = range.split(' ');
  if (keyword !== SUBTREE || !isDecimal(start) || !isDecimal(end) || more.length > 0)
    throw malformed('does not begin with a subtree range line');
  const hash = parseBase64(root, 'subtree hash');
  if (hash.length !== HASH_SIZE) throw malformed(`has a subtree hash of ${hash.length} bytes`);
  return { start: Number(start), end: Number(end), hash, proof: parseProofLines(rest), checkpoint };
}

/** The body of `sign-subtree`. Throws `RangeError` for what `parseSignSubtree` would not give back. */
export function formatSignSubtree({ start, end, hash, proof, checkpoint }: SignSubtree): Uint8Array {
  if (!isDecimal(String(start)) || !isDecimal(String(end)))
    throw new RangeError(`start and end expected whole numbers below 2^53, got ${start} and ${end}`);
  if (hash.length !== HASH_SIZE) throw new RangeError(`hash expected ${HASH_SIZE} bytes, got ${hash.length}`);
  const head = `${SUBTREE} ${start} ${end}\n${formatBase64(hash)}\n${formatProofLines(proof)}\n`;
  return concatBytes(encodeUtf8(head), checkpoint);
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `the body ${flaw}`);
}
