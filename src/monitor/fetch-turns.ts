/**
 * How many files are fetched at the same time: what bounds the memory that their answers take. Each source has a share, so
 * that one whose answers hang holds up nobody but itself.
 *
 *   small   checkpoints and tiles   8 at a time of each source, whatever else is under way
 *   large   bundles of entries      one of each source at any time; of the turns that are common, which are one fewer than
 *                                   `count`, each source has half at most, or all while no other source reads bundles
 */

const SMALL_AT_A_TIME = 8;

interface Share {
  small: number;
  large: number;
  hasReadLarge: boolean;
}

interface Waiting {
  readonly share: Share;
  readonly isLarge: boolean;
  readonly start: () => void;
}

/** The turns of one source. */
export interface FetchShare {
  /** Runs `fetch` when it is its turn, in the order of the calls. Rejects with the signal's reason while it waits. */
  take<T>(fetch: () => Promise<T>, options: FetchTurnOptions): Promise<T>;
}

export interface FetchTurnOptions {
  readonly isLarge: boolean;
  readonly signal?: AbortSignal | undefined;
}

export class FetchTurns {
  readonly #common: number;
  #commonTaken = 0;
  /** Sources that have ever read a bundle. */
  #readers = 0;
  readonly #waiting: Waiting[] = [];

  constructor(count: number) {
    this.#common = count - 1;
  }

  share(): FetchShare {
    const share: Share = { small: 0, large: 0, hasReadLarge: false };
    return {
      take: async (fetch, { isLarge, signal }) => {
        if (isLarge && !share.hasReadLarge) {
          share.hasReadLarge = true;
          this.#readers += 1;
        }
        await this.#turn(share, isLarge, signal);
        try {
          return await fetch();
        } finally {
          this.#end(share, isLarge);
        }
      },
    };
  }

  #turn(share: Share, isLarge: boolean, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#hasRoom(share, isLarge)) {
      this.#begin(share, isLarge);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        const reason: unknown = signal?.reason;
        reject(reason instanceof Error ? reason : new Error('told to stop', { cause: reason }));
      };
      const waiting: Waiting = {
        share,
        isLarge,
        start: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #hasRoom({ small, large }: Share, isLarge: boolean): boolean {
    if (!isLarge) return small < SMALL_AT_A_TIME;
    if (large === 0) return true;
    const most = this.#readers > 1 ? Math.floor(this.#common / 2) : this.#common;
    return this.#commonTaken < this.#common && large - 1 < most;
  }

  #begin(share: Share, isLarge: boolean): void {
    if (!isLarge) {
      share.small += 1;
      return;
    }
    if (share.large > 0) this.#commonTaken += 1;
    share.large += 1;
  }

  #end(share: Share, isLarge: boolean): void {
    if (isLarge) {
      share.large -= 1;
      if (share.large > 0) this.#commonTaken -= 1;
    } else share.small -= 1;
    for (let at = 0; at < this.#waiting.length;) {
      const waiting = this.#waiting[at]!;
      if (!this.#hasRoom(waiting.share, waiting.isLarge)) {
        at += 1;
        continue;
      }
      this.#waiting.splice(at, 1);
      this.#begin(waiting.share, waiting.isLarge);
      waiting.start();
    }
  }
}
