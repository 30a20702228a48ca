/**
 * Cosignatures (C2SP tlog-cosignature): signature lines that say of a checkpoint, or of a subtree, that whoever signed
 * saw it extend all that it had seen of the log before, and when. A line's signature is
 *
 *   timestamp  8 bytes, big-endian, seconds since 1970    signature  64 bytes (0x04, Ed25519) or 2,420 (0x06, ML-DSA-44)
 *
 * and what is signed is, with the key type 0x04, the text of the checkpoint behind two lines
 *
 *   cosignature/v1
 *   time 1679315147
 *   example.com/behind-the-sofa
 *   20852163
 *   CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *
 * and with 0x06, which any extension lines of the checkpoint are no part of,
 *
 *   73 75 62 74 72 65 65 2f 76 31 0a 00                  "subtree/v1", LF, NUL
 *   length, name of the cosigner       1 + 1 … 255 bytes
 *   timestamp                          8 bytes, big-endian; 0 where nothing is said about the newest tree
 *   length, origin of the log          1 + 1 … 255 bytes
 *   start, end                         8 bytes each: the subtree's leaves, [start, end); of a checkpoint 0 and its size
 *   hash                               32 bytes
 */

import { concatBytes } from '../core/bytes.ts';
import { HASH_SIZE } from '../core/hash.ts';
import { assertSize, isSize } from '../core/int.ts';
import { NewelError } from '../errors.ts';
import { parseCheckpointWithExtensions } from './checkpoint.ts';
import {
  ED25519_SIGNATURE_BYTES,
  type Ed25519,
  type Ed25519Verification,
  isAcceptableKey,
  nobleEd25519,
  nobleVerification,
} from './ed25519.ts';
import { type Mldsa44, MLDSA44_SIGNATURE_BYTES } from './mldsa.ts';
import type { NoteSignature, Verifier } from './note.ts';
import { decodeUtf8, encodeUtf8 } from './text.ts';
import { assertKeyId, KEY_TYPE, newVkey, type Vkey } from './vkey.ts';

/** What the signature of a cosignature line is made of. */
export interface TimestampedSignature {
  /** When it was made, in seconds since 1970; 0 of a subtree that no time is said of. */
  readonly timestampS: number;
  readonly signature: Uint8Array;
}

/** What a cosignature of type 0x06 says. */
export interface SubtreeStatement {
  /** The cosigner's key name. */
  readonly cosigner: string;
  /** Seconds since 1970, or 0: nothing is said about the newest tree. Always 0 where `start` is not. */
  readonly timestampS: number;
  readonly origin: string;
  readonly start: number;
  /** Behind the last leaf; the tree size where `start` is 0. */
  readonly end: number;
  /** The root of the subtree, 32 bytes. */
  readonly hash: Uint8Array;
}

/** Who verifies. ML-DSA-44 nobody does unless it is given. */
export interface CosignatureArithmetic {
  readonly ed25519?: Ed25519Verification | undefined;
  readonly mldsa44?: Pick<Mldsa44, 'verify'> | undefined;
}

/** Cosigns as one key. */
export interface Cosigner {
  readonly vkey: Vkey;
  /**
   * The line over a checkpoint's note text. Rejects with `malformed` for a text that is no checkpoint, and `RangeError` for
   * a timestamp that is 0 or no whole number below 2^53.
   */
  cosign(text: string, timestampS: number): Promise<NoteSignature>;
  /** The line over a subtree, only of keys of type 0x06. Rejects with `RangeError` for what cannot be stated. */
  cosignSubtree?(statement: Omit<SubtreeStatement, 'cosigner'>): Promise<NoteSignature>;
}

const TIMESTAMP_BYTES = 8;
const MAX_NAME_BYTES = 255;

/** Reads what follows the key id of a cosignature line. Throws `malformed`, also for a timestamp of 2^53 or more. */
export function parseTimestampedSignature(bytes: Uint8Array): TimestampedSignature {
  const signature = bytes.subarray(TIMESTAMP_BYTES);
  if (isKnownLength(signature)) {
    const timestampS = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
    if (isSize(timestampS)) return { timestampS, signature };
  }
  throw malformed('is no timestamp below 2^53 and signature');
}

/** What follows the key id of a cosignature line. Throws `RangeError` for what `parseTimestampedSignature` refuses. */
export function formatTimestampedSignature(timestampS: number, signature: Uint8Array): Uint8Array {
  if (!isKnownLength(signature))
    throw new RangeError(`signature expected the length of a known one, got ${signature.length} bytes`);
  assertSize(timestampS, 'timestampS');
  return concatBytes(uint64(timestampS), signature);
}

/** What a cosignature of type 0x04 signs, from the note text of a checkpoint. */
export function cosignatureMessage(text: string, timestampS: number): Uint8Array {
  assertSize(timestampS, 'timestampS');
  return encodeUtf8(`cosignature/v1\ntime ${timestampS}\n${text}`);
}

/** What a cosignature of type 0x06 signs. Throws `RangeError` for what cannot be stated. */
export function subtreeMessage(statement: SubtreeStatement): Uint8Array {
  const { cosigner, timestampS, origin, start, end, hash } = statement;
  if (!isStatable(cosigner) || !isStatable(origin))
    throw new RangeError(`names expected 1 to ${MAX_NAME_BYTES} bytes of UTF-8`);
  for (const x of [timestampS, start, end]) assertSize(x, 'timestampS, start and end');
  if (start > end) throw new RangeError(`start expected at most ${end}, got ${start}`);
  if (start !== 0 && timestampS !== 0) throw new RangeError('timestampS expected 0 where start is not 0');
  if (hash.length !== HASH_SIZE) throw new RangeError(`hash expected ${HASH_SIZE} bytes, got ${hash.length}`);
  return formatStatement(statement);
}

/**
 * A verifier of type 0x04 or 0x06 over the note text of a checkpoint. A timestamp of 0 is false: it is not said of a
 * checkpoint when it was the newest. Throws `malformed` for a key of another type, one with another's key id, one that is
 * not acceptable, and one of type 0x06 without arithmetic for it.
 */
export function cosignatureVerifier(
  vkey: Vkey,
  { ed25519 = nobleVerification, mldsa44 }: CosignatureArithmetic = {},
): Verifier {
  const { name, keyId, type } = vkey;
  const publicKey = vkey.publicKey.slice();
  const isEd25519 = type === KEY_TYPE.cosignatureEd25519;
  if (!(isEd25519 ? isAcceptableKey(publicKey) : type === KEY_TYPE.mldsa44 && mldsa44 && isStatable(name)))
    throw malformed('is by a key that cannot be verified');
  assertKeyId(vkey);
  return {
    name,
    keyId,
    verify(message, bytes) {
      try {
        const { timestampS, signature } = parseTimestampedSignature(bytes);
        if (timestampS === 0) return false;
        const text = decodeUtf8(message);
        return isEd25519
          ? ed25519.verify(publicKey, cosignatureMessage(text, timestampS), signature)
          : mldsa44!.verify(publicKey, checkpointMessage(name, text, timestampS), signature);
      } catch (error) {
        if (error instanceof NewelError) return false;
        throw error;
      }
    },
  };
}

/** A cosigner of type 0x04. It keeps a copy of the seed. Throws `RangeError` for a name that is no key name. */
export function ed25519Cosigner(name: string, seed: Uint8Array, ed25519: Ed25519 = nobleEd25519): Cosigner {
  const secret = seed.slice();
  const vkey = newVkey(name, KEY_TYPE.cosignatureEd25519, ed25519.publicKey(secret));
  return {
    vkey,
    async cosign(text, timestampS) {
      assertTimestamp(timestampS);
      parseCheckpointWithExtensions(text);
      return lineOf(vkey, timestampS, ed25519.sign(secret, cosignatureMessage(text, timestampS)));
    },
  };
}

/**
 * A cosigner of type 0x06 whose signatures `sign` makes, which may be elsewhere. Throws `RangeError` for a key of another
 * type, and for a name longer than 255 bytes.
 */
export function mldsa44Cosigner(
  vkey: Vkey,
  sign: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Cosigner {
  const { name, type } = vkey;
  if (type !== KEY_TYPE.mldsa44) throw new RangeError(`vkey expected type 6, ML-DSA-44, got ${type}`);
  if (!isStatable(name)) throw new RangeError(`name expected at most ${MAX_NAME_BYTES} bytes of UTF-8`);
  return {
    vkey,
    async cosign(text, timestampS) {
      assertTimestamp(timestampS);
      return lineOf(vkey, timestampS, await sign(checkpointMessage(name, text, timestampS)));
    },
    async cosignSubtree(statement) {
      const { timestampS } = statement;
      return lineOf(vkey, timestampS, await sign(subtreeMessage({ ...statement, cosigner: name })));
    },
  };
}

/** What a cosignature of type 0x06 signs, from the note text of a checkpoint. Throws `malformed`. */
function checkpointMessage(cosigner: string, text: string, timestampS: number): Uint8Array {
  const { origin, size, root } = parseCheckpointWithExtensions(text);
  if (!isStatable(origin)) throw malformed('is of too long an origin');
  return formatStatement({ cosigner, timestampS, origin, start: 0, end: size, hash: root });
}

function formatStatement({ cosigner, timestampS, origin, start, end, hash }: SubtreeStatement): Uint8Array {
  return concatBytes(
    encodeUtf8('subtree/v1\n\0'),
    ...opaque(cosigner),
    uint64(timestampS),
    ...opaque(origin),
    uint64(start),
    uint64(end),
    hash,
  );
}

function isKnownLength({ length }: Uint8Array): boolean {
  return length === ED25519_SIGNATURE_BYTES || length === MLDSA44_SIGNATURE_BYTES;
}

function lineOf({ name, keyId }: Vkey, timestampS: number, signature: Uint8Array): NoteSignature {
  return { name, keyId, signature: formatTimestampedSignature(timestampS, signature) };
}

function assertTimestamp(timestampS: number): void {
  assertSize(timestampS, 'timestampS');
  if (timestampS === 0) throw new RangeError('timestampS expected more than 0');
}

/** Whether a name fits into a message of type 0x06. */
function isStatable(name: string): boolean {
  return name !== '' && encodeUtf8(name).length <= MAX_NAME_BYTES;
}

/** `opaque<1..2^8-1>` of RFC 8446 §3.4. */
function opaque(name: string): [length: Uint8Array, bytes: Uint8Array] {
  const bytes = encodeUtf8(name);
  return [Uint8Array.of(bytes.length), bytes];
}

function uint64(x: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(x));
  return bytes;
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `cosignature ${flaw}`);
}
