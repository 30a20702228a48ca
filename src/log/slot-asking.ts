/**
 * The rhythm in which one slot asks its witnesses: for one head at a time, the newest there is, until its policy is met or
 * the deadline is over. What is not met is asked for again, as long as no newer head takes its place.
 *
 *   offer(head) ─ wait for the interval ─ ask ─┬─ met ──────────→ wait for the next head
 *                                              └─ deadline ─ the next head, or the same one again
 */

import type { Policy } from '../formats/tlog-policy.ts';
import type { Clock } from './clock.ts';
import type { Publication } from './kept.ts';

/** A head as witnesses are asked to cosign it. */
export interface HeadToCosign {
  readonly size: number;
  readonly root: Uint8Array;
  /** The note text: three lines. */
  readonly text: string;
  /** The note with the log's own lines alone. */
  readonly checkpoint: Uint8Array;
}

export interface AskCall<Line> {
  readonly deadlineMs: number;
  /** Whether the policy is met, so that nobody need be waited for. */
  readonly enough: () => boolean;
  /** Verified lines, as each witness answers; also after the asking is over. */
  readonly onLines: (name: string, lines: readonly Line[]) => void;
}

/** One publication policy, and how often and how long its witnesses are asked. */
export interface SlotPolicy {
  readonly policy: Policy;
  readonly deadlineMs: number;
  /** The least time between two askings. */
  readonly intervalMs: number;
}

export interface SlotAskingParts {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Resolves when the policy is met, all have answered, or the deadline is over. */
  readonly ask: (head: Publication) => Promise<void>;
  readonly isMet: (head: Publication) => boolean;
  readonly onUnmet: (head: Publication) => void;
  /** Told of what failed of ours; the head is asked for again. */
  readonly onFailure: (error: unknown) => void;
}

/** How soon the same head is asked for again. */
const AGAIN_MS = 1000;

export class SlotAsking {
  readonly #parts: SlotAskingParts;
  #next: Publication | undefined;
  #isAsking = false;
  #askedAtMs: number;
  #cancel: (() => void) | undefined;
  #stopped = false;

  constructor(parts: SlotAskingParts) {
    this.#parts = parts;
    this.#askedAtMs = parts.clock.elapsed() - parts.intervalMs;
  }

  /** Asks for this head as soon as the rhythm allows, in the place of any other that waits. */
  offer(head: Publication): void {
    if (this.#stopped) return;
    this.#next = head;
    if (!this.#isAsking) this.#schedule(this.#parts.intervalMs);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #schedule(intervalMs: number): void {
    this.#cancel?.();
    const { clock } = this.#parts;
    const waitMs = this.#askedAtMs + intervalMs - clock.elapsed();
    if (waitMs <= 0) return void this.#ask();
    this.#cancel = clock.after(waitMs, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const head = this.#next;
    if (!head || this.#stopped) return;
    const { clock, ask, isMet, onUnmet, intervalMs } = this.#parts;
    this.#next = undefined;
    this.#cancel = undefined;
    // A line that came late may have met it.
    if (isMet(head)) return;
    this.#isAsking = true;
    this.#askedAtMs = clock.elapsed();
    try {
      await ask(head);
    } catch (error) {
      this.#parts.onFailure(error);
    } finally {
      this.#isAsking = false;
    }
    if (this.#stopped) return;
    const isOver = isMet(head);
    if (!isOver) onUnmet(head);
    if (this.#next) return this.#schedule(intervalMs);
    if (isOver) return;
    this.#next = head;
    this.#schedule(Math.max(intervalMs, AGAIN_MS));
  }
}
