/**
 * `newel receipt upgrade`: the same receipts, with the lines of witnesses that were still missing, or no more lines than
 * are needed. A file is replaced once its new receipt was verified, in one step; where there are too few lines yet it stays
 * as it is.
 */

import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { editFile } from '../access/durable-file.ts';
import { InconsistentHeadsError } from '../client/consistency.ts';
import { assertReachable, type Level } from '../client/level.ts';
import { Newel } from '../client/newel.ts';
import { LevelNotMetError } from '../client/outcome-errors.ts';
import { reaches } from '../client/proven-receipt.ts';
import { formatReceipt, MAX_RECEIPT_BYTES, type Receipt } from '../client/receipt.ts';
import { checkReceipt } from '../client/report.ts';
import { type Lines, trimProof } from '../client/trim-lines.ts';
import { NewelError } from '../errors.ts';
import { FileReceiptStore } from '../node.ts';
import { readClientConfig, readToken, urlOf } from './client-config.ts';
import type { Call } from './command.ts';
import { checkEach } from './each-receipt.ts';
import { EXIT } from './exit-code.ts';
import { writeForkEvidence } from './fork-file.ts';
import { readInput } from './input-file.ts';
import { formatJsonLine } from './json-line.ts';
import { makeOutFolder } from './out-folder.ts';
import { pendingWords } from './pending-words.ts';
import { formatTrust, type PinnedTrust, readPinnedTrust } from './pinned-trust.ts';
import { type Progress, startProgress } from './progress.ts';
import { paint, printable } from './terminal.ts';

export interface UpgradeOptions {
  readonly level: Level;
  /** How long witnesses are waited for, over all files. */
  readonly waitS: number;
  readonly lines: Lines;
}

interface Upgrading extends UpgradeOptions {
  readonly call: Call;
  readonly pinned: PinnedTrust;
  readonly newel: Newel;
  /** Where new receipts go; in the place of the old ones without it. */
  readonly store: FileReceiptStore | undefined;
  readonly progress: Progress;
  readonly endMs: number;
}

/** Upgrades files of receipts. Resolves to the gravest exit code. */
export async function upgradeReceipts(
  call: Call,
  files: readonly string[],
  { level, waitS, lines }: UpgradeOptions,
): Promise<number> {
  const { terminal } = call;
  const pinned = await readPinnedTrust(call);
  assertUpgradable(level, pinned);
  const config = await readClientConfig(terminal);
  const url = urlOf(call, config, call.text('trust') === undefined ? undefined : pinned);
  const newel = new Newel({ url, token: await readToken(call, url, config), trust: pinned.trust });
  const out = call.text('out');
  const store =
    out === undefined ? undefined : new FileReceiptStore(await makeOutFolder(resolve(terminal.cwd, out)));
  terminal.err.write(formatTrust(pinned));
  const progress = startProgress(terminal, 'upgrading', 'receipts');
  const endMs = performance.now() + 1000 * waitS;
  const upgrading: Upgrading = { call, pinned, newel, store, level, waitS, lines, progress, endMs };
  let done = 0;
  const code = await checkEach(call, files, async (file) => {
    progress.update({ done: done++, total: files.length });
    try {
      return await upgradeFile(upgrading, file);
    } finally {
      progress.end();
    }
  });
  progress.end();
  return code;
}

/** Before anybody is asked: under a policy without witnesses no answer would do. Throws `no_witnesses`. */
function assertUpgradable(level: Level, { trust, path }: PinnedTrust): void {
  try {
    assertReachable(trust.policy, level);
  } catch (cause) {
    const message = `no witnesses: the policy of ${trust.origin} (${path}) names none, so its receipts stay signed`;
    throw new NewelError('no_witnesses', message, { cause });
  }
}

async function upgradeFile(upgrading: Upgrading, file: string): Promise<number> {
  const { call, pinned, newel, level, lines, endMs } = upgrading;
  const bytes = await readInput(call.terminal, file, 'a receipt', MAX_RECEIPT_BYTES);
  const { error, level: found, receipt, checkpoint } = checkReceipt(bytes, { trust: pinned.trust });
  if (error || !found || !checkpoint) throw error ?? new Error('bug: a receipt that holds proves nothing');
  if (reaches(found, level)) {
    const { proof } = receipt;
    const kept = lines === 'policy' ? trimProof(proof, checkpoint.signatures, pinned.trust) : proof;
    const isTrimmed = kept !== proof;
    if (upgrading.store || isTrimmed) await put(upgrading, file, { ...receipt, proof: kept });
    return say(upgrading, file, found, isTrimmed ? 'trimmed' : 'kept');
  }
  const timeoutMs = Math.max(0, endMs - performance.now());
  try {
    const better = await newel.upgrade(receipt, level, { timeoutMs, lines });
    await put(upgrading, file, better);
    return say(upgrading, file, better.level, 'upgraded');
  } catch (failure) {
    throw await inWords(upgrading, failure);
  }
}

async function put({ call, store }: Upgrading, file: string, receipt: Receipt): Promise<void> {
  if (store) return store.put(receipt);
  // The file itself, where a link leads to it.
  const path = await realpath(resolve(call.terminal.cwd, file));
  await editFile(path, () => formatReceipt(receipt));
}

/** What kept a receipt from being upgraded, and what was kept of it. */
async function inWords({ call, pinned, newel }: Upgrading, failure: unknown): Promise<unknown> {
  if (failure instanceof LevelNotMetError) {
    const { level, pending } = failure.receipt;
    const words = pending ? `: ${pendingWords(pending)}` : '';
    return new NewelError('level_not_met', `still ${level}${words}; the file stays as it is`);
  }
  if (failure instanceof InconsistentHeadsError) {
    const { words } = await writeForkEvidence(call, pinned.trust.origin, failure);
    return new NewelError('inconsistent', `${failure.message}. ${words}`, { cause: failure.cause });
  }
  if (!(failure instanceof NewelError) || failure.code !== 'unreachable') return failure;
  return new NewelError('unreachable', `${newel.url}: ${failure.message}`, { cause: failure.cause });
}

/** What became of a receipt: it has the level now, or had it, with more lines or with these. */
type Done = 'upgraded' | 'trimmed' | 'kept';

function say({ call, progress }: Upgrading, file: string, level: Level, done: Done): number {
  const { terminal, json } = call;
  const { out } = terminal;
  progress.end();
  const upgraded = done === 'upgraded';
  const words = `${upgraded ? 'now' : 'already'} ${level}${done === 'trimmed' ? ', now with fewer lines' : ''}`;
  out.write(
    json
      ? formatJsonLine({ file, ok: true, level, upgraded, ...(done === 'trimmed' && { trimmed: true }) })
      : `${paint(terminal, out, 'green', '✔')} ${printable(file)}  ${words}\n`,
  );
  return EXIT.ok;
}
