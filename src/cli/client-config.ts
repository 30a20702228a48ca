/**
 * What a command that talks to a log knows of it, from what is nearest:
 *
 *   url      --url, else NEWEL_URL, else url in the file of --trust, else url in DIR/client.json
 *   token    --token-file FILE, else NEWEL_TOKEN, else token in DIR/client.json if that is of the same url
 *
 * client.json is what `newel dev` writes, readable by its owner alone:
 *
 *   {"url":"http://127.0.0.1:8080","token":"newel_…","trust":{…the answer of GET /v1/log…}}
 */

import { readFile } from 'node:fs/promises';
import { hasCode } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Call, Option, Options } from './command.ts';
import { defaultDataDir } from './data-folder.ts';
import { folderPaths } from './folder.ts';
import { readInput } from './input-file.ts';
import { parsePublicUrl } from './address.ts';
import type { Terminal } from './terminal.ts';

export interface ClientConfig {
  readonly path: string;
  readonly url: string;
  readonly token: string | undefined;
  readonly trust: JsonObject;
}

export const URL_OPTION: Option = {
  value: 'URL',
  help: 'the log (default: NEWEL_URL, else that of --trust, else what newel dev wrote to ./data/client.json)',
};

export const TOKEN_OPTIONS: Options = {
  'token-file': {
    value: 'FILE',
    help: 'a file that holds the token alone (default: NEWEL_TOKEN, else what newel dev wrote)',
  },
};

const MAX_TOKEN_FILE_BYTES = 4096;
/** As a header can carry it. Nothing else is sent anywhere, or shown. */
const TOKEN = /^[\x21-\x7e]+$/;

/** What `newel dev` wrote, if it is there. Throws `unreachable` or `malformed`, repeating nothing of it. */
export async function readClientConfig(terminal: Terminal): Promise<ClientConfig | undefined> {
  const path = folderPaths(defaultDataDir(terminal)).client;
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    throw new NewelError(
      'unreachable',
      `${path} cannot be read: put that right, or remove it and newel dev makes it anew`,
      { cause },
    );
  }
  try {
    const value = parseJson(decodeUtf8(bytes));
    if (isJsonObject(value)) {
      const { url, token, trust } = value;
      const isWhole = typeof url === 'string' && isJsonObject(trust);
      if (isWhole && (token === undefined || typeof token === 'string'))
        return { path, url: parsePublicUrl(url), token, trust };
    }
  } catch (cause) {
    throw new NewelError('malformed', `${path} is spoilt; newel dev makes it anew`, { cause });
  }
  throw new NewelError('malformed', `${path} is not what newel dev writes, which makes it anew`);
}

/**
 * The URL of the log; `pinned` is what `--trust` names, if it was given: nothing goes to another log than that one because
 * client.json is there too. Throws `usage` where none is known, or what is given is none.
 */
export function urlOf(
  call: Call,
  config: ClientConfig | undefined,
  pinned: { readonly path: string; readonly trust: { readonly url: string } } | undefined,
): string {
  const { NEWEL_URL: fromEnv } = call.terminal.env;
  const candidates = [
    { name: '--url', text: call.text('url') },
    { name: 'NEWEL_URL', text: fromEnv === '' ? undefined : fromEnv },
    { name: `url in ${pinned?.path ?? ''}`, text: pinned?.trust.url },
    { name: `url in ${config?.path ?? ''}`, text: config?.url },
  ];
  for (const { name, text } of candidates) {
    if (text === undefined) continue;
    try {
      return parsePublicUrl(text);
    } catch (cause) {
      if (!(cause instanceof NewelError)) throw cause;
      throw new NewelError('usage', `${name} ${cause.message}`, { cause });
    }
  }
  throw new NewelError(
    'usage',
    'which log? Give --url URL, or set NEWEL_URL; newel dev writes it to ./data/client.json',
  );
}

/**
 * The token to show to the log at `url`: that of client.json goes to no other log. Throws `usage` where there is none or
 * it cannot be one, and `unreachable` for a file that cannot be read; never with the token in it.
 */
export async function readToken(call: Call, url: string, config: ClientConfig | undefined): Promise<string> {
  const file = call.text('token-file');
  if (file !== undefined) {
    const bytes = await readInput(call.terminal, file, 'a token alone', MAX_TOKEN_FILE_BYTES);
    return checkToken(Buffer.from(bytes).toString('latin1').trim(), `what is in ${file}`);
  }
  const { NEWEL_TOKEN: fromEnv } = call.terminal.env;
  if (fromEnv !== undefined && fromEnv !== '') return checkToken(fromEnv.trim(), 'NEWEL_TOKEN');
  if (config?.token !== undefined && config.url === url)
    return checkToken(config.token, `token in ${config.path}`);
  throw new NewelError(
    'usage',
    `no token for ${url}: set NEWEL_TOKEN, or give --token-file FILE; newel token create makes one`,
  );
}

function checkToken(text: string, name: string): string {
  if (TOKEN.test(text)) return text;
  throw new NewelError(
    'usage',
    `${name} is not a token: one word, like newel_… as newel token create prints it`,
  );
}
