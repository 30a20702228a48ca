/**
 * Preparing events in a thread of its own. What arrives in one turn of the event loop goes over as one message, and comes
 * back as one:
 *
 *   ← 'ready'
 *   → [ draft, … ]     ← [ { ok: [names, payload], bytes } | { refused: code, message, faults }, … ]
 *
 * The thread starts when there is more than one event at a time; until it is there, and for an event that comes alone,
 * the work is done here. So is all of it for a while if the thread dies; what it was at then is refused.
 */

import type { MessagePort, Worker } from 'node:worker_threads';
import {
  type ErrorCode,
  EventInvalidError,
  type Fault,
  NewelError,
  SecretFoundError,
  type SecretFinding,
} from '../errors.ts';
import { type Draft, type Prepared, preparer, type Preparing } from './prepare.ts';
import { EVENT_ID_BYTES, TAG_BYTES } from './rows.ts';
import { KEY_BYTES } from './seal.ts';

/** The byte strings of fixed size in a prepared event, in the order in which they go over; terms and record follow them. */
const FIXED = [
  ['eventId', EVENT_ID_BYTES],
  ['seed', KEY_BYTES],
  ['recordKey', KEY_BYTES],
  ['contentKey', KEY_BYTES],
  ['contentMac', TAG_BYTES],
  ['commitment', TAG_BYTES],
] as const;
/** Drafts in a message, so that the first are stored while the last are still prepared. */
const DRAFTS_AT_ONCE = 16;
/** After a thread has died, how long the work is done here before there is another one. */
const RESTART_MS = 30_000;
const READY = 'ready';
const FIXED_BYTES = FIXED.reduce((sum, [, bytes]) => sum + bytes, 0);

/** What goes over as it is: a list, since members with names take several times as long to be made again. */
type Plain = readonly [
  id: string,
  source: string,
  subject: string | undefined,
  type: string,
  seq: number | undefined,
  txn: string | undefined,
  link: Prepared['link'],
  notices: Prepared['notices'],
  payload: string,
  shown: string,
];

type Reply =
  | { readonly ok: Plain; readonly bytes: Uint8Array; readonly termsLength: number }
  | {
      readonly refused: {
        readonly code: ErrorCode;
        readonly message: string;
        readonly faults?: readonly Fault[];
        readonly findings?: readonly SecretFinding[];
      };
    }
  | { readonly failed: string };

interface Waiting {
  readonly draft: Draft;
  readonly resolve: (prepared: Prepared) => void;
  readonly reject: (error: unknown) => void;
}

/** The thread's side: answers every message on the port. */
export function answerDrafts(port: MessagePort, preparing: Preparing): void {
  const prepare = preparer(preparing);
  port.postMessage(READY);
  port.on('message', (drafts: readonly Draft[]) => {
    port.postMessage(drafts.map((draft) => replyTo(draft, prepare)));
  });
}

export class PreparePool {
  readonly #start: () => Worker;
  readonly #prepareOne: (draft: Draft) => Prepared;
  readonly #onFailure: (error: unknown) => void;
  #worker: Worker | undefined;
  #isReady = false;
  /** When a thread last died. */
  #endedMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  /** Of this turn. */
  #arrived: Waiting[] = [];
  /** With the thread, a list for each message, in their order. */
  #sent: Waiting[][] = [];

  /** `start` begins a thread that runs `answerDrafts` on its parent port; `onFailure` is told if it dies. */
  constructor(start: () => Worker, preparing: Preparing, onFailure: (error: unknown) => void) {
    this.#start = start;
    this.#prepareOne = preparer(preparing);
    this.#onFailure = onFailure;
  }

  /** A `Prepare`, to be handed on as it is. */
  readonly prepare = (draft: Draft): Promise<Prepared> =>
    new Promise((resolve, reject) => {
      if (this.#arrived.length === 0) setImmediate(() => this.#hand());
      this.#arrived.push({ draft, resolve, reject });
    });

  /** Ends the thread. What is with it is done here. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #hand(): void {
    const arrived = this.#arrived;
    this.#arrived = [];
    if (arrived.length === 1 && this.#sent.length === 0) return this.#prepareHere(arrived);
    if (!this.#isClosed && performance.now() >= this.#endedMs + RESTART_MS) this.#worker ??= this.#open();
    if (!this.#isReady) return this.#prepareHere(arrived);
    for (let at = 0; at < arrived.length; at += DRAFTS_AT_ONCE) {
      const some = arrived.slice(at, at + DRAFTS_AT_ONCE);
      this.#sent.push(some);
      this.#worker!.postMessage(some.map(({ draft }) => draft));
    }
  }

  #open(): Worker {
    const worker = this.#start();
    worker.on('message', (message: typeof READY | readonly Reply[]) => {
      if (message === READY) this.#isReady = true;
      else this.#settle(message);
    });
    worker.on('error', this.#onFailure);
    worker.on('exit', () => {
      this.#isReady = false;
      this.#endedMs = performance.now();
      this.#worker = undefined;
      const [dying = [], ...left] = this.#sent;
      this.#sent = [];
      // One of these may be what killed it, and is not to be tried where everything would die of it.
      for (const { reject } of dying) reject(new Error('the thread that prepared the event died'));
      this.#prepareHere(left.flat());
    });
    return worker;
  }

  #settle(replies: readonly Reply[]): void {
    this.#sent.shift()!.forEach(({ resolve, reject }, i) => {
      try {
        resolve(preparedOf(replies[i]!));
      } catch (error) {
        reject(error);
      }
    });
  }

  #prepareHere(waiting: readonly Waiting[]): void {
    for (const { draft, resolve, reject } of waiting) {
      try {
        resolve(this.#prepareOne(draft));
      } catch (error) {
        reject(error);
      }
    }
  }
}

function replyTo(draft: Draft, prepare: (draft: Draft) => Prepared): Reply {
  try {
    const prepared = prepare(draft);
    const { id, source, subject, type, seq, txn, link, notices, payload, shown } = prepared;
    const { eventId, seed, recordKey, contentKey, contentMac, commitment, terms, encodedRecord } = prepared;
    const ok: Plain = [id, source, subject, type, seq, txn, link, notices, payload, shown];
    const fixed = { eventId, seed, recordKey, contentKey, contentMac, commitment };
    const bytes = new Uint8Array(FIXED_BYTES + terms.length + encodedRecord.length);
    let at = 0;
    for (const [name, length] of FIXED) {
      bytes.set(fixed[name], at);
      at += length;
    }
    bytes.set(terms, at);
    bytes.set(encodedRecord, at + terms.length);
    return { ok, bytes, termsLength: terms.length };
  } catch (error) {
    if (!(error instanceof NewelError)) return { failed: placeOf(error) };
    const { code, message } = error;
    const faults = error instanceof EventInvalidError ? { faults: error.faults } : {};
    const findings = error instanceof SecretFoundError ? { findings: error.findings } : {};
    return { refused: { code, message, ...faults, ...findings } };
  }
}

/** Where an error that is ours was thrown, without its message, which may quote what it met. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'something that is no error';
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  return [error.name, ...frames].join('\n');
}

function preparedOf(reply: Reply): Prepared {
  if ('failed' in reply) throw new Error(`preparing an event failed: ${reply.failed}`);
  if ('refused' in reply) {
    const { code, message, faults, findings } = reply.refused;
    if (faults) throw new EventInvalidError(faults);
    if (findings) throw new SecretFoundError(findings);
    throw new NewelError(code, message);
  }
  const { ok, bytes, termsLength } = reply;
  const [id, source, subject, type, seq, txn, link, notices, payload, shown] = ok;
  let at = 0;
  const next = (length: number): Uint8Array => bytes.subarray(at, (at += length));
  const [eventId, seed, recordKey, contentKey, contentMac, commitment] = FIXED.map(([, length]) =>
    next(length),
  );
  return {
    id,
    source,
    subject,
    type,
    seq,
    txn,
    link,
    notices,
    payload,
    shown,
    eventId: eventId!,
    seed: seed!,
    recordKey: recordKey!,
    contentKey: contentKey!,
    contentMac: contentMac!,
    commitment: commitment!,
    terms: next(termsLength),
    encodedRecord: bytes.subarray(at),
  };
}
