/**
 * Which log a command talks to, and whose word it takes for the log's keys.
 *
 *   url      --url, else NEWEL_URL, else url in the file of --trust, else url in DIR/client.json
 *   trust    --trust FILE, else trust in DIR/client.json if that is of the same url, else the log itself: not pinned
 */

import { readFile } from 'node:fs/promises';
import { httpSource, type LogSource } from '../client/source.ts';
import type { Trust } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { readClientConfig, URL_OPTION, urlOf } from './client-config.ts';
import type { Call, Options } from './command.ts';
import { parseTrustOf, readTrustFile, trustOfConfig } from './pinned-trust.ts';
import { printable } from './terminal.ts';

export interface Remote {
  readonly url: string;
  readonly source: LogSource;
  readonly trust: Trust;
  /** The file that the keys are from; `undefined`: the log itself, so whoever answers at the URL vouches for itself. */
  readonly pinnedBy: string | undefined;
}

export const REMOTE_OPTIONS: Options = {
  url: URL_OPTION,
  trust: {
    value: 'FILE',
    help: 'whose keys to believe: what newel trust pin saved (default: ./data/client.json if of this URL, else the log’s word)',
  },
};

/** Throws `usage` where no URL is known, `unreachable` or `malformed` for what cannot be read. */
export async function openRemote(call: Call): Promise<Remote> {
  const config = await readClientConfig(call.terminal);
  const file = call.text('trust');
  const pinned = file === undefined ? undefined : await readTrustFile(call, file);
  const url = urlOf(call, config, pinned);
  const source = httpSource(url);
  if (pinned) return { url, source, trust: pinned.trust, pinnedBy: pinned.path };
  if (config?.url === url) return { url, source, trust: trustOfConfig(config), pinnedBy: config.path };
  const answer = await source.read('v1/log');
  if (!answer) {
    throw new NewelError('unreachable', `${url} has no /v1/log to take its key from; give --trust FILE`);
  }
  return { url, source, trust: parseTrustOf(answer, `${url}/v1/log`), pinnedBy: undefined };
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
    ? `taken from the log itself, not pinned: newel trust pin ${printable(url)} saves it, and then give --trust log.json`
    : `pinned by ${printable(pinnedBy)}`;
}
