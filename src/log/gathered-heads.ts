/**
 * Published heads whose lines are gathered in memory, by size: a bounded number of them, the oldest forgotten first; what
 * is not remembered is read from the store. What is in use is not forgotten: a head that is forgotten before its lines are
 * durable would be read without them, and be written without them.
 */

import { parseCheckpoint } from '../formats/checkpoint.ts';
import { parseNote } from '../formats/note.ts';
import { witnessedKey } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';
import { Gathered } from './gathered.ts';
import { type Publication, readKept } from './kept.ts';

export interface GatheredHeadsParts {
  readonly origin: string;
  readonly store: Store;
  readonly policyId: Uint8Array;
  /** What the slots hold. */
  readonly held: () => readonly Publication[];
  readonly isInUse: (gathered: Gathered) => boolean;
}

/** Heads that are remembered, beside those in use. */
const MAX_REMEMBERED = 64;

export class GatheredHeads {
  readonly #parts: GatheredHeadsParts;
  readonly #heads = new Map<number, Gathered>();
  /** Those that are being read, each once for all that want it. */
  readonly #reading = new Map<number, Promise<Gathered | undefined>>();

  constructor(parts: GatheredHeadsParts) {
    this.#parts = parts;
  }

  get sizes(): Iterable<number> {
    return this.#heads.keys();
  }

  /** What is remembered. */
  get(size: number): Gathered | undefined {
    return this.#heads.get(size);
  }

  /** What was kept of that size before, where it is not remembered; it is not by that. */
  async find(size: number): Promise<Gathered | undefined> {
    let reading = this.#reading.get(size);
    if (!reading) {
      reading = this.#read(size).finally(() => this.#reading.delete(size));
      this.#reading.set(size, reading);
    }
    const found = await reading;
    // It may have been published again meanwhile.
    return this.#heads.get(size) ?? found;
  }

  /** A head that was published, with the lines that slots of its size hold. */
  publish(head: Publication): void {
    const known = this.#heads.get(head.size);
    if (known) known.renew(head);
    else this.remember(this.#fromSlots(new Gathered(this.#parts.origin, head)));
  }

  remember(gathered: Gathered): void {
    this.#heads.set(gathered.head.size, gathered);
    for (const [size, one] of this.#heads) {
      if (this.#heads.size <= MAX_REMEMBERED) return;
      if (one !== gathered && !this.#parts.isInUse(one)) this.#heads.delete(size);
    }
  }

  async #read(size: number): Promise<Gathered | undefined> {
    const { origin, store, policyId, held } = this.#parts;
    const kept = await readKept(store, size);
    if (!kept) return undefined;
    const [marked] = await store.getMany([witnessedKey(policyId, size)]);
    const { root } = parseCheckpoint(parseNote(kept.checkpoint).text);
    // What a slot holds of that size is newer than what is kept.
    const inSlots = held().filter((publication) => publication.size === size);
    const newest = inSlots.toSorted((a, b) => b.timeMs - a.timeMs)[0] ?? { ...kept, size, root };
    const gathered = this.#fromSlots(new Gathered(origin, newest, marked !== undefined));
    gathered.kept = kept;
    gathered.addStored(kept.checkpoint);
    return gathered;
  }

  #fromSlots(gathered: Gathered): Gathered {
    for (const { size, checkpoint } of this.#parts.held()) {
      if (size === gathered.head.size) gathered.addStored(checkpoint);
    }
    return gathered;
  }
}
