/**
 * Erasing events, some at a time. One batch has the leaf of the `erasure` event that names them, their markers in place of
 * their records, and without them all that led to them but their ids; so after a crash an event is there or is erased.
 *
 *   record → marker     terms, place under the data key, state of the transaction → gone     count of the key → less
 */

import { erasureEventOf, LOG_SOURCE, MAX_ERASED_LEAVES } from '../event/log-events.ts';
import type { LinkState } from '../event/link.ts';
import { NewelError } from '../errors.ts';
import type { Row } from '../storage/store.ts';
import type { Events, EventsParts } from './events.ts';
import { withSlices } from './compact-erased.ts';
import { readRecordRow } from './events.ts';
import type { ErasureRow, ErasureRows } from './erasure-row.ts';
import type { Hold } from './held.ts';
import type { DataKey } from './keyring.ts';
import type { SayEvent } from './own-events.ts';
import { formatMarker, linkKey, recordKey, termKey } from './rows.ts';
import type { States } from './states.ts';
import { splitTerms, type Terms } from './terms.ts';

export interface EraseParts extends EventsParts {
  readonly events: Events;
  readonly erasures: ErasureRows;
  readonly terms: Terms;
  readonly links: States<LinkState>;
  readonly say: SayEvent;
  readonly now: () => number;
}

/** Leaves that are erased with one `erasure` event. */
export const ERASED_AT_ONCE: number = MAX_ERASED_LEAVES;

/** What is written about one event when it is erased. */
interface Erased {
  readonly index: number;
  readonly marker: (erasedBy: number) => Row;
  readonly deletes: readonly Uint8Array[];
  readonly keyId: Uint8Array;
  /** Of its transaction, where it has one. */
  readonly linkTag: Uint8Array | undefined;
}

/**
 * Erases those of the leaves that are not erased yet, and returns the erasure as it is then, durable. `last` is what else
 * goes with it. Throws `storage_failed` where one is damaged: then none of them is touched.
 */
export async function eraseLeaves(
  parts: EraseParts,
  erasure: ErasureRow,
  indexes: readonly number[],
  last: readonly Uint8Array[] = [],
): Promise<ErasureRow> {
  const { keyring, erasures, log, say, now } = parts;
  const erased = (await Promise.all(indexes.map((index) => erasedOf(parts, index)))).flat();
  if (erased.length === 0) {
    const same = { ...erasure, epoch: keyring.epoch.number };
    await log.write({ puts: [erasures.row(same)], deletes: last });
    return same;
  }
  const { erasureId, reason } = erasure;
  const leafIndexes = erased.map(({ index }) => index);
  let next = erasure;
  await withHeld(parts, erased, async (holds) => {
    const names = { id: `${erasureId}:${leafIndexes[0]!}`, timeMs: now() };
    await say(erasureEventOf(names, { erasureId, leafIndexes, reason }), (index, eventId) => {
      const puts = erased.map(({ marker }) => marker(index));
      const deletes = [...erased.flatMap((one) => one.deletes), ...last];
      for (const one of erased) {
        const dataKey = holds.get(nameOf(one.keyId))?.value;
        const removed = keyring.removeEvent(one.keyId, one.index, dataKey);
        puts.push(...removed.puts);
        deletes.push(...removed.deletes);
      }
      const tombstone = { eventId, leafIndex: index, erased: leafIndexes.length };
      next = advanced(erasure, leafIndexes, keyring.epoch.number);
      return {
        puts: [...puts, erasures.row(next), erasures.tombstoneRow(erasureId, tombstone)],
        deletes,
      };
    });
  });
  return next;
}

/** What is known of the erasure once those are erased. */
function advanced(erasure: ErasureRow, leafIndexes: readonly number[], epoch: number): ErasureRow {
  return {
    ...erasure,
    // Corrections that go along are not known beforehand.
    events: Math.max(erasure.events, erasure.erased + leafIndexes.length),
    erased: erasure.erased + leafIndexes.length,
    slices: withSlices(erasure.slices, leafIndexes),
    epoch,
  };
}

/** None for what is erased already. */
async function erasedOf(parts: EraseParts, index: number): Promise<readonly Erased[]> {
  const { events, store, terms } = parts;
  const row = await readRecordRow(store, index);
  if ('erasedBy' in row) return [];
  const opened = await events.open(index);
  if (!opened) throw new NewelError('storage_failed', `leaf ${index} is not there`);
  const { content, source } = opened.event;
  if (source === LOG_SOURCE && content['type'] === 'erasure') {
    throw new NewelError('event_invalid', 'an erasure event is what says that others are erased, and stays');
  }
  const { eventId, idTag, keyId } = row;
  const deletes = splitTerms(terms.termsOf(content)).map((term) => termKey(term, index));
  const { txn } = content;
  const linkTag = typeof txn === 'string' ? terms.tag('link', txn) : undefined;
  if (linkTag) deletes.push(linkKey(linkTag));
  const marker = (erasedBy: number): Row => ({
    key: recordKey(index),
    value: formatMarker({ eventId, idTag, erasedBy, sourceTerm: terms.term('source', source) }),
  });
  return [{ index, marker, deletes, keyId, linkTag }];
}

/**
 * Does `work` with the data keys that stay, by name, and while no event has its place in one of the transactions: what is
 * known of those is gone with it, so that no event that comes is compared with what was erased.
 */
async function withHeld(
  { keyring, links }: EraseParts,
  erased: readonly Erased[],
  work: (holds: ReadonlyMap<string, Hold<DataKey>>) => Promise<void>,
): Promise<void> {
  const ids = [...new Map(erased.map(({ keyId }) => [nameOf(keyId), keyId])).values()];
  const tags = new Map(erased.flatMap(({ linkTag }) => (linkTag ? [[nameOf(linkTag), linkTag]] : [])));
  const ownerTags = await keyring.ownerTagsOf(ids);
  // Asked for in one turn, all of it.
  const holding = Promise.allSettled(
    ids.map(async (id, i) => {
      const ownerTag = ownerTags[i];
      return ownerTag && (await keyring.holdOf(ownerTag, id));
    }),
  );
  await links.alone([...tags.values()], async () => {
    const settled = await holding;
    const holds = new Map<string, Hold<DataKey>>();
    for (const [i, one] of settled.entries()) {
      if (one.status === 'fulfilled' && one.value) holds.set(nameOf(ids[i]!), one.value);
    }
    try {
      for (const one of settled) if (one.status === 'rejected') throw one.reason;
      await work(holds);
    } finally {
      for (const hold of holds.values()) hold.release();
    }
  });
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
