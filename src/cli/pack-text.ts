/**
 * What was found about an evidence pack, as text and as JSON:
 *
 *   ✔ evidence pack of 3 events for auditor.example
 *     manifest  ✔ of log.example/bank, for auditor.example, made 2026-11-20 12:01:00 UTC
 *     files     ✔ 13 of 13 are as the manifest lists them
 *     claims    ✔ no statement shows more than the 9 that the manifest says
 *     events    ✔ 3 of 3 hold
 *     keys      – of log.example/bank, from the pack itself: …
 */

import type { PackReport } from '../client/evidence-pack.ts';
import { EXIT } from './exit-code.ts';
import { failureOf } from './failure.ts';
import { formatReport, jsonOfReport, markOf } from './report-text.ts';
import { formatCount, printable, type Terminal } from './terminal.ts';

/** Events of a pack up to which all that was found is printed of each; of more, a line for each that holds. */
const MAX_IN_FULL = 10;

export function exitCodeOfPack({ ok, level }: PackReport): number {
  if (ok) return EXIT.ok;
  return level === undefined ? EXIT.refused : EXIT.below;
}

export function formatPackReport(terminal: Terminal, report: PackReport): string {
  const { ok, level, summary, checks, events } = report;
  const result = ok ? 'ok' : level === undefined ? 'failed' : 'skipped';
  const subject = `evidence pack of ${formatCount(summary.events.length, 'event')} for ${summary.audience}`;
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map(
    (check) =>
      `  ${check.name.padEnd(width)}  ${markOf(terminal, check.result)} ${printable(check.detail)}\n`,
  );
  const isShort = events.length > MAX_IN_FULL;
  const blocks = events.map(({ eventId, report: found }) => {
    const block = formatReport(terminal, found, `event ${eventId}`);
    return isShort && found.ok ? block.slice(0, block.indexOf('\n') + 1) : block;
  });
  return `${markOf(terminal, result)} ${printable(subject)}\n${lines.join('')}${blocks.join('')}`;
}

export function jsonOfPack(file: string, report: PackReport): Record<string, unknown> {
  const { ok, level, summary, checks, events, trust, isPinned, error } = report;
  const { origin, created_time, audience, nonce, claims, travels_along } = summary;
  return {
    file,
    ok,
    level: level ?? null,
    log: origin,
    audience,
    nonce,
    created_time,
    claims,
    travels_along,
    keys: isPinned ? 'pinned' : 'pack',
    vkeys: trust.vkeys,
    checks,
    ...(error && { error: failureOf(error) }),
    events: events.map(({ eventId, report: found }) => ({ event_id: eventId, ...jsonOfReport(file, found) })),
  };
}
