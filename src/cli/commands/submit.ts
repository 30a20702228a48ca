/** `newel submit`: sends events, and keeps the receipt of each. */

import { randomBytes } from 'node:crypto';
import { access, constants, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Level } from '../../client/level.ts';
import { LevelNotMetError, Newel, type Submittable } from '../../client/newel.ts';
import type { Receipt } from '../../client/receipt.ts';
import { checkReceipt } from '../../client/report.ts';
import { NewelError } from '../../errors.ts';
import type { JsonObject } from '../../formats/json.ts';
import { FileReceiptStore } from '../../node.ts';
import { readClientConfig, readToken, TOKEN_OPTIONS, urlOf } from '../client-config.ts';
import { type Call, type Command, usage } from '../command.ts';
import { readEvents } from '../event-texts.ts';
import { EXIT } from '../exit-code.ts';
import { openInput } from '../input-file.ts';
import { formatJsonLine } from '../json-line.ts';
import { LEVEL_OPTION, levelOf } from '../level-option.ts';
import { formatPin, openRemote, REMOTE_OPTIONS } from '../remote.ts';
import { sayStopped, type SubmitProgress } from '../submit-stopped.ts';
import { formatCount, paint, printable } from '../terminal.ts';

export const submit: Command = {
  name: 'submit',
  summary: 'send events to a log, and keep their receipts',
  usage: ['FILE|- [--level witnessed] [--out DIR] [--url URL] [--token-file FILE] [--trust log.json]'],
  about:
    'FILE holds one event, an event a line (NDJSON), or an array of events; - reads what is piped in. Events are sent one\n' +
    'after the other, so that the log has them in the order of the file, and each receipt is verified and written to\n' +
    'DIR/<event_id>.receipt.json, for its owner alone: it holds the event. Stops at the first event that is not taken,\n' +
    'and says how to go on; an event with an id can be sent again, however often, and is logged once.\n' +
    'Exit codes: 1 an event was refused · 3 the file cannot be read, or the log not reached: send it again later ·\n' +
    '4 all are logged, and the level asked for is not reached yet (newel receipt upgrade)',
  options: {
    ...REMOTE_OPTIONS,
    ...TOKEN_OPTIONS,
    level: LEVEL_OPTION,
    out: { value: 'DIR', help: 'the folder for receipts, made where it is missing (default: this one)' },
    skip: { value: 'COUNT', help: 'pass over as many events at the beginning of the file' },
  },
  positionals: [1, 1],
  run: runSubmit,
};

/** What all events of a call have in common. */
interface Submission {
  readonly call: Call;
  readonly newel: Newel;
  readonly store: FileReceiptStore;
  readonly level: Level;
  readonly file: string;
  readonly out: string;
}

async function runSubmit(call: Call): Promise<number> {
  const { terminal } = call;
  const [file = ''] = call.positionals;
  const level = levelOf(call, submit);
  const skip = skipOf(call);
  const out = call.text('out') ?? '.';
  const newel = await openNewel(call);
  const folder = await makeFolder(resolve(terminal.cwd, out));
  const submission: Submission = { call, newel, store: new FileReceiptStore(folder), level, file, out };

  const progress: SubmitProgress = { read: 0, skipped: 0, logged: 0, below: 0, current: undefined };
  try {
    await submitEach(submission, progress, skip);
  } catch (error) {
    if (!(error instanceof NewelError) || error.code === 'usage') throw error;
    return sayStopped(call, file, progress, error);
  }
  if (progress.below === 0) return EXIT.ok;
  const later = `newel receipt upgrade ${join(out, '*.receipt.json')}`;
  terminal.err.write(
    `${formatCount(progress.below, 'receipt')} below the level asked for; later: ${printable(later)}\n`,
  );
  return EXIT.below;
}

async function submitEach(submission: Submission, progress: SubmitProgress, skip: number): Promise<void> {
  const { call, file } = submission;
  for await (const { line, event } of readEvents(
    openInput(call.terminal, file, 'JSON, of one event or several'),
  )) {
    progress.read++;
    if (progress.skipped < skip) {
      progress.skipped++;
      continue;
    }
    // Given here and not on the way, so that it can be told where the outcome is not known.
    const givenId = event['id'] === undefined ? randomBytes(16).toString('base64url') : undefined;
    progress.current = { line, givenId };
    const isReached = await submitOne(
      submission,
      line,
      givenId === undefined ? event : { ...event, id: givenId },
    );
    progress.current = undefined;
    progress.logged++;
    if (!isReached) progress.below++;
  }
  if (progress.read === 0) throw new NewelError('malformed', 'there is no event in it');
  if (progress.logged === 0)
    throw usage(submit, `--skip passes over all there is, ${formatCount(progress.read, 'event')}`);
}

/** Throws what `openRemote` and `readToken` throw. Says where the keys are from, if nobody pinned them. */
async function openNewel(call: Call): Promise<Newel> {
  const config = await readClientConfig(call.terminal);
  const token = await readToken(call, urlOf(call, config), config);
  const remote = await openRemote(call);
  const { url, trust, pinnedBy } = remote;
  if (trust.kind !== 'events') {
    throw new NewelError(
      'usage',
      `${trust.origin} is a log of opaque entries, which takes no events: POST ${url}/add`,
    );
  }
  if (pinnedBy === undefined) call.terminal.err.write(`log keys ${formatPin(remote)}\n`);
  return new Newel({ url, token, trust });
}

async function makeFolder(path: string): Promise<string> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    // Before anything is sent: an event whose receipt cannot be kept is logged all the same.
    await access(path, constants.W_OK | constants.X_OK);
    return path;
  } catch (cause) {
    throw new NewelError('unreachable', `${path} cannot be written to: give another folder as --out`, {
      cause,
    });
  }
}

/** Submits an event and keeps its receipt. Whether the level asked for was reached. */
async function submitOne(
  { call, newel, store, level, out }: Submission,
  line: number,
  event: JsonObject,
): Promise<boolean> {
  let receipt: Receipt;
  let isReached = true;
  try {
    receipt = await newel.submit(submittable(event), { level });
  } catch (error) {
    if (!(error instanceof LevelNotMetError)) throw at(newel.url, error);
    ({ receipt } = error);
    isReached = false;
  }
  const path = join(out, `${receipt.event_id}.receipt.json`);
  try {
    await store.put(receipt);
  } catch (cause) {
    const message = `${receipt.event_id} is logged, and its receipt cannot be written to ${path}`;
    throw new NewelError('unreachable', message, { cause });
  }
  // Not the level that the receipt says of itself.
  const { level: proven } = checkReceipt(receipt, { trust: newel.trust });
  sayReceipt(call, { ...receipt, level: proven ?? level }, path, line, isReached);
  return isReached;
}

/** The failure, with the URL that did not answer. */
function at(url: string, error: unknown): unknown {
  if (!(error instanceof NewelError) || error.code !== 'unreachable') return error;
  return new NewelError(error.code, `${url}: ${error.message}`, { cause: error.cause });
}

/** What the schema says of an event is for the log to check: it answers with all faults at once. */
function submittable(event: JsonObject): Submittable {
  return event as unknown as Submittable;
}

function sayReceipt(
  { terminal, json }: Call,
  receipt: Receipt,
  file: string,
  line: number,
  isReached: boolean,
): void {
  const { out } = terminal;
  if (json) {
    const { statement: _statement, proof: _proof, ...shown } = receipt;
    out.write(formatJsonLine({ ...shown, line, file }));
    return;
  }
  const mark = isReached ? paint(terminal, out, 'green', '✔') : paint(terminal, out, 'dim', '–');
  out.write(
    `${mark} ${printable(file)}  leaf ${receipt.leaf_index} of ${printable(receipt.log)}, ${receipt.level}\n`,
  );
}

const COUNT = /^(0|[1-9][0-9]{0,8})$/;

function skipOf(call: Call): number {
  const text = call.text('skip') ?? '0';
  if (!COUNT.test(text)) throw usage(submit, '--skip is not a count of events');
  return Number(text);
}
