/**
 * Erasures from their acceptance to their end, one after the other. What is accepted is durable, and a start goes on with
 * what a crash interrupted.
 *
 *   accept ─ erasing: leaf by leaf, and at last the data key ─ compacting: cleared from the files ─ done
 *
 * Accepting one for a person counts first: the data key knows how many events it has, and if fewer are found, nothing is
 * touched and the request fails. From then on events of that person get another data key.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { retentionEventOf } from '../event/log-events.ts';
import { NewelError } from '../errors.ts';
import type { Row } from '../storage/store.ts';
import { compactErased } from './compact-erased.ts';
import { withCorrections } from './erase-corrections.ts';
import { type EraseParts, ERASED_AT_ONCE, eraseLeaves } from './erase-leaves.ts';
import { type ErasureRow, type ErasureScope, newErasureId, parseErasureId } from './erasure-row.ts';
import { leavesLeft, scopeOf, scopeOfOwner, type ScopeParts } from './erasure-scope.ts';
import type { Mutex } from './mutex.ts';
import { dataKeyKey, keyCountKey, ownerKey, parseRecordRow, recordKey, retiredKey } from './rows.ts';
import type { ErasureRequest } from './vault.ts';

/** How long a read of the database may take. */
const LONGEST_READ_MS = 2000;
/** After a clearing that failed. */
const CLEAR_AGAIN_MS = 60_000;

export interface EraserParts extends EraseParts {
  /** Whoever seals data keys anew takes it as well. */
  readonly keyRows: Mutex;
  /** How long to wait for more before the files are cleared. */
  readonly compactDelayMs: number;
  readonly onFailure: (error: unknown) => void;
}

/** Records that are looked at before anything is touched. */
const COUNTED_AT_ONCE = 500;
/** How long to wait with an erasure for which the log had no room. */
const RETRY_MS = 1000;

export class Eraser {
  readonly #parts: EraserParts;
  #isClosed = false;
  /** What runs; one after the other. */
  #running: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: EraserParts) {
    this.#parts = parts;
  }

  async accept({ target, reason, requestedBy }: ErasureRequest): Promise<ErasureRow> {
    const { now, erasures, log } = this.#parts;
    const make = (scope: ErasureScope, events: number): ErasureRow => ({
      erasureId: newErasureId(),
      reason,
      requestedBy,
      requestedTimeMs: now(),
      scope,
      state: 'erasing',
      events,
      erased: 0,
      slices: [],
      epoch: undefined,
      doneTimeMs: undefined,
      failure: undefined,
    });
    const { scope, events, ownerTag } = await scopeOf(this.#parts, target);
    if (ownerTag) return this.#begin(await this.#retire(ownerTag, make));
    const erasure = make(scope, events);
    await log.write({ puts: [erasures.row(erasure)] });
    return this.#begin(erasure);
  }

  /** Goes on with what was not done; what failed is tried again, since whoever starts the log may have put it right. */
  async resume(): Promise<void> {
    const all = await this.#parts.erasures.all();
    const left = all.filter(({ state }) => state === 'erasing' || state === 'failed');
    for (const erasure of left.toReversed())
      this.#begin({ ...erasure, state: 'erasing', failure: undefined });
    this.#clearLater(0);
  }

  /** Lets what runs come to the end of its step. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Takes the data key from its owner, once all its events are found and none of them is under way. */
  #retire(
    ownerTag: Uint8Array,
    make: (scope: ErasureScope, events: number) => ErasureRow,
  ): Promise<ErasureRow> {
    const { keyring, log, erasures } = this.#parts;
    return keyring.alone(ownerTag, async () => {
      // What it was before is of the past: another erasure may have taken it.
      const { scope, events, keyId } = await scopeOfOwner(this.#parts, ownerTag);
      const found = await countLeft(this.#parts, scope, keyId);
      if (found < events) {
        throw new NewelError(
          'storage_failed',
          `a data key has ${events} events and leads to ${found}: nothing was erased; check the log with newel fsck --data`,
        );
      }
      const erasure = make(scope, events);
      const mark: Row = { key: retiredKey(keyId), value: parseErasureId(erasure.erasureId)! };
      await log.write({ puts: [erasures.row(erasure), mark], deletes: [ownerKey(ownerTag)] });
      return erasure;
    });
  }

  #begin(erasure: ErasureRow): ErasureRow {
    this.#running = this.#running.then(() => this.#run(erasure));
    return erasure;
  }

  async #run(accepted: ErasureRow): Promise<void> {
    let erasure = accepted;
    try {
      for await (const indexes of leavesLeft(this.#parts, accepted.scope, ERASED_AT_ONCE)) {
        const all = await withCorrections(this.#parts, indexes);
        for (let at = 0; at < all.length; at += ERASED_AT_ONCE) {
          if (this.#isClosed) return;
          erasure = await eraseLeaves(this.#parts, erasure, all.slice(at, at + ERASED_AT_ONCE));
        }
      }
      await this.#parts.keyRows.take(async () => {
        const { scope } = accepted;
        const compacting: ErasureRow = { ...erasure, state: 'compacting' };
        if ('kept' in scope) await this.#sayRetention(compacting, scope.kept);
        else erasure = await eraseLeaves(this.#parts, compacting, [], keyRowsOf(scope));
      });
      this.#clearLater(this.#parts.compactDelayMs);
    } catch (error) {
      if (!isMomentary(error)) return this.#fail(erasure, error);
      await sleep(RETRY_MS);
      // What it has erased is no longer found; the row says how far it came.
      if (!this.#isClosed) await this.#run(erasure);
    }
  }

  /** Says what was erased by age; with that, the erasure has come as far as `erasure` says. */
  async #sayRetention(erasure: ErasureRow, types: Readonly<Record<string, string>>): Promise<void> {
    const { say, erasures, now } = this.#parts;
    const names = { id: `${erasure.erasureId}:retention`, timeMs: now() };
    const event = retentionEventOf(names, { types, isDryRun: false, count: erasure.erased });
    await say(event, () => ({ puts: [erasures.row(erasure)] }));
  }

  /** Stops that erasure for good and says so; what it has erased stays erased. */
  async #fail(erasure: ErasureRow, error: unknown): Promise<void> {
    this.#parts.onFailure(error);
    const failure = error instanceof NewelError ? error.message : 'an internal error';
    try {
      await this.#parts.log.write({
        puts: [this.#parts.erasures.row({ ...erasure, state: 'failed', failure })],
      });
    } catch {
      // The log has stopped; the next start goes on with the erasure.
    }
  }

  /** One clearing for all that are erased by then. */
  #clearLater(delayMs: number): void {
    if (this.#timer || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#running.then(() => this.#clear());
    }, delayMs);
    this.#timer.unref();
  }

  async #clear(): Promise<void> {
    const { erasures, log, store, now } = this.#parts;
    try {
      const compacting = (await erasures.all()).filter(({ state }) => state === 'compacting');
      if (compacting.length === 0) return;
      // A read that began before the last of them still keeps what it replaced from being cleared; reads are short.
      await sleep(Math.min(LONGEST_READ_MS, this.#parts.compactDelayMs));
      const isDone = await compactErased(store, compacting, () => this.#isClosed);
      if (!isDone) return;
      const doneTimeMs = now();
      const puts = compacting.map((erasure) => erasures.row({ ...erasure, state: 'done', doneTimeMs }));
      await log.write({ puts });
    } catch (error) {
      this.#parts.onFailure(error);
      this.#clearLater(CLEAR_AGAIN_MS);
    }
  }
}

/** How many leaves a data key leads to. Throws `storage_failed` where one of them is not under it. */
async function countLeft(parts: ScopeParts, scope: ErasureScope, keyId: Uint8Array): Promise<number> {
  let count = 0;
  for await (const indexes of leavesLeft(parts, scope, COUNTED_AT_ONCE)) {
    const stored = await parts.store.getMany(indexes.map(recordKey));
    for (const [i, value] of stored.entries()) {
      const row = value && parseRecordRow(value);
      if (row && 'keyId' in row && Buffer.from(row.keyId).equals(keyId)) continue;
      throw new NewelError(
        'storage_failed',
        `a data key leads to leaf ${indexes[i]!}, which is not under it: nothing was erased; check the log with newel fsck --data`,
      );
    }
    count += indexes.length;
  }
  return count;
}

/** What goes when all events of a scope are gone. */
function keyRowsOf(scope: ErasureScope): readonly Uint8Array[] {
  if (!('keyId' in scope)) return [];
  const keyId = Buffer.from(scope.keyId, 'base64url');
  return [dataKeyKey(keyId), keyCountKey(keyId), retiredKey(keyId)];
}

function isMomentary(error: unknown): boolean {
  return error instanceof NewelError && error.code === 'queue_full';
}
