/**
 * The manifest of an evidence pack (`manifest.json`), and the names of the files that a pack has. It is a list, not a
 * signature: what it says is compared with the presentations, and they are signed.
 *
 *   {"format":"newel-evidence/1","origin":"log.example/bank","created_time":"2026-11-20T12:01:00.000Z",
 *    "audience":"auditor.example","nonce":"n-0S6_WzA2Mj","claims":["outcome","type"],"travels_along":[],
 *    "events":["evt_…"],"files":[{"name":"README.txt","size":2811,"sha256":"<64 hex digits>"},…]}
 *
 *   statements/<event_id>.sd-jwt      the statement, as it was presented        checkpoint   one, for all proofs
 *   presentations/<event_id>.jwt      for whom                                  log.json     the trust file
 *   proofs/<event_id>.path            a tlog-proof up to its checkpoint         README.txt   verify.html
 */

import { chooseClaims } from '../event/claims.ts';
import { AUDIENCE_FORM, NONCE_FORM } from '../event/statement-names.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { isEventId } from './receipt.ts';

/** All that a manifest says but its list of files: what a verifier inside the pack can hold it to. */
export interface EvidenceSummary {
  readonly format: typeof EVIDENCE_FORMAT;
  /** Of the log. */
  readonly origin: string;
  /** RFC 3339: when the log presented the statements, to the second. */
  readonly created_time: string;
  readonly audience: string;
  readonly nonce: string;
  /** Every disclosure that a statement of the pack may show, sorted, and what travels along inside them. */
  readonly claims: readonly string[];
  readonly travels_along: readonly string[];
  /** Each once, by custom in the order of their leaves. */
  readonly events: readonly string[];
}

export interface Manifest extends EvidenceSummary {
  /** Every file of the pack but this one, sorted by name. */
  readonly files: readonly ManifestFile[];
}

export interface ManifestFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
}

export const EVIDENCE_FORMAT = 'newel-evidence/1';
export const MANIFEST_NAME = 'manifest.json';
export const TRUST_NAME = 'log.json';
export const CHECKPOINT_NAME = 'checkpoint';
export const README_NAME = 'README.txt';
export const PAGE_NAME = 'verify.html';

/** Events that a pack may have: as many as one request may name. */
export const MAX_PACK_EVENTS = 1000;
/** Files that a pack may have. */
export const MAX_PACK_FILES: number = 3 * MAX_PACK_EVENTS + 5;
/** Bytes of all files of a pack together. */
export const MAX_PACK_BYTES: number = 128 * 1024 * 1024;
const MAX_MANIFEST_BYTES = 2 * 1024 * 1024;

/** The three files of an event. */
export interface EventNames {
  readonly statement: string;
  readonly presentation: string;
  readonly proof: string;
}

export function namesOfEvent(eventId: string): EventNames {
  return {
    statement: `statements/${eventId}.sd-jwt`,
    presentation: `presentations/${eventId}.jwt`,
    proof: `proofs/${eventId}.path`,
  };
}

/** The names of the files of a pack but its manifest, sorted. */
export function namesOfPack(events: readonly string[]): readonly string[] {
  const own = events.flatMap((eventId) => Object.values(namesOfEvent(eventId)) as string[]);
  return [...own, TRUST_NAME, CHECKPOINT_NAME, README_NAME, PAGE_NAME].sort();
}

const FOLDERS: ReadonlyMap<string, RegExp> = new Map([
  ['statements', /^evt_[A-Za-z0-9_-]{22}\.sd-jwt$/],
  ['presentations', /^evt_[A-Za-z0-9_-]{22}\.jwt$/],
  ['proofs', /^evt_[A-Za-z0-9_-]{22}\.path$/],
]);

/** The folders of a pack. */
export const PACK_FOLDERS: readonly string[] = [...FOLDERS.keys()];

/** Whether some pack has a file of this name. No such name leads out of a folder. */
export function isPackName(name: string): boolean {
  const [folder = '', file, more] = name.split('/', 3);
  if (file !== undefined) return more === undefined && FOLDERS.get(folder)?.test(file) === true;
  return [MANIFEST_NAME, TRUST_NAME, CHECKPOINT_NAME, README_NAME, PAGE_NAME].includes(name);
}

export function formatManifest({ files, ...summary }: Manifest): string {
  const list = files.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  return `${JSON.stringify({ ...orderSummary(summary), files: list }, undefined, 1)}\n`;
}

/** Reads a manifest. Throws `too_large`, or `malformed` for what `formatManifest` does not write. */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw new NewelError('too_large', `manifest is longer than ${MAX_MANIFEST_BYTES} bytes`);
  }
  const text = decodeUtf8(bytes);
  const json = parseJson(text);
  const summary = readSummary(json);
  const manifest = { ...summary, files: filesOf(isJsonObject(json) ? json['files'] : undefined) };
  const names = manifest.files.map(({ name }) => name);
  if (names.join('\n') !== namesOfPack(summary.events).join('\n')) {
    throw flaw('lists other files than a pack of its events has');
  }
  if (formatManifest(manifest) !== text) throw flaw('is not in its one form');
  return manifest;
}

/** All that a manifest says but its files. Throws `malformed`. */
export function readSummary(json: JsonValue): EvidenceSummary {
  if (!isJsonObject(json)) throw flaw('is not a JSON object');
  if (json['format'] !== EVIDENCE_FORMAT) throw flaw(`is not of the format ${EVIDENCE_FORMAT}`);
  const events = textsOf(json, 'events');
  if (events.length === 0 || events.length > MAX_PACK_EVENTS || !events.every(isEventId)) {
    throw flaw(`has events that are not 1 to ${MAX_PACK_EVENTS} event ids`);
  }
  if (new Set(events).size < events.length) throw flaw('has an event twice');
  const claims = textsOf(json, 'claims');
  const along = textsOf(json, 'travels_along');
  const chosen = chooseClaims({ claims });
  if (chosen.claims.join() !== claims.join() || chosen.travelsAlong.join() !== along.join()) {
    throw flaw('has claims that are not the disclosures of a choice, with what travels along');
  }
  return {
    format: EVIDENCE_FORMAT,
    origin: textOf(json, 'origin', (text) => text !== ''),
    created_time: textOf(json, 'created_time', isWholeSecond),
    audience: textOf(json, 'audience', (text) => AUDIENCE_FORM.test(text)),
    nonce: textOf(json, 'nonce', (text) => NONCE_FORM.test(text)),
    claims,
    travels_along: along,
    events,
  };
}

/** The summary alone, its members in their order. */
export function orderSummary(summary: EvidenceSummary): EvidenceSummary {
  const { format, origin, created_time, audience, nonce, claims, travels_along, events } = summary;
  return { format, origin, created_time, audience, nonce, claims, travels_along, events };
}

function filesOf(value: JsonValue | undefined): readonly ManifestFile[] {
  if (!Array.isArray(value) || value.length > MAX_PACK_FILES) throw flaw('has no list of files');
  return value.map((file) => {
    const { name, size, sha256 } = isJsonObject(file) ? file : {};
    if (typeof name !== 'string' || typeof size !== 'number' || typeof sha256 !== 'string') {
      throw flaw('has a file without name, size or sha256');
    }
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw flaw('has a sha256 that is not 64 lower-case hex digits');
    return { name, size, sha256 };
  });
}

function textOf(json: JsonObject, name: string, isValid: (text: string) => boolean): string {
  const value = json[name];
  if (typeof value !== 'string' || !isValid(value)) throw flaw(`has no ${name}, or one that is none`);
  return value;
}

function textsOf(json: JsonObject, name: string): readonly string[] {
  const value = json[name];
  const texts = Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  if (!Array.isArray(value) || texts.length < value.length)
    throw flaw(`has ${name} that are not a list of texts`);
  return texts;
}

function isWholeSecond(text: string): boolean {
  const timeMs = Date.parse(text);
  return Number.isInteger(timeMs / 1000) && new Date(timeMs).toISOString() === text;
}

function flaw(found: string): NewelError {
  return new NewelError('malformed', `manifest ${found}`);
}
