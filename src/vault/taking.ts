/**
 * Taking the events of a group that were prepared: each is found to be a copy, or gets its place and is appended.
 *
 *   an earlier copy (under way, then stored) ┐
 *   hold what moves with it                  ┴→ place all, in one turn → append → durable
 */

import { NewelError } from '../errors.ts';
import type { PoolLimits, Reservation } from '../log/log.ts';
import type { Extra } from './event-rows.ts';
import type { Events } from './events.ts';
import type { GatheredReads } from './gathered-reads.ts';
import { type Group, settleAll } from './group.ts';
import type { Held } from './hold-rows.ts';
import { type Claim, InFlight } from './in-flight.ts';
import type { Placed, Placing } from './place.ts';
import type { Prepared } from './prepare.ts';
import { idKey, parseIndex } from './rows.ts';
import { assertSame, sameAs, type Taken } from './taken.ts';

/** One event that was prepared. */
export interface Candidate {
  readonly text: string;
  readonly prepared: Prepared;
  /** Of (source, id). */
  readonly tag: Uint8Array;
  readonly reservation: Reservation;
  readonly receivedTimeMs: number;
  /** What goes with it in the same batch. */
  readonly extra: Extra | undefined;
}

export interface TakingParts {
  readonly placing: Placing;
  readonly events: Pick<Events, 'open'>;
  readonly reads: Pick<GatheredReads, 'get'>;
  readonly limits: PoolLimits;
}

export class Taking {
  readonly #parts: TakingParts;
  readonly #placing: Placing;
  readonly #inFlight = new InFlight<Taken>();

  constructor(parts: TakingParts) {
    this.#parts = parts;
    this.#placing = parts.placing;
  }

  /** Gives each candidate of the group an outcome. */
  async take(group: Group, candidates: readonly (Candidate | undefined)[]): Promise<void> {
    let left = candidates.map((_, i) => i).filter((i) => candidates[i]);
    if (group.isAtomic) compareWithin(group, candidates, left);
    while (left.length > 0 && !group.isRefused) {
      const claims = new Map<number, Claim<Taken>>();
      const copies = new Map<number, Promise<Taken>>();
      // Nothing of an atomic group is taken before it is known what becomes of the copies that others have under way.
      const isWaiting =
        group.isAtomic && left.some((i) => this.#inFlight.find(candidates[i]!.tag) !== undefined);
      for (const i of left) {
        const { tag } = candidates[i]!;
        const first = this.#inFlight.find(tag);
        if (first) copies.set(i, first);
        else if (!isWaiting) claims.set(i, this.#inFlight.claim(tag));
      }
      try {
        await this.#takeFirst(group, candidates, claims);
      } finally {
        for (const [i, claim] of claims) if (!claim.isSettled) claim.reject(group.errorOf(i));
      }
      const settled = new Set(claims.keys());
      for (const [i, first] of copies) {
        // If the first copy fails, this one is the first.
        const taken = await first.catch(() => undefined);
        if (!taken) continue;
        settled.add(i);
        group.settle(i, () => sameAs(taken, candidates[i]!.text, candidates[i]!.prepared));
      }
      left = left.filter((i) => !settled.has(i));
    }
  }

  /** Those that no other copy is under way of. */
  async #takeFirst(
    group: Group,
    candidates: readonly (Candidate | undefined)[],
    claims: ReadonlyMap<number, Claim<Taken>>,
  ): Promise<void> {
    const fresh: number[] = [];
    const held = new Map<number, Held>();
    try {
      // Also where one fails: what is held when this goes on is let go, and nothing later.
      await settleAll(
        [...claims].map(([i, claim]) =>
          group.attempt(i, async () => {
            const { tag, text, prepared } = candidates[i]!;
            // In one turn, so that the store is asked once: most events are no copies.
            const [found, hold] = await Promise.allSettled([
              this.#findStored(tag),
              this.#placing.hold(prepared),
            ]);
            if (hold.status === 'fulfilled') held.set(i, hold.value);
            if (found.status === 'rejected') throw found.reason;
            const stored = found.value;
            if (stored) {
              claim.resolve(stored);
              group.settle(i, () => sameAs(stored, text, prepared));
            } else if (hold.status === 'rejected') throw hold.reason;
            else fresh.push(i);
          }),
        ),
      );
      fresh.sort((a, b) => a - b);
      // From here to the last append nothing awaits: the group has its place in one turn, in its order.
      const placed = this.#place(group, candidates, fresh, held);
      const appends = [...placed].map(async ([i, append]) => {
        const taken = await group.attempt(i, append);
        if (!taken) return;
        claims.get(i)!.resolve(taken);
        group.settle(i, () => ({ created: true, event: taken.event, head: taken.head }));
      });
      // Those that have their place hold what moved with them until they are durable, whatever becomes of another.
      await settleAll(appends);
    } finally {
      for (const hold of held.values()) hold.release();
    }
  }

  /** How to append each; none of them where the group is refused. */
  #place(
    group: Group,
    candidates: readonly (Candidate | undefined)[],
    fresh: readonly number[],
    held: ReadonlyMap<number, Held>,
  ): ReadonlyMap<number, () => Promise<Taken>> {
    const { maxRoundEntries, maxRoundBytes } = this.#parts.limits;
    const placed: [number, Placed][] = [];
    const backAll = (): void => {
      for (const [, one] of placed.toReversed()) one.back();
    };
    let bytes = 0;
    for (const i of fresh) {
      const hold = held.get(i);
      if (!hold) continue;
      try {
        const one = this.#placing.place(candidates[i]!, hold);
        placed.push([i, one]);
        bytes += one.bytes;
        if (group.isAtomic && (placed.length > maxRoundEntries || bytes > maxRoundBytes)) {
          throw new NewelError(
            'too_large',
            'events that are taken all or not at all have to fit in one round',
          );
        }
      } catch (error) {
        // A fault of ours: none of them is appended.
        if (!(error instanceof NewelError)) backAll();
        group.fail(i, error);
      }
    }
    if (group.isRefused) {
      backAll();
      return new Map();
    }
    const together = group.isAtomic ? { entries: placed.length, bytes } : undefined;
    return new Map(placed.map(([i, one], at) => [i, () => one.append(at === 0 ? together : undefined)]));
  }

  async #findStored(tag: Uint8Array): Promise<Taken | undefined> {
    const stored = await this.#parts.reads.get(idKey(tag));
    if (!stored) return undefined;
    const opened = await this.#parts.events.open(parseIndex(stored));
    // Its own tag is of its own source and id, as opening it has shown.
    if (!opened || !Buffer.from(opened.row.idTag).equals(tag)) {
      throw new NewelError('storage_failed', 'an id leads to a record that is not its own');
    }
    return { ...opened, contentMac: opened.row.contentMac, head: undefined, record: () => opened.record };
  }
}

/** Copies within a group that have other content than the first of them are refused before anything of it is taken. */
function compareWithin(
  group: Group,
  candidates: readonly (Candidate | undefined)[],
  indexes: readonly number[],
): void {
  const firsts = new Map<string, Candidate>();
  for (const i of indexes) {
    const candidate = candidates[i]!;
    const name = Buffer.from(candidate.tag).toString('latin1');
    const first = firsts.get(name);
    if (first) group.check(i, () => assertSame(first, candidate));
    else firsts.set(name, candidate);
  }
}
