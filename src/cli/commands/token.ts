/** `newel token`: who may call. Works while the log is served, which reads the list again within a second. */

import { createToken, listTokens, revokeToken, type TokenRecord } from '../../access/token-list.ts';
import { isRole } from '../../access/principal.ts';
import { type Call, type Command, usage } from '../command.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { EXIT } from '../exit-code.ts';
import { readFolder } from '../folder.ts';
import { formatTable } from '../terminal.ts';

export const token: Command = {
  name: 'token',
  summary: 'make, list and revoke the tokens of callers',
  usage: [
    'create NAME --role submit|audit|admin --source S … [--expires 90d] [--data DIR]',
    'list [--data DIR]',
    'revoke NAME [--data DIR]',
  ],
  about:
    'A token is printed once, when it is made; only its hash is kept. A log that is being served knows of a new token,\n' +
    'and of a revoked one, within a second. A submit token speaks for at least one source.',
  options: {
    data: DATA_OPTION,
    role: {
      value: 'ROLE',
      help: 'submit: add entries · audit: read what is not public · admin: run the log',
    },
    source: {
      value: 'S',
      help: 'a source that it may speak for; may be given several times',
      multiple: true,
    },
    expires: {
      value: 'TIME',
      help: 'how long it lasts, in days or hours: 90d, 12h (default: until revoked)',
    },
  },
  positionals: [1, 2],
  run: runToken,
};

async function runToken(call: Call): Promise<number> {
  const [verb, name] = call.positionals;
  if (verb === 'list') {
    if (name !== undefined) throw usage(token, 'list takes no name');
    return list(call);
  }
  if (verb !== 'create' && verb !== 'revoke') throw usage(token, 'create, list or revoke?');
  if (name === undefined) throw usage(token, `which token? ${verb} takes its name`);
  return verb === 'create' ? create(call, name) : revoke(call, name);
}

async function create(call: Call, name: string): Promise<number> {
  const role = call.text('role');
  const sources = call.texts('source');
  if (!isRole(role)) throw usage(token, '--role is submit, audit or admin');
  if (role === 'submit' && sources.length === 0)
    throw usage(token, 'a submit token needs at least one --source');
  const nowMs = Date.now();
  const expires = call.text('expires');
  const expiresMs = expires === undefined ? undefined : nowMs + parseDurationMs(expires);
  const { paths } = await readFolder(dataDir(call));
  const input = { name, role, sources, nowMs, ...(expiresMs === undefined ? {} : { expiresMs }) };
  const secret = await createToken(paths.tokens, input);
  const { out, err } = call.terminal;
  if (call.json) {
    const expiry = expiresMs === undefined ? {} : { expires: new Date(expiresMs).toISOString() };
    out.write(`${JSON.stringify({ name, role, sources, ...expiry, token: secret })}\n`);
  } else {
    out.write(`${secret}\n`);
    err.write('The token is shown this once.\n');
  }
  return EXIT.ok;
}

async function list(call: Call): Promise<number> {
  const { paths } = await readFolder(dataDir(call));
  const tokens = await listTokens(paths.tokens);
  const nowMs = Date.now();
  const isExpired = ({ expiresMs }: TokenRecord): boolean => expiresMs !== undefined && expiresMs <= nowMs;
  const { out } = call.terminal;
  if (call.json) {
    const shown = tokens.map((one) => ({
      name: one.name,
      role: one.role,
      sources: one.sources,
      created: new Date(one.createdMs).toISOString(),
      ...(one.expiresMs === undefined ? {} : { expires: new Date(one.expiresMs).toISOString() }),
      expired: isExpired(one),
    }));
    out.write(`${JSON.stringify(shown)}\n`);
    return EXIT.ok;
  }
  const rows = tokens.map((one) => [
    one.name,
    one.role,
    one.sources.join(' '),
    new Date(one.createdMs).toISOString(),
    one.expiresMs === undefined
      ? 'never'
      : `${new Date(one.expiresMs).toISOString()}${isExpired(one) ? ' (over)' : ''}`,
  ]);
  out.write(formatTable([['name', 'role', 'sources', 'created', 'expires'], ...rows]));
  return EXIT.ok;
}

async function revoke(call: Call, name: string): Promise<number> {
  const { paths } = await readFolder(dataDir(call));
  await revokeToken(paths.tokens, name);
  call.terminal.out.write(call.json ? `${JSON.stringify({ name, revoked: true })}\n` : `revoked ${name}\n`);
  return EXIT.ok;
}

const DURATION = /^([1-9][0-9]{0,4})([dh])$/;
const UNIT_MS = { d: 24 * 3_600_000, h: 3_600_000 } as const;

function parseDurationMs(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined || (unit !== 'd' && unit !== 'h'))
    throw usage(token, '--expires is not like 90d or 12h');
  return Number(count) * UNIT_MS[unit];
}
