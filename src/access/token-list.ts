/**
 * `tokens.json`: who may call, by the hashes of their tokens. An array, in the order of making:
 *
 *   [
 *     {
 *       "name": "bank-app", "role": "submit", "sources": ["app.bank.example"],
 *       "hash": "9f86…", "created": "2026-11-20T12:00:08.123Z", "expires": "2027-02-18T12:00:08.123Z", "rate": 200
 *     }
 *   ]
 *
 * The file is edited here, by an editor, or by a tool of the operator's; so it is read strictly, and a member that is
 * not known is refused rather than passed over: a misspelt `expires` must not make a token that never ends. Sources
 * bind tokens of the role submit alone; other tokens may have some in the file, of old, and they bind nothing.
 */

import { readFile } from 'node:fs/promises';
import { NewelError } from '../errors.ts';
import { createFile, editFile } from './durable-file.ts';
import { isRole, type Principal } from './principal.ts';
import { isRate, MAX_RATE } from './rate-limit.ts';
import { isOwnSource, isSource, MAX_SOURCES } from './source.ts';
import { hashToken, newToken } from './token.ts';

export interface TokenRecord extends Principal {
  /** As `hashToken` has it. */
  readonly hash: string;
  readonly createdMs: number;
  /** From this time on the token is refused. */
  readonly expiresMs?: number;
}

export interface NewTokenInput extends Principal {
  readonly nowMs: number;
  readonly expiresMs?: number;
}

/** Tokens that one log may have. */
const MAX_TOKENS = 10_000;
/** Characters that the file may have. */
export const MAX_TOKENS_CHARS: number = 8 * 1024 * 1024;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;
const HASH = /^[0-9a-f]{64}$/;

/** Reads the text of a token file. Throws `malformed`, saying which token has what flaw. */
export function parseTokenList(text: string): TokenRecord[] {
  if (text.length > MAX_TOKENS_CHARS)
    throw new NewelError('too_large', `longer than ${MAX_TOKENS_CHARS} characters`);
  const list = parseJson(text);
  if (!Array.isArray(list)) throw new NewelError('malformed', 'not a JSON array');
  if (list.length > MAX_TOKENS) throw new NewelError('too_large', `more than ${MAX_TOKENS} tokens`);
  const tokens = list.map((item: unknown, i) => parseRecord(item, `token ${i + 1}`));
  assertUnique(
    tokens.map((token) => token.name),
    'name',
  );
  assertUnique(
    tokens.map((token) => token.hash),
    'hash',
  );
  return tokens;
}

/** The text of a token file. Throws `malformed` for what `parseTokenList` would not give back. */
export function formatTokenList(tokens: readonly TokenRecord[]): string {
  const list = tokens.map(({ name, role, sources, hash, createdMs, expiresMs, rate }) => ({
    name,
    role,
    sources,
    hash,
    created: new Date(createdMs).toISOString(),
    ...(expiresMs === undefined ? {} : { expires: new Date(expiresMs).toISOString() }),
    ...(rate === undefined ? {} : { rate }),
  }));
  const text = `${JSON.stringify(list, undefined, 2)}\n`;
  parseTokenList(text);
  return text;
}

/** Makes a token file without tokens. Throws `log_exists` if there is a file. */
export function createTokenList(path: string): Promise<void> {
  return createFile(path, formatTokenList([]));
}

/** Adds a token and returns it: the only time that it can be seen. Throws `usage` if the name is taken or not one. */
export async function createToken(path: string, input: NewTokenInput): Promise<string> {
  const token = newToken();
  const { nowMs, expiresMs, ...principal } = input;
  const record = { ...principal, hash: hashToken(token), createdMs: nowMs };
  await editTokens(path, (tokens) => {
    if (tokens.some(({ name }) => name === principal.name)) {
      throw new NewelError(
        'usage',
        `there is a token named ${principal.name}; revoke it first, or choose another name`,
      );
    }
    return [...tokens, { ...record, ...(expiresMs === undefined ? {} : { expiresMs }) }];
  });
  return token;
}

/** The tokens in the file, expired ones too. Throws `log_refused` where there is none to read. */
export async function listTokens(path: string): Promise<TokenRecord[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const message = `the token list ${path} cannot be read: bring it back, or make tokens anew with newel token create`;
    throw new NewelError('log_refused', message, { cause });
  }
  return parseAt(path, text);
}

/** Removes the token of this name. Throws `not_found` if there is none. */
export function revokeToken(path: string, name: string): Promise<void> {
  return editTokens(path, (tokens) => {
    const kept = tokens.filter((token) => token.name !== name);
    if (kept.length === tokens.length)
      throw new NewelError(
        'not_found',
        `there is no token of that name in ${path}: newel token list shows them`,
      );
    return kept;
  });
}

function editTokens(path: string, edit: (tokens: TokenRecord[]) => TokenRecord[]): Promise<void> {
  return editFile(path, (text) => {
    const tokens = edit(text === undefined ? [] : parseAt(path, text));
    try {
      return formatTokenList(tokens);
    } catch (error) {
      // What was read was sound, so the flaw is in what the caller adds.
      throw new NewelError('usage', error instanceof Error ? error.message : 'not a token', { cause: error });
    }
  });
}

function parseAt(path: string, text: string): TokenRecord[] {
  try {
    return parseTokenList(text);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    throw new NewelError(error.code, `${path}: ${error.message}; put it right`, { cause: error });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new NewelError('malformed', 'not JSON', { cause });
  }
}

function parseRecord(item: unknown, where: string): TokenRecord {
  if (typeof item !== 'object' || item === null) throw flaw(where, 'is not an object');
  const { name, role, sources, hash, created, expires, rate, ...rest }: Record<string, unknown> = { ...item };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw flaw(where, `has an unknown member ${JSON.stringify(unknown)}`);
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw flaw(
      where,
      'has a name that is not 1 to 64 letters, digits, dots, hyphens, underscores or at signs',
    );
  }
  if (!isRole(role)) throw flaw(where, 'has a role that is not submit, audit or admin');
  if (!Array.isArray(sources) || sources.length > MAX_SOURCES || !sources.every(isSource)) {
    throw flaw(
      where,
      `has sources that are not at most ${MAX_SOURCES} texts of 1 to 255 visible ASCII characters`,
    );
  }
  if (role === 'submit' && sources.length === 0)
    throw flaw(where, 'may submit, but has no source to submit for');
  if (sources.some(isOwnSource))
    throw flaw(where, 'has a source that begins with newel:, which is kept for the events of the log itself');
  if (typeof hash !== 'string' || !HASH.test(hash))
    throw flaw(where, 'has a hash that is not 64 lower-case hex digits');
  if (rate !== undefined && !isRate(rate))
    throw flaw(where, `has a rate that is not a whole number from 1 to ${MAX_RATE}`);
  return {
    name,
    role,
    sources,
    hash,
    createdMs: parseTime(created, `${where} has a created time`),
    ...(expires === undefined ? {} : { expiresMs: parseTime(expires, `${where} has an expires time`) }),
    ...(rate === undefined ? {} : { rate }),
  };
}

function parseTime(value: unknown, what: string): number {
  const timeMs = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(timeMs) || new Date(timeMs).toISOString() !== value) {
    throw new NewelError('malformed', `${what} that is not like 2026-11-20T12:00:08.123Z`);
  }
  return timeMs;
}

function assertUnique(values: readonly string[], member: string): void {
  const seen = new Set<string>();
  values.forEach((value, i) => {
    if (seen.has(value)) throw flaw(`token ${i + 1}`, `has the ${member} of an earlier one`);
    seen.add(value);
  });
}

function flaw(where: string, what: string): NewelError {
  return new NewelError('malformed', `${where} ${what}`);
}
