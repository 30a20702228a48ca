/**
 * What is known to be true of a followed log, on the disk before in memory, and the tiles of its newest head.
 *
 *   state    the newest head, and how far its entries are verified
 *   tiles    of the tree of that head, opened once, when the compact range that was remembered was shown to be of it
 */

import type { LogSource } from '../client/source.ts';
import { openTree } from '../client/tree.ts';
import type { VerifiedTiles } from '../client/verified-tiles.ts';
import { equalBytes } from '../core/bytes.ts';
import { hashRanges } from '../core/tree.ts';
import { NewelError } from '../errors.ts';
import type { Store } from '../storage/store.ts';
import type { FollowedHead } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';
import { type FollowedState, readState, writeState } from './followed-state.ts';

export interface RememberedLogParts {
  readonly store: Store;
  readonly log: FollowedLog;
  /** The files of the log. */
  readonly source: LogSource;
}

export class RememberedLog {
  readonly #store: Store;
  readonly #log: FollowedLog;
  readonly #source: LogSource;
  #state: FollowedState | undefined;
  /** The tiles of the tree of the head in `#state`, once they were read. */
  #tiles: VerifiedTiles | undefined;
  /** Whether what was remembered of the entries was compared with the log since this process began. */
  #isRangeProven = false;
  #failure: NewelError | undefined;

  private constructor({ store, log, source }: RememberedLogParts, state: FollowedState | undefined) {
    this.#store = store;
    this.#log = log;
    this.#source = source;
    this.#state = state;
  }

  /** Throws what `readState` throws. */
  static async open(parts: RememberedLogParts): Promise<RememberedLog> {
    return new RememberedLog(parts, await readState(parts.store, parts.log));
  }

  get state(): FollowedState | undefined {
    return this.#state;
  }

  /** Whether this is the note of the head that is remembered. */
  isLast({ note }: FollowedHead): boolean {
    return this.#state !== undefined && equalBytes(this.#state.head.note, note);
  }

  /** Durable when it resolves. Rejects with `storage_failed`, then and ever after. */
  async remember(state: FollowedState): Promise<void> {
    // A write that failed is the last one: what is on the disk is not known.
    if (this.#failure) throw this.#failure;
    try {
      await writeState(this.#store, this.#log, state);
    } catch (cause) {
      const message = `what is known of ${this.#log.origin} could not be written, and whether it is kept is not known`;
      this.#failure = new NewelError('storage_failed', message, { cause });
      throw this.#failure;
    }
    this.#state = state;
  }

  /**
   * The tiles of a larger head, where they show that it extends the last one; `undefined` where they show that it does not.
   * Throws what `openTree` throws, `log_refused` for a database that is damaged.
   */
  async openExtension(head: FollowedHead): Promise<VerifiedTiles | undefined> {
    const tiles = await openTree(this.#source, head);
    const last = this.#state;
    if (!last) return tiles;
    const root = await rootWithin(tiles, last.head.size, head.size);
    if (!equalBytes(root, last.head.root)) return undefined;
    await this.#proveRange(last, tiles, head.size);
    return tiles;
  }

  /** Takes over a head that extends the last one, with its tiles. As `remember`. */
  async extend(state: FollowedState, tiles: VerifiedTiles): Promise<void> {
    await this.remember(state);
    this.#tiles = tiles;
  }

  /** The root of the first `size` leaves of the remembered tree. Throws as `openTiles`. */
  async rootAt(state: FollowedState, size: number): Promise<Uint8Array> {
    if (size === state.head.size) return state.head.root;
    return rootWithin(await this.openTiles(state), size, state.head.size);
  }

  /** The tiles of the remembered tree. Throws what `openTree` throws, `log_refused` for a database that is damaged. */
  async openTiles(state: FollowedState): Promise<VerifiedTiles> {
    if (!this.#tiles) {
      const tiles = await openTree(this.#source, state.head);
      await this.#proveRange(state, tiles, state.head.size);
      this.#tiles = tiles;
    }
    return this.#tiles;
  }

  /** What was remembered of the entries is of the tree; a database that has been changed is found out here. */
  async #proveRange({ range }: FollowedState, tiles: VerifiedTiles, size: number): Promise<void> {
    if (this.#isRangeProven) return;
    if (!equalBytes(range.root(), await rootWithin(tiles, range.size, size))) {
      throw new NewelError(
        'log_refused',
        `what was remembered of the entries of ${this.#log.origin} is not of its tree: the monitor's database is damaged; ` +
          'follow the log anew in another folder, and keep this one',
      );
    }
    this.#isRangeProven = true;
  }
}

async function rootWithin(tiles: VerifiedTiles, size: number, of: number): Promise<Uint8Array> {
  const [root] = await hashRanges([{ begin: 0, end: size }], tiles.hashes(of));
  return root!;
}
