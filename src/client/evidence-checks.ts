/**
 * The checks of an evidence pack as a whole, beside those of its events: manifest, files, claims, events, keys. What each
 * is about, `evidence-pack.ts` says.
 */

import { NewelError } from '../errors.ts';
import { hashBytes } from '../core/hash.ts';
import { formatHex } from '../formats/hex.ts';
import { type EvidenceSummary, type Manifest, MANIFEST_NAME } from './evidence-manifest.ts';
import type { ReceiptReport } from './report.ts';
import type { Trust } from './trust.ts';

export type PackCheckName = 'manifest' | 'files' | 'claims' | 'events' | 'keys';

/** As `Check` of a receipt. */
export interface PackCheck {
  readonly name: PackCheckName;
  readonly result: 'ok' | 'failed' | 'skipped';
  readonly detail: string;
  readonly note?: string;
}

/** What was found about one event of a pack. */
export interface PackedEvent {
  readonly eventId: string;
  readonly report: ReceiptReport;
  /** Disclosures of the statement that the manifest does not say. */
  readonly unlisted: readonly string[];
}

/** What a pack is to say, where whoever verifies it knows. */
export interface ExpectedOfPack {
  readonly audience?: string | undefined;
  readonly nonce?: string | undefined;
}

/** A check, and why it fails. */
export interface Found {
  readonly check: PackCheck;
  readonly error: NewelError | undefined;
}

/** Whether all is true, and only the level that was asked for is not reached. */
export function isBelow({ code }: NewelError): boolean {
  return code === 'level_not_met' || code === 'no_witnesses';
}

export function checkManifest(
  summary: EvidenceSummary,
  trust: Trust,
  { audience, nonce }: ExpectedOfPack,
): Found {
  const { origin, created_time: time, audience: to, nonce: once } = summary;
  const flaw =
    origin !== trust.origin
      ? 'is of another log than the trust file'
      : to !== (audience ?? to)
        ? 'is for another audience than the one expected'
        : once !== (nonce ?? once)
          ? 'has another nonce than the one expected'
          : undefined;
  if (flaw !== undefined)
    return failed('manifest', flaw, origin === trust.origin ? 'proof_invalid' : 'signer_unknown');
  const detail = `of ${origin}, for ${to}, made ${time.slice(0, 19).replace('T', ' ')} UTC`;
  return { check: { name: 'manifest', result: 'ok', detail }, error: undefined };
}

export function checkFiles({ files: listed }: Manifest, files: ReadonlyMap<string, Uint8Array>): Found {
  const flaws: string[] = [];
  for (const { name, size, sha256 } of listed) {
    const bytes = files.get(name);
    if (!bytes) flaws.push(`${name} is missing`);
    else if (bytes.length !== size || formatHex(hashBytes(bytes)) !== sha256) {
      flaws.push(`${name} is not as the manifest lists it`);
    }
  }
  const names = new Set([MANIFEST_NAME, ...listed.map(({ name }) => name)]);
  const others = [...files.keys()].filter((name) => !names.has(name)).length;
  // Names that are no pack's are whoever's: they are counted, not repeated.
  if (others > 0) flaws.push(`${others} more than the manifest lists`);
  if (flaws.length > 0) return failed('files', someOf(flaws));
  const detail = `${listed.length} of ${listed.length} are as the manifest lists them`;
  return { check: { name: 'files', result: 'ok', detail }, error: undefined };
}

export function checkClaims({ claims }: EvidenceSummary, events: readonly PackedEvent[]): Found {
  const more = events.filter(({ unlisted }) => unlisted.length > 0);
  if (more.length > 0) {
    return failed(
      'claims',
      someOf(more.map(({ eventId }) => `${eventId} shows more than the manifest says`)),
    );
  }
  const detail = `no statement shows more than the ${claims.length} that the manifest says`;
  return { check: { name: 'claims', result: 'ok', detail }, error: undefined };
}

export function checkEvents({ events: listed }: EvidenceSummary, events: readonly PackedEvent[]): Found {
  const holding = events.filter(({ report }) => report.ok).length;
  const detail = `${holding} of ${listed.length} hold`;
  const errors = events.flatMap(({ report }) => (report.error ? [report.error] : []));
  // What is false is graver than what is not reached.
  const error = errors.find((one) => !isBelow(one)) ?? errors[0];
  if (error === undefined && holding === listed.length) {
    return { check: { name: 'events', result: 'ok', detail }, error: undefined };
  }
  return {
    check: { name: 'events', result: 'failed', detail },
    error: error ?? new NewelError('proof_invalid', 'not every event of the pack was checked'),
  };
}

export function keysOf({ origin }: Trust, isPinned: boolean): PackCheck {
  if (isPinned) return { name: 'keys', result: 'ok', detail: `of ${origin}, from your own trust file` };
  return {
    name: 'keys',
    result: 'skipped',
    detail: `of ${origin}, from the pack itself: it agrees with itself, and that is all until they are compared`,
  };
}

const MAX_NAMED = 3;

function someOf(flaws: readonly string[]): string {
  const more = flaws.length - MAX_NAMED;
  const named = flaws.slice(0, MAX_NAMED).join('; ');
  return more > 0 ? `${named}; and ${more} more` : named;
}

function failed(
  name: PackCheckName,
  detail: string,
  code: 'proof_invalid' | 'signer_unknown' = 'proof_invalid',
): Found {
  return { check: { name, result: 'failed', detail }, error: new NewelError(code, `${name}: ${detail}`) };
}
