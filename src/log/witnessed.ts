/**
 * Witnessed checkpoints: the lines that witnesses have given for published heads, and the slots that want enough of them.
 *
 *   head published ─ ask ─ lines ─┐
 *   a line handed in ─────────────┴→ gathered by size ─ one batch: kept checkpoint, slots that are met, mark ─ served
 *
 * Every line that comes here is verified. A kept checkpoint has of each key the earliest line, so that its time bounds what
 * the tree holds as early as it can; a slot has the last one, which says that the head was still the newest. Lines are
 * written after the head itself, one batch after the other, and no slot goes back.
 */

import { equalBytes } from '../core/bytes.ts';
import { type NoteSignature, parseNote } from '../formats/note.ts';
import { isQuorumMet, missingWitnesses, type Policy, witnessOf } from '../formats/tlog-policy.ts';
import { witnessedKey } from '../storage/keys.ts';
import type { Row, Store } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import { type Gathered, timestampOf } from './gathered.ts';
import { GatheredHeads } from './gathered-heads.ts';
import { keptRow, type Publication, readKept, slotRow } from './kept.ts';
import type { Listener } from './signals.ts';
import { type AskCall, type HeadToCosign, SlotAsking, type SlotPolicy } from './slot-asking.ts';
import { witnessSizesRow } from './witness-sizes.ts';
import { Shown } from './shown.ts';
import { isMetBy, witnessesIn, WITNESSED_SLOTS, type WitnessedSlot } from './slots.ts';

/** Whoever asks the witnesses of a log. */
export interface Asking {
  ask(slot: WitnessedSlot, head: HeadToCosign, call: AskCall<NoteSignature>): Promise<void>;
  /** The size that each witness has cosigned last, as far as it is known: it is remembered across restarts. */
  sizes(): ReadonlyMap<string, number>;
  /** Names of witnesses that would be asked now: those that are neither given up for a while nor over their budget. */
  reachable(): ReadonlySet<string>;
}

export interface WitnessedParts {
  readonly origin: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly slots: Readonly<Partial<Record<WitnessedSlot, SlotPolicy>>>;
  /** What the slots hold, under their policies. */
  readonly held: Readonly<Partial<Record<WitnessedSlot, Publication>>>;
  /** What was stored of them under any policy, and the row that says what was shown where they do not. */
  readonly stored: Readonly<Partial<Record<WitnessedSlot | 'shown', Publication>>>;
  readonly published: Publication;
  readonly asking: Asking | undefined;
  /** Of the policy of the slot `fast`: under it its marks are kept. */
  readonly policyId: Uint8Array;
  /** Makes rows durable, after all that was written before. */
  readonly ride: (batch: { readonly puts: readonly Row[] }) => Promise<void>;
  readonly onSignal: Listener;
}

/** Why a leaf is not witnessed yet. */
export interface Wanting {
  readonly have: number;
  readonly need: number;
  readonly reason: 'deadline' | 'witnesses_unreachable';
}

interface Waiter {
  readonly index: number;
  readonly resolve: (isWitnessed: boolean) => void;
}

/** How far ahead of our clock a line's time may be. */
const FUTURE_MS = 300_000;

export class Witnessed {
  readonly #parts: WitnessedParts;
  readonly #held: Map<WitnessedSlot, Publication>;
  readonly #askings = new Map<WitnessedSlot, SlotAsking>();
  readonly #shown: Shown;
  readonly #heads: GatheredHeads;
  /** Sizes that are looked at all the time: of the newest head, and of what each slot asks for. */
  readonly #inUse = new Map<'newest' | WitnessedSlot, number>();
  readonly #waiters = new Set<Waiter>();
  /** Heads with lines that are not written yet. */
  #changed = new Set<Gathered>();
  /** Those that a batch under way writes. */
  #written: readonly Gathered[] = [];
  #writing: Promise<void> | undefined;
  #sizes: Uint8Array = new Uint8Array(0);
  #stopped = false;

  constructor(parts: WitnessedParts) {
    this.#parts = parts;
    this.#held = new Map(
      WITNESSED_SLOTS.flatMap((slot) => {
        const held = parts.held[slot];
        return held ? [[slot, held]] : [];
      }),
    );
    const { stored, published } = parts;
    this.#shown = new Shown({ stored, held: this.#held, published });
    const { origin, store, policyId, asking, clock, slots } = parts;
    this.#heads = new GatheredHeads({
      origin,
      store,
      policyId,
      held: () => [...this.#held.values()],
      isInUse: (gathered) => this.#isInUse(gathered),
    });
    if (!asking) return;
    for (const slot of WITNESSED_SLOTS) {
      const wanted = slots[slot];
      if (!wanted || wanted.policy.quorum === 'none') continue;
      const { policy, deadlineMs, intervalMs } = wanted;
      const isMet = ({ size }: Publication): boolean => this.#isFresh(policy, size);
      const ask = (head: Publication): Promise<void> => {
        const onLines = (_: string, lines: readonly NoteSignature[]): void => this.#take(head.size, lines);
        this.#inUse.set(slot, head.size);
        const text = textOf(head.checkpoint);
        return asking.ask(slot, { ...head, text }, { deadlineMs, enough: () => isMet(head), onLines });
      };
      const onUnmet = ({ size }: Publication): void => {
        const { have, need } = this.#countOf(policy, this.#heads.get(size));
        parts.onSignal({ event: 'unmet', slot, size, have, need });
      };
      const onFailure = (error: unknown): void => parts.onSignal({ event: 'asking_failed', slot, error });
      this.#askings.set(slot, new SlotAsking({ clock, intervalMs, ask, isMet, onUnmet, onFailure }));
    }
  }

  publication(slot: WitnessedSlot): Publication | undefined {
    return this.#held.get(slot);
  }

  /** What `/checkpoint` shows; `none` is the newest publication. */
  shown(none: Publication): Publication {
    return this.#shown.of(none);
  }

  /** What goes into the first batch; `began()` has to follow when it is durable. */
  rowsAtBegin(): Row[] {
    return this.#shown.rowsAtBegin(this.#parts.published);
  }

  began(): void {
    this.#shown.began();
  }

  /** A head that was published: its witnesses are asked. */
  offer(head: Publication): void {
    if (head.size === 0 || this.#stopped) return;
    this.#inUse.set('newest', head.size);
    this.#heads.publish(head);
    for (const asking of this.#askings.values()) asking.offer(head);
  }

  /**
   * Adds verified lines to the kept checkpoint of that size, and to the slots that still hold it; not those from the
   * future. Resolves when they are durable; `false` where there is no such checkpoint.
   */
  async add(size: number, lines: readonly NoteSignature[], areAsked = false): Promise<boolean> {
    const untilS = (this.#parts.clock.now() + FUTURE_MS) / 1000;
    // At once where it is remembered: whoever asks looks right after whether there is enough.
    const found = this.#heads.get(size) ?? (await this.#heads.find(size));
    const gathered = this.#heads.get(size) ?? found;
    if (!gathered) return false;
    const inTime = lines.filter((line) => timestampOf(line) <= untilS);
    if (gathered.add(inTime, areAsked)) {
      this.#changed.add(gathered);
      // Only where a line is new: what strangers repeat takes no place.
      this.#heads.remember(gathered);
    }
    await this.#write();
    return true;
  }

  /** Whether the slot `fast` has leaf `index`, now or within `waitMs`. */
  whenWitnessed(index: number, waitMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#covers(index)) return Promise.resolve(true);
    if (waitMs <= 0 || signal?.aborted || !this.#parts.slots.fast) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (isWitnessed: boolean): void => {
        this.#waiters.delete(waiter);
        cancel();
        signal?.removeEventListener('abort', abort);
        resolve(isWitnessed);
      };
      const abort = (): void => end(false);
      const waiter: Waiter = { index, resolve: end };
      const cancel = this.#parts.clock.after(waitMs, () => end(false));
      signal?.addEventListener('abort', abort);
      this.#waiters.add(waiter);
    });
  }

  /** How far the best remembered head with leaf `index` is from being witnessed; `undefined` where nobody is to witness it. */
  wantingOf(index: number): Wanting | undefined {
    const policy = this.#parts.slots.fast?.policy;
    if (!policy || policy.quorum === 'none') return undefined;
    let best = this.#countOf(policy, undefined);
    for (const size of this.#heads.sizes) {
      if (size <= index) continue;
      const count = this.#countOf(policy, this.#heads.get(size));
      if (count.have > best.have) best = count;
    }
    const reachable = this.#parts.asking?.reachable();
    const isReachable = !reachable || isQuorumMet(policy, reachable);
    return { ...best, reason: isReachable ? 'deadline' : 'witnesses_unreachable' };
  }

  /** Nobody waits any longer. */
  endWaits(): void {
    for (const waiter of this.#waiters) waiter.resolve(false);
  }

  /** Asks nobody any more, and writes what was given. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const asking of this.#askings.values()) asking.stop();
    this.endWaits();
    while (this.#changed.size > 0 || this.#writing) {
      try {
        await this.#write();
      } catch {
        // Only a failed write gets here; the sequencer has told of it, and nothing can be written any more.
        this.#changed.clear();
      }
    }
  }

  #covers(index: number): boolean {
    return (this.#held.get('fast')?.size ?? 0) > index;
  }

  #take(size: number, lines: readonly NoteSignature[]): void {
    if (this.#stopped) return;
    // Only a failed write rejects, and the sequencer has told of it.
    this.add(size, lines, true).catch(() => {});
  }

  /** One batch after the other, each with all that was given until it began. */
  async #write(): Promise<void> {
    while (this.#changed.size > 0) {
      this.#writing ??= this.#writeChanged().finally(() => (this.#writing = undefined));
      await this.#writing;
    }
    await this.#writing;
  }

  async #writeChanged(): Promise<void> {
    // What comes in the same turn goes along.
    await Promise.resolve();
    const changed = [...this.#changed].toSorted((a, b) => a.head.size - b.head.size);
    this.#changed.clear();
    this.#written = changed;
    const puts: Row[] = [];
    const met = new Map<WitnessedSlot, Publication>();
    for (const gathered of changed) {
      try {
        puts.push(...(await this.#keptRows(gathered)));
      } catch {
        // It cannot be read: it is asked for again, and the others are not held up.
        this.#parts.onSignal({ event: 'damage_read', what: 'kept checkpoints' });
        gathered.renew();
        continue;
      }
      for (const [slot, publication] of this.#metBy(gathered)) met.set(slot, publication);
    }
    for (const [slot, publication] of met) puts.push(slotRow(slot, publication));
    puts.push(...this.#shown.rowsFor(met));
    if (puts.length > 0) await this.#parts.ride({ puts: [...puts, ...this.#sizesRow()] });
    this.#written = [];
    for (const [slot, publication] of met) this.#held.set(slot, publication);
    this.#shown.filled(met);
    for (const [slot, { size }] of met) this.#parts.onSignal({ event: 'published', slot, size });
    for (const waiter of this.#waiters) if (this.#covers(waiter.index)) waiter.resolve(true);
  }

  /** The kept checkpoint with all its lines, and its mark where they meet the policy. */
  async #keptRows(gathered: Gathered): Promise<Row[]> {
    const { size } = gathered.head;
    const policy = this.#parts.slots.fast?.policy;
    if (!gathered.kept) {
      gathered.kept = await readKept(this.#parts.store, size);
      if (gathered.kept) gathered.addStored(gathered.kept.checkpoint);
    }
    const { timeMs, checkpoint } = gathered.kept ?? gathered.head;
    const { earliest } = gathered;
    gathered.kept = {
      timeMs,
      checkpoint: gathered.format(checkpoint, earliest, (line) => this.#isWanted(line)),
    };
    const rows = [keptRow(size, gathered.kept)];
    if (policy && policy.quorum !== 'none' && !gathered.isMarked && isMetBy(policy, gathered.last.values())) {
      gathered.isMarked = true;
      rows.push({ key: witnessedKey(this.#parts.policyId, size), value: new Uint8Array(0) });
    }
    return rows;
  }

  #metBy(gathered: Gathered): [WitnessedSlot, Publication][] {
    const { head, last } = gathered;
    return WITNESSED_SLOTS.flatMap((slot): [WitnessedSlot, Publication][] => {
      const policy = this.#parts.slots[slot]?.policy;
      if (!policy || policy.quorum === 'none') return [];
      const least = this.#held.get(slot) ?? this.#parts.stored[slot];
      if (least && head.size < least.size) return [];
      if (!isMetBy(policy, last.values())) return [];
      const checkpoint = gathered.format(head.checkpoint, last, (line) => this.#isWanted(line));
      return [[slot, { ...head, checkpoint }]];
    });
  }

  #sizesRow(): Row[] {
    const row = witnessSizesRow(this.#parts.asking?.sizes() ?? new Map());
    if (equalBytes(row.value, this.#sizes)) return [];
    this.#sizes = row.value;
    return [row];
  }

  /** Whether the lines that came since the head was published last are enough. */
  #isFresh(policy: Policy, size: number): boolean {
    const gathered = this.#heads.get(size);
    return gathered !== undefined && isMetBy(policy, gathered.fresh);
  }

  /** How many of the fewest witnesses that would do are there. */
  #countOf(policy: Policy, gathered: Gathered | undefined): { have: number; need: number } {
    const need = missingWitnesses(policy, new Set());
    if (!gathered) return { have: 0, need };
    return { have: need - missingWitnesses(policy, witnessesIn(policy, gathered.last.values())), need };
  }

  /** Whether a policy asks for it as it is now. */
  #isWanted(line: NoteSignature): boolean {
    const { slots } = this.#parts;
    return WITNESSED_SLOTS.some((slot) => slots[slot] && witnessOf(slots[slot].policy, line) !== undefined);
  }

  /** Not durable yet, or looked at all the time. */
  #isInUse(gathered: Gathered): boolean {
    if (this.#changed.has(gathered) || this.#written.includes(gathered)) return true;
    return [...this.#inUse.values()].includes(gathered.head.size);
  }
}

function textOf(checkpoint: Uint8Array): string {
  return parseNote(checkpoint).text;
}
