/** A submission that stopped on its way: what went wrong and where, what was done, and how to go on. */

import type { BatchRefusedError } from '../client/batch-post.ts';
import { OutcomeUnknownError } from '../client/outcome-errors.ts';
import type { Pending } from '../client/proven-receipt.ts';
import { type ErrorCode, EventInvalidError, NewelError } from '../errors.ts';
import type { Call } from './command.ts';
import { EventTextError } from './event-texts.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { sayFailure } from './failure.ts';
import { STANDARD_INPUT } from './input-file.ts';
import { formatCount, printable, shellQuote } from './terminal.ts';

/** How far a submission has come. */
export interface SubmitProgress {
  read: number;
  skipped: number;
  /** Events whose receipts are written. */
  logged: number;
  /** What those of them lack that do not reach the level asked for. */
  readonly below: Pending[];
  /** The event that is being sent, and the id that it was given where it has none. */
  current: Named | undefined;
  /** Lines of the events of a batch that is taken whole. */
  lines?: readonly number[];
  /** Events of a batch of which nobody can say whether they are logged, if some of them were given ids. */
  unsure?: {
    readonly count: number;
    /** Where they are, with their ids; `undefined` where that could not be written. */
    readonly path: string | undefined;
    readonly ids?: readonly Named[];
  };
}

interface Named {
  readonly line: number;
  readonly givenId: string | undefined;
}

/** Another attempt may be met with better luck. */
const LATER: readonly ErrorCode[] = [
  'unreachable',
  'queue_full',
  'not_ready',
  'rate_limited',
  'issuer_unavailable',
  'storage_failed',
  'internal',
];
/** What the log answered is not true under the keys that are believed. */
const UNTRUE: readonly ErrorCode[] = [
  'signature_invalid',
  'signer_unknown',
  'proof_invalid',
  'root_mismatch',
  'inconsistent',
];
/** Whether the event may be logged all the same, or is and its receipt could not be written. */
function isUnsure(error: NewelError): boolean {
  return error instanceof OutcomeUnknownError || error.code === 'unreachable';
}

/** Says it on stderr, and returns the exit code. */
export function sayStopped(
  { terminal, json }: Call,
  file: string,
  progress: SubmitProgress,
  error: NewelError,
): number {
  const { current, logged, skipped } = progress;
  const line = error instanceof EventTextError ? error.line : current?.line;
  const { unsure } = progress;
  const givenId = isUnsure(error) && !unsure ? current?.givenId : undefined;
  const passed = skipped + logged;
  // A file that cannot be read is named by the error itself.
  const isNamed = line === undefined && error.code === 'unreachable';
  const place = [file === STANDARD_INPUT ? 'standard input' : file, ...(line === undefined ? [] : [line])];
  sayFailure(terminal, json, withFaults(error), {
    ...(!isNamed && { where: place.join(':') }),
    members: {
      file,
      ...(line !== undefined && { line }),
      logged,
      passed,
      ...(givenId !== undefined && { id: givenId }),
      ...(unsure?.path !== undefined && { unsure: unsure.path }),
    },
  });
  if (!json) {
    if (UNTRUE.includes(error.code)) {
      terminal.err.write(
        'What the log answered does not hold under the keys that are believed: no receipt was written.\n',
      );
    }
    terminal.err.write(adviceOf(file, progress, givenId));
  }
  return LATER.includes(error.code) ? EXIT.unreadable : exitCodeOf(error);
}

/** What is wrong with an event is said, also where an earlier attempt leaves open whether it is logged. */
function withFaults(error: NewelError): NewelError {
  return error instanceof OutcomeUnknownError && error.cause instanceof EventInvalidError
    ? error.cause
    : error;
}

function adviceOf(file: string, progress: SubmitProgress, givenId: string | undefined): string {
  const { skipped, logged, unsure } = progress;
  const passed = skipped + logged + (unsure?.count ?? 0);
  const again = 'To send it again as the same event, whether it is logged or not,';
  const lines = [
    ...(givenId === undefined ? [] : [`${again} give it "id": "${givenId}".`]),
    ...(logged === 0
      ? []
      : [`${formatCount(logged, 'event')} before it ${logged === 1 ? 'is' : 'are'} logged, with receipts.`]),
    ...(unsure ? unsureLines(unsure) : []),
    ...(passed === 0
      ? []
      : [
          `To go on from ${unsure ? 'after them' : 'here'}: newel submit ${printable(shellQuote(file))} --skip ${passed}`,
        ]),
  ];
  return lines.map((text) => `${text}\n`).join('');
}

function unsureLines({ count, path, ids = [] }: NonNullable<SubmitProgress['unsure']>): string[] {
  if (path !== undefined) {
    return [
      `It and the events after it, ${count} in all, may be logged or not; to send them again as the same events:`,
      `newel submit ${printable(shellQuote(path))}`,
    ];
  }
  const given = ids.flatMap(({ line, givenId }) =>
    givenId === undefined ? [] : [`line ${line}: "id": "${givenId}"`],
  );
  return [
    `It and the events after it, ${count} in all, may be logged or not; to send them again as the same events, give them:`,
    ...given,
  ];
}

/** Events at fault that are said of a batch that was refused whole. */
const MAX_SAID = 20;

/** Says what kept a batch from being taken, on stderr, and returns the exit code. */
export function sayRefused(
  { call, file, progress }: { readonly call: Call; readonly file: string; readonly progress: SubmitProgress },
  { faults }: BatchRefusedError,
): number {
  const { terminal, json } = call;
  const { lines = [] } = progress;
  for (const { n, error } of faults.slice(0, MAX_SAID)) {
    const line = lines[n] ?? 0;
    sayFailure(terminal, json, error, {
      where: `${file === STANDARD_INPUT ? 'standard input' : file}:${line}`,
      members: { file, line, logged: 0, passed: progress.skipped },
    });
  }
  if (!json) {
    const more = faults.length > MAX_SAID ? ` (${faults.length - MAX_SAID} more are not shown)` : '';
    terminal.err.write(
      `${formatCount(faults.length, 'event')} of ${lines.length} refused${more}, so that none is logged.\n`,
    );
  }
  const { error } = faults[0]!;
  return LATER.includes(error.code) ? EXIT.unreadable : exitCodeOf(error);
}
