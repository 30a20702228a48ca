/**
 * What was found about a receipt, as text and as JSON:
 *
 *   ✔ receipt of evt_3q2-… (stepup.completed, 2026-11-20 12:00:08 UTC)
 *     statement   ✔ signed by log.example/bank, key 5f1c…     28 claims shown
 *     leaf        ✔ 41 of log.example/bank commits to it
 *     inclusion   ✔ in tree of 42
 *     checkpoint  ✔ log key log.example/bank+2b1d3a4c
 *     witnesses   – 0 of 0 needed by the policy               level: signed
 *
 *     witnesses   ✔ 2 of 2 needed by the policy, by 2026-11-20 12:21:00 UTC: witness.example/a, witness.example/b     level: …
 *                 ! the witnesses had signed 20 minutes after the log says that it received the event: …
 */

import type { Check, ReceiptReport } from '../client/report.ts';
import { formatInstantS, formatUtc } from '../client/time-words.ts';
import type { NewelError } from '../errors.ts';
import { EXIT } from './exit-code.ts';
import { failureOf } from './failure.ts';
import { paint, printable, type Terminal } from './terminal.ts';

/** The exit code that a report stands for. */
export function exitCodeOfReport({ ok, error, level }: ReceiptReport): number {
  if (ok) return EXIT.ok;
  return isBelow(error, level) ? EXIT.below : EXIT.refused;
}

/** Whether all is true, and only the level that was asked for is not reached. */
function isBelow(error: NewelError | undefined, level: ReceiptReport['level']): boolean {
  return level !== undefined && (error?.code === 'level_not_met' || error?.code === 'no_witnesses');
}

/** The block of a report. `subject` is what was checked: `receipt of evt_…`. */
export function formatReport(terminal: Terminal, report: ReceiptReport, subject: string): string {
  const { checks, statement, type } = report;
  const said = statement && [type, formatUtc(statement.receivedTimeS)].filter((item) => item !== undefined);
  const head = `${markOf(terminal, headResultOf(report))} ${printable(`${subject}${said ? ` (${said.join(', ')})` : ''}`)}\n`;
  const nameWidth = Math.max(...checks.map(({ name }) => name.length));
  const printed = checks.map((check) => ({ ...check, detail: printable(check.detail) }));
  const widths = printed.flatMap(({ note, detail: { length } }) =>
    note === undefined || length > MAX_ALIGNED_CHARS ? [] : length,
  );
  const lines = printed.map(({ name, result, detail, note, warning }) => {
    const text =
      note === undefined ? detail : `${detail.padEnd(Math.max(0, ...widths))}${' '.repeat(NOTE_GAP)}${note}`;
    const line = `  ${name.padEnd(nameWidth)}  ${markOf(terminal, result)} ${text}\n`;
    if (warning === undefined) return line;
    const mark = paint(terminal, terminal.out, 'yellow', '!');
    return `${line}${' '.repeat(nameWidth + 4)}${mark} ${printable(warning)}\n`;
  });
  return head + lines.join('');
}

/** A report as JSON shows it. What the event says is in it only where all is true. */
export function jsonOfReport(file: string, report: ReceiptReport): Record<string, unknown> {
  const { ok, level, eventId, type, statement, receipt, checkpoint, checks, error, event } = report;
  const { cosigners, unchecked, witnessedTimeS } = report;
  return {
    file,
    ok,
    level: level ?? null,
    ...(statement && {
      event_id: eventId,
      type: type ?? null,
      time: new Date(statement.receivedTimeS * 1000).toISOString(),
      key: statement.kid,
      claims_shown: statement.claimsShown,
    }),
    ...(level !== undefined && { log: receipt.log, leaf_index: receipt.leaf_index }),
    ...(checkpoint && { tree_size: checkpoint.size }),
    cosigners,
    ...(unchecked.length > 0 && { unchecked }),
    ...(witnessedTimeS !== undefined && { witnessed_time: formatInstantS(witnessedTimeS) }),
    checks,
    ...(error && { error: failureOf(error) }),
    ...(level !== undefined && { event }),
  };
}

const NOTE_GAP = 5;
/** Notes stand below each other but for those of longer lines. */
const MAX_ALIGNED_CHARS = 60;

function headResultOf({ ok, error, level }: ReceiptReport): Check['result'] {
  if (ok) return 'ok';
  return isBelow(error, level) ? 'skipped' : 'failed';
}

const MARKS = { ok: '✔', failed: '✘', skipped: '–' } as const;
const COLOURS = { ok: 'green', failed: 'red', skipped: 'dim' } as const;

export function markOf(terminal: Terminal, result: Check['result']): string {
  return paint(terminal, terminal.out, COLOURS[result], MARKS[result]);
}
