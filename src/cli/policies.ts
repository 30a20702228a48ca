/**
 * The policies of a log, from its folder: `policy`, whose quorum receipts wait for, and `policy.public`, which may be there
 * beside it, for witnesses that count requests. Both list the log's own key.
 */

import { readFile } from 'node:fs/promises';
import { hasCode } from '../access/durable-file.ts';
import { equalBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { cosignatureVerifier } from '../formats/cosignature.ts';
import { MAX_NOTE_BYTES, type Verifier } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { parsePolicy, type Policy, type PolicyWitness } from '../formats/tlog-policy.ts';
import { ED25519_SIGNATURE_BYTES } from '../formats/ed25519.ts';
import { MLDSA44_SIGNATURE_BYTES } from '../formats/mldsa.ts';
import { formatVkey, KEY_TYPE, parseVkey } from '../formats/vkey.ts';
import { MAX_WITNESSES } from '../log/limits.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import type { Folder, FolderPaths } from './folder.ts';
import { nodeMldsa44 } from './mldsa-node.ts';

export interface ReadPolicy {
  readonly text: string;
  readonly policy: Policy;
}

export interface Policies {
  readonly fast: ReadPolicy;
  readonly public: ReadPolicy | undefined;
  /** The witnesses of both, each once. */
  readonly witnesses: readonly PolicyWitness[];
  readonly verifiers: readonly Verifier[];
}

/** Reads both; the log's keys are given, Ed25519 first. Throws `log_refused` where one is none, does not list the log's own key, or they contradict each other. */
export async function readPolicies(
  folder: Folder,
  ...vkeys: readonly [string, ...string[]]
): Promise<Policies> {
  const [vkey] = vkeys;
  const { paths } = folder;
  const fast = await readPolicyFile(paths, paths.policy, vkeys);
  if (!fast) {
    const advice = `bring it back, or write the one that init made: log ${vkey} and, on the next line, quorum none`;
    throw new NewelError('log_refused', `the policy ${paths.policy}: it is missing; ${advice}`);
  }
  const open = await readPolicyFile(paths, paths.publicPolicy, vkeys);
  const witnesses = new Map<string, PolicyWitness>();
  for (const witness of [...fast.policy.witnesses, ...(open?.policy.witnesses ?? [])]) {
    const known = witnesses.get(witness.name);
    if (known && !isSame(known, witness)) {
      throw new NewelError(
        'log_refused',
        `the policies ${paths.policy} and ${paths.publicPolicy} call different witnesses by one name: give one of them another`,
      );
    }
    witnesses.set(witness.name, witness);
  }
  if (witnesses.size > MAX_WITNESSES) {
    throw new NewelError('log_refused', `the policies name more than ${MAX_WITNESSES} witnesses: name fewer`);
  }
  const all = [...witnesses.values()];
  const bytes = all.reduce((sum, { vkey: { name, type } }) => {
    const signature = type === KEY_TYPE.mldsa44 ? MLDSA44_SIGNATURE_BYTES : ED25519_SIGNATURE_BYTES;
    return sum + 16 + 4 * name.length + Math.ceil((12 + signature) / 3) * 4;
  }, OWN_BYTES);
  if (bytes > MAX_NOTE_BYTES) {
    throw new NewelError(
      'log_refused',
      `the lines of all witnesses of the policies do not fit into one checkpoint of ${MAX_NOTE_BYTES} bytes: name fewer with ` +
        'ML-DSA-44 keys',
    );
  }
  const arithmetic = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };
  return {
    fast,
    public: open,
    witnesses: all,
    verifiers: all.map((witness) => cosignatureVerifier(witness.vkey, arithmetic)),
  };
}

/** The text of a checkpoint and the log's own lines, at most. */
const OWN_BYTES = 8192;

/** Nobody is a witness of its own log. */
function assertOthers(path: string, policy: Policy, vkeys: readonly string[]): void {
  const own = vkeys.map(parseVkey);
  const isOwn = ({ vkey }: PolicyWitness): boolean =>
    own.some(({ name, publicKey }) => vkey.name === name || equalBytes(vkey.publicKey, publicKey));
  if (!policy.witnesses.some(isOwn)) return;
  throw new NewelError('log_refused', `the policy ${path} names the log itself as a witness: name others`);
}

async function readPolicyFile(
  { logKey, publicPolicy }: FolderPaths,
  path: string,
  vkeys: readonly [string, ...string[]],
): Promise<ReadPolicy | undefined> {
  const [vkey] = vkeys;
  let policy: Policy;
  let text: string;
  try {
    const bytes = await readFile(path);
    policy = parsePolicy(bytes);
    text = decodeUtf8(bytes);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw unreadable(path, path === publicPolicy, cause);
  }
  assertReachable(path, policy);
  if (policy.logs.some((log) => formatVkey(log.vkey) === vkey)) {
    assertOthers(path, policy, vkeys);
    return { text, policy };
  }
  throw new NewelError(
    'log_refused',
    `the policy ${path} has no line for the key in ${logKey}: bring back that key as init made it, or, if it is that ` +
      `one, the line of the policy: log ${vkey}`,
  );
}

/** Only a policy that may be absent is ever to be removed: without its witnesses a log is less protected. */
function unreadable(path: string, isOptional: boolean, cause: unknown): NewelError {
  const what = cause instanceof NewelError ? cause.message : 'it cannot be read';
  const line = /^policy (line [0-9]+):/.exec(what)?.[1] ?? 'it';
  const advice = `put ${line} right${isOptional ? ', or remove the file' : ''}`;
  return new NewelError('log_refused', `the policy ${path}: ${what}; ${advice}`, { cause });
}

/** Witnesses are asked over HTTP; one without a URL hands in its lines. */
function assertReachable(path: string, { witnesses }: Policy): void {
  const wrong = witnesses.find(({ url }) => url !== undefined && !isHttpUrl(url));
  if (!wrong) return;
  const { name } = wrong;
  throw new NewelError(
    'log_refused',
    `the policy ${path}: the URL of witness ${name} is not one of http or https; put it right, or leave it out where ${name} ` +
      'hands in its lines by itself',
  );
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function isSame(a: PolicyWitness, b: PolicyWitness): boolean {
  return a.vkey.name === b.vkey.name && equalBytes(a.vkey.publicKey, b.vkey.publicKey) && a.url === b.url;
}
