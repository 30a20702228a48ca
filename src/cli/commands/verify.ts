/** `newel verify`: whether receipts are true, offline. */

import { MAX_RECEIPT_BYTES, MAX_STATEMENT_CHARS } from '../../client/receipt.ts';
import { checkReceipt, type ReceiptReport } from '../../client/report.ts';
import { decodeUtf8 } from '../../formats/text.ts';
import { MAX_PROOF_BYTES } from '../../formats/tlog-proof.ts';
import { type Call, type Command, usage } from '../command.ts';
import { checkEach } from '../each-receipt.ts';
import { readInput } from '../input-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { LEVEL_OPTION, levelOf } from '../level-option.ts';
import { formatTrust, PINNED_TRUST_OPTIONS, readPinnedTrust } from '../pinned-trust.ts';
import { receiptOfParts } from '../receipt-of-parts.ts';
import { exitCodeOfReport, formatReport, jsonOfReport } from '../report-text.ts';

export const verify: Command = {
  name: 'verify',
  summary: 'check receipts, offline',
  usage: [
    'FILE… [--trust log.json] [--policy FILE] [--level witnessed]',
    '--statement FILE --proof FILE [--trust log.json] …',
  ],
  about:
    'Checks receipts under a trust file, five things each: the statement is signed by the log, its leaf commits to it, the\n' +
    'leaf is in the tree, the log signed the tree, and witnesses signed it too. Asks nobody. All files are checked, and\n' +
    'the exit code is the gravest: 0 all holds · 1 something is false · 3 a file cannot be read, or is no receipt, so\n' +
    'that nothing is claimed · 4 all is true, below the level asked for. With --json, one line for each file.',
  options: {
    ...PINNED_TRUST_OPTIONS,
    level: LEVEL_OPTION,
    statement: { value: 'FILE', help: 'a statement that was kept apart from its proof (.sd-jwt)' },
    proof: { value: 'FILE', help: 'the proof of that statement (.tlog-proof)' },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  run: runVerify,
};

async function runVerify(call: Call): Promise<number> {
  const statement = call.text('statement');
  const proof = call.text('proof');
  const files = call.positionals;
  const level = levelOf(call, verify);
  if ((statement === undefined) !== (proof === undefined))
    throw usage(verify, '--statement and --proof go together');
  if (files.length === 0 && statement === undefined) throw usage(verify, 'an argument is missing');
  if (files.length > 0 && statement !== undefined)
    throw usage(verify, 'either receipts, or --statement and --proof');
  const { terminal } = call;
  const pinned = await readPinnedTrust(call);
  terminal.err.write(formatTrust(pinned));
  const { trust } = pinned;
  if (statement !== undefined && proof !== undefined) {
    const receipt = receiptOfParts(await readStatement(call, statement), await readProof(call, proof));
    const report = checkReceipt(receipt, { trust, level });
    const subject = report.statement ? `statement and proof of ${report.eventId}` : 'statement and proof';
    return print(call, statement, report, subject);
  }
  return checkEach(call, files, async (file) => {
    const bytes = await readInput(terminal, file, 'a receipt', MAX_RECEIPT_BYTES);
    const report = checkReceipt(bytes, { trust, level });
    return print(call, file, report, `receipt of ${report.eventId}`);
  });
}

function print({ terminal, json }: Call, file: string, report: ReceiptReport, subject: string): number {
  terminal.out.write(
    json ? formatJsonLine(jsonOfReport(file, report)) : formatReport(terminal, report, subject),
  );
  return exitCodeOfReport(report);
}

async function readStatement({ terminal }: Call, file: string): Promise<string> {
  // A newline at its end is an editor's, not the statement's.
  const bytes = await readInput(terminal, file, 'a statement', MAX_STATEMENT_CHARS + 2);
  return decodeUtf8(bytes).replace(/\r?\n$/, '');
}

async function readProof({ terminal }: Call, file: string): Promise<string> {
  return decodeUtf8(await readInput(terminal, file, 'a tlog-proof', MAX_PROOF_BYTES));
}
