/**
 * The log's second key, ML-DSA-44: it makes the line that holds against quantum computers and has a time in it. A log
 * that was made before there was one goes on without it.
 */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createFile, hasCode } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { type Cosigner, cosignatureVerifier, mldsa44Cosigner } from '../formats/cosignature.ts';
import { MLDSA44_SEED_BYTES, MLDSA44_SIGNATURE_BYTES } from '../formats/mldsa.ts';
import { parseNote, type Verifier } from '../formats/note.ts';
import { formatSkey, formatVkey, KEY_TYPE, newVkey, parseSkey, type Vkey } from '../formats/vkey.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import type { Folder, FolderPaths } from './folder.ts';
import { assertPrivate } from './log-key.ts';
import { MldsaThread, nodeMldsa44 } from './mldsa-node.ts';

export interface SecondKey {
  readonly vkey: string;
  readonly cosigner: Cosigner;
  readonly verifier: Verifier;
  /** Lets go of the thread that signs. */
  close(): Promise<void>;
}

/** Of a line by it: a time and a signature. */
const LINE_BYTES = 8 + MLDSA44_SIGNATURE_BYTES;
const ARITHMETIC = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };

/** Makes the key of a new log, and its file. */
export async function createSecondKey(paths: FolderPaths, origin: string): Promise<Vkey> {
  const seed = Uint8Array.from(randomBytes(MLDSA44_SEED_BYTES));
  const skey = formatSkey({ name: origin, seed, type: KEY_TYPE.mldsa44 }, ARITHMETIC);
  await createFile(paths.secondKey, `${skey}\n`);
  return newVkey(origin, KEY_TYPE.mldsa44, nodeMldsa44.publicKey(seed));
}

/** `undefined` of a log that has none. Throws `log_refused` where it is unreadable, or named as another log. */
export async function readSecondKey({ origin, paths }: Folder): Promise<SecondKey | undefined> {
  let text: string;
  try {
    text = await readFile(paths.secondKey, 'utf8');
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw refused(paths.secondKey, 'cannot be read', cause);
  }
  await assertPrivate(paths.secondKey);
  let skey: ReturnType<typeof parseSkey>;
  try {
    skey = parseSkey(text.replace(/\n$/, ''), ARITHMETIC);
  } catch (cause) {
    throw refused(paths.secondKey, `is damaged (${cause instanceof NewelError ? cause.message : ''})`, cause);
  }
  const { name, seed, type } = skey;
  if (type !== KEY_TYPE.mldsa44) throw refused(paths.secondKey, 'is of another type');
  if (name !== origin)
    throw refused(paths.secondKey, `is the key of ${name}, and the folder is of ${origin}`);
  const vkey = newVkey(origin, KEY_TYPE.mldsa44, nodeMldsa44.publicKey(seed));
  const thread = new MldsaThread();
  return {
    vkey: formatVkey(vkey),
    cosigner: mldsa44Cosigner(vkey, (message) => thread.sign(seed, message)),
    verifier: cosignatureVerifier(vkey, ARITHMETIC),
    close: () => thread.close(),
  };
}

/** Throws `log_refused` where a checkpoint has a line by the second key of its log, which has none now. */
export function assertNeverHadSecondKey({ origin, paths }: Folder, checkpoint: Uint8Array): void {
  const { signatures } = parseNote(checkpoint);
  if (signatures.some(({ name, signature }) => name === origin && signature.length === LINE_BYTES))
    throw refused(paths.secondKey, 'is not there, though the log has signed with it');
}

function refused(path: string, what: string, cause?: unknown): NewelError {
  return new NewelError(
    'log_refused',
    `the log's second key ${path} ${what}: bring back the one that init made`,
    { cause },
  );
}
