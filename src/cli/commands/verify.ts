/** `newel verify`: whether receipts and evidence packs are true, offline. */

import { isEvidence, parseEvidenceBundle } from '../../client/evidence-bundle.ts';
import { checkPack } from '../../client/evidence-pack.ts';
import type { Level } from '../../client/level.ts';
import { checkPresentation } from '../../client/presentation.ts';
import { receiptOfParts } from '../../client/receipt-of-parts.ts';
import { MAX_RECEIPT_BYTES, MAX_STATEMENT_CHARS } from '../../client/receipt.ts';
import { checkReceipt, type ReceiptReport } from '../../client/report.ts';
import type { Trust } from '../../client/trust.ts';
import { NewelError } from '../../errors.ts';
import { parseJson } from '../../formats/json.ts';
import { decodeUtf8 } from '../../formats/text.ts';
import { MAX_PROOF_BYTES } from '../../formats/tlog-proof.ts';
import { type Call, type Command, usage } from '../command.ts';
import { checkEach } from '../each-receipt.ts';
import { nodeEd25519 } from '../ed25519-node.ts';
import {
  checkEvidence,
  exitCodeOfEvidence,
  formatEvidenceReport,
  jsonOfEvidence,
} from '../evidence-bundle-text.ts';
import { readInput } from '../input-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { LEVEL_OPTION, levelOf } from '../level-option.ts';
import { nodeMldsa44 } from '../mldsa-node.ts';
import { isPack, readPack } from '../pack-input.ts';
import { exitCodeOfPack, formatPackReport, jsonOfPack } from '../pack-text.ts';
import {
  formatOwnTrust,
  formatTrust,
  PINNED_TRUST_OPTIONS,
  type PinnedTrust,
  readPinnedTrust,
  readPolicy,
} from '../pinned-trust.ts';
import { exitCodeOfReport, formatReport, jsonOfReport } from '../report-text.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'check receipts and evidence, offline',
  usage: [
    'FILE… [--trust log.json] [--policy FILE] [--level witnessed]',
    'PACK_DIR|PACK.zip… [--trust log.json] [--audience A] [--nonce N]',
    'FILE.evidence.json… [--trust log.json] [--policy FILE]',
    '--statement FILE --proof FILE [--presentation FILE] [--trust log.json] …',
  ],
  about:
    'Checks receipts under a trust file, five things each: the statement is signed by the log, its leaf commits to it, the\n' +
    'leaf is in the tree, the log signed the tree, and witnesses signed it too. Of an evidence pack (a folder or a zip that\n' +
    'newel disclose made) every event is checked so, for whom it was presented too, and every file against the manifest;\n' +
    'without --trust under the trust file in the pack, whose keys are then printed, to be compared. An evidence bundle, of a\n' +
    'monitor or a witness, holds where it convicts: of a fork, two signed heads that cannot both be true; of a rollback, two\n' +
    'lines by one key that contradict each other. Asks nobody. All files are checked, and the exit code is the gravest:\n' +
    '0 all holds · 1 something is false · 3 a file cannot be read, or is none of these, so that nothing is claimed · 4 all is\n' +
    'true, below the level asked for. Without --level the log’s own word is enough; the level that a receipt reaches is\n' +
    'printed. With --json, one line for each file.',
  options: {
    ...PINNED_TRUST_OPTIONS,
    level: LEVEL_OPTION,
    statement: { value: 'FILE', help: 'a statement that was kept apart from its proof (.sd-jwt)' },
    proof: { value: 'FILE', help: 'the proof of that statement (.tlog-proof)' },
    presentation: { value: 'FILE', help: 'the JWT that says for whom that statement was presented (.jwt)' },
    audience: { value: 'TEXT', help: 'for whom a presentation is to be (default: whoever it says)' },
    nonce: { value: 'TEXT', help: 'the nonce that it is to have (default: whichever it has)' },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  run: runVerify,
};

async function runVerify(call: Call): Promise<number> {
  const statement = call.text('statement');
  const proof = call.text('proof');
  const presentation = call.text('presentation');
  const files = call.positionals;
  const level = levelOf(call, verify);
  if ((statement === undefined) !== (proof === undefined))
    throw usage(verify, '--statement and --proof go together');
  if (presentation !== undefined && statement === undefined)
    throw usage(verify, '--presentation goes with --statement and --proof');
  if (files.length === 0 && statement === undefined)
    throw usage(verify, 'which files? It takes receipts, evidence packs and evidence bundles');
  if (files.length > 0 && statement !== undefined)
    throw usage(verify, 'either receipts, or --statement and --proof');
  if (statement !== undefined && proof !== undefined) {
    if (presentation === undefined) assertNotPresented(call);
    return verifyParts(call, { statement, proof, presentation }, level);
  }
  const { terminal } = call;
  const packs = new Set<string>();
  for (const file of files) if (await isPack(terminal, file)) packs.add(file);
  const isMixed = packs.size < new Set(files).size;
  if (isMixed) assertNotPresented(call);
  const isGiven = call.text('trust') !== undefined;
  const pinned = isMixed || isGiven ? await readPinned(call) : undefined;
  return checkEach(call, files, async (file) => {
    // What ./data happens to hold is for receipts: a pack is somebody else's.
    if (packs.has(file)) return verifyPack(call, file, level, isGiven ? pinned?.trust : undefined);
    const bytes = await readInput(terminal, file, 'a receipt', MAX_RECEIPT_BYTES);
    if (claimsEvidence(bytes)) return verifyEvidence(call, file, bytes, pinned!.trust);
    const report = checkReceipt(bytes, { trust: pinned!.trust, level });
    return print(call, file, report, `receipt of ${report.eventId}`);
  });
}

/** Whether a file is an evidence bundle rather than a receipt: by its member `evidence`. What is no JSON is neither. */
function claimsEvidence(bytes: Uint8Array): boolean {
  try {
    return isEvidence(parseJson(decodeUtf8(bytes)));
  } catch (error) {
    if (error instanceof NewelError) return false;
    throw error;
  }
}

function verifyEvidence({ terminal, json }: Call, file: string, bytes: Uint8Array, trust: Trust): number {
  const report = checkEvidence(parseEvidenceBundle(bytes), trust);
  terminal.out.write(
    json ? formatJsonLine(jsonOfEvidence(file, report)) : formatEvidenceReport(terminal, report),
  );
  return exitCodeOfEvidence(report);
}

async function verifyPack(call: Call, file: string, level: Level, trust: Trust | undefined): Promise<number> {
  const { terminal, json } = call;
  const policy = trust ? undefined : await readPolicy(call);
  const expected = { audience: call.text('audience'), nonce: call.text('nonce') };
  const files = await readPack(terminal, file);
  const arithmetic = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };
  const report = checkPack(files, { ...expected, ...arithmetic, trust, policy, level });
  if (!report.isPinned) terminal.err.write(formatOwnTrust(report.trust, file));
  terminal.out.write(json ? formatJsonLine(jsonOfPack(file, report)) : formatPackReport(terminal, report));
  return exitCodeOfPack(report);
}

interface PartFiles {
  readonly statement: string;
  readonly proof: string;
  readonly presentation: string | undefined;
}

async function verifyParts(call: Call, files: PartFiles, level: Level): Promise<number> {
  const { trust } = await readPinned(call);
  const { terminal } = call;
  const statement = await readLine(call, files.statement, 'a statement');
  const proof = decodeUtf8(await readInput(terminal, files.proof, 'a tlog-proof', MAX_PROOF_BYTES));
  let report: ReceiptReport;
  if (files.presentation === undefined) {
    report = checkReceipt(receiptOfParts(statement, proof), { trust, level });
  } else {
    const presentation = await readLine(call, files.presentation, 'a presentation');
    const expected = { audience: call.text('audience'), nonce: call.text('nonce') };
    report = checkPresentation({ statement, proof, presentation }, { ...expected, trust, level });
  }
  const subject = report.statement ? `statement and proof of ${report.eventId}` : 'statement and proof';
  return print(call, files.statement, report, subject);
}

function assertNotPresented(call: Call): void {
  for (const option of ['audience', 'nonce']) {
    if (call.text(option) !== undefined)
      throw usage(verify, `--${option} goes with evidence packs and --presentation`);
  }
}

async function readPinned(call: Call): Promise<PinnedTrust> {
  const pinned = await readPinnedTrust(call);
  call.terminal.err.write(formatTrust(pinned));
  return pinned;
}

function print({ terminal, json }: Call, file: string, report: ReceiptReport, subject: string): number {
  terminal.out.write(
    json ? formatJsonLine(jsonOfReport(file, report)) : formatReport(terminal, report, subject),
  );
  return exitCodeOfReport(report);
}

async function readLine({ terminal }: Call, file: string, what: string): Promise<string> {
  // A newline at its end is an editor's, not the statement's.
  const bytes = await readInput(terminal, file, what, MAX_STATEMENT_CHARS + 2);
  return decodeUtf8(bytes).replace(/\r?\n$/, '');
}
