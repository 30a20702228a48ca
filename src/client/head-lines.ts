/**
 * Who says what about a head: its signature lines by keys that a trust file knows, each with the time that it says.
 *
 *   — log.example/bank <0x01>        the log signed this tree
 *   — log.example/bank <0x06>        the log signed this tree, and at that time it was its largest
 *   — witness.example/w <0x04>       the same of a witness, or <0x06>
 */

import { NewelError } from '../errors.ts';
import { parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import {
  type CosignatureArithmetic,
  cosignatureVerifier,
  parseTimestampedSignature,
} from '../formats/cosignature.ts';
import { ed25519Verifier, type NoteSignature, openNote, parseNote, type Verifier } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { formatKeyId, KEY_TYPE, parseVkey, type Vkey } from '../formats/vkey.ts';
import type { Trust } from './trust.ts';

/** A key whose lines count. */
export interface HeadKey {
  readonly name: string;
  readonly keyId: number;
  /** Whether it is the log's own, not a witness's. */
  readonly isLog: boolean;
  /** Whether its lines say when. */
  readonly isTimed: boolean;
  readonly verifier: Verifier;
}

/** A line that was verified. */
export interface HeadLine {
  readonly key: HeadKey;
  readonly line: NoteSignature;
  /** Seconds since 1970, UTC: when the signer says that it knew of no larger tree. */
  readonly timeS: number | undefined;
}

export interface LinedHead {
  /** The signed text. */
  readonly text: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** In the order of the note. */
  readonly lines: readonly HeadLine[];
}

/** Whose lines count: keys as they are listed somewhere. */
export interface ListedKeys {
  /** The log's own, of type 0x01 or 0x06. */
  readonly log: readonly Vkey[];
  /** Of witnesses, of type 0x04 or 0x06. */
  readonly witnesses: readonly Vkey[];
}

/** The keys that can be verified with: those of ML-DSA-44 only where there is arithmetic for them. Throws `malformed`. */
export function headKeys(
  { log, witnesses }: ListedKeys,
  arithmetic: CosignatureArithmetic,
): readonly HeadKey[] {
  const keys = new Map<string, HeadKey>();
  const add = (vkey: Vkey, isLog: boolean): void => {
    const { name, keyId, type } = vkey;
    const isTimed = type !== KEY_TYPE.ed25519;
    if (type === KEY_TYPE.mldsa44 && !arithmetic.mldsa44) return;
    if (keys.has(formatKeyName(vkey))) return;
    const verifier = isTimed
      ? cosignatureVerifier(vkey, arithmetic)
      : ed25519Verifier(vkey, arithmetic.ed25519);
    keys.set(formatKeyName(vkey), { name, keyId, isLog, isTimed, verifier });
  };
  for (const vkey of log) if (LOG_TYPES.has(vkey.type)) add(vkey, true);
  for (const vkey of witnesses) if (WITNESS_TYPES.has(vkey.type)) add(vkey, false);
  return [...keys.values()];
}

const LOG_TYPES: ReadonlySet<number> = new Set([KEY_TYPE.ed25519, KEY_TYPE.mldsa44]);
const WITNESS_TYPES: ReadonlySet<number> = new Set([KEY_TYPE.cosignatureEd25519, KEY_TYPE.mldsa44]);

/** The keys of a trust file: the log's own, and the witnesses of its policy. */
export function headKeysOf({ vkeys, verifiers, policy, ed25519, mldsa44 }: Trust): readonly HeadKey[] {
  // An Ed25519 key that the policy does not list is not believed.
  const log = vkeys.map(parseVkey).filter(({ type, name, keyId }) => {
    return type !== KEY_TYPE.ed25519 || verifiers.some((own) => own.name === name && own.keyId === keyId);
  });
  return headKeys({ log, witnesses: policy.witnesses.map(({ vkey }) => vkey) }, { ed25519, mldsa44 });
}

/** What names a key: its name, a plus and its key id. */
export function formatKeyName({ name, keyId }: Pick<HeadKey, 'name' | 'keyId'>): string {
  return `${name}+${formatKeyId(keyId)}`;
}

/**
 * Opens a head that the log has signed. As `openNote`: every line by a known key must verify. Throws `malformed`,
 * `too_large`, `signature_invalid`, and `signer_unknown` also for a head of another origin or without a line of the log.
 */
export function openHead(note: Uint8Array, origin: string, keys: readonly HeadKey[]): LinedHead {
  const { text, verified } = openNote(
    note,
    keys.map(({ verifier }) => verifier),
  );
  const head = headOf(text, verified, origin, keys);
  if (!head.lines.some(({ key }) => key.isLog)) {
    throw new NewelError('signer_unknown', 'head has no signature by the log itself');
  }
  return head;
}

/**
 * The lines of a head that verify, whoever they are by, and though others beside them do not: for judging, where every
 * line stands by itself, and a false one that somebody added must not take the true ones away. Throws `malformed`,
 * `too_large`; `signer_unknown` for another origin or where no line is by a known key, `signature_invalid` where none
 * of those verifies.
 */
export function readTrueLines(bytes: Uint8Array, origin: string, keys: readonly HeadKey[]): LinedHead {
  const note = parseNote(bytes);
  const message = encodeUtf8(note.text);
  const known = note.signatures.filter((line) => keyOf(line, keys));
  const verified = known.filter((line) => keyOf(line, keys)!.verifier.verify(message, line.signature));
  const head = headOf(note.text, verified, origin, keys);
  if (known.length === 0) throw new NewelError('signer_unknown', 'head has no signature by a known key');
  if (verified.length === 0) {
    throw new NewelError('signature_invalid', 'head has no true signature by a known key');
  }
  return head;
}

function headOf(
  text: string,
  verified: readonly NoteSignature[],
  expected: string,
  keys: readonly HeadKey[],
): LinedHead {
  const { origin, size, root } = parseCheckpointWithExtensions(text);
  if (origin !== expected) throw new NewelError('signer_unknown', 'head is of another origin');
  const lines = verified.map((line): HeadLine => {
    const key = keyOf(line, keys)!;
    const timeS = key.isTimed ? parseTimestampedSignature(line.signature).timestampS : undefined;
    return { key, line, timeS };
  });
  return { text, size, root, lines };
}

function keyOf({ name, keyId }: NoteSignature, keys: readonly HeadKey[]): HeadKey | undefined {
  return keys.find((key) => key.name === name && key.keyId === keyId);
}
