/**
 * Checkpoints (C2SP tlog-checkpoint): a signed note whose text is the head of a tree. Newel writes and reads exactly
 * three lines; extension lines are refused, since no ML-DSA-44 signature and no witness vouches for them. Only a witness
 * and a monitor of other people's logs read them, and pass them over.
 *
 *   example.com/behind-the-sofa                        origin
 *   20852163                                           tree size
 *   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=       root hash
 */

import { HASH_SIZE } from '../core/hash.ts';
import { isSize } from '../core/int.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import { parseDecimal } from './decimal.ts';
import { openNote, type NoteSignature, type Verifier } from './note.ts';
import { hasControlCharacter, isWellFormed } from './text.ts';

export interface Checkpoint {
  /** Who the log is. Other logs' origins need not be URLs; `assertOrigin` says what ours must be. */
  readonly origin: string;
  /** Leaves in the tree, below 2^53. */
  readonly size: number;
  /** The RFC 6962 root of the tree, 32 bytes. */
  readonly root: Uint8Array;
}

/** The note text of a checkpoint. Throws `RangeError` for one that `parseCheckpoint` would not give back. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  if (!isLine(origin)) throw new RangeError('origin expected a non-empty line of text');
  if (!isSize(size)) throw new RangeError(`size expected a whole number below 2^53, got ${size}`);
  if (root.length !== HASH_SIZE) throw new RangeError(`root expected ${HASH_SIZE} bytes, got ${root.length}`);
  return `${origin}\n${size}\n${formatBase64(root)}\n`;
}

/** Reads a note text as a checkpoint. Throws `malformed`. */
export function parseCheckpoint(text: string): Checkpoint {
  const { origin, size, root, extensions } = parseCheckpointWithExtensions(text);
  if (extensions.length > 0) throw malformed('has extension lines, which this version does not accept');
  return { origin, size, root };
}

/** As `parseCheckpoint`, of any log: with its extension lines, which nobody vouches for. None is empty. */
export function parseCheckpointWithExtensions(
  text: string,
): Checkpoint & { readonly extensions: readonly string[] } {
  if (!text.endsWith('\n')) throw malformed('does not end in a newline');
  const [origin, size, root, ...extensions] = text.slice(0, -1).split('\n');
  if (origin === undefined || size === undefined || root === undefined)
    throw malformed('has fewer than three lines');
  if (![origin, ...extensions].every(isLine)) throw malformed('has no valid origin or extension line');
  const hash = parseBase64(root, 'root hash');
  if (hash.length !== HASH_SIZE) throw malformed(`has a root hash of ${hash.length} bytes, not ${HASH_SIZE}`);
  return { origin, size: parseDecimal(size, 'tree size'), root: hash, extensions };
}

/**
 * Opens a signed checkpoint of the log `origin`. Beyond what `openNote` demands, one of the verified lines must be by
 * a key named as the origin that is not a secondary one: the log itself, not witnesses alone. `signatures` are the
 * verified lines.
 * Throws `signer_unknown` where the checkpoint is another log's, and what `openNote` and `parseCheckpoint` throw.
 */
export function openCheckpoint(
  bytes: Uint8Array,
  verifiers: readonly Verifier[],
  origin: string,
): Checkpoint & { readonly signatures: NoteSignature[] } {
  const { text, verified } = openNote(bytes, verifiers);
  const checkpoint = parseCheckpoint(text);
  if (checkpoint.origin !== origin) throw new NewelError('signer_unknown', 'checkpoint is of another origin');
  const own = verifiers.filter(({ name, isSecondary }) => name === origin && !isSecondary);
  if (!verified.some(({ name, keyId }) => name === origin && own.some((key) => key.keyId === keyId))) {
    throw new NewelError('signer_unknown', 'checkpoint has no signature by the log itself');
  }
  return { ...checkpoint, signatures: verified };
}

function isLine(line: string): boolean {
  return line !== '' && !line.includes('\n') && !hasControlCharacter(line) && isWellFormed(line);
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `checkpoint ${flaw}`);
}
