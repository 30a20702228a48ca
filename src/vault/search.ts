/**
 * Finding events, the newest first. A page ends at a leaf, and the next one begins below it: so pages do not change when
 * events are appended, and a cursor is good for ever.
 *
 *   cursor   base64url of: the leaf to go on at, 8 bytes, and the first 8 of an HMAC over it and the query
 */

import { timingSafeEqual } from 'node:crypto';
import { ENUMERATIONS } from '../event/enumerations.ts';
import { parseSubject } from '../event/parse-subject.ts';
import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import type { Events } from './events.ts';
import { hmac } from './hmac.ts';
import type { Keyring } from './keyring.ts';
import { meet, type PostingKey, ScanBudget } from './postings.ts';
import { formatIndex, idKey, keyEventKey, parseIndex, termKey } from './rows.ts';
import { hasTerms, type TermName, type Terms } from './terms.ts';
import type { EventPage, EventQuery, StoredEvent } from './vault.ts';

/** Rows of the index that one page may read, and events that it may open in vain. */
const MAX_ROWS = 20_000;
const MAX_MISSES = 1000;
const MAC_BYTES = 8;
const INDEX_BYTES = 8;

export interface SearchParts {
  readonly log: Log;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly terms: Terms;
  readonly events: Events;
}

export interface PageOf {
  readonly limit: number;
  readonly cursor?: string;
}

export class Search {
  readonly #parts: SearchParts;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** Throws `malformed` for a cursor of another query, `event_invalid` for what is no subject. */
  async list(query: EventQuery, { limit, cursor }: PageOf): Promise<EventPage> {
    assertKnown(query);
    if (query.id !== undefined) return { events: await this.#one(query), next: undefined };
    const range = await this.#rangeOf(query, cursor);
    const lists = await this.#listsOf(query);
    const events: StoredEvent[] = [];
    if (!lists) return { events, next: undefined };
    const budget = new ScanBudget(MAX_ROWS);
    let misses = 0;
    let indexes: number[] = [];
    let next: number | undefined;
    const open = async (): Promise<void> => {
      const opened = await this.#openAll(indexes);
      const found = opened.filter((event) => isMatch(event, query));
      misses += indexes.length - found.length;
      events.push(...found);
      indexes = [];
    };
    for await (const met of meet(this.#parts.store, lists, range, budget)) {
      if ('next' in met) {
        next = met.next;
        break;
      }
      indexes.push(met.index);
      if (indexes.length < limit - events.length) continue;
      await open();
      next = met.index - 1;
      if (events.length >= limit || misses >= MAX_MISSES) break;
      next = undefined;
    }
    await open();
    const isMore = next !== undefined && next >= range.lowest;
    return { events, next: isMore ? this.#formatCursor(query, next!) : undefined };
  }

  /** All events of which those terms are true, in the order of the log. For what is true of few; of more the newest. */
  async allOf(query: Pick<EventQuery, 'terms'>): Promise<readonly StoredEvent[]> {
    const { store, log } = this.#parts;
    const range = { lowest: 0, highest: log.revealed.size - 1 };
    const indexes: number[] = [];
    for await (const met of meet(store, (await this.#listsOf(query))!, range, new ScanBudget(MAX_ROWS))) {
      if (!('index' in met)) break;
      indexes.push(met.index);
      if (indexes.length >= MAX_MISSES) break;
    }
    return this.#openAll(indexes.toReversed());
  }

  /** The events at those leaves; what was erased is left out. */
  async #openAll(indexes: readonly number[]): Promise<StoredEvent[]> {
    const opened = await this.#parts.events.openAll(indexes);
    return opened.flatMap((one) => (one ? [one.event] : []));
  }

  /** Leaf 0 is the log statement, and no event. */
  async #rangeOf(
    query: EventQuery,
    cursor: string | undefined,
  ): Promise<{ readonly lowest: number; readonly highest: number }> {
    const { log } = this.#parts;
    const { afterMs, beforeMs } = query;
    const lowest = afterMs === undefined ? 1 : Math.max(1, await log.firstLeafSince(afterMs));
    const highest = (beforeMs === undefined ? log.revealed.size : await log.firstLeafSince(beforeMs)) - 1;
    return {
      lowest,
      highest: cursor === undefined ? highest : Math.min(highest, this.#parseCursor(query, cursor)),
    };
  }

  /** The lists that an event has to be in; `undefined` where one of them is empty. */
  async #listsOf({ terms = {}, subject }: EventQuery): Promise<readonly PostingKey[] | undefined> {
    const { keyring } = this.#parts;
    const lists: PostingKey[] = Object.entries(terms).map(([name, value]) => {
      const term = this.#parts.terms.term(name as TermName, value);
      return (index) => termKey(term, index);
    });
    if (subject !== undefined) {
      const keyId = await keyring.findKeyId({ subject: parseSubject(subject) });
      if (!keyId) return undefined;
      lists.push((index) => keyEventKey(keyId, index));
    }
    return lists;
  }

  /** The event of that source and id, if all else that is asked for is true of it. */
  async #one(query: EventQuery): Promise<readonly StoredEvent[]> {
    const { keyring, store, log } = this.#parts;
    const { id, terms = {}, subject, afterMs = -Infinity, beforeMs = Infinity } = query;
    if (terms.source === undefined) {
      throw new NewelError('malformed', 'id needs source beside it: it is unique within one');
    }
    const [stored] = await store.getMany([idKey(keyring.idTag(terms.source, id!))]);
    if (!stored || parseIndex(stored) >= log.revealed.size) return [];
    const index = parseIndex(stored);
    const lowest = afterMs === -Infinity ? 0 : await log.firstLeafSince(afterMs);
    const end = beforeMs === Infinity ? log.revealed.size : await log.firstLeafSince(beforeMs);
    if (index < lowest || index >= end) return [];
    const of = subject && (await keyring.findKeyId({ subject: parseSubject(subject) }));
    const [event] = await this.#openAll([index]);
    if (!event || !isMatch(event, query) || !hasTerms(event.content, terms)) return [];
    if (!subject) return [event];
    const isOf = of && (await store.getMany([keyEventKey(of, index)]))[0] !== undefined;
    return isOf ? [event] : [];
  }

  #formatCursor(query: EventQuery, next: number): string {
    const index = formatIndex(next);
    return formatBase64Url(Buffer.concat([index, this.#macOf(query, next)]));
  }

  #parseCursor(query: EventQuery, cursor: string): number {
    const bytes = parseBase64Url(cursor, 'cursor');
    // An index of ours begins with 11 bits that are 0.
    if (bytes.length === INDEX_BYTES + MAC_BYTES && bytes[0] === 0 && bytes[1]! < 0x20) {
      const next = parseIndex(bytes.subarray(0, INDEX_BYTES));
      if (timingSafeEqual(bytes.subarray(INDEX_BYTES), this.#macOf(query, next))) return next;
    }
    throw new NewelError('malformed', 'the cursor is none of this query');
  }

  #macOf(query: EventQuery, next: number): Uint8Array {
    const { terms = {}, id, subject, afterMs, beforeMs, timeAfterMs, timeBeforeMs } = query;
    const parts = [
      Object.entries(terms).sort(([a], [b]) => (a < b ? -1 : 1)),
      id ?? null,
      subject ?? null,
      [afterMs ?? null, beforeMs ?? null, timeAfterMs ?? null, timeBeforeMs ?? null],
      next,
    ];
    return hmac(this.#parts.keyring.indexKey, `cursor ${JSON.stringify(parts)}`).subarray(0, MAC_BYTES);
  }
}

/** What the index does not know. */
function isMatch(
  { content }: StoredEvent,
  { timeAfterMs = -Infinity, timeBeforeMs = Infinity }: EventQuery,
): boolean {
  if (timeAfterMs === -Infinity && timeBeforeMs === Infinity) return true;
  const { time } = content;
  const timeMs = typeof time === 'string' ? Date.parse(time) : NaN;
  return timeAfterMs <= timeMs && timeMs < timeBeforeMs;
}

const LISTED: Readonly<Partial<Record<TermName, readonly string[]>>> = {
  type: ENUMERATIONS.type,
  outcome: ENUMERATIONS.outcome,
  system_action: ENUMERATIONS.system_action,
  reason: ENUMERATIONS.trigger_reason,
  method: ENUMERATIONS.method,
};

/** A value that no event can have is a mistake, and not an empty page. */
function assertKnown({ terms = {} }: EventQuery): void {
  for (const [name, value] of Object.entries(terms)) {
    const listed = LISTED[name as TermName];
    if (listed && !listed.includes(value)) {
      throw new NewelError('malformed', `${name} is not one of those that the schema lists`);
    }
  }
}
