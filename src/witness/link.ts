/**
 * The log's side of one witness: one request at a time, of the newest head that is wanted, over a connection that is kept.
 *
 *   want(head) → wanted ── back-off, breaker, budget ──→ conversation ─┬─ lines, ahead, conflict → told
 *                  ↑ a newer one takes its place                      └─ none → told; wanted again, if nothing newer is
 *
 * Who wants a head is told at once when there is no answer for now. The head goes on being brought to the witness until it
 * answers or another head takes its place, and lines that come late are handed on all the same.
 */

import type { TokenBucket } from '../client/token-bucket.ts';
import type { NoteSignature, Verifier } from '../formats/note.ts';
import { formatAddCheckpoint } from './add-checkpoint-body.ts';
import { type Answer, readAnswer } from './answer.ts';
import type { AskingClock } from './asking-clock.ts';
import { Breaker } from './breaker.ts';
import { requestBudget } from './budget.ts';
import { converse, type HeadToCosign, type Outcome, type SignedSizes } from './conversation.ts';
import { exchange, type Missing, type Received } from './exchange.ts';
import { type Asker, Job } from './job.ts';
import type { SharedProofs } from './shared-proofs.ts';
import type { AskingListener } from './signals-asking.ts';
import { Standing } from './standing.ts';

export interface AskedWitness {
  readonly name: string;
  /** Its submission prefix. */
  readonly url: string;
  /** Of its keys: 0x04, 0x06. */
  readonly verifiers: readonly Verifier[];
  /** Requests that it grants, where it is a public one. */
  readonly requestsPerDay?: number | undefined;
}

/** Sizes of our heads of at least `since` leaves: all, or as many as `limit` that a witness may best stand at. */
export type ReadSignedSizes = (since: number, limit: number) => Promise<SignedSizes>;

export interface LinkParts {
  readonly origin: string;
  readonly witness: AskedWitness;
  /** The size it has cosigned last, as far as was remembered. */
  readonly size: number;
  readonly proofs: SharedProofs;
  readonly rootOf: (size: number) => Promise<Uint8Array>;
  readonly recentSizes: ReadSignedSizes;
  readonly clock: AskingClock;
  readonly random: () => number;
  readonly fetch: typeof fetch;
  /** Of a request. */
  readonly timeoutMs: number;
  readonly onSignal: AskingListener;
}

export interface AskedWitnessState {
  readonly name: string;
  /** That it has cosigned last, as far as is known. */
  readonly size: number;
  readonly state: 'ok' | 'failing' | 'open' | 'over_budget' | 'unknown';
  /** In words, unless it is well or unknown. */
  readonly why?: string;
  /** Milliseconds since 1970. */
  readonly lastAnswerTimeMs?: number;
}

/** Sizes that are tried with a witness that tells none; each is a request. */
const MAX_TRIED_SIZES = 256;
/** The same where requests are counted, and of before this process began to ask. */
const MAX_FEW_SIZES = 32;
/** Who asks again for the same head so soon is given the same lines. */
const SAME_LINES_MS = 60_000;
const MIN_ANSWER_BYTES: number = 16 * 1024;
/** An ML-DSA-44 line has 3,300 characters and its name. */
const MAX_LINE_BYTES = 4096;

const AHEAD = 'has cosigned a larger head of this log already';
const SUPERSEDED = 'is asked for a larger head';
const CLOSED = 'is not asked any more';
const OVER_BUDGET = 'has had all the requests that it grants for now';

export class Link {
  readonly #parts: LinkParts;
  readonly #standing: Standing;
  readonly #breaker: Breaker;
  readonly #budget: TokenBucket | undefined;
  readonly #maxBytes: number;
  #wanted: Job | undefined;
  #current: Job | undefined;
  #running: Promise<void> | undefined;
  #wake = (): void => {};
  #request: AbortController | undefined;
  #isHeldByBudget = false;
  #trouble: string | undefined;
  #answered:
    { readonly text: string; readonly lines: readonly NoteSignature[]; readonly atMs: number } | undefined;
  #lastAnswerTimeMs: number | undefined;
  #closed = false;

  constructor(parts: LinkParts) {
    const { witness, size, random } = parts;
    this.#parts = parts;
    this.#standing = new Standing(size);
    this.#breaker = new Breaker(random);
    const { requestsPerDay, verifiers } = witness;
    this.#budget = requestsPerDay === undefined ? undefined : requestBudget(requestsPerDay);
    this.#maxBytes = Math.max(MIN_ANSWER_BYTES, verifiers.length * MAX_LINE_BYTES);
  }

  get size(): number {
    return this.#standing.size;
  }

  get state(): AskedWitnessState {
    const { name } = this.#parts.witness;
    const lastAnswerTimeMs = this.#lastAnswerTimeMs;
    const known = { name, size: this.size, ...(lastAnswerTimeMs === undefined ? {} : { lastAnswerTimeMs }) };
    if (this.#isHeldByBudget) return { ...known, state: 'over_budget', why: OVER_BUDGET };
    if (this.#trouble !== undefined)
      return { ...known, state: this.#breaker.isOpen ? 'open' : 'failing', why: this.#trouble };
    return { ...known, state: lastAnswerTimeMs === undefined ? 'unknown' : 'ok' };
  }

  /** Notes at which sizes an earlier process may have left the witness, where the newest head is of `size` leaves. */
  async noteEarlier(size: number): Promise<void> {
    const { sizes } = await this.#parts.recentSizes(this.size, MAX_FEW_SIZES);
    this.#standing.mayBe([size, ...sizes]);
  }

  want(asker: Asker): void {
    const { head } = asker;
    if (this.#closed) return asker.onNone(CLOSED);
    if (!asker.isOnce) {
      const known = this.#answered;
      if (known?.text === head.text && this.#parts.clock.elapsed() - known.atMs < SAME_LINES_MS)
        return asker.onLines(known.lines);
      // A size that was never signed here is none to wait for: it is to be heard from the witness.
      if (this.size > head.size && this.size <= asker.largestSize()) return asker.onNone(AHEAD);
    }
    const same = [this.#current, this.#wanted].find((job) => job?.head.text === head.text);
    if (same) {
      same.add(asker);
    } else if (this.#wanted && this.#wanted.head.size > head.size) {
      return asker.onNone(SUPERSEDED);
    } else {
      this.#wanted?.tellNone(SUPERSEDED);
      this.#wanted = new Job([asker], (error) => this.#fault(error));
    }
    this.#wake();
    this.#pump();
  }

  /** Calls off what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#request?.abort();
    this.#wake();
    await this.#running;
    this.#wanted?.tellNone(CLOSED);
    this.#wanted = undefined;
  }

  #pump(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#wanted && !this.#closed) this.#pump();
    });
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      const { waitMs, why } = this.#holdBack(this.#wanted);
      if (waitMs > 0) {
        this.#wanted.tellNone(why);
        await this.#sleep(waitMs);
        continue;
      }
      const job = this.#wanted;
      this.#wanted = undefined;
      this.#current = job;
      this.#budget?.take(this.#parts.clock.elapsed());
      const startedMs = this.#parts.clock.elapsed();
      let outcome: Outcome | { readonly kind: 'fault'; readonly error: unknown };
      try {
        outcome = await this.#converse(job);
      } catch (error) {
        outcome = { kind: 'fault', error };
      }
      this.#current = undefined;
      if (outcome.kind === 'fault') job.tell((asker) => asker.onFault(outcome.error));
      else this.#settle(job, outcome, startedMs);
    }
  }

  /** How long the witness is to be left alone, and why. */
  #holdBack(job: Job): { waitMs: number; why: string } {
    const elapsedMs = this.#parts.clock.elapsed();
    const budgetMs = this.#budget?.waitMs(elapsedMs) ?? 0;
    this.#isHeldByBudget = budgetMs > 0;
    if (budgetMs > 0) return { waitMs: budgetMs, why: OVER_BUDGET };
    return { waitMs: job.isUrgent ? 0 : this.#breaker.waitMs(elapsedMs), why: this.#trouble ?? '' };
  }

  #converse(job: Job): Promise<Outcome> {
    const { origin, witness, proofs, rootOf, recentSizes } = this.#parts;
    return converse({
      name: witness.name,
      url: witness.url,
      origin,
      head: job.head,
      standing: this.#standing,
      proofs,
      rootOf,
      recentSizes: (since) => recentSizes(since, this.#budget ? MAX_FEW_SIZES : MAX_TRIED_SIZES),
      largestSize: () => job.largestSize,
      send: (old) => this.#send(job.head, old),
      permit: (whatFor) => this.#permit(job, whatFor === 'a new size'),
    });
  }

  async #permit(job: Job, isReplaceable: boolean): Promise<boolean> {
    const { clock } = this.#parts;
    while (!this.#closed) {
      const waitMs = this.#budget?.waitMs(clock.elapsed()) ?? 0;
      this.#isHeldByBudget = waitMs > 0;
      if (waitMs === 0) {
        this.#budget?.take(clock.elapsed());
        return true;
      }
      if (isReplaceable && this.#wanted) return false;
      job.tellNone(OVER_BUDGET);
      await this.#sleep(waitMs);
    }
    return false;
  }

  async #send(head: HeadToCosign, old: number): Promise<Answer> {
    const { witness, proofs, onSignal, clock } = this.#parts;
    const proof = await proofs.of(old, head.size);
    const body = formatAddCheckpoint({ oldSize: old, proof, checkpoint: head.checkpoint });
    onSignal({ event: 'asked', name: witness.name, size: head.size, old });
    let received = await this.#exchange(body);
    const isWell = this.#breaker.failures === 0 && !this.#closed;
    if (isMissing(received) && received.isBroken && isWell && !this.#budget?.waitMs(clock.elapsed())) {
      this.#standing.unanswered(old, head.size);
      this.#budget?.take(clock.elapsed());
      received = await this.#exchange(body);
    }
    if (isMissing(received)) {
      if (received.wasSent) this.#standing.unanswered(old, head.size);
      return { kind: 'none', why: received.why, mayHaveRecorded: received.wasSent };
    }
    const answer = readAnswer(received, head.text, witness.verifiers);
    if (answer.kind === 'none' && answer.mayHaveRecorded) this.#standing.unanswered(old, head.size);
    return answer;
  }

  async #exchange(body: Uint8Array): Promise<Received | Missing> {
    if (this.#closed) return { why: CLOSED, wasSent: false, isBroken: false };
    const { witness, clock, timeoutMs, fetch: fetchOne } = this.#parts;
    const controller = new AbortController();
    this.#request = controller;
    const url = `${witness.url.replace(/\/+$/, '')}/add-checkpoint`;
    return exchange(url, body, { fetch: fetchOne, clock, timeoutMs, maxBytes: this.#maxBytes, controller });
  }

  #settle(job: Job, outcome: Outcome, startedMs: number): void {
    const { witness, clock, onSignal } = this.#parts;
    const { name } = witness;
    const { head } = job;
    if (outcome.kind === 'stopped' || (outcome.kind === 'none' && this.#closed))
      return this.#wantAgain(job, CLOSED);
    if (outcome.kind === 'none') {
      this.#fail(outcome.why);
      return this.#wantAgain(job, outcome.why);
    }
    this.#lastAnswerTimeMs = clock.now();
    const { failures } = this.#breaker;
    this.#breaker.succeed();
    if (outcome.kind === 'conflict') {
      this.#trouble = outcome.conflict.message;
      onSignal({ event: 'conflict', conflict: outcome.conflict });
      return job.tell((asker) => asker.onConflict(outcome.conflict));
    }
    this.#trouble = undefined;
    if (failures > 0) onSignal({ event: 'recovered', name, failures });
    if (outcome.kind === 'ahead') return job.tellNone(AHEAD);
    const { lines } = outcome;
    const atMs = clock.elapsed();
    this.#answered = { text: head.text, lines, atMs };
    onSignal({ event: 'answered', name, size: head.size, lines: lines.length, durationMs: atMs - startedMs });
    job.tell((asker) => asker.onLines(lines));
  }

  #fail(why: string): void {
    const { witness, clock, onSignal } = this.#parts;
    const wasOpen = this.#breaker.isOpen;
    this.#trouble = why;
    const forMs = this.#breaker.fail(clock.elapsed());
    const { failures } = this.#breaker;
    onSignal({ event: 'failed', name: witness.name, why, failures });
    if (this.#breaker.isOpen && !wasOpen) onSignal({ event: 'opened', name: witness.name, failures, forMs });
  }

  /** The head goes on being wanted, unless a newer one is, by those that did not ask for one try alone. */
  #wantAgain(job: Job, why: string): void {
    job.tellNone(this.#wanted ? SUPERSEDED : why);
    if (!this.#closed) this.#wanted ??= job.again();
  }

  #fault(error: unknown): void {
    this.#parts.onSignal({ event: 'fault', name: this.#parts.witness.name, error });
  }

  /** Until the time is over, something newer is wanted, or all is called off. */
  #sleep(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#wake = () => {};
        resolve();
      };
      const cancel = this.#parts.clock.after(durationMs, wake);
      this.#wake = wake;
    });
  }
}

function isMissing(received: Received | Missing): received is Missing {
  return 'why' in received;
}
