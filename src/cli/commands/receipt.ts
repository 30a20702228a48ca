/** `newel receipt`: what a receipt proves, in words; and the same receipt, proving more. */

import { MAX_RECEIPT_BYTES } from '../../client/receipt.ts';
import { checkReceipt, type ReceiptReport } from '../../client/report.ts';
import { TOKEN_OPTIONS, URL_OPTION } from '../client-config.ts';
import { type Call, type Command, usage } from '../command.ts';
import { checkEach } from '../each-receipt.ts';
import { readInput } from '../input-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { LEVEL_OPTION, levelOf, LINES_OPTION, linesOf, waitOf } from '../level-option.ts';
import { formatTrust, PINNED_TRUST_OPTIONS, type PinnedTrust, readPinnedTrust } from '../pinned-trust.ts';
import { upgradeReceipts } from '../receipt-upgrade.ts';
import { formatWords, wordsOf } from '../receipt-words.ts';
import { exitCodeOfReport, formatReport, jsonOfReport } from '../report-text.ts';

export const receipt: Command = {
  name: 'receipt',
  summary: 'say what receipts prove, in words, or fetch what they lack',
  usage: [
    'show FILE… [--trust log.json] [--policy FILE]',
    'upgrade FILE… [--wait S] [--lines policy] [--out DIR] [--trust log.json] [--policy FILE] [--url URL] [--token-file FILE]',
  ],
  about:
    'show checks receipts as newel verify does, offline, and says for each in plain words what the event is, what the\n' +
    'receipt proves and what it does not. upgrade asks the log for the lines of witnesses that were still missing, verifies\n' +
    'the new receipt, shows that the log kept to the tree that it had signed before, and puts the receipt in the place of\n' +
    'the old one, or into --out; where there are too few lines yet, the file stays as it is. Two heads that are no one\n' +
    'tree’s are kept as evidence. With --lines policy receipts that reach the level keep no more lines than the policy\n' +
    'needs, also those that reached it before.\n' +
    'Exit codes as those of newel verify; upgrade exits with 4 where the level is not reached yet.',
  options: {
    ...PINNED_TRUST_OPTIONS,
    url: URL_OPTION,
    ...TOKEN_OPTIONS,
    level: { ...LEVEL_OPTION, help: 'what upgraded receipts are to prove (default: witnessed)' },
    wait: { value: 'S', help: 'seconds to wait for witnesses, over all files (default: 10)' },
    lines: LINES_OPTION,
    out: { value: 'DIR', help: 'the folder for upgraded receipts (default: in the place of the old ones)' },
  },
  positionals: [0, Number.POSITIVE_INFINITY],
  run: runReceipt,
};

async function runReceipt(call: Call): Promise<number> {
  const [verb, ...files] = call.positionals;
  if (verb !== 'show' && verb !== 'upgrade') throw usage(receipt, 'show or upgrade?');
  if (files.length === 0) throw usage(receipt, `which receipts? ${verb} takes their files`);
  return verb === 'show' ? show(call, files) : upgrade(call, files);
}

async function show(call: Call, files: readonly string[]): Promise<number> {
  for (const option of ['level', 'wait', 'lines', 'out', 'url', 'token-file']) {
    if (call.text(option) !== undefined) throw usage(receipt, `--${option} goes with upgrade`);
  }
  const { terminal, json } = call;
  const pinned = await readPinnedTrust(call);
  terminal.err.write(formatTrust(pinned));
  return checkEach(call, files, async (file) => {
    const report = await check(call, file, pinned);
    const words = wordsOf(report, pinned.trust);
    terminal.out.write(
      json
        ? formatJsonLine({
            ...jsonOfReport(file, report),
            proves: words.proves,
            does_not_prove: words.doesNotProve,
          })
        : `${formatReport(terminal, report, `receipt of ${report.eventId}`)}\n${formatWords(words)}`,
    );
    return exitCodeOfReport(report);
  });
}

/** As long as nobody says otherwise; and the longest. */
const WAIT_S = 10;
const MAX_WAIT_S = 3600;

function upgrade(call: Call, files: readonly string[]): Promise<number> {
  const level = levelOf(call, receipt, 'witnessed');
  const waitS = waitOf(call, receipt, MAX_WAIT_S) ?? WAIT_S;
  return upgradeReceipts(call, files, { level, waitS, lines: linesOf(call, receipt) });
}

async function check({ terminal }: Call, file: string, { trust }: PinnedTrust): Promise<ReceiptReport> {
  return checkReceipt(await readInput(terminal, file, 'a receipt', MAX_RECEIPT_BYTES), { trust });
}
