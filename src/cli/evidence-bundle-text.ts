/**
 * What was found about an evidence bundle, as text and as JSON:
 *
 *   ✔ evidence of a fork of log.example/bank
 *     convicts  ✔ log.example/bank+2b1d3a4c
 *     heads     ✔ 1000 leaves with the root kJx…, 1200 leaves with the root 8qT…
 *     seen      – https://log.example/bank 2026-11-20T12:00:00.000Z, posted 2026-11-20T12:00:01.000Z
 *
 *   What it proves
 *     · …
 */

import { type EvidenceBundle, FORK } from '../client/evidence-bundle.ts';
import type { Trust } from '../client/trust.ts';
import { type VerifiedEvidence, verifyEvidenceBundle } from '../client/verify-evidence.ts';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import { EXIT } from './exit-code.ts';
import { failureOf } from './failure.ts';
import { formatWords } from './receipt-words.ts';
import { markOf } from './report-text.ts';
import { printable, type Terminal } from './terminal.ts';

/** What a bundle proves, or why it proves nothing. */
export interface EvidenceReport {
  readonly bundle: EvidenceBundle;
  readonly verified: VerifiedEvidence | undefined;
  readonly error: NewelError | undefined;
}

export function checkEvidence(bundle: EvidenceBundle, trust: Trust): EvidenceReport {
  try {
    return { bundle, verified: verifyEvidenceBundle(bundle, { trust }), error: undefined };
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return { bundle, verified: undefined, error };
  }
}

/** 0 where it convicts: that is what the bundle claims. */
export function exitCodeOfEvidence({ verified }: EvidenceReport): number {
  return verified ? EXIT.ok : EXIT.refused;
}

export function formatEvidenceReport(
  terminal: Terminal,
  { bundle, verified, error }: EvidenceReport,
): string {
  const subject = printable(
    `evidence of a ${bundle.evidence === FORK ? 'fork' : 'rollback'} of ${bundle.origin}`,
  );
  if (!verified) {
    const why = printable(error?.message ?? '');
    return `${markOf(terminal, 'failed')} ${subject}\n  convicts  ${markOf(terminal, 'failed')} nobody: ${why}\n`;
  }
  const heads = verified.sizes.map(
    (size, i) => `${size} leaves with the root ${formatBase64(verified.roots[i]!)}`,
  );
  const ok = markOf(terminal, 'ok');
  const seen = bundle.seen
    .map(({ source, timeMs }) => `${source} ${new Date(timeMs).toISOString()}`)
    .join(', ');
  return (
    `${ok} ${subject}\n` +
    `  convicts  ${ok} ${printable(verified.keys.join(', '))}\n` +
    `  heads     ${ok} ${heads.join(', ')}\n` +
    (seen === '' ? '' : `  seen      ${markOf(terminal, 'skipped')} ${printable(seen)}\n`) +
    `\n${formatWords({ event: [], proves: verified.words.map(printable), doesNotProve: LIMITS[verified.kind] })}`
  );
}

const LIMITS: Readonly<Record<VerifiedEvidence['kind'], readonly string[]>> = {
  fork: [
    'Which of the two trees is the right one, or who was shown which.',
    'Where and when the heads were seen. That is the word of whoever made the bundle.',
  ],
  rollback: [
    'Why it went back, or that a log is forked.',
    'Where and when the heads were seen. That is the word of whoever made the bundle.',
  ],
};

export function jsonOfEvidence(
  file: string,
  { bundle, verified, error }: EvidenceReport,
): Record<string, unknown> {
  const { evidence, origin, seen } = bundle;
  return {
    file,
    ok: verified !== undefined,
    evidence,
    log: origin,
    ...(verified && {
      convicts: verified.keys,
      heads: verified.sizes.map((size, i) => ({
        tree_size: size,
        root_hash: formatBase64(verified.roots[i]!),
        signed_time_s: verified.timesS[i] ?? null,
      })),
      words: verified.words,
    }),
    seen: seen.map(({ source, timeMs }) => ({ source, time: new Date(timeMs).toISOString() })),
    ...(error && { error: failureOf(error) }),
  };
}
