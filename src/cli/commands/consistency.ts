/** `newel consistency`: proves that a newer tree head extends an older one that was saved. */

import { resolve } from 'node:path';
import { InconsistentHeadsError, proveOneTree } from '../../client/consistency.ts';
import { fetchCheckpoint, type OpenedCheckpoint } from '../../client/tree.ts';
import { NewelError } from '../../errors.ts';
import { formatBase64 } from '../../formats/base64.ts';
import { type Checkpoint, openCheckpoint } from '../../formats/checkpoint.ts';
import { type Call, type Command, usage } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { sayFailure } from '../failure.ts';
import { type ForkEvidence, writeForkEvidence } from '../fork-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { makeOutFolder } from '../out-folder.ts';
import { formatPin, openRemote, readBytes, type Remote, REMOTE_OPTIONS } from '../remote.ts';
import { formatFields, paint, printable } from '../terminal.ts';

/** What its files are to be. */
const SAVED = 'a checkpoint saved with newel head --checkpoint';

export const consistency: Command = {
  name: 'consistency',
  summary: 'prove that a log extends a head that was saved earlier',
  usage: ['OLD [NEW] [--url URL] [--trust log.json] [--out DIR]'],
  about:
    'OLD and NEW are saved checkpoints (newel head --checkpoint); without NEW the newest of the log is taken. Verifies the\n' +
    'signatures of both and computes the proof from the tiles of the log. Where both and the tiles prove that the log is\n' +
    'forked, that is kept as an evidence bundle, for newel verify and for others.\n' +
    'Exit codes: 0 NEW extends OLD · 1 it does not, or a head is not the log’s · 3 a file or the log cannot be read, or the\n' +
    'tiles are not those of the head, so that nothing is known.',
  options: {
    ...REMOTE_OPTIONS,
    out: { value: 'DIR', help: 'the folder for evidence of a fork (default: this one)' },
  },
  positionals: [1, 2],
  run: runConsistency,
};

async function runConsistency(call: Call): Promise<number> {
  const remote = await openRemote(call);
  const { source, trust } = remote;
  const [oldFile = '', newFile] = call.positionals;
  const older = await readCheckpoint(call, remote, oldFile);
  const newer =
    newFile === undefined
      ? await fetchCheckpoint(source, trust.verifiers, trust.origin)
      : await readCheckpoint(call, remote, newFile);
  if (newFile !== undefined && older.size > newer.size) {
    throw usage(
      consistency,
      `OLD has ${older.size} leaves, NEW only ${newer.size}: give the older one first`,
    );
  }
  const out = call.text('out');
  if (out !== undefined) await makeOutFolder(resolve(call.terminal.cwd, out));
  const heads: Heads = { older, newer };
  try {
    return report(call, remote, heads, { proof: await prove(remote, heads) });
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    if (!(error instanceof InconsistentHeadsError)) return sayUnknown(call, remote, heads, error);
    const evidence = await writeForkEvidence(call, trust.origin, error);
    return report(call, remote, heads, { flaw: error, evidence });
  }
}

interface Heads {
  readonly older: OpenedCheckpoint;
  readonly newer: OpenedCheckpoint;
}

type Outcome =
  | { readonly proof: readonly Uint8Array[] }
  | { readonly flaw: InconsistentHeadsError; readonly evidence: ForkEvidence };

/** Throws `InconsistentHeadsError`, or what keeps it from being known. */
async function prove({ source }: Remote, { older, newer }: Heads): Promise<readonly Uint8Array[]> {
  if (older.size <= newer.size) return proveOneTree(source, older, newer);
  try {
    await proveOneTree(source, older, newer);
  } catch (error) {
    // A log that went back need not have the tiles of the larger tree; where it has, they may show a fork.
    if (!(error instanceof NewelError) || error instanceof InconsistentHeadsError) throw error;
  }
  throw new InconsistentHeadsError(`the tree shrank from ${older.size} to ${newer.size}`, older, newer);
}

/** What the log served, or did not, shows nothing about the heads. */
function sayUnknown(
  { terminal, json }: Call,
  { url }: Remote,
  { older, newer }: Heads,
  error: NewelError,
): number {
  const message =
    `whether ${newer.size} leaves extend ${older.size} is not known: ${error.message}; ask again, and if it stays so, ` +
    `newel fsck --url ${url} says what else is wrong`;
  sayFailure(terminal, json, new NewelError(error.code, message, { cause: error.cause }));
  return EXIT.unreadable;
}

function report(call: Call, remote: Remote, { older, newer }: Heads, outcome: Outcome): number {
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
      ...(consistent ? { proof: outcome.proof.map((hash) => formatBase64(hash)) } : jsonOfFlaw(outcome)),
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
  if (!consistent) out.write(`${outcome.evidence.words}\n`);
  return consistent ? EXIT.ok : EXIT.refused;
}

function jsonOfFlaw({ flaw, evidence }: Extract<Outcome, { flaw: unknown }>): Record<string, string> {
  const { path, words } = evidence;
  return {
    code: flaw.code,
    problem: `${flaw.message}. ${words}`,
    ...(path !== undefined && { evidence: path }),
  };
}

async function readCheckpoint(call: Call, { trust }: Remote, file: string): Promise<OpenedCheckpoint> {
  const path = resolve(call.terminal.cwd, file);
  const note = await readBytes(path, SAVED);
  try {
    return { ...openCheckpoint(note, trust.verifiers, trust.origin), note };
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    const remedy = error.code === 'malformed' ? `; give a file that is ${SAVED}` : '';
    throw new NewelError(error.code, `${path}: ${error.message}${remedy}`, { cause: error });
  }
}

function jsonOf({ size, root }: Checkpoint): { tree_size: number; root_hash: string } {
  return { tree_size: size, root_hash: formatBase64(root) };
}
