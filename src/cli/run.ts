/** From arguments to an exit code: finds the command, and says what went wrong. */

import { NewelError } from '../errors.ts';
import { type Command, formatHelp, parseCall } from './command.ts';
import { config } from './commands/config.ts';
import { consistency } from './commands/consistency.ts';
import { dev } from './commands/dev.ts';
import { disclose } from './commands/disclose.ts';
import { erase } from './commands/erase.ts';
import { fsck } from './commands/fsck.ts';
import { head } from './commands/head.ts';
import { init } from './commands/init.ts';
import { monitor } from './commands/monitor.ts';
import { receipt } from './commands/receipt.ts';
import { serve } from './commands/serve.ts';
import { submit } from './commands/submit.ts';
import { token } from './commands/token.ts';
import { trust } from './commands/trust.ts';
import { verify } from './commands/verify.ts';
import { witness } from './commands/witness.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { sayFailure } from './failure.ts';
import { formatTable, type Terminal } from './terminal.ts';
import { readSoftware } from './version.ts';

const COMMANDS: readonly Command[] = [
  dev,
  init,
  serve,
  token,
  config,
  submit,
  receipt,
  disclose,
  verify,
  trust,
  head,
  consistency,
  erase,
  fsck,
  witness,
  monitor,
];

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
    sayFailure(terminal, rest.includes('--json'), error);
    return exitCodeOf(error);
  }
}

function overview(): string {
  const rows = COMMANDS.map(({ name, summary }) => [`  ${name}`, summary]);
  return (
    'newel: a transparency log that anybody can check\n\n' +
    `${formatTable(rows)}\n` +
    'newel COMMAND --help says more; newel --version says which newel this is.\n' +
    'Exit codes: 0 well · 1 false, or refused · 2 wrong usage · 3 cannot be read or reached · 4 true, but less than asked for\n'
  );
}
