/**
 * What a witness keeps, as rows of its own database:
 *
 *   20                   identity   01 ‖ UTF-8 of instance LF name: which witness this is; written once
 *   21 SHA-256(origin)   record     01 ‖ SHA-256 of all that follows ‖ commit8 ‖ time8 ‖ note
 *   22 commit8           commit     from8 ‖ SHA-256(origin) of each record that it wrote
 *
 * The note is the checkpoint that was cosigned last: its text, the log lines that verified, our lines, which all have
 * `time`. Numbers are 8 bytes, big-endian. Commits are numbered from 1 without a gap; `from` is the lowest one that is
 * still kept. LevelDB may drop a damaged part of its write-ahead log and say nothing; then a number is missing.
 */

import { concatBytes, equalBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { type Checkpoint, parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import { parseNote } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { readUint64, writeUint64 } from '../storage/keys.ts';
import type { Row, Scan } from '../storage/store.ts';

/** The checkpoint of an origin that was cosigned last. */
export interface Recorded extends Checkpoint {
  /** The timestamp of our lines, in seconds. */
  readonly timeS: number;
  /** The signed note. */
  readonly note: Uint8Array;
  /** Which commit wrote it. */
  readonly commit: number;
}

const PREFIX = { identity: 0x20, record: 0x21, commit: 0x22 } as const;
const VERSION = 1;
const NUMBER_BYTES = 8;
const COMMIT_AT = 1 + HASH_SIZE;
const TIME_AT = COMMIT_AT + NUMBER_BYTES;
const NOTE_AT = TIME_AT + NUMBER_BYTES;

export const IDENTITY_KEY: Uint8Array = Uint8Array.of(PREFIX.identity);
/** The ranges of all records, and of all commits. */
export const RECORDS: KeyRange = rangeOf(PREFIX.record);
export const COMMITS: KeyRange = rangeOf(PREFIX.commit);

type KeyRange = Pick<Scan, 'from' | 'to'>;

function rangeOf(prefix: number): KeyRange {
  return { from: Uint8Array.of(prefix), to: Uint8Array.of(prefix + 1) };
}

/** Which witness a database is of. */
export interface WitnessIdentity {
  readonly name: string;
  /** Made at random by init: another database of the same name is another witness's. */
  readonly instance: string;
}

export function identityRow({ name, instance }: WitnessIdentity): Row {
  return {
    key: IDENTITY_KEY,
    value: concatBytes(Uint8Array.of(VERSION), encodeUtf8(`${instance}\n${name}`)),
  };
}

/** The 32 bytes that an origin is known by in rows and, in hex, in URLs. */
export function hashOrigin(origin: string): Uint8Array {
  return hashBytes(encodeUtf8(origin));
}

export function recordKey(originHash: Uint8Array): Uint8Array {
  return concatBytes(RECORDS.from, originHash);
}

export function formatRecord({
  commit,
  timeS,
  note,
}: Pick<Recorded, 'commit' | 'timeS' | 'note'>): Uint8Array {
  const value = new Uint8Array(NOTE_AT + note.length);
  value[0] = VERSION;
  writeUint64(value, COMMIT_AT, commit);
  writeUint64(value, TIME_AT, timeS);
  value.set(note, NOTE_AT);
  value.set(hashBytes(value.subarray(COMMIT_AT)), 1);
  return value;
}

/** Reads the record of an origin. Throws `storage_failed` where it is not as it was written, or another origin's. */
export function parseRecord(value: Uint8Array, originHash: Uint8Array): Recorded {
  const isWhole =
    value.length > NOTE_AT &&
    value[0] === VERSION &&
    equalBytes(value.subarray(1, COMMIT_AT), hashBytes(value.subarray(COMMIT_AT)));
  if (!isWhole) throw damaged('a record is not as it was written');
  const note = value.slice(NOTE_AT);
  let checkpoint: Checkpoint;
  try {
    checkpoint = parseCheckpointWithExtensions(parseNote(note).text);
  } catch (cause) {
    throw damaged('a record holds no checkpoint', cause);
  }
  const { origin, size, root } = checkpoint;
  if (!equalBytes(hashOrigin(origin), originHash)) throw damaged('a record is of another origin');
  const commit = readUint64(value, COMMIT_AT);
  return { origin, size, root, commit, timeS: readUint64(value, TIME_AT), note };
}

export function commitKey(commit: number): Uint8Array {
  const key = new Uint8Array(1 + NUMBER_BYTES);
  key[0] = PREFIX.commit;
  writeUint64(key, 1, commit);
  return key;
}

export interface CommitRow {
  readonly commit: number;
  /** The lowest commit that is kept. */
  readonly from: number;
  readonly originHashes: readonly Uint8Array[];
}

export function commitRow({ commit, from, originHashes }: CommitRow): Row {
  const first = new Uint8Array(NUMBER_BYTES);
  writeUint64(first, 0, from);
  return { key: commitKey(commit), value: concatBytes(first, ...originHashes) };
}

/** Throws `storage_failed`. */
export function parseCommitRow({ key, value }: Row): CommitRow {
  const hashes = value.subarray(NUMBER_BYTES);
  if (key.length !== 1 + NUMBER_BYTES || value.length < NUMBER_BYTES || hashes.length % HASH_SIZE !== 0)
    throw damaged('a commit is not as it was written');
  const originHashes: Uint8Array[] = [];
  for (let at = 0; at < hashes.length; at += HASH_SIZE) originHashes.push(hashes.slice(at, at + HASH_SIZE));
  return { commit: readUint64(key, 1), from: readUint64(value, 0), originHashes };
}

/** Throws `log_refused` unless the row is of this witness. */
export function assertIdentity(value: Uint8Array | undefined, { name, instance }: WitnessIdentity): void {
  if (value?.[0] === VERSION && decodeUtf8(value.subarray(1)) === `${instance}\n${name}`) return;
  throw new NewelError(
    'log_refused',
    'the database is not the one that was made with this witness: bring back its own, with all that it has cosigned',
  );
}

export function damaged(what: string, cause?: unknown): NewelError {
  return new NewelError('storage_failed', `the database of the witness is damaged: ${what}`, { cause });
}
