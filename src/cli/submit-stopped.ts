/** A submission that stopped on its way: what went wrong and where, what was done, and how to go on. */

import { OutcomeUnknownError } from '../client/newel.ts';
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
  /** Receipts among them that do not reach the level asked for. */
  below: number;
  /** The event that is being sent, and the id that it was given where it has none. */
  current: { readonly line: number; readonly givenId: string | undefined } | undefined;
}

/** Another attempt may be met with better luck. */
const LATER: readonly ErrorCode[] = ['unreachable', 'queue_full', 'storage_failed', 'internal'];
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
  const givenId = isUnsure(error) ? current?.givenId : undefined;
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
    },
  });
  if (!json) {
    if (UNTRUE.includes(error.code)) {
      terminal.err.write(
        'What the log answered does not hold under the keys that are believed: no receipt was written.\n',
      );
    }
    terminal.err.write(adviceOf(file, passed, logged, givenId));
  }
  return LATER.includes(error.code) ? EXIT.unreadable : exitCodeOf(error);
}

/** What is wrong with an event is said, also where an earlier attempt leaves open whether it is logged. */
function withFaults(error: NewelError): NewelError {
  return error instanceof OutcomeUnknownError && error.cause instanceof EventInvalidError
    ? error.cause
    : error;
}

function adviceOf(file: string, passed: number, logged: number, givenId: string | undefined): string {
  const again = 'To send it again as the same event, whether it is logged or not,';
  const lines = [
    ...(givenId === undefined ? [] : [`${again} give it "id": "${givenId}".`]),
    ...(logged === 0
      ? []
      : [`${formatCount(logged, 'event')} before it ${logged === 1 ? 'is' : 'are'} logged, with receipts.`]),
    ...(passed === 0
      ? []
      : [`To go on from here: newel submit ${printable(shellQuote(file))} --skip ${passed}`]),
  ];
  return lines.map((text) => `${text}\n`).join('');
}
