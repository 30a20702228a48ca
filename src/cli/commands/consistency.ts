/** `newel consistency`: proves that a newer tree head extends an older one that was saved. */

import { resolve } from 'node:path';
import { checkExtends, fetchCheckpoint } from '../../client/tree.ts';
import { equalBytes } from '../../core/bytes.ts';
import { NewelError } from '../../errors.ts';
import { formatBase64 } from '../../formats/base64.ts';
import { type Checkpoint, openCheckpoint } from '../../formats/checkpoint.ts';
import { type Call, type Command, usage } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { formatJsonLine } from '../json-line.ts';
import { formatPin, openRemote, readBytes, type Remote, REMOTE_OPTIONS } from '../remote.ts';
import { formatFields, paint, printable } from '../terminal.ts';

export const consistency: Command = {
  name: 'consistency',
  summary: 'prove that a log extends a head that was saved earlier',
  usage: ['OLD [NEW] [--url URL] [--trust log.json]'],
  about:
    'OLD and NEW are saved checkpoints (newel head --checkpoint); without NEW the newest of the log is taken. Verifies the\n' +
    'signatures of both, computes the proof from the tiles of the log, and exits with 1 if NEW does not extend OLD: keep\n' +
    'both files then, for together they convict the log.',
  options: REMOTE_OPTIONS,
  positionals: [1, 2],
  run: runConsistency,
};

async function runConsistency(call: Call): Promise<number> {
  const remote = await openRemote(call);
  const [oldFile = '', newFile] = call.positionals;
  const older = await readCheckpoint(call, remote, oldFile);
  const newer =
    newFile === undefined
      ? await fetchCheckpoint(remote.source, remote.trust.verifiers, remote.trust.origin)
      : await readCheckpoint(call, remote, newFile);
  if (newFile !== undefined && older.size > newer.size) {
    throw usage(
      consistency,
      `OLD has ${older.size} leaves, NEW only ${newer.size}: give the older one first`,
    );
  }
  try {
    if (older.size === newer.size && !equalBytes(older.root, newer.root)) {
      throw new NewelError(
        'inconsistent',
        `two trees of ${older.size} leaves with different roots were signed`,
      );
    }
    const proof = await checkExtends(remote.source, older, newer);
    return report(call, remote, older, newer, { proof });
  } catch (error) {
    // Without an answer nothing is known; all else is what the log has signed or serves, and is false.
    if (!(error instanceof NewelError) || error.code === 'unreachable') throw error;
    return report(call, remote, older, newer, { flaw: error });
  }
}

type Outcome = { readonly proof: readonly Uint8Array[] } | { readonly flaw: NewelError };

function report(call: Call, remote: Remote, older: Checkpoint, newer: Checkpoint, outcome: Outcome): number {
  const { terminal } = call;
  const { out } = terminal;
  const consistent = 'proof' in outcome;
  if (call.json) {
    const shown = {
      consistent,
      origin: older.origin,
      old: jsonOf(older),
      new: jsonOf(newer),
      pinned: remote.pinnedBy !== undefined,
      ...(consistent
        ? { proof: outcome.proof.map((hash) => formatBase64(hash)) }
        : { code: outcome.flaw.code, problem: outcome.flaw.message }),
    };
    out.write(formatJsonLine(shown));
    return consistent ? EXIT.ok : EXIT.refused;
  }
  const mark = consistent ? paint(terminal, out, 'green', '✔') : paint(terminal, out, 'red', '✘');
  const result = consistent
    ? `${mark} ${newer.size} leaves extend ${older.size}: nothing was changed or removed`
    : `${mark} ${printable(outcome.flaw.message)}`;
  out.write(
    `${result}\n${formatFields([
      ['  origin', printable(older.origin)],
      ['  old', `${older.size} ${formatBase64(older.root)}`],
      ['  new', `${newer.size} ${formatBase64(newer.root)}`],
      ['  log key', formatPin(remote)],
    ])}`,
  );
  return consistent ? EXIT.ok : EXIT.refused;
}

async function readCheckpoint(call: Call, { trust }: Remote, file: string): Promise<Checkpoint> {
  const path = resolve(call.terminal.cwd, file);
  const bytes = await readBytes(path, 'a checkpoint saved with newel head --checkpoint');
  try {
    return openCheckpoint(bytes, trust.verifiers, trust.origin);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    throw new NewelError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

function jsonOf({ size, root }: Checkpoint): { tree_size: number; root_hash: string } {
  return { tree_size: size, root_hash: formatBase64(root) };
}
