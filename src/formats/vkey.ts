/**
 * Verifier keys (C2SP signed-note, "Verifier keys") and signer keys (the private form of Go's sumdb/note).
 *
 *   <name>+<8 hex digits of the key id>+<base64 of type byte ‖ public key>
 *   example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
 *
 *   PRIVATE+KEY+<name>+<8 hex digits of the key id>+<base64 of type byte ‖ 32-byte seed>
 *
 * Go knows the latter of type 0x01; a cosigner's are written in the same way. The key id is the first four bytes of SHA-256(name ‖ LF ‖ type ‖ public key), always of the public key.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import { ED25519_KEY_BYTES, nobleEd25519, type Ed25519 } from './ed25519.ts';
import { isKeyName } from './key-name.ts';
import { type Mldsa44, MLDSA44_PUBLIC_KEY_BYTES } from './mldsa.ts';
import { encodeUtf8 } from './text.ts';

/** Signature types that this program knows, by the byte before the public key. */
export const KEY_TYPE = { ed25519: 0x01, cosignatureEd25519: 0x04, mldsa44: 0x06 } as const;

/** Bytes of the public key of each known type. */
const PUBLIC_KEY_BYTES: ReadonlyMap<number, number> = new Map([
  [KEY_TYPE.ed25519, ED25519_KEY_BYTES],
  [KEY_TYPE.cosignatureEd25519, ED25519_KEY_BYTES],
  [KEY_TYPE.mldsa44, MLDSA44_PUBLIC_KEY_BYTES],
]);

/** Characters that a vkey or skey may have: several times those of the largest post-quantum key. */
export const MAX_KEY_CHARS = 8192;

export interface Vkey {
  readonly name: string;
  /** The key id, a uint32. With the name it says which key a signature line is by. */
  readonly keyId: number;
  /** The signature type byte, one of `KEY_TYPE` or one unknown to this program. */
  readonly type: number;
  readonly publicKey: Uint8Array;
}

/** The key id of a key whose type follows the recommended rule, as all of `KEY_TYPE` do. */
export function keyIdOf(name: string, type: number, publicKey: Uint8Array): number {
  const hash = sha256(concatBytes(encodeUtf8(`${name}\n`), Uint8Array.of(type), publicKey));
  return ((hash[0]! << 24) | (hash[1]! << 16) | (hash[2]! << 8) | hash[3]!) >>> 0;
}

/** The key id as 8 hex digits. */
export function formatKeyId(keyId: number): string {
  if (!isUint(keyId, 2 ** 32)) throw new RangeError(`keyId expected a uint32, got ${keyId}`);
  return keyId.toString(16).padStart(8, '0');
}

/** A vkey of a known type, with its key id. Throws `RangeError` for a name or a length that the type does not allow. */
export function newVkey(name: string, type: number, publicKey: Uint8Array): Vkey {
  if (!isKeyName(name)) throw new RangeError('name expected a key name: not empty, no space, no plus');
  const want = PUBLIC_KEY_BYTES.get(type);
  if (want === undefined) throw new RangeError(`type expected a known signature type, got ${type}`);
  if (publicKey.length !== want)
    throw new RangeError(`publicKey expected ${want} bytes, got ${publicKey.length}`);
  return { name, keyId: keyIdOf(name, type, publicKey), type, publicKey };
}

/** The text of a vkey. */
export function formatVkey(vkey: Vkey): string {
  if (!isKeyName(vkey.name)) throw new RangeError('name expected a key name: not empty, no space, no plus');
  if (!isUint(vkey.type, 256)) throw new RangeError(`type expected a byte, got ${vkey.type}`);
  const key = formatBase64(concatBytes(Uint8Array.of(vkey.type), vkey.publicKey));
  return `${vkey.name}+${formatKeyId(vkey.keyId)}+${key}`;
}

/**
 * Reads a vkey. Of a known type, the length of the key and the key id must be right; a key of another type is passed
 * on as it stands, since its key id may follow another rule. Whether an Ed25519 key is acceptable is for whoever makes
 * a verifier of it. Throws `malformed`.
 */
export function parseVkey(text: string): Vkey {
  const { name, keyId, type, key } = parseKey(text, 'verifier key');
  const want = PUBLIC_KEY_BYTES.get(type);
  if (want !== undefined && key.length !== want) {
    throw new NewelError('malformed', `verifier key of type ${type} has ${key.length} bytes, not ${want}`);
  }
  const vkey = { name, keyId, type, publicKey: key };
  if (want !== undefined) assertKeyId(vkey);
  return vkey;
}

/** Throws `malformed` unless the key id is that of the name and the key, by the recommended rule. */
export function assertKeyId({ name, keyId, type, publicKey }: Vkey): void {
  if (keyId !== keyIdOf(name, type, publicKey))
    throw new NewelError('malformed', 'verifier key has the key id of another name or key');
}

/** Who derives public keys from seeds. */
export interface SkeyArithmetic {
  readonly ed25519?: Pick<Ed25519, 'publicKey'>;
  /** Whoever gives it takes signer keys of cosigners, types 0x04 and 0x06, besides those of type 0x01. */
  readonly mldsa44?: Pick<Mldsa44, 'publicKey'>;
}

/** The text of a signer key. It is the secret: it belongs in a file that only its owner reads. */
export function formatSkey(
  key: { readonly name: string; readonly seed: Uint8Array; readonly type?: number },
  arithmetic: SkeyArithmetic = {},
): string {
  const { name, seed, type = KEY_TYPE.ed25519 } = key;
  const publicKey = publicKeyOf(type, seed, arithmetic);
  if (publicKey === undefined) throw new RangeError(`type expected one with arithmetic for it, got ${type}`);
  const { keyId } = newVkey(name, type, publicKey);
  return `${SKEY_PREFIX}${name}+${formatKeyId(keyId)}+${formatBase64(concatBytes(Uint8Array.of(type), seed))}`;
}

/** Reads a signer key; derives its public key to check the key id. Throws `malformed`, telling nothing of it. */
export function parseSkey(
  text: string,
  arithmetic: SkeyArithmetic = {},
): { name: string; keyId: number; type: number; seed: Uint8Array } {
  if (!text.startsWith(SKEY_PREFIX))
    throw new NewelError('malformed', `signer key does not begin with ${SKEY_PREFIX}`);
  const { name, keyId, type, key: seed } = parseKey(text.slice(SKEY_PREFIX.length), 'signer key');
  if (seed.length !== ED25519_KEY_BYTES) {
    throw new NewelError(
      'malformed',
      `signer key has a seed of ${seed.length} bytes, not ${ED25519_KEY_BYTES}`,
    );
  }
  const publicKey = publicKeyOf(type, seed, arithmetic);
  if (publicKey === undefined) {
    const types = arithmetic.mldsa44 ? '1, 4 or 6' : '1, Ed25519';
    throw new NewelError('malformed', `signer key is not of type ${types}`);
  }
  if (keyId !== keyIdOf(name, type, publicKey)) {
    throw new NewelError('malformed', 'signer key has the key id of another name or key');
  }
  return { name, keyId, type, seed };
}

/** `undefined` for a type that is not taken. Every type's seed has 32 bytes. */
function publicKeyOf(
  type: number,
  seed: Uint8Array,
  { ed25519 = nobleEd25519, mldsa44 }: SkeyArithmetic,
): Uint8Array | undefined {
  if (type === KEY_TYPE.ed25519) return ed25519.publicKey(seed);
  if (mldsa44 && type === KEY_TYPE.cosignatureEd25519) return ed25519.publicKey(seed);
  return type === KEY_TYPE.mldsa44 ? mldsa44?.publicKey(seed) : undefined;
}

const SKEY_PREFIX = 'PRIVATE+KEY+';

// The last part is base64 and may hold plus signs of its own.
const KEY = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s;

function parseKey(
  text: string,
  what: string,
): { name: string; keyId: number; type: number; key: Uint8Array } {
  if (text.length > MAX_KEY_CHARS)
    throw new NewelError('too_large', `${what} is longer than ${MAX_KEY_CHARS} characters`);
  const parts = KEY.exec(text);
  if (parts === null)
    throw new NewelError('malformed', `${what} is not <name>+<8 lower-case hex digits>+<base64>`);
  const [, name = '', keyId = '', base64 = ''] = parts;
  if (!isKeyName(name))
    throw new NewelError('malformed', `${what} has a name with a space or a control character`);
  const bytes = parseBase64(base64, what);
  if (bytes.length < 2) throw new NewelError('malformed', `${what} has a type but no key`);
  return { name, keyId: Number.parseInt(keyId, 16), type: bytes[0]!, key: bytes.subarray(1) };
}

function isUint(x: number, below: number): boolean {
  return Number.isInteger(x) && x >= 0 && x < below;
}
