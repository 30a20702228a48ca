/**
 * Erasures from their acceptance to their end, one after the other. What is accepted is durable, and a start goes on with
 * what a crash interrupted.
 *
 *   accept ─ erasing: leaf by leaf, and at last the data key ─ compacting: cleared from the files ─ done
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { retentionEventOf } from '../event/log-events.ts';
import { NewelError } from '../errors.ts';
import { Clearing } from './clearing.ts';
import { withCorrections } from './erase-corrections.ts';
import { type EraseParts, ERASED_AT_ONCE, eraseLeaves } from './erase-leaves.ts';
import type { ErasureList, Unfinished } from './erasure-list.ts';
import { type ErasureRow, type ErasureScope, newErasureId } from './erasure-row.ts';
import { leavesLeft, scopeOf } from './erasure-scope.ts';
import type { Mutex } from './mutex.ts';
import { retireKey } from './retire-key.ts';
import { dataKeyKey, keyCountKey, retiredKey } from './rows.ts';
import type { ErasureRequest } from './vault.ts';

export interface EraserParts extends EraseParts {
  readonly list: ErasureList;
  /** Whoever seals data keys anew takes it as well. */
  readonly keyRows: Mutex;
  /** How long to wait for more before the files are cleared. */
  readonly compactDelayMs: number;
  readonly onFailure: (error: unknown) => void;
}

/** How long to wait with an erasure for which the log had no room. */
const RETRY_MS = 1000;

export class Eraser {
  readonly #parts: EraserParts;
  readonly #clearing: Clearing;
  #isClosed = false;
  /** What runs; one after the other. */
  #running: Promise<void> = Promise.resolve();

  constructor(parts: EraserParts) {
    this.#parts = parts;
    this.#clearing = new Clearing({ ...parts, inTurn: (work) => this.#inTurn(work) });
  }

  async accept({ target, reason, requestedBy }: ErasureRequest): Promise<ErasureRow> {
    const { now, erasures, log, list } = this.#parts;
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
    const { scope, events, owner } = await scopeOf(this.#parts, target);
    let erasure: ErasureRow;
    if (owner) erasure = await retireKey(this.#parts, owner, make);
    else {
      erasure = make(scope, events);
      await log.write({ puts: [erasures.row(erasure)] });
    }
    list.add(erasure);
    this.#inTurn(() => this.#run(erasure));
    return erasure;
  }

  /** Goes on with what was not done; what failed is tried again, since whoever starts the log may have put it right. */
  resume({ erasing, compacting }: Unfinished): void {
    for (const erasureId of erasing) {
      this.#inTurn(async () => {
        const erasure = await this.#parts.erasures.find(erasureId);
        if (erasure) await this.#run({ ...erasure, state: 'erasing', failure: undefined });
      });
    }
    this.#clearing.add(compacting, 0);
  }

  /** Lets what runs come to the end of its step. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#clearing.close();
    await this.#running;
  }

  #inTurn(work: () => Promise<void>): void {
    this.#running = this.#running.then(work).catch(this.#parts.onFailure);
  }

  async #run(accepted: ErasureRow): Promise<void> {
    if (this.#isClosed) return;
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
      this.#clearing.add([accepted.erasureId]);
    } catch (error) {
      if (!isMomentary(error)) return this.#fail(erasure, error);
      await sleep(RETRY_MS);
      // What it has erased is no longer found; the row says how far it came.
      await this.#run(erasure);
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
