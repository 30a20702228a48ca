/**
 * Signed notes (C2SP signed-note; the semantics of Go's sumdb/note).
 *
 *   This is an example message.                              text, ends in a newline, may hold blank lines
 *                                                            the last blank line ends it
 *   — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6…     em dash, key name, base64 of key id (4 bytes) ‖ signature
 *
 * What a note says is worth nothing until `openNote` has verified a line by a key that the caller knows.
 */

import { equalBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from './base64.ts';
import {
  type Ed25519,
  type Ed25519Verification,
  isAcceptableKey,
  nobleEd25519,
  nobleVerification,
} from './ed25519.ts';
import { isKeyName } from './key-name.ts';
import { decodeUtf8, encodeUtf8, hasControlCharacter, isWellFormed } from './text.ts';
import { assertKeyId, KEY_TYPE, newVkey, type Vkey } from './vkey.ts';

/** Bytes that a note may have. */
export const MAX_NOTE_BYTES: number = 256 * 1024;
/** Signature lines that a note may have. */
export const MAX_NOTE_LINES = 100;

/** Signs as one key. */
export interface Signer {
  readonly name: string;
  readonly keyId: number;
  /** The signature of `message`, at least one byte, without the key id. */
  sign(message: Uint8Array): Uint8Array;
}

/** Verifies as one key. */
export interface Verifier {
  readonly name: string;
  readonly keyId: number;
  /** Of a key whose lines must hold where they are and vouch for nothing alone. */
  readonly isSecondary?: true;
  /** Whether `signature`, without the key id, is this key's over `message`. Never throws. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** A signature line. */
export interface NoteSignature {
  readonly name: string;
  readonly keyId: number;
  /** What follows the four bytes of the key id. */
  readonly signature: Uint8Array;
}

export interface Note {
  /** The signed text, its last newline included. */
  readonly text: string;
  /** Every signature line in order, repeated ones too. */
  readonly signatures: readonly NoteSignature[];
}

/** A note whose signatures were checked against known keys. */
export interface OpenedNote {
  readonly text: string;
  /** One line for each known key that signed, in the order of the note. At least one. */
  readonly verified: NoteSignature[];
  /** The lines of unknown keys, repeated ones once. They say nothing. */
  readonly unverified: NoteSignature[];
}

const LINE_PREFIX = '— ';
const KEY_ID_BYTES = 4;

/** Reads a note without verifying anything. Throws `malformed`, or `too_large` over the two limits. */
export function parseNote(bytes: Uint8Array): Note {
  if (bytes.length > MAX_NOTE_BYTES)
    throw new NewelError('too_large', `note is longer than ${MAX_NOTE_BYTES} bytes`);
  const note = decodeUtf8(bytes);
  if (hasControlCharacter(note)) throw malformed('holds a control character');
  const blank = note.lastIndexOf('\n\n');
  if (blank === -1) throw malformed('has no blank line between text and signatures');
  return { text: note.slice(0, blank + 1), signatures: parseSignatureLines(note.slice(blank + 2)) };
}

/**
 * Reads signature lines, in a note or without one, as a witness answers them. At least one. Throws `malformed`, or
 * `too_large` over the limits of a note.
 */
export function parseSignatureLines(text: string): NoteSignature[] {
  if (text === '') throw malformed('has no signature line');
  if (text.length > MAX_NOTE_BYTES)
    throw new NewelError('too_large', `note is longer than ${MAX_NOTE_BYTES} bytes`);
  if (!text.endsWith('\n')) throw malformed('does not end in a newline');
  const lines = text.slice(0, -1).split('\n', MAX_NOTE_LINES + 1);
  if (lines.length > MAX_NOTE_LINES) {
    throw new NewelError('too_large', `note has more than ${MAX_NOTE_LINES} signature lines`);
  }
  return lines.map(parseLine);
}

/** The text of signature lines. Throws `RangeError` for lines that `parseSignatureLines` would not give back. */
export function formatSignatureLines(lines: readonly NoteSignature[]): string {
  if (lines.length === 0 || lines.length > MAX_NOTE_LINES) {
    throw new RangeError(`signatures expected 1 to ${MAX_NOTE_LINES}, got ${lines.length}`);
  }
  const text = lines.map(formatLine).join('');
  if (text.length > MAX_NOTE_BYTES)
    throw new RangeError(`signatures expected at most ${MAX_NOTE_BYTES} characters`);
  return text;
}

/** The bytes of a note. Throws `RangeError` for a note that `parseNote` would not give back. */
export function formatNote(note: Note): Uint8Array {
  assertText(note.text);
  const bytes = encodeUtf8(`${note.text}\n${formatSignatureLines(note.signatures)}`);
  if (bytes.length > MAX_NOTE_BYTES) throw new RangeError(`note expected at most ${MAX_NOTE_BYTES} bytes`);
  return bytes;
}

/**
 * A note of `text` with one line by each signer, in their order. Throws `RangeError` for a text that no note can hold
 * (no newline at its end, a control character, a lone surrogate), for no signer and for two of one name and key id.
 */
export function signNote(text: string, signers: readonly Signer[]): Uint8Array {
  assertText(text);
  byKey(signers);
  const message = encodeUtf8(text);
  const signatures = signers.map((signer) => ({
    name: signer.name,
    keyId: signer.keyId,
    signature: signer.sign(message),
  }));
  return formatNote({ text, signatures });
}

/**
 * Opens a note with the keys that the caller knows. Every line by a known key must verify: a single false one rejects
 * the note (`signature_invalid`), and so does the lack of any (`signer_unknown`). Lines by other keys are ignored.
 * Throws also what `parseNote` throws, and `RangeError` for two verifiers of one name and key id.
 */
export function openNote(bytes: Uint8Array, verifiers: readonly Verifier[]): OpenedNote {
  const known = byKey(verifiers);
  const { text, signatures } = parseNote(bytes);
  const message = encodeUtf8(text);
  const verified = new Map<string, NoteSignature>();
  const unverified = new Map<string, NoteSignature>();
  for (const line of signatures) {
    const key = keyOf(line);
    const verifier = known.get(key);
    if (verifier === undefined) {
      unverified.set(`${key} ${formatBase64(line.signature)}`, line);
      continue;
    }
    const earlier = verified.get(key);
    if (earlier !== undefined && equalBytes(earlier.signature, line.signature)) continue;
    if (!verifier.verify(message, line.signature)) {
      throw new NewelError('signature_invalid', 'note has a false signature by a known key');
    }
    if (earlier === undefined) verified.set(key, line);
  }
  if (verified.size === 0) throw new NewelError('signer_unknown', 'note has no signature by a known key');
  return { text, verified: [...verified.values()], unverified: [...unverified.values()] };
}

/** A signer of type 0x01: Ed25519 over the note's text. It keeps a copy of the seed. */
export function ed25519Signer(name: string, seed: Uint8Array, ed25519: Ed25519 = nobleEd25519): Signer {
  const secret = seed.slice();
  const { keyId } = newVkey(name, KEY_TYPE.ed25519, ed25519.publicKey(secret));
  return { name, keyId, sign: (message) => ed25519.sign(secret, message) };
}

/** A verifier of type 0x01. Throws `malformed` for a key of another type, with another's key id, or unacceptable. */
export function ed25519Verifier(vkey: Vkey, ed25519: Ed25519Verification = nobleVerification): Verifier {
  if (vkey.type !== KEY_TYPE.ed25519)
    throw new NewelError('malformed', 'verifier key is not of type 1, Ed25519');
  const { name, keyId } = vkey;
  const publicKey = vkey.publicKey.slice();
  if (!isAcceptableKey(publicKey)) {
    throw new NewelError('malformed', 'verifier key is not an acceptable Ed25519 key');
  }
  assertKeyId(vkey);
  return { name, keyId, verify: (message, signature) => ed25519.verify(publicKey, message, signature) };
}

function parseLine(line: string, index: number): NoteSignature {
  const where = `signature line ${index + 1}`;
  if (!line.startsWith(LINE_PREFIX))
    throw malformed(`does not begin its ${where} with an em dash and a space`);
  const space = line.indexOf(' ', LINE_PREFIX.length);
  if (space === -1) throw malformed(`has no signature in ${where}`);
  const name = line.slice(LINE_PREFIX.length, space);
  if (!isKeyName(name)) throw malformed(`has no valid key name in ${where}`);
  const bytes = parseBase64(line.slice(space + 1), `note's ${where}`);
  if (bytes.length <= KEY_ID_BYTES) throw malformed(`has no signature after the key id in ${where}`);
  const keyId = new DataView(bytes.buffer).getUint32(0);
  return { name, keyId, signature: bytes.subarray(KEY_ID_BYTES) };
}

function formatLine({ name, keyId, signature }: NoteSignature): string {
  if (!isKeyName(name)) throw new RangeError('name expected a key name: not empty, no space, no plus');
  if (!Number.isInteger(keyId) || keyId < 0 || keyId >= 2 ** 32) {
    throw new RangeError(`keyId expected a uint32, got ${keyId}`);
  }
  if (signature.length === 0) throw new RangeError('signature expected at least one byte');
  const bytes = new Uint8Array(KEY_ID_BYTES + signature.length);
  new DataView(bytes.buffer).setUint32(0, keyId);
  bytes.set(signature, KEY_ID_BYTES);
  return `${LINE_PREFIX}${name} ${formatBase64(bytes)}\n`;
}

function assertText(text: string): void {
  if (!text.endsWith('\n')) throw new RangeError('text expected a newline at its end');
  if (hasControlCharacter(text)) throw new RangeError('text expected no control character');
  if (!isWellFormed(text)) throw new RangeError('text expected no lone surrogate');
}

/** What the spec calls the identity of a key. A key name holds no space. */
function keyOf({ name, keyId }: { readonly name: string; readonly keyId: number }): string {
  return `${name} ${keyId}`;
}

function byKey<K extends Signer | Verifier>(keys: readonly K[]): Map<string, K> {
  const map = new Map(keys.map((key) => [keyOf(key), key]));
  if (map.size < keys.length) throw new RangeError('keys expected no two of one name and key id');
  return map;
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `note ${flaw}`);
}
