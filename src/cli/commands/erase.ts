/** `newel erase`: erases what a log has of a person, single events, or what is kept no longer. */

import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkReceipt } from '../../client/report.ts';
import type { Receipt } from '../../client/receipt.ts';
import type { Trust } from '../../client/trust.ts';
import { NewelError } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../formats/json.ts';
import { FileReceiptStore } from '../../node.ts';
import { readClientConfig, readToken, TOKEN_OPTIONS } from '../client-config.ts';
import { type Call, type Command, usage } from '../command.ts';
import { confirm } from '../confirm.ts';
import { ErasureApi, type ErasureAnswer, isErasureId } from '../erasure-api.ts';
import { hasTarget, readTarget, TARGET_OPTIONS } from '../erasure-target.ts';
import { EXIT } from '../exit-code.ts';
import { STANDARD_INPUT } from '../input-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { makeOutFolder } from '../out-folder.ts';
import { startProgress } from '../progress.ts';
import { formatPin, openRemote, REMOTE_OPTIONS } from '../remote.ts';
import { formatCount, paint, printable, shellQuote } from '../terminal.ts';

export const erase: Command = {
  name: 'erase',
  summary: 'erase what a log has of a person, single events, or what is kept no longer',
  usage: [
    '--subject FILE|- --reason REASON [--dry-run] [--yes] [--no-wait] [--out DIR] [--url URL] [--token-file FILE]',
    '--event EVT [--event EVT …] --reason REASON […]',
    '--retention TYPE=90d,… --reason retention […]',
    '--follow ERASURE_ID [--out DIR] [--url URL] [--token-file FILE]',
  ],
  about:
    'Says first how many events it is about, and asks: what is erased cannot be brought back. Leaves, proofs and receipts\n' +
    'stay, and still verify. Wants an admin token, which reads no event. Follows the erasure until it is done, which takes\n' +
    'a minute or more, and writes the receipts of what the log says about it, each verified, to DIR/<event_id>.receipt.json:\n' +
    'they prove which leaves were erased, when and why, and name nobody. --follow goes on where this was interrupted.\n' +
    'Exit codes: 1 refused, failed, or not confirmed · 3 a file cannot be read, or the log not reached',
  options: {
    ...TARGET_OPTIONS,
    ...REMOTE_OPTIONS,
    ...TOKEN_OPTIONS,
    'dry-run': { help: 'count, and erase nothing' },
    yes: { help: 'do not ask' },
    'no-wait': { help: 'end when the log has accepted it' },
    follow: { value: 'ERASURE_ID', help: 'an erasure that was accepted before' },
    out: { value: 'DIR', help: 'the folder for receipts, made where it is missing (default: this one)' },
  },
  positionals: [0, 0],
  run: runErase,
};

interface Eraser {
  readonly call: Call;
  readonly api: ErasureApi;
  readonly trust: Trust;
}

/** How often to ask how far it is. */
const POLL_MS = { erasing: 500, compacting: 2000 } as const;

async function runErase(call: Call): Promise<number> {
  const { terminal } = call;
  const followed = call.text('follow');
  if (followed !== undefined) {
    const erasureId = checkedId(call, followed);
    return follow(await openEraser(call), erasureId);
  }

  assertAskable(call);
  const request = await readTarget(call, (words) => usage(erase, words));
  const eraser = await openEraser(call);
  const events = await eraser.api.count(request);
  if (call.has('dry-run')) {
    terminal.out.write(
      call.json
        ? formatJsonLine({ dry_run: true, events })
        : `${formatCount(events, 'event')} would be erased\n`,
    );
    return EXIT.ok;
  }
  if (events === 0) {
    terminal.out.write(call.json ? formatJsonLine({ events }) : 'there is nothing to erase\n');
    return EXIT.ok;
  }
  terminal.err.write(`${formatCount(events, 'event')} will be erased for good\n`);
  if (!call.has('yes') && !(await confirm(terminal, 'Erase?'))) {
    terminal.err.write('nothing was erased\n');
    return EXIT.refused;
  }
  const accepted = await eraser.api.erase(request);
  if (call.has('no-wait')) return sayAccepted(call, accepted);
  return follow(eraser, accepted.erasureId);
}

/** Before anything is read or sent. */
function assertAskable(call: Call): void {
  if (call.has('yes') || call.has('dry-run')) return;
  const isPiped = call.text('subject') === STANDARD_INPUT;
  if (isPiped || !call.terminal.err.isTerminal) {
    throw usage(erase, 'nobody can be asked here: give --yes, or --dry-run to count');
  }
}

function checkedId(call: Call, erasureId: string): string {
  if (hasTarget(call) || call.has('dry-run') || call.has('no-wait')) {
    throw usage(
      erase,
      '--follow is about an erasure that was accepted before, and takes nothing else to erase',
    );
  }
  if (!isErasureId(erasureId)) throw usage(erase, '--follow is not era_ and 22 base64url characters');
  return erasureId;
}

async function openEraser(call: Call): Promise<Eraser> {
  const config = await readClientConfig(call.terminal);
  const remote = await openRemote(call);
  const { url, trust, pinnedBy } = remote;
  const token = await readToken(call, url, config);
  if (trust.kind !== 'events') {
    throw new NewelError('usage', `${trust.origin} is a log of opaque entries, of which nothing is erased`);
  }
  if (pinnedBy === undefined) call.terminal.err.write(`log keys ${formatPin(remote)}\n`);
  return { call, trust, api: new ErasureApi({ url, token }) };
}

async function follow(eraser: Eraser, erasureId: string): Promise<number> {
  const { call, api } = eraser;
  const { terminal } = call;
  const out = call.text('out') ?? '.';
  const folder = await makeOutFolder(resolve(terminal.cwd, out));
  const ended = await waitFor(eraser, erasureId);
  const store = new FileReceiptStore(folder);
  const files: string[] = [];
  for (let start: number | undefined = ended.tombstones === 0 ? undefined : 0; start !== undefined;) {
    const page = await api.receipts(erasureId, start);
    for (const receipt of page.receipts) {
      checkErasureReceipt(receipt, erasureId, eraser.trust);
      await store.put(receipt);
      files.push(join(out, `${receipt.event_id}.receipt.json`));
    }
    start = page.next;
  }
  return sayEnded(call, ended, files);
}

async function waitFor({ call, api }: Eraser, erasureId: string): Promise<ErasureAnswer> {
  const { terminal } = call;
  const progress = startProgress(terminal, 'erasing', 'events');
  let isClearing = false;
  try {
    for (;;) {
      const erasure = await api.show(erasureId);
      const { state } = erasure;
      if (state === 'done' || state === 'failed') return erasure;
      if (state === 'erasing') progress.update({ done: erasure.erased, total: erasure.events });
      else if (!isClearing) {
        isClearing = true;
        progress.end();
        terminal.err.write(
          'none of it can be read any more; it is being cleared from the files of the log\n',
        );
      }
      await sleep(POLL_MS[state]);
    }
  } finally {
    progress.end();
  }
}

/** Throws unless the receipt holds, and is of an event that says what this erasure erased. */
function checkErasureReceipt(receipt: Receipt, erasureId: string, trust: Trust): void {
  const { ok, error, event } = checkReceipt(receipt, { trust });
  if (!ok) throw error ?? new NewelError('proof_invalid', 'a receipt of the erasure does not hold');
  const said = objectAt(objectAt(event, 'ext'), 'newel:erasure');
  if (event?.['type'] === 'erasure' && said?.['erasure_id'] === erasureId) return;
  throw new NewelError('proof_invalid', 'a receipt is of another event than this erasure');
}

function objectAt(object: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = object?.[name];
  return isJsonObject(value) ? value : undefined;
}

function sayAccepted(call: Call, { erasureId, members }: ErasureAnswer): number {
  const { terminal, json } = call;
  const asBefore = ['url', 'trust', 'token-file'].flatMap((option) => {
    const text = call.text(option);
    return text === undefined ? [] : [` --${option} ${shellQuote(text)}`];
  });
  terminal.out.write(
    json
      ? formatJsonLine(members)
      : `accepted as ${erasureId}; how far it is: newel erase --follow ${erasureId}${asBefore.join('')}\n`,
  );
  return EXIT.ok;
}

function sayEnded({ terminal, json }: Call, erasure: ErasureAnswer, files: readonly string[]): number {
  const { out } = terminal;
  const { erasureId, state, erased, events, failure, keysDestroyedBy, areKeysOverdue, members } = erasure;
  const isDone = state === 'done';
  const code = isDone ? EXIT.ok : EXIT.refused;
  if (json) {
    out.write(formatJsonLine({ ...members, files }));
    return code;
  }
  const mark = isDone ? paint(terminal, out, 'green', '✔') : paint(terminal, out, 'red', '✘');
  out.write(`${mark} ${erasureId}  ${erased} of ${formatCount(events, 'event')} erased\n`);
  if (failure !== undefined) out.write(`  it failed: ${printable(failure)}\n`);
  for (const file of files) out.write(`  receipt  ${printable(file)}\n`);
  if (keysDestroyedBy !== undefined) {
    const until = printable(keysDestroyedBy);
    out.write(
      areKeysOverdue
        ? `  the keys that open old copies of the database were to be destroyed by ${until} and are still there: see what the log says\n`
        : `  old copies of the database open with the keys of today until ${until}\n`,
    );
  }
  return code;
}
