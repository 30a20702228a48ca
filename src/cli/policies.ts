/**
 * The policies of a log, from its folder: `policy`, whose quorum receipts wait for, and `policy.public`, which may be there
 * beside it, for witnesses that count requests. Both list the log's own key.
 */

import { readFile } from 'node:fs/promises';
import { hasCode } from '../access/durable-file.ts';
import { equalBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { cosignatureVerifier } from '../formats/cosignature.ts';
import type { Verifier } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { parsePolicy, type Policy, type PolicyWitness } from '../formats/tlog-policy.ts';
import { formatVkey } from '../formats/vkey.ts';
import { MAX_WITNESSES } from '../log/limits.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import type { Folder } from './folder.ts';
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

/** Reads both. Throws `log_refused` where one is none, does not list the log's own key, or they contradict each other. */
export async function readPolicies(folder: Folder, vkey: string): Promise<Policies> {
  const { paths } = folder;
  const fast = await readPolicyFile(paths.policy, paths.logKey, vkey);
  if (!fast) throw unreadable(paths.policy, vkey, 'it is missing');
  const open = await readPolicyFile(paths.publicPolicy, paths.logKey, vkey);
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
  const arithmetic = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };
  return {
    fast,
    public: open,
    witnesses: all,
    verifiers: all.map((witness) => cosignatureVerifier(witness.vkey, arithmetic)),
  };
}

async function readPolicyFile(path: string, logKey: string, vkey: string): Promise<ReadPolicy | undefined> {
  let policy: Policy;
  let text: string;
  try {
    const bytes = await readFile(path);
    policy = parsePolicy(bytes);
    text = decodeUtf8(bytes);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw unreadable(path, vkey, cause instanceof NewelError ? cause.message : 'it cannot be read', cause);
  }
  if (policy.logs.some((log) => formatVkey(log.vkey) === vkey)) return { text, policy };
  throw new NewelError(
    'log_refused',
    `the policy ${path} has no line for the key in ${logKey}: bring back that key as init made it, or, if it is that ` +
      `one, the line of the policy: log ${vkey}`,
  );
}

function unreadable(path: string, vkey: string, what: string, cause?: unknown): NewelError {
  const advice = `put it right, or write the one that init made: log ${vkey} and, on the next line, quorum none`;
  return new NewelError('log_refused', `the policy ${path}: ${what}; ${advice}`, { cause });
}

function isSame(a: PolicyWitness, b: PolicyWitness): boolean {
  return a.vkey.name === b.vkey.name && equalBytes(a.vkey.publicKey, b.vkey.publicKey) && a.url === b.url;
}
