/**
 * The keys of a witness, a file each in its folder, written as signer keys (`formats/vkey.ts`), and the lines by which a
 * log's policy counts it:
 *
 *   keys/witness-ed25519   type 0x04        keys/witness-mldsa44   type 0x06
 *
 * A witness may do with one of them.
 */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createFile, hasCode } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { type Cosigner, ed25519Cosigner, mldsa44Cosigner } from '../formats/cosignature.ts';
import { formatSkey, formatVkey, KEY_TYPE, newVkey, parseSkey, type Vkey } from '../formats/vkey.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { assertPrivate } from './log-key.ts';
import { type MldsaThread, nodeMldsa44 } from './mldsa-node.ts';
import { formatAddress } from './address.ts';
import type { WitnessFolder } from './witness-folder.ts';

export interface WitnessKey {
  /** Of type 0x04 or 0x06. */
  readonly vkey: Vkey;
  /** 32 bytes. It is the secret. */
  readonly seed: Uint8Array;
}

const SEED_BYTES = 32;
const ARITHMETIC = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };
const TYPES = { ed25519: KEY_TYPE.cosignatureEd25519, mldsa44: KEY_TYPE.mldsa44 } as const;
const KINDS = ['ed25519', 'mldsa44'] as const;

/** Makes the keys of a new witness, and their files. */
export async function createWitnessKeys({ name, paths }: WitnessFolder): Promise<WitnessKey[]> {
  const keys: WitnessKey[] = [];
  for (const kind of KINDS) {
    const seed = Uint8Array.from(randomBytes(SEED_BYTES));
    await createFile(paths[kind], `${formatSkey({ name, seed, type: TYPES[kind] }, ARITHMETIC)}\n`);
    keys.push(witnessKey(name, kind, seed));
  }
  return keys;
}

/** The keys that the folder has, at least one. Throws `log_refused` where one is damaged, open to others, or another's. */
export async function readWitnessKeys({ name, paths }: WitnessFolder): Promise<WitnessKey[]> {
  const keys: WitnessKey[] = [];
  for (const kind of KINDS) {
    const path = paths[kind];
    const skey = await readSkey(path);
    if (!skey) continue;
    if (skey.name !== name || skey.type !== TYPES[kind])
      throw new NewelError(
        'log_refused',
        `${path} is another key than its name says: bring back the one that init made`,
      );
    keys.push(witnessKey(name, kind, skey.seed));
  }
  if (keys.length === 0)
    throw new NewelError('log_refused', `there is no key in ${paths.keys}: bring back those that init made`);
  return keys;
}

/** The files of those that init makes too and that are not among these. */
export function missingKeys({ paths }: WitnessFolder, keys: readonly WitnessKey[]): string[] {
  return KINDS.filter((kind) => !keys.some(({ vkey }) => vkey.type === TYPES[kind])).map(
    (kind) => paths[kind],
  );
}

async function readSkey(path: string): Promise<ReturnType<typeof parseSkey> | undefined> {
  await assertPrivate(path);
  try {
    return parseSkey((await readFile(path, 'utf8')).replace(/\n$/, ''), ARITHMETIC);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    const what = cause instanceof NewelError ? `is damaged (${cause.message})` : 'cannot be read';
    throw new NewelError('log_refused', `the key ${path} ${what}: bring back the one that init made`, {
      cause,
    });
  }
}

function witnessKey(name: string, kind: (typeof KINDS)[number], seed: Uint8Array): WitnessKey {
  return { vkey: newVkey(name, TYPES[kind], ARITHMETIC[kind].publicKey(seed)), seed };
}

/** Signs with a key: with one of ML-DSA-44 in a thread, which there must be then. */
export function witnessCosigner({ vkey, seed }: WitnessKey, thread: MldsaThread | undefined): Cosigner {
  if (vkey.type !== KEY_TYPE.mldsa44) return ed25519Cosigner(vkey.name, seed, nodeEd25519);
  if (!thread) throw new Error('bug: no thread to sign in');
  return mldsa44Cosigner(vkey, (message) => thread.sign(seed, message));
}

/** One party, whatever keys it has: a group that any of them satisfies. */
export function policyLines({ name, url, listen }: WitnessFolder, keys: readonly WitnessKey[]): string[] {
  const prefix = url ?? `http://${formatAddress(listen)}`;
  const named = keys.map(({ vkey }) => ({
    vkey,
    as: `${name}-${vkey.type === KEY_TYPE.mldsa44 ? 'mldsa44' : 'ed25519'}`,
  }));
  return [
    ...named.map(({ vkey, as }) => `witness ${as} ${formatVkey(vkey)} ${prefix}`),
    `group ${name} any ${named.map(({ as }) => as).join(' ')}`,
  ];
}
