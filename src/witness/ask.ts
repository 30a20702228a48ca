/**
 * How a log has its heads cosigned (C2SP tlog-witness, the client of `add-checkpoint`): all witnesses at once, until enough
 * have answered. Each has a link of its own, which goes on where the deadline has cut it off.
 *
 * A witness that fails is no danger, and is told of in words. A witness that knows what cannot be true together with this
 * log is a conflict: whoever asks must stop writing.
 */

import type { NoteSignature } from '../formats/note.ts';
import { type AskingClock, systemAskingClock } from './asking-clock.ts';
import type { WitnessConflict } from './conflict.ts';
import type { HeadToCosign } from './conversation.ts';
import { harmless } from './harmless.ts';
import { type AskedWitness, type AskedWitnessState, Link, type ReadSignedSizes } from './link.ts';
import { type ProveConsistency, SharedProofs } from './shared-proofs.ts';
import type { AskingListener } from './signals-asking.ts';

export type { WitnessConflict } from './conflict.ts';
export type { HeadToCosign, SignedSizes } from './conversation.ts';
export type { AskedWitness, AskedWitnessState, ReadSignedSizes } from './link.ts';
export type { AskingSignal } from './signals-asking.ts';

export interface WitnessesParts {
  readonly origin: string;
  readonly witnesses: readonly AskedWitness[];
  /** The proof from the tree of `old` leaves to that of `size`, both revealed. */
  readonly proveConsistency: ProveConsistency;
  /** The root of the tree of our first `size` leaves, revealed: our own proof is judged by it where a witness refuses it. */
  readonly rootOf: (size: number) => Promise<Uint8Array>;
  /** The size that each witness has cosigned last, by name, as `sizes()` said before the restart. */
  readonly sizes: ReadonlyMap<string, number>;
  /**
   * For a witness that does not say at which size it stands: those of heads that may have left the house, signed since the
   * one that is remembered. Without it, or where there are more than are tried, such a witness contradicts nothing.
   */
  readonly recentSizes?: ReadSignedSizes | undefined;
  readonly clock?: AskingClock | undefined;
  readonly random?: (() => number) | undefined;
  readonly fetch?: typeof fetch | undefined;
  /** Of one request; longer than the deadline of an asking, so that late lines come. */
  readonly requestTimeoutMs?: number | undefined;
  readonly onSignal?: AskingListener | undefined;
}

export interface AskOptions {
  readonly deadlineMs: number;
  /** Whether nobody more need be waited for. Called after each answer. */
  readonly enough: () => boolean;
  /** Lines by the known keys of the witness, verified over the head's text; also after `ask` has resolved. */
  readonly onLines: (name: string, lines: readonly NoteSignature[]) => void;
  /** Also after `ask` has resolved. */
  readonly onConflict: (conflict: WitnessConflict) => void;
  /** Size of the largest head that was ever signed here. */
  readonly largestSize: () => number;
}

export interface AgreeOptions {
  readonly timeoutMs: number;
  /** Names of witnesses that are not asked. */
  readonly ignore: ReadonlySet<string>;
  /** Size of the largest head that was ever signed here: it may grow while a late answer is still on its way. */
  readonly largestSize: () => number;
  /** Of a witness that has been counted among the silent ones already. */
  readonly onLateConflict: (conflict: WitnessConflict) => void;
}

export interface Agreement {
  /** Those that have cosigned the head now. */
  readonly agreed: readonly string[];
  readonly conflicts: readonly WitnessConflict[];
  /** Those that gave no answer, and why, in words. */
  readonly silent: readonly { readonly name: string; readonly why: string }[];
}

/** Of a request: a witness that is slow, or far, is late rather than lost. */
const REQUEST_TIMEOUT_MS = 5000;
/** Bytes that a checkpoint may have on its way to a witness: the log's own lines, and nobody else's. */
const MAX_ASKED_BYTES = 16 * 1024;

export class Witnesses {
  readonly #clock: AskingClock;
  readonly #onSignal: AskingListener;
  readonly #links: ReadonlyMap<string, Link>;

  /** Throws `RangeError` for two witnesses of one name, one without keys, and a budget that is no whole number. */
  constructor(parts: WitnessesParts) {
    const { origin, witnesses, proveConsistency, rootOf, sizes } = parts;
    this.#clock = parts.clock ?? systemAskingClock;
    this.#onSignal = harmless(parts.onSignal ?? (() => {}));
    const shared = {
      origin,
      proofs: new SharedProofs(proveConsistency),
      rootOf,
      recentSizes: parts.recentSizes ?? (() => Promise.resolve({ sizes: [], isComplete: false })),
      clock: this.#clock,
      random: parts.random ?? Math.random,
      fetch: parts.fetch ?? fetch,
      timeoutMs: parts.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      onSignal: this.#onSignal,
    };
    this.#links = new Map(
      witnesses.map((witness) => {
        if (witness.verifiers.length === 0)
          throw new RangeError('verifiers expected at least one key a witness');
        return [witness.name, new Link({ ...shared, witness, size: sizes.get(witness.name) ?? 0 })];
      }),
    );
    if (this.#links.size < witnesses.length) throw new RangeError('witnesses expected no two of one name');
  }

  get states(): readonly AskedWitnessState[] {
    return [...this.#links.values()].map((link) => link.state);
  }

  /** The size that each witness has cosigned last, by name, as far as is known: to be remembered across restarts. */
  sizes(): ReadonlyMap<string, number> {
    return new Map([...this.#links].map(([name, link]) => [name, link.size]));
  }

  /**
   * Asks the named witnesses at once to cosign a head. Resolves when there is enough, when none is left that may answer
   * soon, or at the deadline; what comes later is handed on as it comes. A tree without leaves is brought to nobody.
   * Rejects where something of ours fails: a proof that cannot be made, or does not verify.
   */
  ask(names: readonly string[], head: HeadToCosign, options: AskOptions): Promise<void> {
    const { deadlineMs, enough, onLines, onConflict, largestSize } = options;
    assertAskable(head);
    const links = [...new Set(names)].map((name) => ({ name, link: this.#linkOf(name) }));
    if (head.size === 0 || links.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const awaited = new Set(links.map(({ name }) => name));
      let isOver = false;
      const end = (): void => {
        isOver = true;
        cancel();
        resolve();
      };
      const answered = (name: string): void => {
        awaited.delete(name);
        if (!isOver && (awaited.size === 0 || enough())) end();
      };
      const cancel = this.#clock.after(deadlineMs, end);
      for (const { name, link } of links) {
        link.want({
          head,
          largestSize,
          isOnce: false,
          onLines: (lines) => {
            if (isOver) this.#onSignal({ event: 'late', name, size: head.size });
            onLines(name, lines);
            answered(name);
          },
          onConflict: (conflict) => {
            onConflict(conflict);
            answered(name);
          },
          onNone: () => answered(name),
          onFault: (error) => {
            if (isOver) return this.#onSignal({ event: 'fault', name, error });
            isOver = true;
            cancel();
            reject(
              error instanceof Error ? error : new Error('a witness could not be asked', { cause: error }),
            );
          },
        });
      }
    });
  }

  /**
   * Has all witnesses but the ignored ones cosign the stored head, before anything is written: who does, agrees that this
   * is the newest tree of the log; of a tree without leaves too, which may be what is left of a larger one. Rejects as `ask`.
   */
  async agree(head: HeadToCosign, options: AgreeOptions): Promise<Agreement> {
    assertAskable(head);
    const links = [...this.#links].filter(([name]) => !options.ignore.has(name));
    const agreed: string[] = [];
    const conflicts: WitnessConflict[] = [];
    const silent: { name: string; why: string }[] = [];
    await Promise.all(
      links.map(async ([name, link]) => {
        await link.noteEarlier(head.size);
        const found = await this.#agreementOf(link, head, options);
        if (found === true) agreed.push(name);
        else if (typeof found === 'string') silent.push({ name, why: found });
        else conflicts.push(found);
      }),
    );
    return { agreed, conflicts, silent };
  }

  /** Calls off what is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => link.close()));
  }

  #agreementOf(
    link: Link,
    head: HeadToCosign,
    { timeoutMs, largestSize, onLateConflict }: AgreeOptions,
  ): Promise<true | string | WitnessConflict> {
    return new Promise((resolve, reject) => {
      let isOver = false;
      const end = (found: true | string | WitnessConflict): void => {
        isOver = true;
        cancel();
        resolve(found);
      };
      const cancel = this.#clock.after(timeoutMs, () => end(`does not answer within ${timeoutMs} ms`));
      link.want({
        head,
        largestSize,
        isOnce: true,
        onLines: () => end(true),
        onConflict: (conflict) => (isOver ? onLateConflict(conflict) : end(conflict)),
        onNone: end,
        onFault: (error) => {
          if (isOver) return this.#onSignal({ event: 'fault', name: link.state.name, error });
          isOver = true;
          cancel();
          reject(
            error instanceof Error ? error : new Error('a witness could not be asked', { cause: error }),
          );
        },
      });
    });
  }

  #linkOf(name: string): Link {
    const link = this.#links.get(name);
    if (!link) throw new RangeError('names expected those of witnesses');
    return link;
  }
}

function assertAskable({ checkpoint }: HeadToCosign): void {
  if (checkpoint.length > MAX_ASKED_BYTES)
    throw new RangeError(`checkpoint expected at most ${MAX_ASKED_BYTES} bytes, got ${checkpoint.length}`);
}
