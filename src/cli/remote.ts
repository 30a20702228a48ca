/**
 * Which log a command talks to, and whose word it takes for the log's keys.
 *
 *   url      --url, else NEWEL_URL, else url in DIR/client.json
 *   trust    --trust FILE, else trust in DIR/client.json if that is of the same url, else the log itself: not pinned
 */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { hasCode } from '../access/durable-file.ts';
import { httpSource, type LogSource } from '../client/source.ts';
import { NewelError } from '../errors.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Call, Options } from './command.ts';
import { defaultDataDir } from './data-folder.ts';
import { folderPaths } from './folder.ts';
import { parsePublicUrl } from './settings.ts';
import { parseTrust, type Trust, trustOf } from './trust.ts';

export interface Remote {
  readonly url: string;
  readonly source: LogSource;
  readonly trust: Trust;
  /** The file that the keys are from; `undefined`: the log itself, so whoever answers at the URL vouches for itself. */
  readonly pinnedBy: string | undefined;
}

export const REMOTE_OPTIONS: Options = {
  url: {
    value: 'URL',
    help: 'the log (default: NEWEL_URL, else what newel dev wrote to ./data/client.json)',
  },
  trust: { value: 'FILE', help: 'the saved answer of GET /v1/log: whose keys to believe' },
};

/** Throws `usage` where no URL is known, `unreachable` or `malformed` for what cannot be read. */
export async function openRemote(call: Call): Promise<Remote> {
  const { terminal } = call;
  const client = folderPaths(defaultDataDir(terminal)).client;
  const known = await readClient(client);
  const given = urlGiven(call);
  const url = given ?? known?.url;
  if (url === undefined) {
    throw new NewelError(
      'usage',
      'which log? Give --url URL, or set NEWEL_URL; newel dev would have said it here',
    );
  }
  const source = httpSource(url);
  const file = call.text('trust');
  if (file !== undefined) {
    const path = resolve(terminal.cwd, file);
    return {
      url,
      source,
      trust: parseTrust(await readBytes(path, 'the saved answer of GET /v1/log'), path),
      pinnedBy: path,
    };
  }
  if (known?.url === url) return { url, source, trust: trustOf(known.trust, client), pinnedBy: client };
  const answer = await source.read('v1/log');
  if (!answer) {
    throw new NewelError('unreachable', `${url} has no /v1/log to take its key from; give --trust FILE`);
  }
  return { url, source, trust: parseTrust(answer, `${url}/v1/log`), pinnedBy: undefined };
}

/** The bytes of a file that the user named, which is to be `what`. Throws `unreachable`. */
export async function readBytes(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new NewelError('unreachable', `${path} cannot be read: give a file that is ${what}`, { cause });
  }
}

/** What to tell whoever sees a result that rests on keys that nobody pinned. */
export function formatPin({ pinnedBy, url }: Remote): string {
  return pinnedBy === undefined
    ? `taken from the log itself, not pinned: save ${url}/v1/log and give it as --trust`
    : `pinned by ${pinnedBy}`;
}

function urlGiven(call: Call): string | undefined {
  const { NEWEL_URL: fromEnv } = call.terminal.env;
  const flag = call.text('url');
  const text = flag ?? (fromEnv === '' ? undefined : fromEnv);
  if (text === undefined) return undefined;
  try {
    return parsePublicUrl(text);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError('usage', `${flag === undefined ? 'NEWEL_URL' : '--url'} ${cause.message}`, {
      cause,
    });
  }
}

/** What `newel dev` wrote, if it is there. */
async function readClient(path: string): Promise<{ url: string; trust: unknown } | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    throw new NewelError(
      'unreachable',
      `${path} cannot be read: put that right, or remove it and newel dev makes it anew`,
      {
        cause,
      },
    );
  }
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes));
    if (typeof value === 'object' && value !== null && 'url' in value && 'trust' in value) {
      if (typeof value.url === 'string') return { url: parsePublicUrl(value.url), trust: value.trust };
    }
  } catch (cause) {
    throw new NewelError('malformed', `${path} is spoilt; newel dev makes it anew`, { cause });
  }
  throw new NewelError('malformed', `${path} is not what newel dev writes, which makes it anew`);
}
