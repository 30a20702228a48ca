/**
 * Evidence bundles (`*.evidence.json`): two signed heads that cannot both be true (a fork), or whose lines contradict each
 * other (a rollback), and what shows it. JSON, however it is spaced, with exactly these members:
 *
 *   { "evidence": "newel.fork/1",                 or "newel.rollback/1"
 *     "origin": "log.example/bank",
 *     "heads": ["log.example/bank\n1000\n…\n\n— log.example/bank K/0T…\n", "…"],      two signed notes
 *     "root": "<base64>", "proof": ["<base64>", …],       only of a fork whose heads have different sizes
 *     "seen": [{ "source": "https://log.example/bank", "time": "2026-11-20T12:00:00.000Z" }, …] }
 *
 * The order of the heads is fixed: of a fork the smaller one first, of a rollback the earlier one (which is the larger
 * one) first. `seen` says where and when each of them was met; nobody can check it, and nothing rests on it. Whose keys
 * the heads are by is for whoever verifies to know (`verify-evidence.ts`): no key is in a bundle.
 */

import { HASH_SIZE } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatBase64, parseBase64 } from '../formats/base64.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import { MAX_NOTE_BYTES, parseNote } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { readJsonObject } from './json-input.ts';

export const FORK = 'newel.fork/1';
export const ROLLBACK = 'newel.rollback/1';
export type EvidenceFormat = typeof FORK | typeof ROLLBACK;

/** Where and when whoever made the bundle met a head. */
export interface Sighting {
  /** A URL, or a name. */
  readonly source: string;
  /** Milliseconds since 1970, UTC. */
  readonly timeMs: number;
}

/** Where and when a head was met, as a bundle may have it: a longer source is cut. */
export function sightingOf(source: string, timeMs: number): Sighting {
  // No half of a character may stay at the end.
  return { source: source.slice(0, MAX_SOURCE_CHARS).replace(/[\uD800-\uDBFF]$/, ''), timeMs };
}

export interface EvidenceBundle {
  readonly evidence: EvidenceFormat;
  /** Of the log that the heads are of. */
  readonly origin: string;
  /** Two signed notes. */
  readonly heads: readonly [Uint8Array, Uint8Array];
  /** The root of the tree that the second head extends in place of the first one. With `proof`, or neither. */
  readonly root?: Uint8Array;
  /** The consistency proof from that tree to the second head. */
  readonly proof?: readonly Uint8Array[];
  /** One for each head, in their order, or none at all. */
  readonly seen: readonly Sighting[];
}

/** Hashes that the proof of a bundle may have; a tree below 2^53 leaves needs 54. */
const MAX_EVIDENCE_HASHES = 64;
/** What two heads were found to show, beside the heads themselves. */
export interface Judgement {
  readonly kind: 'fork' | 'rollback';
  /** What convicts, and whom, in sentences. */
  readonly words: readonly string[];
  /** Whose signatures convict, as name, plus and key id. */
  readonly keys: readonly string[];
  /** When each head was signed, in seconds since 1970, as whoever is convicted says: of a fork the log, by any of its keys. */
  readonly timesS: readonly [number | undefined, number | undefined];
}

/** Bytes of JSON that a bundle may have: two of the largest notes, however they are escaped, and the rest. */
export const MAX_EVIDENCE_BYTES: number = 2 * 1024 * 1024;
const MAX_ORIGIN_CHARS = 4096;
const MAX_SOURCE_CHARS = 1024;

const MEMBERS: readonly string[] = ['evidence', 'origin', 'heads', 'root', 'proof', 'seen'];

/** Whether a JSON value claims to be a bundle: it has the member `evidence`, which nothing else of ours has. */
export function isEvidence(value: JsonValue): boolean {
  return isJsonObject(value) && Object.hasOwn(value, 'evidence');
}

/** The text of a bundle, one line with a newline at its end. Throws `RangeError` for what `parseEvidenceBundle` refuses. */
export function formatEvidenceBundle(bundle: EvidenceBundle): string {
  const { evidence, origin, heads, root, proof, seen } = bundle;
  try {
    const json: JsonObject = {
      evidence,
      origin,
      heads: heads.map(decodeUtf8),
      ...(root && { root: formatBase64(root) }),
      ...(proof && { proof: proof.map(formatBase64) }),
      seen: seen.map(({ source, timeMs }) => ({ source, time: new Date(timeMs).toISOString() })),
    };
    readBundle(json);
    return `${JSON.stringify(json)}\n`;
  } catch (cause) {
    throw new RangeError('bundle expected one that can be read again', { cause });
  }
}

/**
 * Reads a bundle: text, bytes, or JSON that something else parsed. What it says is worth nothing until
 * `verifyEvidenceBundle` has judged it. Throws `malformed` or `too_large`.
 */
export function parseEvidenceBundle(input: unknown): EvidenceBundle {
  return readBundle(readJsonObject(input, WHAT, MAX_EVIDENCE_BYTES));
}

const WHAT = 'evidence bundle';

function readBundle(json: JsonObject): EvidenceBundle {
  if (!Object.keys(json).every((name) => MEMBERS.includes(name))) {
    throw flaw('has a member that its format does not have');
  }
  const { evidence, origin, heads } = json;
  if (evidence !== FORK && evidence !== ROLLBACK) throw flaw('is of a kind that is not known');
  if (typeof origin !== 'string' || origin === '' || origin.length > MAX_ORIGIN_CHARS) {
    throw flaw('has no origin, or one that is none');
  }
  if (!Array.isArray(heads) || heads.length !== 2) throw flaw('has not exactly two heads');
  const [first, second] = heads.map(noteOf);
  const hasRoot = Object.hasOwn(json, 'root');
  if (hasRoot !== Object.hasOwn(json, 'proof')) throw flaw('has one of root and proof without the other');
  if (hasRoot && evidence !== FORK) throw flaw('is of a rollback, and has a root and a proof');
  return {
    evidence,
    origin,
    heads: [first!, second!],
    ...(hasRoot && { root: hashOf(json['root'], 'root'), proof: proofOf(json['proof']) }),
    seen: sightingsOf(json['seen']),
  };
}

function noteOf(value: JsonValue): Uint8Array {
  if (typeof value !== 'string') throw flaw('has a head that is not text');
  if (value.length > MAX_NOTE_BYTES) throw tooLarge();
  const note = encodeUtf8(value);
  if (note.length > MAX_NOTE_BYTES) throw tooLarge();
  parseNote(note);
  return note;
}

function proofOf(value: JsonValue | undefined): readonly Uint8Array[] {
  if (!Array.isArray(value)) throw flaw('has a proof that is not a list of hashes');
  if (value.length > MAX_EVIDENCE_HASHES) {
    throw new NewelError('too_large', `${WHAT} has a proof of more than ${MAX_EVIDENCE_HASHES} hashes`);
  }
  return value.map((item) => hashOf(item, 'proof'));
}

function hashOf(value: JsonValue | undefined, name: string): Uint8Array {
  const hash = typeof value === 'string' ? parseBase64(value, `${name} of the ${WHAT}`) : undefined;
  if (hash?.length !== HASH_SIZE) throw flaw(`has a hash in its ${name} that is not of ${HASH_SIZE} bytes`);
  return hash;
}

function sightingsOf(value: JsonValue | undefined): readonly Sighting[] {
  if (!Array.isArray(value) || (value.length !== 0 && value.length !== 2)) {
    throw flaw('has no list seen, or one that is not of both heads');
  }
  return value.map((item) => {
    if (!isJsonObject(item) || Object.keys(item).sort().join() !== 'source,time') {
      throw flaw('has a member of seen that is not a source and a time');
    }
    const { source, time } = item;
    if (typeof source !== 'string' || source === '' || source.length > MAX_SOURCE_CHARS) {
      throw flaw('has a source in seen that is none');
    }
    const timeMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== time) {
      throw flaw('has a time in seen that is not RFC 3339 in UTC with milliseconds');
    }
    return { source, timeMs };
  });
}

function tooLarge(): NewelError {
  return new NewelError('too_large', `${WHAT} has a head that is longer than ${MAX_NOTE_BYTES} bytes`);
}

function flaw(found: string): NewelError {
  return new NewelError('malformed', `${WHAT} ${found}`);
}
