/** From arguments to an exit code: finds the command, and says what went wrong. */

import { NewelError } from '../errors.ts';
import { type Command, formatHelp, parseCall } from './command.ts';
import { config } from './commands/config.ts';
import { consistency } from './commands/consistency.ts';
import { dev } from './commands/dev.ts';
import { fsck } from './commands/fsck.ts';
import { head } from './commands/head.ts';
import { init } from './commands/init.ts';
import { serve } from './commands/serve.ts';
import { token } from './commands/token.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { formatTable, paint, type Terminal } from './terminal.ts';
import { readSoftware } from './version.ts';

const COMMANDS: readonly Command[] = [dev, init, serve, token, config, head, consistency, fsck];

/** Runs one command line, without the program's name. Never rejects. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [name, ...rest] = args;
  try {
    if (name === '--version') {
      const software = readSoftware();
      terminal.out.write(`${software.name} ${software.version}\n`);
      return EXIT.ok;
    }
    if (name === '--help' || name === 'help') {
      terminal.out.write(overview());
      return EXIT.ok;
    }
    if (name === undefined) {
      terminal.err.write(overview());
      return EXIT.usage;
    }
    const command = COMMANDS.find((known) => known.name === name);
    if (!command) throw new NewelError('usage', `there is no command ${JSON.stringify(name)} (newel --help)`);
    const call = parseCall(command, rest, terminal);
    if (!call.help) return await command.run(call);
    terminal.out.write(formatHelp(command));
    return EXIT.ok;
  } catch (error) {
    // Asked for before anything could be parsed, so looked for in the plainest way.
    terminal.err.write(rest.includes('--json') ? jsonError(error) : textError(error, terminal));
    return exitCodeOf(error);
  }
}

function overview(): string {
  const rows = COMMANDS.map(({ name, summary }) => [`  ${name}`, summary]);
  return (
    'newel: a transparency log that anybody can check\n\n' +
    `${formatTable(rows)}\n` +
    'newel COMMAND --help says more; newel --version says which newel this is.\n' +
    'Exit codes: 0 well · 1 false, or refused · 2 wrong usage · 3 cannot be read or reached\n'
  );
}

function textError(error: unknown, terminal: Terminal): string {
  const label = paint(terminal, terminal.err, 'red', 'newel:');
  if (error instanceof NewelError) return `${label} ${error.message}${systemCause(error)}\n`;
  // Not one of ours: the system's own words where it refused something, a stack where it is a bug.
  if (!(error instanceof Error)) return `${label} ${String(error)}\n`;
  return `${label} ${'syscall' in error ? error.message : (error.stack ?? error.message)}\n`;
}

function jsonError(error: unknown): string {
  const code = error instanceof NewelError ? error.code : 'internal';
  const message = error instanceof Error ? `${error.message}${systemCause(error)}` : String(error);
  return `${JSON.stringify({ error: { code, message } })}\n`;
}

/** For these, the message says it all, and a system call behind it adds nothing. */
const SAID: readonly string[] = ['log_exists', 'log_in_use', 'log_missing'];

/** The words of the system at the end of the causes, which say why (no such file, permission denied, no route). */
function systemCause(error: Error): string {
  if (error instanceof NewelError && SAID.includes(error.code)) return '';
  let cause = error.cause;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  return cause instanceof Error && !(cause instanceof NewelError) ? ` (${cause.message})` : '';
}
