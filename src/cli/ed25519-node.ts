/**
 * Ed25519 by `node:crypto`, many times faster than plain JavaScript, under the very rule of `formats/ed25519.ts`.
 *
 * OpenSSL takes non-canonical and small-order keys, so a key is checked first. And OpenSSL verifies without the
 * cofactor: [S]B = R + [k]A, with R compared byte by byte. What passes that passes the rule too, multiplied by 8; what
 * fails it may still pass (where R or A has a part of small order), so a refusal is left to `nobleEd25519`.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign as signWith,
  verify as verifyWith,
  type KeyObject,
} from 'node:crypto';
import {
  ED25519_KEY_BYTES,
  ED25519_SIGNATURE_BYTES,
  isAcceptableKey,
  nobleEd25519,
  type Ed25519,
} from '../formats/ed25519.ts';

/** DER before the 32 bytes of the key: SubjectPublicKeyInfo and PKCS #8 with the algorithm of RFC 8410. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/** Keys that are kept ready, of each kind. A log has one, a policy a few dozen. */
const MAX_CACHED_KEYS = 256;

const publicKeys = new Map<string, KeyObject | 'unacceptable'>();
const privateKeys = new Map<string, KeyObject>();

export const nodeEd25519: Ed25519 = {
  publicKey(seed) {
    const spki = createPublicKey(privateKeyOf(seed)).export({ format: 'der', type: 'spki' });
    return Uint8Array.from(spki.subarray(SPKI_PREFIX.length));
  },
  sign(seed, message) {
    return Uint8Array.from(signWith(null, message, privateKeyOf(seed)));
  },
  verify(publicKey, message, signature) {
    if (publicKey.length !== ED25519_KEY_BYTES || signature.length !== ED25519_SIGNATURE_BYTES) return false;
    const key = publicKeyOf(publicKey);
    if (key === 'unacceptable') return false;
    return verifyWith(null, message, key, signature) || nobleEd25519.verify(publicKey, message, signature);
  },
};

/** As `nodeEd25519.sign`, in the thread pool. */
export function signAside(seed: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    signWith(null, message, privateKeyOf(seed), (error, signature) => {
      if (error) reject(error);
      else resolve(Uint8Array.from(signature));
    });
  });
}

function publicKeyOf(publicKey: Uint8Array): KeyObject | 'unacceptable' {
  return cached(publicKeys, Buffer.from(publicKey).toString('latin1'), () =>
    isAcceptableKey(publicKey)
      ? createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
      : 'unacceptable',
  );
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  if (seed.length !== ED25519_KEY_BYTES) {
    throw new RangeError(`seed expected ${ED25519_KEY_BYTES} bytes, got ${seed.length}`);
  }
  // Known by its hash, so that no copy of a seed stays behind in a string.
  return cached(privateKeys, createHash('sha256').update(seed).digest('latin1'), () =>
    createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' }),
  );
}

/** The value of `key`, made where there is none; the least recently used value makes room. */
function cached<V>(cache: Map<string, V>, key: string, make: () => V): V {
  const value = cache.get(key) ?? make();
  cache.delete(key);
  cache.set(key, value);
  if (cache.size > MAX_CACHED_KEYS) cache.delete(cache.keys().next().value!);
  return value;
}
