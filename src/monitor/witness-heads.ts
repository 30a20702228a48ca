/**
 * What witnesses have cosigned of a log, held against what the log shows us: `GET <prefix>/<sha256(origin) hex>/checkpoint`
 * (C2SP tlog-witness, "Monitor Retrieval Mechanism"). `Heads` compares and remembers, and takes what peers show as well.
 *
 * A witness that shows no head of the log is said once, for a URL with a slip in it answers so too, and is no alert: it may be new.
 * One that has shown a head, and says now that there is none, has forgotten what it cosigned. That is an alert.
 *
 * A head that is larger than what the log serves us waits until it serves a head of that size; if that takes too long, the
 * log withholds it, or somebody was shown another tree: that is an alert, and no proof.
 */

import type { LogSource } from '../client/source.ts';
import { NewelError } from '../errors.ts';
import type { AlertCode, Alerts } from './alerts.ts';
import type { Follower } from './follower.ts';
import type { Heads } from './heads.ts';
import type { ShownWitnesses } from './shown-witnesses.ts';
import { readWithin } from './timed-source.ts';

/** A witness, read below its monitoring prefix. */
export interface MonitoredWitness {
  readonly name: string;
  readonly url: string;
  readonly source: LogSource;
}

/** What is known of a witness and one log. */
export interface WitnessStanding {
  readonly name: string;
  readonly url: string;
  /** Whether it has ever shown a head of the log, here, in this process or an earlier one. */
  readonly hasShown: boolean;
}

export interface WitnessHeadsOptions {
  readonly follower: Follower;
  readonly heads: Heads;
  readonly alerts: Alerts;
  readonly witnesses: readonly MonitoredWitness[];
  /** Which of them have shown a head of the log. */
  readonly shown: ShownWitnesses;
  readonly now: () => number;
  /** Told once of each witness that answers that it has no head of the log, and never had one. */
  readonly onNoneShown?: ((witness: WitnessStanding) => void) | undefined;
}

/** A head that somebody has shown, until the log shows it too, or tiles of it. */
export interface AwaitedHead {
  /** A URL, or `posted`. */
  readonly source: string;
  readonly size: number;
}

/** For what one witness has cosigned, with all that is tried again. */
const READ_MS = 30_000;
/** What a witness's answer may lead to. */
const ANSWER_CODES: readonly AlertCode[] = ['unreadable', 'checkpoint_invalid'];
/** What a head that cannot be decided about may lead to. */
const WAITING_CODES = ['withheld', 'inconsistent_unproven'] as const;

export class WitnessHeads {
  readonly #options: WitnessHeadsOptions;
  /** The head of the log that was compared last. */
  #compared: Uint8Array | undefined;
  /** A head of the same tree that others were shown, and the log has not come to here, since when. */
  #ahead: { readonly source: string; readonly size: number; readonly sinceMs: number } | undefined;

  /** Witnesses of which it was told that they have shown none: their URLs. */
  readonly #told = new Set<string>();

  constructor(options: WitnessHeadsOptions) {
    this.#options = options;
  }

  /** The heads about which it is too early to decide, and too early to complain. */
  get awaited(): readonly AwaitedHead[] {
    return this.#waiting().filter(({ isOverdue }) => !isOverdue);
  }

  /** What is known of each witness. */
  get standings(): readonly WitnessStanding[] {
    const { witnesses, shown } = this.#options;
    return witnesses.map(({ name, url }) => ({ name, url, hasShown: shown.has(url) }));
  }

  /** Asks all of them, and compares. Rejects only where the database fails, or it is told to stop. */
  async poll(): Promise<void> {
    const { follower, heads, witnesses } = this.#options;
    const { log, state } = follower;
    if (state && state.head.note !== this.#compared) {
      await heads.take(state.head.note, log.url);
      this.#compared = state.head.note;
    }
    await Promise.all(witnesses.map((witness) => this.#pollOne(witness)));
    await this.settle();
  }

  /** Tries again what is undecided, and says what has been so for too long. */
  async settle(): Promise<void> {
    const { follower, heads, alerts } = this.#options;
    const { origin, originHash } = follower.log;
    const known = heads.origins.get(originHash);
    await known?.retry();
    const mine = follower.state?.head.size ?? 0;
    const newest = known?.newest;
    if (this.#ahead && mine >= this.#ahead.size) this.#ahead = undefined;
    if (newest && newest.size > mine) {
      this.#ahead ??= { source: newest.source, size: newest.size, sinceMs: this.#options.now() };
    }
    const overdue = this.#waiting().filter(({ isOverdue }) => isOverdue);
    const subjects = new Set([
      ...overdue.map(({ source }) => source),
      ...alerts.standing.flatMap((alert) => (alert.origin === origin && alert.source ? [alert.source] : [])),
    ]);
    for (const source of subjects) {
      for (const code of WAITING_CODES) {
        const found = overdue.find((one) => one.source === source && codeOf(one.size, mine) === code);
        alerts.settle({ origin, code, source }, found && sayWaiting(code, source, found.size, mine));
      }
    }
  }

  async #pollOne({ name, url, source }: MonitoredWitness): Promise<void> {
    const { follower, heads, alerts, shown, now, onNoneShown } = this.#options;
    const { origin, originHash } = follower.log;
    const flaw = await flawOf(async () => {
      const note = await readWithin(READ_MS, source, `${originHash}/checkpoint`);
      if (note) {
        await heads.take(note, url);
        await shown.add(url, now());
      }
      // Without one it has never cosigned a checkpoint of this log, it says.
      const isForgotten = !note && shown.has(url);
      alerts.settle({ origin, code: 'forgotten', source: url }, isForgotten ? sayForgotten(name) : undefined);
      if (shown.has(url) || this.#told.has(url)) return;
      this.#told.add(url);
      onNoneShown?.({ name, url, hasShown: false });
    });
    for (const code of ANSWER_CODES) {
      const message = flaw?.code === code ? `witness ${name}: ${flaw.message}` : undefined;
      alerts.settle({ origin, code, source: url }, message);
    }
  }

  #waiting(): (AwaitedHead & { readonly isOverdue: boolean })[] {
    const { follower, heads, now } = this.#options;
    const { originHash, limits } = follower.log;
    const undecided = heads.origins.get(originHash)?.undecided ?? [];
    const waiting = undecided.map(({ source, size, timeMs }) => ({ source, size, sinceMs: timeMs }));
    return [...waiting, ...(this.#ahead ? [this.#ahead] : [])].map(({ source, size, sinceMs }) => ({
      source,
      size,
      isOverdue: now() - sinceMs > limits.maxWithheldMs,
    }));
  }
}

/** What it is that a head of `size` leaves cannot be decided about, where the log has shown `mine`. */
function codeOf(size: number, mine: number): (typeof WAITING_CODES)[number] {
  return size > mine ? 'withheld' : 'inconsistent_unproven';
}

function sayForgotten(name: string): string {
  return `witness ${name}: it has shown a head of this log, and shows none any more; it may have lost what it cosigned, and would cosign another tree`;
}

function sayWaiting(
  code: (typeof WAITING_CODES)[number],
  source: string,
  size: number,
  mine: number,
): string {
  return code === 'withheld'
    ? `${source}: a head of ${size} leaves has been shown there, and the log shows ${mine} here`
    : `${source}: a head of ${size} leaves was signed, and the tiles of the log do not show whether it is of this tree`;
}

/** Throws what is no fault of a witness's. */
async function flawOf(ask: () => Promise<void>): Promise<{ code: AlertCode; message: string } | undefined> {
  try {
    await ask();
    return undefined;
  } catch (error) {
    if (!(error instanceof NewelError) || error.code === 'storage_failed') throw error;
    const { code, message } = error;
    return { code: code === 'unreachable' ? 'unreadable' : 'checkpoint_invalid', message };
  }
}
