/**
 * Whose word a command takes, from files alone: `--trust FILE`, else what `newel dev` wrote to DIR/client.json. Offline,
 * nobody is asked for keys: whoever hands out a false receipt could hand out the keys that go with it.
 */

import { resolve } from 'node:path';
import { parseTrust, type Trust } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { MAX_POLICY_BYTES, parsePolicy } from '../formats/tlog-policy.ts';
import { type ClientConfig, readClientConfig } from './client-config.ts';
import type { Call, Option, Options } from './command.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { readInput } from './input-file.ts';
import { nodeMldsa44 } from './mldsa-node.ts';
import { printable } from './terminal.ts';

export interface PinnedTrust {
  readonly trust: Trust;
  /** The file that it is from. */
  readonly path: string;
}

const TRUST_OPTION: Option = {
  value: 'FILE',
  help: 'the trust file that newel trust pin saved: whose keys to believe (default: ./data/client.json)',
};

export const PINNED_TRUST_OPTIONS: Options = {
  trust: TRUST_OPTION,
  policy: { value: 'FILE', help: 'a tlog-policy to hold the log to, instead of that in the trust file' },
};

const MAX_TRUST_BYTES = 1024 * 1024;

/** Throws `usage` where there is no trust file, `unreachable` or `malformed` for one that cannot be read. */
export async function readPinnedTrust(call: Call): Promise<PinnedTrust> {
  const policy = await readPolicy(call);
  const file = call.text('trust');
  if (file !== undefined) return readTrustFile(call, file, policy);
  const config = await readClientConfig(call.terminal);
  if (config) return { trust: trustOfConfig(config, policy), path: config.path };
  throw new NewelError(
    'usage',
    'whose keys to believe? Give --trust log.json; newel trust pin URL saves that file, to be compared once with what ' +
      'the operator says',
  );
}

/** The trust file that `--trust` names. Throws `unreachable`, `malformed` or `too_large`, naming it. */
export async function readTrustFile(call: Call, file: string, policy?: Uint8Array): Promise<PinnedTrust> {
  const path = resolve(call.terminal.cwd, file);
  const bytes = await readInput(
    call.terminal,
    file,
    'a trust file, as newel trust pin URL saves it',
    MAX_TRUST_BYTES,
  );
  try {
    return { trust: parseTrustOf(bytes, path, policy), path };
  } catch (cause) {
    // With a policy of one's own it may be that one which does not go with the file.
    if (policy || !(cause instanceof NewelError) || cause.code !== 'malformed') throw cause;
    throw new NewelError('malformed', `${cause.message}; newel trust pin URL saves one`, {
      cause: cause.cause,
    });
  }
}

export function trustOfConfig({ trust, path }: ClientConfig, policy?: Uint8Array): Trust {
  return parseTrustOf(trust, path, policy);
}

/** Reads a trust file, whatever it is from. Throws `malformed` or `too_large`, naming it. */
export function parseTrustOf(file: unknown, name: string, policy?: Uint8Array): Trust {
  try {
    return parseTrust(file, { ed25519: nodeEd25519, mldsa44: nodeMldsa44, ...(policy && { policy }) });
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(cause.code, `${name}: ${cause.message}`, { cause });
  }
}

/** What to tell about the keys that a result rests on. */
export function formatTrust({ trust, path }: PinnedTrust): string {
  return `trust: ${printable(path)}, of ${printable(trust.origin)}\n`;
}

/** The same of an evidence pack that is checked under keys of its own: what they are worth, and what to compare. */
export function formatOwnTrust({ origin, vkeys }: Trust, file: string): string {
  return (
    `trust: log.json in ${printable(file)} itself, of ${printable(origin)}. Whoever made the pack chose these keys, so what holds\n` +
    'shows that the pack agrees with itself. Compare them with what the operator of the log has published, or give --trust:\n' +
    vkeys.map((vkey) => `  ${printable(vkey)}\n`).join('')
  );
}

/** The bytes of the policy that `--policy` names, known to be one. */
export async function readPolicy(call: Call): Promise<Uint8Array | undefined> {
  const file = call.text('policy');
  if (file === undefined) return undefined;
  const bytes = await readInput(call.terminal, file, 'a tlog-policy', MAX_POLICY_BYTES);
  try {
    parsePolicy(bytes);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(cause.code, `${resolve(call.terminal.cwd, file)}: ${cause.message}`, { cause });
  }
  return bytes;
}
