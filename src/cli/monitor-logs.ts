/**
 * Which logs a monitor follows, and by whose keys:
 *
 *   --trust log.json                 a trust file, read at the URL that is in it, or at the --log beside it
 *   --log URL --vkey VKEY            any log of C2SP tlog-tiles, of opaque entries
 *   neither                          the log that newel dev serves, by ./data/client.json
 */

import { parseTrust, type Trust } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { parseVkey } from '../formats/vkey.ts';
import { readClientConfig } from './client-config.ts';
import { type Call, type Options, parseGiven } from './command.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { nodeMldsa44 } from './mldsa-node.ts';
import { readPolicy, readTrustFile, trustOfConfig } from './pinned-trust.ts';
import { parsePublicUrl } from './address.ts';

export interface MonitoredLog {
  readonly trust: Trust;
  /** Where it is read, without a slash at the end. */
  readonly url: string;
}

export const MONITORED_LOG_OPTIONS: Options = {
  trust: {
    value: 'FILE',
    help: 'a trust file that newel trust pin saved; may be given several times',
    multiple: true,
  },
  log: {
    value: 'URL',
    help: 'any tlog-tiles log, with its --vkey; or where the log of --trust is read; several times',
    multiple: true,
  },
  vkey: {
    value: 'VKEY',
    help: 'the key of the --log in the same place; of one log, several',
    multiple: true,
  },
  policy: { value: 'FILE', help: 'a tlog-policy to hold the logs to, instead of that in their trust files' },
};

/** At least one, each of another origin. Throws `usage`, `unreachable`, `malformed`. */
export async function readMonitoredLogs(call: Call): Promise<readonly MonitoredLog[]> {
  const policy = await readPolicy(call);
  const urls = call.texts('log').map((text) => urlOf('--log', text));
  const vkeys = call.texts('vkey');
  const files = call.texts('trust');
  const logs: MonitoredLog[] = [];
  const readsElsewhere = files.length > 0 && vkeys.length === 0 && urls.length > 0;
  if (readsElsewhere && urls.length !== files.length) {
    throw wrong('--log without --vkey says where the log of a --trust is read: give one for each');
  }
  for (const [i, file] of files.entries()) {
    const { trust } = await readTrustFile(call, file, policy);
    logs.push({ trust, url: (readsElsewhere ? urls[i] : undefined) ?? trust.url });
  }
  if (!readsElsewhere) logs.push(...ofKeys(urls, vkeys, policy));
  if (logs.length === 0) {
    const config = await readClientConfig(call.terminal);
    if (!config) throw wrong('which log? Give --trust log.json, or --log URL and --vkey VKEY');
    logs.push({ trust: trustOfConfig(config, policy), url: config.url });
  }
  const origins = new Set(logs.map(({ trust }) => trust.origin));
  if (origins.size < logs.length) {
    throw wrong(
      'two of the logs have one origin: follow each once, and give other places that know its heads as --peer',
    );
  }
  return logs;
}

/** A URL that an option gives. Throws `usage`, naming the option. */
export function urlOf(option: string, text: string): string {
  return parseGiven({ name: 'monitor' }, option, text, parsePublicUrl);
}

function ofKeys(
  urls: readonly string[],
  vkeys: readonly string[],
  policy: Uint8Array | undefined,
): MonitoredLog[] {
  if (urls.length !== vkeys.length && !(urls.length === 1 && vkeys.length > 1)) {
    throw wrong(
      '--log and --vkey go together: as many of the one as of the other, or one log and all its keys',
    );
  }
  return urls.map((url, i) => {
    const own = urls.length === 1 ? vkeys : [vkeys[i]!];
    return { url, trust: trustOfKeys(url, own, policy) };
  });
}

function trustOfKeys(url: string, vkeys: readonly string[], policy: Uint8Array | undefined): Trust {
  try {
    const origin = parseVkey(vkeys[0]!).name;
    const own = `${vkeys.map((vkey) => `log ${vkey}\n`).join('')}quorum none\n`;
    const file = {
      origin,
      kind: 'opaque',
      url,
      vkeys: [...vkeys],
      policy: policy ? decodeUtf8(policy) : own,
    };
    return parseTrust(file, { ed25519: nodeEd25519, mldsa44: nodeMldsa44 });
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw wrong(`the keys of ${url} cannot be taken: ${cause.message}`, cause);
  }
}

function wrong(flaw: string, cause?: unknown): NewelError {
  return new NewelError('usage', `${flaw} (newel monitor --help)`, { cause });
}
