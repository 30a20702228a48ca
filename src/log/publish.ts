/**
 * Publishing: from the newest revealed head to the checkpoint that strangers see.
 *
 *   pick the head, note the time ─ the log's second line ─ slot none, kept checkpoint: one batch ─┬─ served
 *                                                                                                 └─ its witnesses
 *
 * A publication is persisted before it is served or sent to anybody, with a round or alone, and no slot ever goes back.
 * The time in the log's second line is that of the pick: when a larger head is revealed, no smaller one is stamped any
 * more. Since it is on disk before it leaves, and no round is of an earlier time than what rides in it, that holds over
 * a restart and a clock that is set back too.
 */

import { formatCheckpoint } from '../formats/checkpoint.ts';
import type { Cosigner } from '../formats/cosignature.ts';
import { formatNote, parseNote } from '../formats/note.ts';
import type { Batch, Row, Store } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import { keptRow, type Publication, slotRow, thin } from './kept.ts';
import { KEEP_ALL_MS } from './limits.ts';
import type { SignedHead } from './round-record.ts';
import type { Sequencer } from './sequencer.ts';
import type { Listener } from './signals.ts';

export interface PublisherParts {
  readonly sequencer: Sequencer;
  readonly store: Store;
  readonly clock: Clock;
  readonly origin: string;
  readonly published: Publication;
  readonly publishIntervalMs: number;
  readonly republishIntervalMs: number;
  /** Of the policy whose marks thinning looks at. */
  readonly policyId: Uint8Array;
  /** Makes the log's second line, with a time in it. */
  readonly cosigner: Cosigner | undefined;
  /** Told of each publication once it is durable. */
  readonly onPublish: (publication: Publication) => void;
  readonly onSignal: Listener;
}

/**
 * Keeps the slot `none`: the log's own lines alone. Its rhythm is counted in elapsed time, which nobody sets back; the
 * clock on the wall only stamps what is published.
 */
export class Publisher {
  readonly #parts: PublisherParts;
  #published: Publication;
  /** When the last publication was, in elapsed time. */
  #publishedAtMs: number;
  #underWay: Promise<void> | undefined;
  #timer: { readonly dueMs: number; readonly cancel: () => void } | undefined;
  #state: 'waiting' | 'running' | 'stopped' = 'waiting';

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#published = parts.published;
    const { clock, republishIntervalMs } = parts;
    const agoMs = Math.min(Math.max(0, clock.now() - parts.published.timeMs), republishIntervalMs);
    this.#publishedAtMs = clock.elapsed() - agoMs;
    parts.sequencer.onReveal = () => this.#schedule();
  }

  get published(): Publication {
    return this.#published;
  }

  /** Begins to publish. */
  start(): void {
    this.#state = 'running';
    const { clock, onPublish, republishIntervalMs } = this.#parts;
    if (this.#lacksLine()) this.#publishedAtMs = clock.elapsed() - republishIntervalMs;
    else onPublish(this.#published);
    this.#schedule();
  }

  /** Whether what is published was signed before there was a second key, or by another one. */
  #lacksLine(): boolean {
    const { cosigner } = this.#parts;
    if (!cosigner) return false;
    const { name, keyId } = cosigner.vkey;
    const { signatures } = parseNote(this.#published.checkpoint);
    return !signatures.some((line) => line.name === name && line.keyId === keyId);
  }

  /** Publishes what is revealed, then nothing more. */
  async stop(): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    this.#timer?.cancel();
    await this.#underWay;
    const { sequencer } = this.#parts;
    if (!wasRunning || sequencer.failure) return;
    if (sequencer.revealed.size > this.#published.size) await this.#publish();
  }

  /** Sets the timer, or moves it to an earlier moment; never to a later one. */
  #schedule(): void {
    if (this.#state !== 'running' || this.#underWay) return;
    const { clock, sequencer, publishIntervalMs, republishIntervalMs, onSignal } = this.#parts;
    const grown = sequencer.revealed.size > this.#published.size;
    const dueMs = this.#publishedAtMs + (grown ? publishIntervalMs : republishIntervalMs);
    if (this.#timer && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const cancel = clock.after(Math.max(0, dueMs - clock.elapsed()), () => {
      this.#timer = undefined;
      this.#underWay = this.#publish()
        .catch((error: unknown) => {
          // The sequencer has signalled a failed write; it has stopped, and so has this.
          if (sequencer.failure) this.#state = 'stopped';
          else onSignal({ event: 'publish_failed', error });
          this.#publishedAtMs = clock.elapsed();
        })
        .finally(() => {
          this.#underWay = undefined;
          this.#schedule();
        });
    });
    this.#timer = { dueMs, cancel };
  }

  async #publish(): Promise<void> {
    const { sequencer, clock, onPublish, onSignal } = this.#parts;
    const head = sequencer.revealed;
    const timeMs = Math.max(clock.now(), this.#published.timeMs);
    const pickedAtMs = clock.elapsed();
    const publication = {
      ...publicationOf(head, timeMs),
      checkpoint: await this.#withSecondLine(head, timeMs),
    };
    const thinned = await this.#thin(publication.timeMs - KEEP_ALL_MS);
    const puts = [...publicationRows(publication, this.#published.size), ...thinned.puts];
    await sequencer.ride({ puts, deletes: thinned.deletes ?? [] }, publication.timeMs);
    // Durable and guarded; from here on it may be served, and its stamp binds every later one.
    this.#published = publication;
    this.#publishedAtMs = pickedAtMs;
    onPublish(publication);
    onSignal({ event: 'published', slot: 'none', size: publication.size });
  }

  async #withSecondLine({ size, root, checkpoint }: SignedHead, timeMs: number): Promise<Uint8Array> {
    const { cosigner, origin } = this.#parts;
    if (!cosigner) return checkpoint;
    const text = formatCheckpoint({ origin, size, root });
    const line = await cosigner.cosign(text, Math.floor(timeMs / 1000));
    return formatNote({ text, signatures: [...parseNote(checkpoint).signatures, line] });
  }

  /** Damage among old checkpoints is no reason not to publish a new one. */
  async #thin(untilMs: number): Promise<Batch> {
    const { store, policyId, onSignal } = this.#parts;
    try {
      return await thin(store, policyId, this.#published.size, untilMs);
    } catch {
      onSignal({ event: 'damage_read', what: 'kept checkpoints' });
      return { puts: [] };
    }
  }
}

export function publicationOf({ size, root, checkpoint }: SignedHead, timeMs: number): Publication {
  return { size, root, timeMs, checkpoint };
}

/** The rows of a publication: its slot, and the kept checkpoint if the slot held a smaller tree. */
export function publicationRows(publication: Publication, before: number): Row[] {
  const rows = [slotRow('none', publication)];
  if (publication.size > before) rows.push(keptRow(publication.size, publication));
  return rows;
}
