/** `newel submit`: sends events, and keeps the receipt of each. */

import { join, resolve } from 'node:path';
import { BatchRefusedError } from '../../client/batch-post.ts';
import { Newel } from '../../client/newel.ts';
import { NewelError } from '../../errors.ts';
import { FileReceiptStore } from '../../node.ts';
import { readClientConfig, readToken, TOKEN_OPTIONS } from '../client-config.ts';
import { type Call, type Command, usage } from '../command.ts';
import { groupsOf } from '../event-groups.ts';
import { readEvents } from '../event-texts.ts';
import { EXIT } from '../exit-code.ts';
import { openInput } from '../input-file.ts';
import { LEVEL_OPTION, levelOf, LINES_OPTION, linesOf, waitOf } from '../level-option.ts';
import { makeOutFolder } from '../out-folder.ts';
import { pendingWords } from '../pending-words.ts';
import { formatPin, openRemote, REMOTE_OPTIONS } from '../remote.ts';
import { type Pending, pendingOf, sendGroup, sendWhole, type Submission } from '../submit-group.ts';
import { bytesOf, SubmitMeter } from '../submit-progress.ts';
import { sayRefused, sayStopped, type SubmitProgress } from '../submit-stopped.ts';
import { formatCount, printable } from '../terminal.ts';

export const submit: Command = {
  name: 'submit',
  summary: 'send events to a log, and keep their receipts',
  usage: [
    'FILE|- [--atomic] [--level witnessed [--wait S]] [--lines policy] [--out DIR] [--url URL] [--token-file FILE] [--trust log.json]',
  ],
  about:
    'FILE holds one event, an event a line (NDJSON), or an array of events; - reads what is piped in. Events are sent in\n' +
    'batches, in the order of the file, and the log has them in that order; each receipt is verified and written to\n' +
    'DIR/<event_id>.receipt.json, for its owner alone: it holds the event. Stops at the first event that is not taken,\n' +
    'with all before it logged and none after it, and says how to go on; an event with an id can be sent again, however\n' +
    'often, and is logged once. With --atomic all events are logged or none, in one batch, which a log bounds.\n' +
    'With --level witnessed the log waits for its witnesses: a receipt that has too few of them by then is written all the\n' +
    'same, and says so; what is lacking is fetched later. With --lines policy receipts are short: of their lines they keep\n' +
    'those that the policy needs, once these are there.\n' +
    'Exit codes: 1 an event was refused · 3 the file cannot be read, or the log not reached: send it again later ·\n' +
    '4 all are logged, and the level asked for is not reached yet (newel receipt upgrade)',
  options: {
    ...REMOTE_OPTIONS,
    ...TOKEN_OPTIONS,
    level: LEVEL_OPTION,
    wait: { value: 'S', help: 'seconds that the log may wait for witnesses, 0 to 10 (default: 2)' },
    lines: LINES_OPTION,
    out: { value: 'DIR', help: 'the folder for receipts, made where it is missing (default: this one)' },
    atomic: { help: 'log all events of the file, or none of them' },
    skip: { value: 'COUNT', help: 'pass over as many events at the beginning of the file' },
  },
  positionals: [1, 1],
  run: runSubmit,
};

async function runSubmit(call: Call): Promise<number> {
  const { terminal } = call;
  const [file = ''] = call.positionals;
  const level = levelOf(call, submit);
  const waitS = waitOf(call, submit);
  const lines = linesOf(call, submit);
  if (waitS !== undefined && level === 'signed') throw usage(submit, '--wait goes with --level witnessed');
  const skip = skipOf(call);
  const out = call.text('out') ?? '.';
  const newel = await openNewel(call);
  const folder = await makeOutFolder(resolve(terminal.cwd, out));
  const progress: SubmitProgress = { read: 0, skipped: 0, logged: 0, below: [], current: undefined };
  const meter = new SubmitMeter(terminal, await bytesOf(terminal, file));
  const store = new FileReceiptStore(folder);
  const submission: Submission = { call, newel, store, level, waitS, lines, file, out, meter, progress };
  try {
    const events = eventsOf(submission, skip);
    if (call.has('atomic')) await submitWhole(submission, events);
    else for await (const group of groupsOf(events)) await sendGroup(submission, group);
    assertSome(progress);
  } catch (error) {
    meter.clear();
    if (!(error instanceof NewelError) || error.code === 'usage') throw error;
    if (error instanceof BatchRefusedError) return sayRefused(submission, error);
    sayBelow(submission);
    return sayStopped(call, file, progress, error);
  }
  meter.clear();
  return sayBelow(submission);
}

/** What is still to come, on stderr, and how to get it. The exit code of what is done. */
function sayBelow({ call: { terminal }, out, level, progress: { below } }: Submission): number {
  if (below.length === 0) return EXIT.ok;
  const words = [...new Set(below.map(pendingWords))];
  const later = `newel receipt upgrade ${join(out, '*.receipt.json')}`;
  terminal.err.write(
    `${formatCount(below.length, 'receipt')} not ${level} yet: ${words.join('; ')}. Later: ${printable(later)}\n`,
  );
  return EXIT.below;
}

/** The events of the file that are not passed over. */
async function* eventsOf(
  { call, file, meter, progress }: Submission,
  skip: number,
): AsyncGenerator<Pending, void> {
  const chunks = meter.count(openInput(call.terminal, file, 'JSON, of one event or several'));
  for await (const { line, event } of readEvents(chunks)) {
    progress.read++;
    if (progress.skipped < skip) progress.skipped++;
    else yield pendingOf(event, line);
  }
}

function assertSome({ read, logged }: SubmitProgress): void {
  if (read === 0) throw new NewelError('malformed', 'there is no event in it');
  if (logged === 0) {
    throw usage(submit, `--skip passes over all there is, ${formatCount(read, 'event')}`);
  }
}

/** Far more than any log takes in one round, which then says how much that is. */
const MAX_ATOMIC_EVENTS = 10_000;

/** Sends all events in one batch. Throws `BatchRefusedError` where one of them is refused. */
async function submitWhole(submission: Submission, events: AsyncIterable<Pending>): Promise<void> {
  const all: Pending[] = [];
  for await (const pending of events) {
    if (all.push(pending) > MAX_ATOMIC_EVENTS) {
      throw new NewelError('too_large', `--atomic takes at most ${MAX_ATOMIC_EVENTS} events`);
    }
  }
  submission.progress.lines = all.map(({ line }) => line);
  if (all.length > 0) await sendWhole(submission, all);
}

/** Throws what `openRemote` and `readToken` throw. Says where the keys are from, if nobody pinned them. */
async function openNewel(call: Call): Promise<Newel> {
  const config = await readClientConfig(call.terminal);
  const remote = await openRemote(call);
  const { url, trust, pinnedBy } = remote;
  const token = await readToken(call, url, config);
  if (trust.kind !== 'events') {
    throw new NewelError(
      'usage',
      `${trust.origin} is a log of opaque entries, which takes no events: POST ${url}/add`,
    );
  }
  if (pinnedBy === undefined) call.terminal.err.write(`log keys ${formatPin(remote)}\n`);
  return new Newel({ url, token, trust });
}

const COUNT = /^(0|[1-9][0-9]{0,8})$/;

function skipOf(call: Call): number {
  const text = call.text('skip') ?? '0';
  if (!COUNT.test(text)) throw usage(submit, '--skip is not a count of events');
  return Number(text);
}
