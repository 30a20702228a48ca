/**
 * The data folder of a log, as `newel init` makes it:
 *
 *   DIR/  newel.json          what the log is, and settings of `serve`; written last, so its being there says that init ended
 *         keys/log-ed25519    the key that signs tree heads, as a skey (0600)
 *         keys/log-mldsa44    the key of their second line (0600)
 *         keys/statement.jwks the keys of statements, and
 *         keys/master         what the keys of records are sealed under in the end, and
 *         keys/epochs         what is between, for a week each: `vault-keys.ts`; of an event log only
 *         policy              C2SP tlog-policy
 *         policy.public       another one, where public witnesses are asked beside those that receipts wait for
 *         tokens.json         who may call
 *         db/                 LevelDB
 *   DIR.guard                 beside it, or where `--guard` said
 *
 * newel.json, read strictly:
 *
 *   {"format":1,"kind":"events","origin":"log.example/bank","issuer":"https://log.example/bank","instance":"5f1c…","url":"https://log.example/bank","serve":{}}
 *
 * and `"sources":{"https://bank.example/payments":{"secrets":"redact","sequence":"strict"}}`, `"master_command"` (`master-key.ts`)
 * and `oidc` (`access/oidc-config.ts`) where JWTs of an issuer are taken as tokens.
 */

import { readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { hasCode } from '../access/durable-file.ts';
import { formatOidcConfig, type OidcConfig, parseOidcConfig } from '../access/oidc-config.ts';
import { NewelError } from '../errors.ts';
import { assertOrigin } from '../formats/key-name.ts';
import { parseSourceRules, type SourceRules } from './source-rules.ts';
import { DISK_FORMAT, type Kind, KINDS } from '../log/identity.ts';

export interface FolderConfig {
  readonly kind: Kind;
  readonly origin: string;
  /** The `iss` of statements; of an event log only. */
  readonly issuer?: string;
  /** 128 random bits in hex. */
  readonly instance: string;
  /** The public URL. */
  readonly url?: string;
  /** Settings of `serve`, by the names of `settings.ts`. */
  readonly serve: Readonly<Record<string, unknown>>;
  /** What is special about sources of events, by their names. */
  readonly sources?: Readonly<Record<string, SourceRules>>;
  /** A command that prints the master key. */
  readonly masterCommand?: string;
  /** Whose JWTs are taken as bearer tokens. */
  readonly oidc?: OidcConfig;
}

export interface Folder extends FolderConfig {
  readonly paths: FolderPaths;
}

export interface FolderPaths {
  readonly dir: string;
  readonly config: string;
  /** What init calls newel.json until all else is there. */
  readonly unfinished: string;
  readonly keys: string;
  readonly logKey: string;
  readonly statementKeys: string;
  readonly master: string;
  readonly epochs: string;
  /** The key that makes the second line of checkpoints. */
  readonly secondKey: string;
  readonly policy: string;
  /** The policy of the slot `public`, where there is one. */
  readonly publicPolicy: string;
  readonly tokens: string;
  readonly db: string;
  /** Where `dev` says how to reach it. */
  readonly client: string;
  /** Where the guard is unless a setting says otherwise. */
  readonly guard: string;
}

/** The paths of the folder `dir`, an absolute path. */
export function folderPaths(dir: string): FolderPaths {
  return {
    dir,
    config: join(dir, 'newel.json'),
    unfinished: join(dir, 'newel.json.unfinished'),
    keys: join(dir, 'keys'),
    logKey: join(dir, 'keys', 'log-ed25519'),
    statementKeys: join(dir, 'keys', 'statement.jwks'),
    master: join(dir, 'keys', 'master'),
    epochs: join(dir, 'keys', 'epochs'),
    secondKey: join(dir, 'keys', 'log-mldsa44'),
    policy: join(dir, 'policy'),
    publicPolicy: join(dir, 'policy.public'),
    tokens: join(dir, 'tokens.json'),
    db: join(dir, 'db'),
    client: join(dir, 'client.json'),
    guard: `${dir}.guard`,
  };
}

/** Whether an absolute path is that of `dir` or of something in it, by its names alone. */
export function isWithin(dir: string, path: string): boolean {
  const from = relative(dir, path);
  return from !== '..' && !from.startsWith(`..${sep}`) && !isAbsolute(from);
}

/** What is at `dir`: `absent` is no folder or an empty one, `other` something that is not a log's folder. */
export type FolderState = 'absent' | 'log' | 'unfinished' | 'other';

export async function folderState(dir: string): Promise<FolderState> {
  let names: string[];
  try {
    names = await readdir(dir);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 'absent';
    throw new NewelError(
      'log_refused',
      `the folder ${dir} cannot be read: give a folder, and see that this user may read it`,
      { cause: error },
    );
  }
  if (names.length === 0) return 'absent';
  if (names.includes('newel.json')) return 'log';
  return names.includes('newel.json.unfinished') ? 'unfinished' : 'other';
}

/** Reads newel.json. Throws `log_missing` or `log_refused`, saying what is there and what to do. */
export async function readFolder(dir: string): Promise<Folder> {
  const paths = folderPaths(dir);
  const state = await folderState(dir);
  if (state === 'unfinished') throw unfinished(paths);
  if (state !== 'log') {
    throw new NewelError(
      'log_missing',
      state === 'absent'
        ? `there is no log at ${dir}; make one with newel init, or give the folder of one with --data`
        : `there is no newel.json in ${dir}; if it is the folder of a log, bring that file back; if not, give another`,
    );
  }
  let text: string;
  try {
    text = await readFile(paths.config, 'utf8');
  } catch (cause) {
    const message = `${paths.config} cannot be read: see that it is a file which this user may read`;
    throw new NewelError('log_refused', message, { cause });
  }
  return { ...parseFolderConfig(text, paths.config), paths };
}

/** The text of newel.json. */
export function formatFolderConfig({
  kind,
  origin,
  issuer,
  instance,
  url,
  serve,
  sources,
  masterCommand,
  oidc,
}: FolderConfig): string {
  const more = { sources, master_command: masterCommand };
  const members = { format: DISK_FORMAT, kind, origin, issuer, instance, url, serve, ...more };
  if (oidc) return formatMembers({ ...members, oidc: formatOidcConfig(oidc) });
  return formatMembers(members);
}

function formatMembers(members: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify(members, undefined, 2)}\n`;
}

/** What to do where what newel.json says that the log is cannot be taken: all of it stays for ever. */
const AS_INIT_WROTE_IT = 'bring it back as init wrote it';

/** Reads the text of newel.json. Throws `log_refused`, naming `where` and the member, and saying what to do. */
export function parseFolderConfig(text: string, where: string): FolderConfig {
  const flaw = (what: string, cause?: unknown): NewelError =>
    new NewelError('log_refused', `${where} ${what}`, cause === undefined ? {} : { cause });
  const spoilt = (what: string, cause?: unknown): NewelError => flaw(`${what}: ${AS_INIT_WROTE_IT}`, cause);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw spoilt('is not JSON', cause);
  }
  if (!isObject(value)) throw spoilt('is not a JSON object');
  const { format, kind, origin, issuer, instance, url, serve, oidc, sources, master_command, ...rest } =
    value;
  if (format !== DISK_FORMAT) {
    const found = typeof format === 'number' ? `format ${format}` : 'no format number';
    throw flaw(`has ${found}, and this newel reads format ${DISK_FORMAT}: see UPGRADING.md`);
  }
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw flaw(`has an unknown member ${JSON.stringify(unknown)}: remove it, or move a setting under serve`);
  const known = KINDS.find((name) => name === kind);
  if (known === undefined) throw spoilt('has a kind that is neither events nor opaque');
  if (typeof origin !== 'string') throw spoilt('has no origin');
  try {
    assertOrigin(origin);
  } catch (cause) {
    throw spoilt('has an origin that is not one', cause);
  }
  if (typeof instance !== 'string' || !/^[0-9a-f]{32}$/.test(instance))
    throw spoilt('has no instance of 32 hex digits');
  if (known === 'events' && !isIssuer(issuer)) throw spoilt('has no issuer that is an https URL');
  if (known === 'opaque' && issuer !== undefined)
    throw spoilt('has an issuer, and a log of opaque entries has none');
  if (url !== undefined && typeof url !== 'string')
    throw flaw('has a url that is not text: give the public URL in quotes, or remove it');
  if (!isObject(serve))
    throw flaw('has no object serve: it holds the settings of newel serve, and is {} where there are none');
  if (master_command !== undefined && typeof master_command !== 'string')
    throw flaw('has a master_command that is not text: give the command in quotes, or remove it');
  return {
    kind: known,
    origin,
    instance,
    serve,
    ...(sources === undefined ? {} : { sources: parseSourceRules(sources, flaw) }),
    ...(master_command === undefined ? {} : { masterCommand: master_command }),
    ...(typeof issuer === 'string' ? { issuer } : {}),
    ...(url === undefined ? {} : { url }),
    ...(oidc === undefined ? {} : { oidc: parseOidc(oidc, where) }),
  };
}

function parseOidc(value: unknown, where: string): OidcConfig {
  try {
    return parseOidcConfig(value);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError('log_refused', `${where}: ${cause.message}; put it right, or remove oidc`, {
      cause,
    });
  }
}

/** Whether `value` may be the `iss` of statements: an https URL in visible ASCII, at most 255 characters, as it is kept. */
export function isIssuer(value: unknown): value is string {
  return typeof value === 'string' && /^https:\/\/[\x21-\x7e]{1,247}$/.test(value) && URL.canParse(value);
}

/** What to do with the folder of an init that did not end. Nothing of it was ever served, since `serve` refuses it. */
export function unfinished(paths: FolderPaths): NewelError {
  return new NewelError(
    'log_refused',
    `an init of ${paths.dir} was interrupted, so no log has begun there: remove the folder, and the guard that it may ` +
      `have made (${paths.guard}, or where --guard said), and run newel init again`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
