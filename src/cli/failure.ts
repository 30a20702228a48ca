/** What went wrong, for whoever reads it: a line on stderr, or JSON. */

import { EventInvalidError, NewelError, SecretFoundError } from '../errors.ts';
import { formatJsonLine } from './json-line.ts';
import { paint, printable, type Terminal } from './terminal.ts';

/** What is known of a failure beside its code and message. */
export interface Circumstances {
  /** Where it was met, before the message: a file, a line of it. */
  readonly where?: string;
  /** Printed with `--json` alone. */
  readonly members?: Readonly<Record<string, string | number | boolean>>;
}

/** Writes a failure to stderr. */
export function sayFailure(
  terminal: Terminal,
  json: boolean,
  error: unknown,
  about: Circumstances = {},
): void {
  terminal.err.write(
    json ? formatJsonLine({ error: failureOf(error, about) }) : textFailure(terminal, error, about),
  );
}

/** A failure as JSON shows it. */
export function failureOf(error: unknown, { where, members }: Circumstances = {}): Record<string, unknown> {
  const code = error instanceof NewelError ? error.code : 'internal';
  const message = error instanceof Error ? `${error.message}${systemCause(error)}` : String(error);
  const faults = error instanceof EventInvalidError ? { faults: error.faults } : {};
  const findings = error instanceof SecretFoundError ? { findings: error.findings } : {};
  return {
    code,
    message: where === undefined ? message : `${where}: ${message}`,
    ...members,
    ...faults,
    ...findings,
  };
}

function textFailure(terminal: Terminal, error: unknown, { where }: Circumstances): string {
  const label = paint(terminal, terminal.err, 'red', 'newel:');
  const place = where === undefined ? '' : ` ${printable(where)}:`;
  if (error instanceof NewelError)
    return `${label}${place} ${printable(`${error.message}${systemCause(error)}`)}\n${faultsOf(error)}`;
  // Not one of ours: the system's own words where it refused something, a stack where it is a bug.
  if (!(error instanceof Error)) return `${label}${place} ${printable(String(error))}\n`;
  if ('syscall' in error) return `${label}${place} ${printable(error.message)}\n`;
  return `${label}${place} ${(error.stack ?? error.message).split('\n').map(printable).join('\n')}\n`;
}

function faultsOf(error: NewelError): string {
  const line = (pointer: string, detail: string): string =>
    `  ${printable(pointer === '' ? '(the event)' : pointer)}  ${printable(detail)}\n`;
  if (error instanceof EventInvalidError) {
    return error.faults.map(({ pointer, detail }) => line(pointer, detail)).join('');
  }
  if (error instanceof SecretFoundError) {
    return error.findings.map(({ pointer, rule }) => line(pointer, rule)).join('');
  }
  return '';
}

/** For these, the message says it all, and a system call behind it adds nothing. */
const SAID: readonly string[] = ['log_exists', 'log_in_use', 'log_missing'];

/** The words of the system at the end of the causes, which say why (no such file, permission denied, no route). */
function systemCause(error: Error): string {
  if (error instanceof NewelError && SAID.includes(error.code)) return '';
  let cause = error.cause;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  // What a parser of the platform says repeats what it was given, which may be a secret.
  if (!(cause instanceof Error) || cause instanceof NewelError || cause instanceof SyntaxError) return '';
  return cause.message === '' ? '' : ` (${cause.message})`;
}
