/**
 * The private key of a cosigner, in the form of signer keys (`vkey.ts`) with the type that it cosigns with:
 *
 *   PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64 of 0x04 or 0x06 ‖ 32-byte seed>
 *
 * The key id is that of the public key, for which an ML-DSA-44 key needs its arithmetic.
 */

import { concatBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import { type Ed25519, nobleEd25519 } from './ed25519.ts';
import type { Mldsa44 } from './mldsa.ts';
import { formatKeyId, KEY_TYPE, newVkey, type Vkey } from './vkey.ts';

export interface CosignerKey {
  /** Of type 0x04 or 0x06. */
  readonly vkey: Vkey;
  /** 32 bytes. It is the secret. */
  readonly seed: Uint8Array;
}

/** Who derives public keys. */
export interface CosignerKeyArithmetic {
  readonly ed25519?: Ed25519;
  readonly mldsa44: Pick<Mldsa44, 'publicKey'>;
}

const PREFIX = 'PRIVATE+KEY+';
const SEED_BYTES = 32;
// The last part is base64 and may hold plus signs of its own.
const KEY = /^PRIVATE\+KEY\+([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/;

/** The key of a seed. Throws `RangeError` for a name that is none, another type, a seed of another length. */
export function newCosignerKey(
  { name, type, seed }: { readonly name: string; readonly type: number; readonly seed: Uint8Array },
  arithmetic: CosignerKeyArithmetic,
): CosignerKey {
  if (seed.length !== SEED_BYTES)
    throw new RangeError(`seed expected ${SEED_BYTES} bytes, got ${seed.length}`);
  return { vkey: newVkey(name, type, publicKeyOf(type, seed, arithmetic)), seed };
}

/** The text of a key. It belongs in a file that only its owner reads. */
export function formatCosignerKey({ vkey: { name, keyId, type }, seed }: CosignerKey): string {
  return `${PREFIX}${name}+${formatKeyId(keyId)}+${formatBase64(concatBytes(Uint8Array.of(type), seed))}`;
}

/** Reads a key; derives its public key to check the key id. Throws `malformed`, telling nothing of it. */
export function parseCosignerKey(text: string, arithmetic: CosignerKeyArithmetic): CosignerKey {
  const [, name = '', keyId = '', base64 = ''] = KEY.exec(text) ?? [];
  if (name === '')
    throw malformed('is not PRIVATE+KEY+<name>+<8 lower-case hex digits>+<base64 of 33 bytes>');
  const bytes = parseBase64(base64, 'cosigner key');
  const type = bytes[0]!;
  if (type !== KEY_TYPE.cosignatureEd25519 && type !== KEY_TYPE.mldsa44)
    throw malformed('is not of type 4 or 6, with which cosigners sign');
  let key: CosignerKey;
  try {
    key = newCosignerKey({ name, type, seed: bytes.slice(1) }, arithmetic);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw malformed('has a name with a space or a control character');
  }
  if (formatKeyId(key.vkey.keyId) !== keyId) throw malformed('has the key id of another name or key');
  return key;
}

function publicKeyOf(
  type: number,
  seed: Uint8Array,
  { ed25519 = nobleEd25519, mldsa44 }: CosignerKeyArithmetic,
): Uint8Array {
  if (type === KEY_TYPE.cosignatureEd25519) return ed25519.publicKey(seed);
  if (type === KEY_TYPE.mldsa44) return mldsa44.publicKey(seed);
  throw new RangeError(`type expected 4 or 6, got ${type}`);
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `cosigner key ${flaw}`);
}
