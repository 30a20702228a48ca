/**
 * Witnessed checkpoints: the lines that witnesses have given for published heads, and the slots that want enough of them.
 *
 *   head published ─ ask ─ lines ─┐
 *   a line handed in ─────────────┴→ gathered by size ─ one batch: kept checkpoint, slots that are met, mark ─ served
 *
 * Every line that comes here is verified. A kept checkpoint has of each key the first line, so that its time bounds what
 * the tree holds as early as it can; a slot has the last one, which says that the head was still the newest. A head's
 * lines are written after the head itself, one batch after the other, and no slot goes back.
 */

import { parseCheckpoint } from '../formats/checkpoint.ts';
import { parseTimestampedSignature } from '../formats/cosignature.ts';
import { formatNote, type NoteSignature, parseNote } from '../formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { isQuorumMet, missingWitnesses, type Policy, witnessOf } from '../formats/tlog-policy.ts';
import { witnessedKey, witnessSizesKey } from '../storage/keys.ts';
import type { Row, Store } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import { keptRow, type KeptCheckpoint, type Publication, readKept, slotRow } from './kept.ts';
import type { Listener } from './signals.ts';
import { type AskCall, type HeadToCosign, SlotAsking, type SlotPolicy } from './slot-asking.ts';

/** The slots that want witnesses. */
export type WitnessedSlot = 'fast' | 'public';
export const WITNESSED_SLOTS: readonly WitnessedSlot[] = ['fast', 'public'];

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
  /** What the slots hold. */
  readonly held: Readonly<Partial<Record<WitnessedSlot, Publication>>>;
  readonly asking: Asking | undefined;
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

/** What is known of one published head. */
interface Gathered {
  /** As it was published last. */
  head: Publication;
  /** As it was published first, with the lines that came until it was written last. */
  kept: KeptCheckpoint | undefined;
  /** When the head itself is durable. */
  durable: Promise<void>;
  /** By key, the one that came first and the one that came last. */
  readonly first: Map<string, NoteSignature>;
  readonly last: Map<string, NoteSignature>;
  /** Keys of lines that came since it was published last. */
  readonly fresh: Set<string>;
  isMarked: boolean;
}

interface Given {
  readonly size: number;
  readonly lines: readonly NoteSignature[];
}

interface Waiter {
  readonly index: number;
  readonly resolve: (isWitnessed: boolean) => void;
}

/** Heads whose lines are kept in memory. */
const MAX_GATHERED = 64;

export class Witnessed {
  readonly #parts: WitnessedParts;
  readonly #held: Map<WitnessedSlot, Publication>;
  readonly #askings = new Map<WitnessedSlot, SlotAsking>();
  readonly #gathered = new Map<number, Gathered>();
  readonly #waiters = new Set<Waiter>();
  #given: Given[] = [];
  #writing: Promise<void> | undefined;
  #sizes = '';
  /** What was shown last, which nothing smaller follows. */
  #shown: Publication | undefined;
  #stopped = false;

  constructor(parts: WitnessedParts) {
    this.#parts = parts;
    this.#held = new Map(
      WITNESSED_SLOTS.flatMap((slot) => {
        const held = parts.held[slot];
        return held ? [[slot, held]] : [];
      }),
    );
    const { asking, clock, slots } = parts;
    if (!asking) return;
    for (const slot of WITNESSED_SLOTS) {
      const wanted = slots[slot];
      if (!wanted || wanted.policy.quorum === 'none') continue;
      const { policy, deadlineMs, intervalMs } = wanted;
      const isMet = ({ size }: Publication): boolean => this.#isFresh(policy, size);
      const ask = (head: Publication): Promise<void> => {
        const onLines = (_: string, lines: readonly NoteSignature[]): void => this.#take(head.size, lines);
        const text = textOf(head.checkpoint);
        return asking.ask(slot, { ...head, text }, { deadlineMs, enough: () => isMet(head), onLines });
      };
      const onUnmet = ({ size }: Publication): void => {
        const { have, need } = this.#countOf(policy, this.#gathered.get(size));
        parts.onSignal({ event: 'unmet', slot, size, have, need });
      };
      const onFailure = (error: unknown): void => parts.onSignal({ event: 'asking_failed', slot, error });
      this.#askings.set(slot, new SlotAsking({ clock, intervalMs, ask, isMet, onUnmet, onFailure }));
    }
  }

  publication(slot: WitnessedSlot): Publication | undefined {
    return this.#held.get(slot);
  }

  /**
   * The publication of the strongest slot that has one. Where one begins to have some, it may hold a smaller tree than
   * what was shown until then, `none`: that goes on being shown until it holds as much.
   */
  strongest(none: Publication): Publication {
    const strongest = this.#held.get('public') ?? this.#held.get('fast');
    if (!strongest) return (this.#shown = none);
    if (this.#shown && strongest.size < this.#shown.size) return this.#shown;
    return (this.#shown = strongest);
  }

  /** A head that is being published: its witnesses are asked. Nothing about it is written before it is durable. */
  offer(head: Publication, durable: Promise<void>): void {
    if (head.size === 0) return;
    const known = this.#gathered.get(head.size);
    if (known) {
      known.head = head;
      known.durable = durable;
      known.fresh.clear();
    } else {
      this.#remember(newGathered(head, durable));
    }
    for (const asking of this.#askings.values()) asking.offer(head);
  }

  /**
   * Adds verified lines to the kept checkpoint of that size, and to the slots that still hold it. Resolves when they are
   * durable; `false` where there is no such checkpoint.
   */
  async add(size: number, lines: readonly NoteSignature[]): Promise<boolean> {
    const gathered = this.#gathered.get(size) ?? (await this.#load(size));
    if (!gathered) return false;
    this.#given.push({ size, lines });
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

  /** How far the newest head with leaf `index` is from being witnessed; `undefined` where nobody is to witness it. */
  wantingOf(index: number): Wanting | undefined {
    const policy = this.#parts.slots.fast?.policy;
    if (!policy || policy.quorum === 'none') return undefined;
    let best = this.#countOf(policy, undefined);
    for (const size of this.#gathered.keys()) {
      if (size <= index) continue;
      const count = this.#countOf(policy, this.#gathered.get(size));
      if (count.have > best.have) best = count;
    }
    const reachable = this.#parts.asking?.reachable();
    const isReachable = !reachable || isQuorumMet(policy, reachable);
    return { ...best, reason: isReachable ? 'deadline' : 'witnesses_unreachable' };
  }

  /** Asks nobody any more, and writes what was given. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const asking of this.#askings.values()) asking.stop();
    for (const waiter of this.#waiters) waiter.resolve(false);
    await this.#writing?.catch(() => {});
  }

  #covers(index: number): boolean {
    return (this.#held.get('fast')?.size ?? 0) > index;
  }

  #take(size: number, lines: readonly NoteSignature[]): void {
    if (this.#stopped) return;
    // For whoever decides whether to wait for more; what is served waits for the disk.
    const gathered = this.#gathered.get(size);
    if (gathered) gather(gathered, lines);
    // Only a failed write rejects, and the sequencer has told of it.
    this.add(size, lines).catch(() => {});
  }

  /** One batch after the other, each with all that was given until it began. */
  async #write(): Promise<void> {
    while (this.#given.length > 0) {
      if (!this.#writing) {
        this.#writing = this.#writeGiven().finally(() => (this.#writing = undefined));
      }
      await this.#writing;
    }
    await this.#writing;
  }

  async #writeGiven(): Promise<void> {
    // What comes in the same turn goes along.
    await Promise.resolve();
    const given = this.#given;
    this.#given = [];
    const touched = new Map<number, Gathered>();
    for (const { size, lines } of given) {
      const gathered = this.#gathered.get(size) ?? (await this.#load(size));
      if (!gathered) continue;
      gather(gathered, lines);
      touched.set(size, gathered);
    }
    const heads = [...touched.values()].toSorted((a, b) => a.head.size - b.head.size);
    await Promise.all(heads.map(({ durable }) => durable));
    const puts: Row[] = [];
    const met = new Map<WitnessedSlot, Publication>();
    for (const gathered of heads) {
      puts.push(...(await this.#keptRows(gathered)));
      for (const [slot, publication] of this.#metBy(gathered)) met.set(slot, publication);
    }
    for (const [slot, publication] of met) puts.push(slotRow(slot, publication));
    await this.#parts.ride({ puts: [...puts, ...this.#sizesRow()] });
    for (const [slot, publication] of met) {
      this.#held.set(slot, publication);
      this.#parts.onSignal({ event: 'published', slot, size: publication.size });
    }
    for (const waiter of this.#waiters) if (this.#covers(waiter.index)) waiter.resolve(true);
  }

  /** The kept checkpoint with all its lines, and its mark where they meet the policy. */
  async #keptRows(gathered: Gathered): Promise<Row[]> {
    const { size } = gathered.head;
    const policy = this.#parts.slots.fast?.policy;
    if (!gathered.kept) this.#gatherKept(gathered, await readKept(this.#parts.store, size));
    const { timeMs, checkpoint } = gathered.kept ?? gathered.head;
    gathered.kept = { timeMs, checkpoint: this.#withLines(checkpoint, gathered.first) };
    const rows = [keptRow(size, gathered.kept)];
    if (policy && !gathered.isMarked && this.#isMet(policy, size, gathered)) {
      gathered.isMarked = true;
      rows.push({ key: witnessedKey(size), value: new Uint8Array(0) });
    }
    return rows;
  }

  #metBy(gathered: Gathered): [WitnessedSlot, Publication][] {
    const { head, last } = gathered;
    return WITNESSED_SLOTS.flatMap((slot): [WitnessedSlot, Publication][] => {
      const policy = this.#parts.slots[slot]?.policy;
      if (!policy || policy.quorum === 'none') return [];
      if (head.size < (this.#held.get(slot)?.size ?? 0)) return [];
      if (!this.#isMet(policy, head.size, gathered)) return [];
      return [[slot, { ...head, checkpoint: this.#withLines(head.checkpoint, last) }]];
    });
  }

  #sizesRow(): Row[] {
    const sizes = [...(this.#parts.asking?.sizes() ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const text = sizes.map(([name, size]) => `${size} ${name}\n`).join('');
    if (text === this.#sizes) return [];
    this.#sizes = text;
    return [{ key: witnessSizesKey, value: encodeUtf8(text) }];
  }

  #isMet(policy: Policy, size: number, gathered = this.#gathered.get(size)): boolean {
    return gathered !== undefined && isQuorumMet(policy, namesIn(policy, gathered.last));
  }

  /** Whether the lines that came since the head was published last are enough. */
  #isFresh(policy: Policy, size: number): boolean {
    const gathered = this.#gathered.get(size);
    if (!gathered) return false;
    const fresh = [...gathered.last].filter(([key]) => gathered.fresh.has(key));
    return isQuorumMet(policy, namesIn(policy, new Map(fresh)));
  }

  /** How many of the fewest witnesses that would do are there. */
  #countOf(policy: Policy, gathered: Gathered | undefined): { have: number; need: number } {
    const need = missingWitnesses(policy, new Set());
    if (!gathered) return { have: 0, need };
    return { have: need - missingWitnesses(policy, namesIn(policy, gathered.last)), need };
  }

  /** The note with the log's own lines as they are in it, and the witnesses' as they are known. */
  #withLines(checkpoint: Uint8Array, lines: ReadonlyMap<string, NoteSignature>): Uint8Array {
    const { text, signatures } = parseNote(checkpoint);
    const own = signatures.filter(({ name }) => name === this.#parts.origin);
    return formatNote({ text, signatures: [...own, ...lines.values()] });
  }

  /** What was kept of that size before, and not remembered. */
  async #load(size: number): Promise<Gathered | undefined> {
    const { store } = this.#parts;
    const kept = await readKept(store, size);
    if (!kept) return undefined;
    const [marked] = await store.getMany([witnessedKey(size)]);
    const { root } = parseCheckpoint(textOf(kept.checkpoint));
    const gathered = newGathered({ ...kept, size, root }, Promise.resolve(), marked !== undefined);
    this.#gatherKept(gathered, kept);
    return this.#gathered.get(size) ?? this.#remember(gathered);
  }

  /** The lines that are kept came before all others. */
  #gatherKept(gathered: Gathered, kept: KeptCheckpoint | undefined): void {
    gathered.kept = kept;
    if (!kept) return;
    for (const line of parseNote(kept.checkpoint).signatures) {
      if (line.name === this.#parts.origin) continue;
      const key = keyOf(line);
      gathered.first.set(key, line);
      if (!gathered.last.has(key)) gathered.last.set(key, line);
    }
  }

  #remember(gathered: Gathered): Gathered {
    this.#gathered.set(gathered.head.size, gathered);
    for (const size of this.#gathered.keys()) {
      if (this.#gathered.size <= MAX_GATHERED) break;
      this.#gathered.delete(size);
    }
    return gathered;
  }
}

function newGathered(head: Publication, durable: Promise<void>, isMarked = false): Gathered {
  return { head, kept: undefined, durable, first: new Map(), last: new Map(), fresh: new Set(), isMarked };
}

function keyOf({ name, keyId }: NoteSignature): string {
  return `${name} ${keyId}`;
}

function gather({ first, last, fresh }: Gathered, lines: readonly NoteSignature[]): void {
  for (const line of lines) {
    const key = keyOf(line);
    fresh.add(key);
    if (!first.has(key)) first.set(key, line);
    const known = last.get(key);
    if (!known || timestampOf(known) < timestampOf(line)) last.set(key, line);
  }
}

function timestampOf({ signature }: NoteSignature): number {
  return parseTimestampedSignature(signature).timestampS;
}

/** Which of the policy's witnesses the lines are of. */
function namesIn(policy: Policy, lines: ReadonlyMap<string, NoteSignature>): ReadonlySet<string> {
  const names = [...lines.values()].map((line) => witnessOf(policy, line)?.name);
  return new Set(names.filter((name) => name !== undefined));
}

function textOf(checkpoint: Uint8Array): string {
  return parseNote(checkpoint).text;
}

/** Reads the sizes that were remembered. What is damaged is forgotten: it only saves questions. */
export async function readWitnessSizes(store: Store): Promise<ReadonlyMap<string, number>> {
  const [value] = await store.getMany([witnessSizesKey]);
  const sizes = new Map<string, number>();
  if (!value) return sizes;
  for (const line of decodeUtf8(value).split('\n')) {
    const found = /^(\d{1,16}) (.+)$/.exec(line);
    if (found) sizes.set(found[2]!, Number(found[1]));
  }
  return sizes;
}
