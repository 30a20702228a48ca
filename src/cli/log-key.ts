/** The key that signs a log's tree heads, from the log's folder. */

import { readFile, stat } from 'node:fs/promises';
import { NewelError } from '../errors.ts';
import { ed25519Signer, ed25519Verifier, type Signer, type Verifier } from '../formats/note.ts';
import { formatVkey, KEY_TYPE, newVkey, parseSkey } from '../formats/vkey.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import type { Folder } from './folder.ts';

export interface LogKey {
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly vkey: string;
}

/** The key that signs tree heads. Throws `log_refused` where it is missing, unreadable, or named as another log. */
export async function readLogKey({ origin, paths }: Folder): Promise<LogKey> {
  await assertPrivate(paths.logKey);
  let skey: ReturnType<typeof parseSkey>;
  try {
    skey = parseSkey((await readFile(paths.logKey, 'utf8')).replace(/\n$/, ''), { ed25519: nodeEd25519 });
  } catch (cause) {
    const what = cause instanceof NewelError ? `is damaged (${cause.message})` : 'cannot be read';
    throw new NewelError(
      'log_refused',
      `the log's key ${paths.logKey} ${what}: bring back the one that init made`,
      { cause },
    );
  }
  if (skey.name !== origin) {
    const message = `${paths.logKey} is the key of ${skey.name}, and the folder is of ${origin}: bring back its own`;
    throw new NewelError('log_refused', message);
  }
  const key = newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(skey.seed));
  return {
    signer: ed25519Signer(origin, skey.seed, nodeEd25519),
    verifier: ed25519Verifier(key, nodeEd25519),
    vkey: formatVkey(key),
  };
}

/** Throws `log_refused` where others than the owner may read or write a key file. Windows has no such bits. */
export async function assertPrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const { mode } = await stat(path).catch(() => ({ mode: 0 }));
  if ((mode & 0o077) === 0) return;
  const bits = (mode & 0o777).toString(8);
  throw new NewelError(
    'log_refused',
    `the key ${path} is open to others (mode ${bits}): chmod 600, and think of who may have read it`,
  );
}
