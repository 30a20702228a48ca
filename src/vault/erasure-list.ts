/**
 * Which erasures there are, in the order in which they were asked for. Their rows are in that of their ids, which are random;
 * so the order is kept in memory, about 100 bytes each, and a page of the list reads the rows of that page alone.
 */

import { NewelError } from '../errors.ts';
import type { ErasureRow, ErasureRows } from './erasure-row.ts';

/** What is known of each. */
type Listed = Pick<ErasureRow, 'erasureId' | 'requestedTimeMs'>;

/** Erasures that a start has to go on with, the oldest first. */
export interface Unfinished {
  /** Not erased yet, or failed. */
  readonly erasing: readonly string[];
  /** Not cleared from the files yet. */
  readonly compacting: readonly string[];
}

export class ErasureList {
  readonly #rows: ErasureRows;
  /** The oldest first. */
  readonly #listed: Listed[];

  private constructor(rows: ErasureRows, listed: Listed[]) {
    this.#rows = rows;
    this.#listed = listed;
  }

  /** Reads all of them once, some at a time. */
  static async read(rows: ErasureRows): Promise<{ list: ErasureList; unfinished: Unfinished }> {
    const listed: Listed[] = [];
    const states = new Map<string, ErasureRow['state']>();
    for await (const page of rows.pages()) {
      for (const { erasureId, requestedTimeMs, state } of page) {
        listed.push({ erasureId, requestedTimeMs });
        if (state !== 'done') states.set(erasureId, state);
      }
    }
    listed.sort(compare);
    const left = listed.map(({ erasureId }) => erasureId).filter((erasureId) => states.has(erasureId));
    const isCompacting = (erasureId: string): boolean => states.get(erasureId) === 'compacting';
    return {
      list: new ErasureList(rows, listed),
      unfinished: {
        erasing: left.filter((erasureId) => !isCompacting(erasureId)),
        compacting: left.filter(isCompacting),
      },
    };
  }

  /** One that is durable now. */
  add({ erasureId, requestedTimeMs }: Listed): void {
    const added = { erasureId, requestedTimeMs };
    // Mostly at the end; the clock may have gone back.
    this.#listed.splice(this.#placeOf(added), 0, added);
  }

  /** At most `limit`, the newest first, from `cursor` on. Throws `malformed` for a cursor that names none of them. */
  async page({ limit, cursor }: { readonly limit: number; readonly cursor?: string }): Promise<{
    readonly erasures: readonly ErasureRow[];
    readonly next: string | undefined;
  }> {
    const end = cursor === undefined ? this.#listed.length : await this.#endOf(cursor);
    const begin = Math.max(0, end - limit);
    const erasureIds = this.#listed.slice(begin, end).map(({ erasureId }) => erasureId);
    const next = this.#listed[begin - 1]?.erasureId;
    return { erasures: await this.#rows.findAll(erasureIds.reverse()), next };
  }

  /** The place after that of a cursor: the page goes down from it. */
  async #endOf(cursor: string): Promise<number> {
    const row = await this.#rows.find(cursor);
    const place = row && this.#placeOf(row);
    if (place !== undefined && this.#listed[place]?.erasureId === cursor) return place + 1;
    throw new NewelError('malformed', 'the cursor is none of this list');
  }

  /** Where it is, or would be. */
  #placeOf(one: Listed): number {
    let low = 0;
    let high = this.#listed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(this.#listed[middle]!, one) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function compare(a: Listed, b: Listed): number {
  if (a.requestedTimeMs !== b.requestedTimeMs) return a.requestedTimeMs - b.requestedTimeMs;
  if (a.erasureId === b.erasureId) return 0;
  return a.erasureId < b.erasureId ? -1 : 1;
}
