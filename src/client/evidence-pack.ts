/**
 * Verifying an evidence pack: some events of a log, shown in part to somebody, with all that it takes to check them
 * offline. A pack is a map of file names to bytes; `evidence-manifest.ts` has the names.
 *
 *   manifest   reads, is of the log whose keys are believed, and says for whom
 *   files      each is there as the manifest lists it, and no other
 *   claims     no statement shows more than the manifest says
 *   events     each presentation holds, by the six checks of `presentation.ts`
 *   keys       whose keys these are: those of a trust file that was there before, or those in the pack itself
 */

import { NewelError } from '../errors.ts';
import type { Ed25519 } from '../formats/ed25519.ts';
import type { JsonValue } from '../formats/json.ts';
import type { Mldsa44 } from '../formats/mldsa.ts';
import { processPayload } from '../formats/sd-jwt-verify.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { MAX_PROOF_BYTES } from '../formats/tlog-proof.ts';
import {
  checkClaims,
  checkEvents,
  checkFiles,
  checkManifest,
  type ExpectedOfPack,
  type Found,
  isBelow,
  keysOf,
  type PackCheck,
  type PackedEvent,
} from './evidence-checks.ts';
import {
  CHECKPOINT_NAME,
  type EvidenceSummary,
  MANIFEST_NAME,
  MAX_PACK_BYTES,
  MAX_PACK_FILES,
  namesOfEvent,
  parseManifest,
  readSummary,
  TRUST_NAME,
} from './evidence-manifest.ts';
import type { Level } from './level.ts';
import { checkPresentation } from './presentation.ts';
import { MAX_STATEMENT_CHARS } from './receipt.ts';
import { parseTrust, toTrust, type Trust, type TrustInput } from './trust.ts';

/** Bytes by file name, with slashes. */
export type PackFiles = ReadonlyMap<string, Uint8Array>;

export interface PackOptions extends ExpectedOfPack {
  /** A trust file that was there before the pack. Without one, the pack's own is used, and vouches for itself. */
  readonly trust?: TrustInput | undefined;
  /** A tlog-policy to hold the log to instead of that of the pack's own trust file. */
  readonly policy?: Uint8Array | undefined;
  readonly ed25519?: Ed25519 | undefined;
  /** Without it no line of ML-DSA-44 counts under the pack's own trust file. */
  readonly mldsa44?: Mldsa44 | undefined;
  readonly level?: Level | undefined;
  /** The clock of whoever verifies; by default that of this machine. */
  readonly nowMs?: number | undefined;
}

export interface PackReport {
  readonly ok: boolean;
  readonly summary: EvidenceSummary;
  readonly checks: readonly PackCheck[];
  readonly events: readonly PackedEvent[];
  /** Whose word was taken. */
  readonly trust: Trust;
  readonly isPinned: boolean;
  /** Why it is not ok: what is false before what is not reached. */
  readonly error: NewelError | undefined;
  /** What every event reaches, where all is true. */
  readonly level: Level | undefined;
}

/** A pack that is being verified, event by event. */
export interface OpenedPack {
  readonly summary: EvidenceSummary;
  readonly trust: Trust;
  readonly isPinned: boolean;
  /** Checks one of `summary.events`. */
  check(eventId: string): PackedEvent;
  /** What was found, once every event was checked. */
  conclude(events: readonly PackedEvent[]): PackReport;
}

/**
 * Checks a pack: everything that can be checked, whatever fails. Throws `malformed` or `too_large` where there is no
 * manifest that can be read, or no trust file to judge by.
 */
export function checkPack(files: PackFiles, options: PackOptions = {}): PackReport {
  const pack = openPack(files, options);
  return pack.conclude(pack.summary.events.map((eventId) => pack.check(eventId)));
}

/** Throws as `checkPack` does; checks the files, and no event yet. */
function openPack(files: PackFiles, options: PackOptions = {}): OpenedPack {
  const total = [...files.values()].reduce((sum, { length }) => sum + length, 0);
  if (files.size > MAX_PACK_FILES || total > MAX_PACK_BYTES) {
    throw new NewelError(
      'too_large',
      `pack has more than ${MAX_PACK_FILES} files or ${MAX_PACK_BYTES} bytes`,
    );
  }
  const bytes = files.get(MANIFEST_NAME);
  if (!bytes) throw new NewelError('malformed', `pack has no ${MANIFEST_NAME}, so it is no evidence pack`);
  const manifest = parseManifest(bytes);
  return opened(manifest, files, options, checkFiles(manifest, files));
}

/**
 * Opens a pack that stands in its own page: the summary of its manifest, and the files that are verified. Whether the
 * other files are as the manifest lists them cannot be said from inside one of them.
 */
export function openEmbedded(
  json: JsonValue,
  texts: ReadonlyMap<string, string>,
  options: PackOptions,
): OpenedPack {
  const files = new Map([...texts].map(([name, text]) => [name, encodeUtf8(text)]));
  const notHere: PackCheck = {
    name: 'files',
    result: 'skipped',
    detail: 'this page is one of them; newel verify compares them all with the manifest',
  };
  return opened(readSummary(json), files, options, { check: notHere, error: undefined });
}

function opened(
  summary: EvidenceSummary,
  files: PackFiles,
  options: PackOptions,
  filesFound: Found,
): OpenedPack {
  const isPinned = options.trust !== undefined;
  const trust = isPinned ? toTrust(options.trust) : ownTrust(files, options);
  const { audience = summary.audience, nonce = summary.nonce, level = 'signed', nowMs } = options;
  const issuedTimeS = Date.parse(summary.created_time) / 1000;
  const claims = new Set(summary.claims);
  const checkpoint = textOf(files, CHECKPOINT_NAME, MAX_PROOF_BYTES);
  return {
    summary,
    trust,
    isPinned,
    check(eventId) {
      const names = namesOfEvent(eventId);
      const statement = textOf(files, names.statement, MAX_STATEMENT_CHARS);
      const presentation = textOf(files, names.presentation, MAX_STATEMENT_CHARS);
      const proof = `${textOf(files, names.proof, MAX_PROOF_BYTES)}${checkpoint}`;
      const report = checkPresentation(
        { statement, presentation, proof, eventId },
        { trust, level, audience, nonce, issuedTimeS, nowMs },
      );
      const unlisted = report.statement ? claimsOf(statement).filter((path) => !claims.has(path)) : [];
      return { eventId, report, unlisted };
    },
    conclude(events) {
      const found = [
        checkManifest(summary, trust, options),
        filesFound,
        checkClaims(summary, events),
        checkEvents(summary, events),
        { check: keysOf(trust, isPinned), error: undefined },
      ];
      const error = found.map(({ error }) => error).find((one) => one !== undefined);
      const below = error && found.every(({ error: one }) => one === undefined || isBelow(one));
      const levels = events.map(({ report }) => report.level);
      const isTrue = (error === undefined || below === true) && levels.every((one) => one !== undefined);
      return {
        ok: error === undefined,
        summary,
        checks: found.map(({ check }) => check),
        events,
        trust,
        isPinned,
        error,
        level: !isTrue ? undefined : levels.every((one) => one === 'witnessed') ? 'witnessed' : 'signed',
      };
    },
  };
}

function ownTrust(files: PackFiles, { ed25519, mldsa44, policy }: PackOptions): Trust {
  const bytes = files.get(TRUST_NAME);
  if (!bytes) throw new NewelError('malformed', `pack has no ${TRUST_NAME}: give a trust file of your own`);
  return parseTrust(bytes, {
    ...(ed25519 && { ed25519 }),
    ...(mldsa44 && { mldsa44 }),
    ...(policy && { policy }),
  });
}

/** The paths of the disclosures that a statement shows, which is known to hold. */
function claimsOf(statement: string): readonly string[] {
  const paths: string[] = [];
  processPayload(parseSdJwt(statement), (_disclosure, path) => void paths.push(path.join('.')));
  return paths;
}

/** A file as text. One that is missing, too long or not UTF-8 is an empty one, which is no statement and no proof. */
function textOf(files: PackFiles, name: string, maxBytes: number): string {
  const bytes = files.get(name);
  if (!bytes || bytes.length > maxBytes) return '';
  try {
    return decodeUtf8(bytes);
  } catch (error) {
    if (error instanceof NewelError) return '';
    throw error;
  }
}
