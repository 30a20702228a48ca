/** `newel receipt`: what a receipt proves, in words; and the same receipt, proving more. */

import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { editFile } from '../../access/durable-file.ts';
import { assertReachable, type Level } from '../../client/level.ts';
import { LevelNotMetError, Newel } from '../../client/newel.ts';
import { formatReceipt, MAX_RECEIPT_BYTES } from '../../client/receipt.ts';
import { checkReceipt, type ReceiptReport } from '../../client/report.ts';
import { NewelError } from '../../errors.ts';
import { readClientConfig, readToken, TOKEN_OPTIONS, URL_OPTION, urlOf } from '../client-config.ts';
import { type Call, type Command, usage } from '../command.ts';
import { checkEach } from '../each-receipt.ts';
import { EXIT } from '../exit-code.ts';
import { readInput } from '../input-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { LEVEL_OPTION, levelOf } from '../level-option.ts';
import { formatTrust, PINNED_TRUST_OPTIONS, type PinnedTrust, readPinnedTrust } from '../pinned-trust.ts';
import { formatWords, wordsOf } from '../receipt-words.ts';
import { exitCodeOfReport, formatReport, jsonOfReport } from '../report-text.ts';
import { paint, printable } from '../terminal.ts';

export const receipt: Command = {
  name: 'receipt',
  summary: 'say what receipts prove, in words, or fetch what they lack',
  usage: [
    'show FILE… [--trust log.json] [--policy FILE]',
    'upgrade FILE… [--level witnessed] [--trust log.json] [--url URL] [--token-file FILE]',
  ],
  about:
    'show checks receipts as newel verify does, offline, and says for each in plain words what the event is, what the\n' +
    'receipt proves and what it does not. upgrade asks the log for the lines of witnesses that were still missing, verifies\n' +
    'the new receipt and puts it in the place of the old one; where there are none yet, the file stays as it is.\n' +
    'Exit codes as those of newel verify; upgrade exits with 4 where the level is not reached yet.',
  options: {
    ...PINNED_TRUST_OPTIONS,
    url: URL_OPTION,
    ...TOKEN_OPTIONS,
    level: { ...LEVEL_OPTION, help: 'what upgraded receipts are to prove (default: witnessed)' },
  },
  positionals: [1, Number.POSITIVE_INFINITY],
  run: runReceipt,
};

async function runReceipt(call: Call): Promise<number> {
  const [verb, ...files] = call.positionals;
  if (verb !== 'show' && verb !== 'upgrade') throw usage(receipt, 'show or upgrade?');
  if (files.length === 0) throw usage(receipt, `which receipts? ${verb} takes their files`);
  return verb === 'show' ? show(call, files) : upgrade(call, files);
}

async function show(call: Call, files: readonly string[]): Promise<number> {
  for (const option of ['level', 'url', 'token-file']) {
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

async function upgrade(call: Call, files: readonly string[]): Promise<number> {
  const level = levelOf(call, receipt, 'witnessed');
  const pinned = await readPinnedTrust(call);
  const { trust } = pinned;
  assertUpgradable(level, pinned);
  const config = await readClientConfig(call.terminal);
  const url = urlOf(call, config);
  const newel = new Newel({ url, token: await readToken(call, url, config), trust });
  call.terminal.err.write(formatTrust(pinned));
  return checkEach(call, files, async (file) => {
    const report = await check(call, file, pinned);
    if (report.error) throw report.error;
    if (report.level === level || report.level === 'witnessed') return say(call, file, report.level, false);
    try {
      const better = await newel.upgrade(report.receipt, level);
      // The file itself, where a link leads to it.
      const path = await realpath(resolve(call.terminal.cwd, file));
      await editFile(path, () => formatReceipt(better));
    } catch (error) {
      if (error instanceof LevelNotMetError || !(error instanceof NewelError)) throw error;
      if (error.code !== 'unreachable') throw error;
      throw new NewelError('unreachable', `${url}: ${error.message}`, { cause: error.cause });
    }
    return say(call, file, level, true);
  });
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

function say({ terminal, json }: Call, file: string, level: string, upgraded: boolean): number {
  const { out } = terminal;
  out.write(
    json
      ? formatJsonLine({ file, ok: true, level, upgraded })
      : `${paint(terminal, out, 'green', '✔')} ${printable(file)}  ${upgraded ? 'now' : 'already'} ${level}\n`,
  );
  return EXIT.ok;
}

async function check({ terminal }: Call, file: string, { trust }: PinnedTrust): Promise<ReceiptReport> {
  return checkReceipt(await readInput(terminal, file, 'a receipt', MAX_RECEIPT_BYTES), { trust });
}
