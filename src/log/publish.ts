/**
 * Publishing: from the newest revealed head to the checkpoint that strangers see.
 *
 * A publication is persisted before it is served, with a round or alone, and no slot ever goes back. Published
 * checkpoints are kept: all for a week, then one for each minute of growth.
 *
 *   slot, kept checkpoint    time8 note               when it was published, and the note as served
 *   thinned mark             size8 time8              of the last kept checkpoint that has been looked at
 */

import { NewelError } from '../errors.ts';
import {
  checkpointKey,
  numberOfKey,
  readUint64,
  SLOTS,
  type Slot,
  slotKey,
  thinnedMarkKey,
} from '../storage/keys.ts';
import { writeUint64 } from '../storage/keys.ts';
import type { Batch, Row, Store } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import { KEEP_ALL_MS, KEEP_ONE_EVERY_MS } from './limits.ts';
import type { SignedHead } from './round-record.ts';
import type { Sequencer } from './sequencer.ts';
import type { Listener } from './signals.ts';

/** A checkpoint that has left, or may leave, the house. */
export interface Publication {
  readonly size: number;
  readonly root: Uint8Array;
  readonly timeMs: number;
  /** The signed note, as served. */
  readonly checkpoint: Uint8Array;
}

export interface PublisherParts {
  readonly sequencer: Sequencer;
  readonly store: Store;
  readonly clock: Clock;
  readonly published: Publication;
  readonly publishIntervalMs: number;
  readonly republishIntervalMs: number;
  readonly onSignal: Listener;
}

/** Rows looked at by one publication: thinning keeps up with any cadence and never makes a round wait. */
const THINNED_AT_ONCE = 64;

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
  #stopped = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#published = parts.published;
    const { clock, republishIntervalMs } = parts;
    const agoMs = Math.min(Math.max(0, clock.now() - parts.published.timeMs), republishIntervalMs);
    this.#publishedAtMs = clock.elapsed() - agoMs;
    parts.sequencer.onReveal = () => this.#schedule();
    this.#schedule();
  }

  get published(): Publication {
    return this.#published;
  }

  /** Publishes what is revealed, then nothing more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#underWay;
    const { sequencer } = this.#parts;
    if (!sequencer.failure && sequencer.revealed.size > this.#published.size) await this.#publish();
  }

  /** Sets the timer, or moves it to an earlier moment; never to a later one. */
  #schedule(): void {
    if (this.#stopped || this.#underWay) return;
    const { clock, sequencer, publishIntervalMs, republishIntervalMs } = this.#parts;
    const grown = sequencer.revealed.size > this.#published.size;
    const dueMs = this.#publishedAtMs + (grown ? publishIntervalMs : republishIntervalMs);
    if (this.#timer && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const cancel = clock.after(Math.max(0, dueMs - clock.elapsed()), () => {
      this.#timer = undefined;
      this.#underWay = this.#publish()
        // Only a failed write gets here, which the sequencer has signalled; it has stopped, and so has this.
        .catch(() => {
          this.#stopped = true;
        })
        .finally(() => {
          this.#underWay = undefined;
          this.#schedule();
        });
    });
    this.#timer = { dueMs, cancel };
  }

  async #publish(): Promise<void> {
    const { sequencer, clock, onSignal } = this.#parts;
    const head = sequencer.revealed;
    const publication = publicationOf(head, Math.max(clock.now(), this.#published.timeMs));
    const puts = publicationRows('none', publication, this.#published.size);
    const thinned = await this.#thin(publication.timeMs - KEEP_ALL_MS);
    await sequencer.ride({ puts: [...puts, ...thinned.puts], deletes: thinned.deletes ?? [] });
    // Durable and guarded; from here on it may be served.
    this.#published = publication;
    this.#publishedAtMs = clock.elapsed();
    onSignal({ event: 'published', slot: 'none', size: publication.size });
  }

  /** Damage among old checkpoints is no reason not to publish a new one. */
  async #thin(untilMs: number): Promise<Batch> {
    const { store, onSignal } = this.#parts;
    try {
      return await thin(store, this.#published.size, untilMs);
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
export function publicationRows(slot: Slot, publication: Publication, before: number): Row[] {
  const value = formatKept(publication);
  const rows = [{ key: slotKey(slot), value }];
  if (publication.size > before) rows.push({ key: checkpointKey(publication.size), value });
  return rows;
}

export interface KeptCheckpoint {
  readonly timeMs: number;
  readonly checkpoint: Uint8Array;
}

/** What the slot holds, or `undefined`. */
export async function readSlot(store: Store, slot: keyof typeof SLOTS): Promise<KeptCheckpoint | undefined> {
  const [value] = await store.getMany([slotKey(slot)]);
  return value && parseKept(value);
}

/** The earliest kept checkpoint of a tree that has leaf `index`, or `undefined`. */
export async function readCheckpointCovering(
  store: Store,
  index: number,
): Promise<KeptCheckpoint | undefined> {
  const range = { from: checkpointKey(index + 1), to: checkpointKey(Number.MAX_SAFE_INTEGER), limit: 1 };
  const [row] = await store.scan(range);
  return row && parseKept(row.value);
}

function formatKept({ timeMs, checkpoint }: KeptCheckpoint): Uint8Array {
  const bytes = new Uint8Array(8 + checkpoint.length);
  writeUint64(bytes, 0, timeMs);
  bytes.set(checkpoint, 8);
  return bytes;
}

function parseKept(bytes: Uint8Array): KeptCheckpoint {
  if (bytes.length <= 8) throw new NewelError('storage_failed', 'a kept checkpoint is damaged');
  try {
    return { timeMs: readUint64(bytes, 0), checkpoint: bytes.subarray(8) };
  } catch (cause) {
    throw new NewelError('storage_failed', 'a kept checkpoint is damaged', { cause });
  }
}

/**
 * Removes kept checkpoints published before `untilMs`, but for the first of each minute, and never the newest one, of
 * `newestSize`: every leaf that is published stays covered by one that is kept.
 */
async function thin(store: Store, newestSize: number, untilMs: number): Promise<Batch> {
  const [mark] = await store.getMany([thinnedMarkKey]);
  let size = mark ? readUint64(mark, 0) : 0;
  let keptMs = mark ? readUint64(mark, 8) : 0;
  const before = size;
  const deletes: Uint8Array[] = [];
  const range = {
    from: checkpointKey(size + 1),
    to: checkpointKey(newestSize),
    limit: THINNED_AT_ONCE,
  };
  for (const { key, value } of await store.scan(range)) {
    const { timeMs } = parseKept(value);
    if (timeMs >= untilMs) break;
    if (Math.floor(timeMs / KEEP_ONE_EVERY_MS) === Math.floor(keptMs / KEEP_ONE_EVERY_MS)) deletes.push(key);
    else keptMs = timeMs;
    size = numberOfKey(key);
  }
  if (size === before) return { puts: [] };
  const value = new Uint8Array(16);
  writeUint64(value, 0, size);
  writeUint64(value, 8, keptMs);
  return { puts: [{ key: thinnedMarkKey, value }], deletes };
}
