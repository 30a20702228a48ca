/**
 * Comparing the trees of one log's heads by its tiles, which are read over the network: in a bounded time, and for heads
 * of strangers at a bounded rate and so many at once.
 *
 *   one tree, or one size       nothing is read
 *   of a configured source      compared, in 20 s
 *   of a stranger               the same, or undecided where more of them come than may be compared
 */

import { withTimeout } from '../client/pause.ts';
import type { LogSource } from '../client/source.ts';
import { NewelError } from '../errors.ts';
import { compareHeads, type Comparison, CONSISTENT } from './compare.ts';
import type { GossipedLog } from './gossiped-log.ts';
import { isOneTree, type KeptHead } from './kept-head.ts';
import { untilAborted } from './timed-source.ts';

/** How long the tiles of one comparison may take. */
const COMPARE_MS = 20_000;
/** Comparisons of heads of strangers that read tiles and are under way. */
const MAX_COMPARING = 8;

export class TreeComparer {
  readonly #log: () => GossipedLog;
  readonly #mayReadTiles: () => boolean;
  #comparing = 0;

  /** The log is asked for anew each time; `mayReadTiles` whether a stranger's head may be compared now, which is counted. */
  constructor(log: () => GossipedLog, mayReadTiles: () => boolean) {
    this.#log = log;
    this.#mayReadTiles = mayReadTiles;
  }

  /** Rejects as `compareHeads`. */
  async compare(against: KeptHead, head: KeptHead, isPosted: boolean): Promise<Comparison> {
    if (isOneTree(against, head)) return CONSISTENT;
    if (head.size === against.size) return compareHeads(against, head, { a: NO_TILES, b: NO_TILES });
    if (!isPosted) return this.#compareTiles(against, head);
    if (this.#comparing >= MAX_COMPARING || !this.#mayReadTiles()) {
      return { kind: 'undecided', why: 'more heads are posted than may be compared in a time' };
    }
    this.#comparing += 1;
    try {
      return await this.#compareTiles(against, head);
    } finally {
      this.#comparing -= 1;
    }
  }

  #compareTiles(against: KeptHead, head: KeptHead): Promise<Comparison> {
    const { tiles, tilesOf } = this.#log();
    const of = ({ source }: KeptHead): LogSource => tilesOf?.(source) ?? tiles ?? NO_TILES;
    const [a, b] = [of(against), of(head)];
    return withTimeout(COMPARE_MS, undefined, (signal) => {
      const timed = untilAborted(a, signal);
      return compareHeads(against, head, { a: timed, b: a === b ? timed : untilAborted(b, signal) });
    });
  }
}

const NO_TILES: LogSource = {
  read() {
    return Promise.reject(new NewelError('unreachable', 'nobody is known who has the tiles of this log'));
  },
};
