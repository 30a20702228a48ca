/** `newel token`: who may call. Works while the log is served, which reads the list again within a second. */

import { isRole, type Role } from '../../access/principal.ts';
import { isRate, MAX_RATE } from '../../access/rate-limit.ts';
import { isOwnSource, isSource, MAX_SOURCES } from '../../access/source.ts';
import { createToken, listTokens, revokeToken, type TokenRecord } from '../../access/token-list.ts';
import { isDecimal } from '../../formats/decimal.ts';
import { type Call, type Command, usage } from '../command.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { EXIT } from '../exit-code.ts';
import { readFolder } from '../folder.ts';
import { formatJsonLine } from '../json-line.ts';
import { formatTable, printable } from '../terminal.ts';

export const token: Command = {
  name: 'token',
  summary: 'make, list and revoke the tokens of callers',
  usage: [
    'create NAME --role submit --source S … [--expires 90d] [--rate N] [--data DIR]',
    'create NAME --role audit|admin [--expires 90d] [--rate N] [--data DIR]',
    'list [--data DIR]',
    'revoke NAME [--data DIR]',
  ],
  about:
    'A token is printed once, when it is made; only its hash is kept. A log that is being served knows of a new token,\n' +
    'and of a revoked one, within a second. A submit token posts and reads events of its own sources, at least one; an\n' +
    'audit token reads the events of every source; an admin token reads none. So these two take no source.',
  options: {
    data: DATA_OPTION,
    role: {
      value: 'ROLE',
      help: 'submit: add entries · audit: read what is not public · admin: run the log',
    },
    source: {
      value: 'S',
      help: 'a source that a submit token may speak for; may be given several times',
      multiple: true,
    },
    expires: {
      value: 'TIME',
      help: 'how long it lasts, in days or hours: 90d, 12h (default: until revoked)',
    },
    rate: {
      value: 'N',
      help: 'events and reads that it may send a second (default: the rate-limit of serve)',
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
  assertSources(role, sources);
  const nowMs = Date.now();
  const expires = call.text('expires');
  const expiresMs = expires === undefined ? undefined : nowMs + parseDurationMs(expires);
  const rate = parseRate(call.text('rate'));
  const { paths } = await readFolder(dataDir(call));
  const input = { name, role, sources, nowMs, ...(expiresMs === undefined ? {} : { expiresMs }), ...rate };
  const secret = await createToken(paths.tokens, input);
  const { out, err } = call.terminal;
  if (call.json) {
    const expiry = expiresMs === undefined ? {} : { expires: new Date(expiresMs).toISOString() };
    out.write(formatJsonLine({ name, role, ...sourcesOf(input), ...expiry, ...rate, token: secret }));
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
      ...sourcesOf(one),
      created: new Date(one.createdMs).toISOString(),
      ...(one.expiresMs === undefined ? {} : { expires: new Date(one.expiresMs).toISOString() }),
      expired: isExpired(one),
      ...(one.rate === undefined ? {} : { rate: one.rate }),
    }));
    out.write(formatJsonLine(shown));
    return EXIT.ok;
  }
  const rows = tokens.map((one) => [
    one.name,
    one.role,
    one.role === 'submit' ? one.sources.join(' ') : WITHOUT_SOURCES[one.role].shown,
    new Date(one.createdMs).toISOString(),
    one.expiresMs === undefined
      ? 'never'
      : `${new Date(one.expiresMs).toISOString()}${isExpired(one) ? ' (over)' : ''}`,
    one.rate === undefined ? '–' : `${one.rate}/s`,
  ]);
  out.write(formatTable([['name', 'role', 'sources', 'created', 'expires', 'rate'], ...rows]));
  return EXIT.ok;
}

async function revoke(call: Call, name: string): Promise<number> {
  const { paths } = await readFolder(dataDir(call));
  await revokeToken(paths.tokens, name);
  call.terminal.out.write(
    call.json ? formatJsonLine({ name, revoked: true }) : `revoked ${printable(name)}\n`,
  );
  return EXIT.ok;
}

/** Why a role takes no source, and what stands in its place in the list. */
const WITHOUT_SOURCES: Readonly<Record<Exclude<Role, 'submit'>, { reason: string; shown: string }>> = {
  audit: { reason: 'reads the events of every source', shown: 'all' },
  admin: { reason: 'reads no events', shown: '–' },
};

function assertSources(role: Role, sources: readonly string[]): void {
  if (role !== 'submit') {
    if (sources.length === 0) return;
    throw usage(token, `--source goes with --role submit: an ${role} token ${WITHOUT_SOURCES[role].reason}`);
  }
  if (sources.length === 0) throw usage(token, 'a submit token needs at least one --source');
  if (sources.length > MAX_SOURCES)
    throw usage(token, `--source is given more than ${MAX_SOURCES} times, and a token has no more`);
  if (!sources.every(isSource)) throw usage(token, '--source is not 1 to 255 visible ASCII characters');
  if (sources.some(isOwnSource))
    throw usage(token, '--source begins with newel:, which is kept for the events of the log itself');
}

/** As JSON shows them: only where they bind. */
function sourcesOf({ role, sources }: Pick<TokenRecord, 'role' | 'sources'>): {
  sources?: readonly string[];
} {
  return role === 'submit' ? { sources } : {};
}

function parseRate(text: string | undefined): { rate?: number } {
  if (text === undefined) return {};
  const rate = isDecimal(text) ? Number(text) : Number.NaN;
  if (!isRate(rate)) throw usage(token, `--rate is not a whole number from 1 to ${MAX_RATE}`);
  return { rate };
}

const DURATION = /^([1-9][0-9]{0,4})([dh])$/;
const UNIT_MS = { d: 24 * 3_600_000, h: 3_600_000 } as const;

function parseDurationMs(text: string): number {
  const [, count, unit] = DURATION.exec(text) ?? [];
  if (count === undefined || (unit !== 'd' && unit !== 'h'))
    throw usage(token, '--expires is not like 90d or 12h');
  return Number(count) * UNIT_MS[unit];
}
