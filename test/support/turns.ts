/** Tells by counting, not by the clock, whether long work gives way: how much of it is done in one turn of the event loop. */

export interface WatchedTurns {
  /** To be called for each piece of the work. */
  piece(): void;
  /** Ends the watching: turns that others had, and the most pieces that were done between two of them. */
  stop(): { readonly turns: number; readonly most: number };
}

export function watchTurns(): WatchedTurns {
  let turns = 0;
  let most = 0;
  let pieces = 0;
  const turn = (): void => {
    turns += 1;
    pieces = 0;
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  return {
    piece() {
      pieces += 1;
      most = Math.max(most, pieces);
    },
    stop() {
      clearImmediate(next);
      return { turns, most };
    },
  };
}
