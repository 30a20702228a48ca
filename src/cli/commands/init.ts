/** `newel init`: makes a log, once. */

import { resolve } from 'node:path';
import { createToken } from '../../access/token-list.ts';
import type { Role } from '../../access/principal.ts';
import { type Kind, KINDS } from '../../log/identity.ts';
import { type Call, type Command, usage } from '../command.ts';
import { createFolder } from '../create-folder.ts';
import { EXIT } from '../exit-code.ts';
import { formatJsonLine } from '../json-line.ts';
import { parsePublicUrl } from '../address.ts';
import { formatFields } from '../terminal.ts';

/** The tokens that a log begins with, by their names. */
const FIRST_TOKENS: readonly Role[] = ['admin', 'submit'];
/** What the one that submits speaks for, until the operator makes tokens for the sources there are. */
const FIRST_SOURCE = 'default';

export const init: Command = {
  name: 'init',
  summary: 'make a new log',
  usage: ['--data DIR --origin NAME [--kind events|opaque] [--issuer URL] [--guard PATH] [--public-url URL]'],
  about:
    'Makes a log in a new folder: keys, policy, tokens, database, and beside it the guard. Leaf 0 of an event log says\n' +
    'what the log is and which keys sign its statements. Origin, kind and issuer stay for ever.\n' +
    'The origin is the public URL prefix without scheme, like log.example/bank.\n' +
    'Two tokens are printed, once; only their hashes are kept. Never back up keys/ and the guard with the database.',
  options: {
    data: { value: 'DIR', help: 'the folder to make; it must not exist, or be empty' },
    origin: { value: 'NAME', help: 'the name of the log, for ever' },
    kind: {
      value: 'KIND',
      help: 'events: step-up events and receipts (default), or opaque: entries are bytes',
    },
    issuer: {
      value: 'URL',
      help: 'who issues the statements of an event log, for ever (default: https:// and the origin)',
    },
    guard: { value: 'PATH', help: 'where to make the guard, better on another volume (default: DIR.guard)' },
    'public-url': { value: 'URL', help: 'the URL that the world reaches the log at' },
  },
  positionals: [0, 0],
  run: runInit,
};

async function runInit(call: Call): Promise<number> {
  const { terminal } = call;
  const data = call.text('data');
  const origin = call.text('origin');
  if (data === undefined) throw usage(init, '--data is needed');
  if (origin === undefined) throw usage(init, '--origin is needed');
  const kind = kindOf(call.text('kind') ?? 'events');
  const guard = call.text('guard');
  const dir = resolve(terminal.cwd, data);
  const { folder, vkey } = await createFolder({
    dir,
    origin,
    kind,
    issuer: call.text('issuer'),
    guard: guard === undefined ? undefined : resolve(terminal.cwd, guard),
    url: call.parsed('public-url', parsePublicUrl),
    env: terminal.env,
  });
  const tokens: [Role, string][] = [];
  for (const role of FIRST_TOKENS) {
    const sources = role === 'submit' ? [FIRST_SOURCE] : [];
    const input = { name: role, role, sources, nowMs: Date.now() };
    tokens.push([role, await createToken(folder.paths.tokens, input)]);
  }
  const guardPath = guard === undefined ? folder.paths.guard : resolve(terminal.cwd, guard);
  if (call.json) {
    const made = {
      origin,
      kind: folder.kind,
      ...(folder.issuer === undefined ? {} : { issuer: folder.issuer }),
      vkey,
      folder: dir,
      guard: guardPath,
      tokens: Object.fromEntries(tokens),
    };
    terminal.out.write(formatJsonLine(made));
    return EXIT.ok;
  }
  terminal.out.write(
    formatFields([
      ['origin', origin],
      ['vkey', vkey],
      ...(folder.issuer === undefined ? [] : [['issuer', folder.issuer] as const]),
      ['folder', dir],
      ['guard', `${guardPath} (never in a backup, never restored)`],
      ...tokens.map(([role, token]) => [`${role} token`, token] as const),
    ]),
  );
  terminal.err.write(
    'The tokens are shown this once; newel token makes others.\n' + `Next: newel serve --data ${data}\n`,
  );
  return EXIT.ok;
}

function kindOf(text: string): Kind {
  const kind = KINDS.find((name) => name === text);
  if (kind === undefined) throw usage(init, `--kind is neither ${KINDS.join(' nor ')}`);
  return kind;
}
