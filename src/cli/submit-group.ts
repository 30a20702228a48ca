/**
 * Sending a group of events and keeping their receipts. A group is taken whole or not at all, so that nothing after an
 * event that is refused is logged before somebody has looked at it: those before it are then sent without it.
 */

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { BatchRefusedError } from '../client/batch-post.ts';
import type { Level } from '../client/level.ts';
import type { Newel, SubmitOptions, Submittable } from '../client/newel.ts';
import { OutcomeUnknownError } from '../client/outcome-errors.ts';
import type { ProvenReceipt } from '../client/proven-receipt.ts';
import type { Receipt } from '../client/receipt.ts';
import type { EventOutcome } from '../client/submit-many.ts';
import type { Lines } from '../client/trim-lines.ts';
import { NewelError } from '../errors.ts';
import type { JsonObject } from '../formats/json.ts';
import type { FileReceiptStore } from '../node.ts';
import type { Call } from './command.ts';
import { formatJsonLine } from './json-line.ts';
import type { SubmitMeter } from './submit-progress.ts';
import type { SubmitProgress } from './submit-stopped.ts';
import { paint, printable } from './terminal.ts';

/** What all events of a call have in common. */
export interface Submission {
  readonly call: Call;
  readonly newel: Newel;
  readonly store: FileReceiptStore;
  readonly level: Level;
  /** How long the log may wait for witnesses; as long as it likes, by default. */
  readonly waitS: number | undefined;
  readonly lines: Lines;
  readonly file: string;
  readonly out: string;
  readonly meter: SubmitMeter;
  readonly progress: SubmitProgress;
}

/** An event of the file, with an id. */
export interface Pending {
  readonly line: number;
  readonly event: JsonObject;
  /** The id that it was given, where it has none of its own. */
  readonly givenId: string | undefined;
}

/** Receipts that are written at a time. */
const WRITES_AT_ONCE = 32;

/** Given here and not on the way, so that it can be told where the outcome is not known. */
export function pendingOf(event: JsonObject, line: number): Pending {
  if (event['id'] !== undefined) return { line, event, givenId: undefined };
  const givenId = randomBytes(16).toString('base64url');
  return { line, event: { ...event, id: givenId }, givenId };
}

/** Sends the events of a group in their order, up to the first that is refused, which it throws. */
export async function sendGroup(submission: Submission, group: readonly Pending[]): Promise<void> {
  const [only] = group;
  if (!only) return;
  if (group.length === 1) return sendOne(submission, only);
  try {
    await sendWhole(submission, group);
  } catch (error) {
    if (error instanceof BatchRefusedError) {
      const { n, error: fault } = error.faults[0]!;
      await sendGroup(submission, group.slice(0, n));
      submission.progress.current = group[n];
      throw fault;
    }
    // This log takes less in one round than others.
    if (!(error instanceof NewelError) || error.code !== 'too_large') throw error;
    const half = Math.ceil(group.length / 2);
    await sendGroup(submission, group.slice(0, half));
    await sendGroup(submission, group.slice(half));
  }
}

/** Sends events in one batch, which is taken whole or not at all. Throws what `Newel.submitMany` throws. */
export async function sendWhole(submission: Submission, group: readonly Pending[]): Promise<void> {
  const { newel, progress } = submission;
  let left = group;
  let got: EventOutcome[] = [];
  const keep = async (): Promise<void> => {
    const outcomes = got;
    got = [];
    progress.current = left[0];
    await keepAll(submission, left.slice(0, outcomes.length), outcomes);
    left = left.slice(outcomes.length);
  };
  try {
    const events = group.map(({ event }) => submittable(event));
    for await (const outcome of newel.submitMany(events, { ...askedOf(submission), atomic: true })) {
      got.push(outcome);
      if (got.length === WRITES_AT_ONCE) await keep();
    }
    await keep();
    progress.current = undefined;
  } catch (error) {
    if (got.length > 0) await keep();
    progress.current = left[0];
    const isUnknown = error instanceof OutcomeUnknownError || isUnwritten(error);
    if (isUnknown && left.length > 1 && left.some(({ givenId }) => givenId !== undefined)) {
      progress.unsure = await writeUnsure(submission, left);
    }
    throw at(newel.url, error);
  }
}

async function sendOne(submission: Submission, pending: Pending): Promise<void> {
  const { newel, progress } = submission;
  progress.current = pending;
  let receipt: ProvenReceipt;
  try {
    receipt = await newel.submit(submittable(pending.event), askedOf(submission));
  } catch (error) {
    throw at(newel.url, error);
  }
  await write(submission, receipt);
  say(submission, receipt, pending);
  progress.current = undefined;
}

function askedOf({ level, waitS, lines }: Submission): SubmitOptions {
  return { level, lines, ...(waitS !== undefined && { waitS }) };
}

/** Writes the receipts, some at a time, and says them in their order. */
async function keepAll(
  submission: Submission,
  events: readonly Pending[],
  outcomes: readonly EventOutcome[],
): Promise<void> {
  const receipts = outcomes.map(({ receipt, error }) => {
    if (receipt) return receipt;
    throw error;
  });
  await Promise.all(receipts.map((receipt) => write(submission, receipt)));
  receipts.forEach((receipt, i) => say(submission, receipt, events[i]!));
}

/** A receipt that cannot be written. Its event is logged. */
class UnwrittenError extends NewelError {
  override name = 'UnwrittenError';
}

function isUnwritten(error: unknown): boolean {
  return error instanceof UnwrittenError;
}

async function write({ store, out }: Submission, receipt: Receipt): Promise<void> {
  try {
    await store.put(receipt);
  } catch (cause) {
    const message = `${receipt.event_id} is logged, and its receipt cannot be written to ${pathOf(out, receipt)}`;
    throw new UnwrittenError('unreachable', message, { cause });
  }
}

function pathOf(out: string, { event_id: eventId }: Receipt): string {
  return join(out, `${eventId}.receipt.json`);
}

function say(submission: Submission, receipt: ProvenReceipt, { line }: Pending): void {
  const { call, out: folder, meter, progress } = submission;
  const { terminal, json } = call;
  const { out } = terminal;
  const { pending } = receipt;
  progress.logged++;
  if (pending) progress.below.push(pending);
  meter.clear();
  const file = pathOf(folder, receipt);
  if (json) {
    const { statement: _statement, proof: _proof, ...shown } = receipt;
    out.write(formatJsonLine({ ...shown, line, file }));
  } else {
    const mark = pending ? paint(terminal, out, 'dim', '–') : paint(terminal, out, 'green', '✔');
    // What the client has proven, not what the log said.
    const { leaf_index: index, log, level } = receipt;
    out.write(`${mark} ${printable(file)}  leaf ${index} of ${printable(log)}, ${level}\n`);
  }
  meter.update(progress.logged);
}

/** Events of which nobody can say whether they are logged, as they were sent, so that they can be sent again. */
async function writeUnsure(
  { call, out }: Submission,
  events: readonly Pending[],
): Promise<NonNullable<SubmitProgress['unsure']>> {
  const path = join(out, `unsure-${randomBytes(6).toString('hex')}.ndjson`);
  const text = events.map(({ event }) => `${JSON.stringify(event)}\n`).join('');
  try {
    await writeFile(resolve(call.terminal.cwd, path), text, { mode: 0o600, flag: 'wx' });
    return { path, count: events.length };
  } catch {
    // The ids are said instead.
    return {
      path: undefined,
      count: events.length,
      ids: events.map(({ line, givenId }) => ({ line, givenId })),
    };
  }
}

/** The failure, with the URL that did not answer. */
function at(url: string, error: unknown): unknown {
  const isOfLog = error instanceof NewelError && error.code === 'unreachable' && !isUnwritten(error);
  if (!isOfLog) return error;
  return new NewelError(error.code, `${url}: ${error.message}`, { cause: error.cause });
}

/** What the schema says of an event is for the log to check: it answers with all faults at once. */
function submittable(event: JsonObject): Submittable {
  return event as unknown as Submittable;
}
