/**
 * Saying that events of a transaction do not fit together: `exception.raised`, of the log's own source. What has to be said
 * is durable with the event that shows it (row 8c), and is gone from there with the leaf that says it; so it is said once,
 * whatever crashes in between.
 */

import { linkEventOf } from '../event/log-events.ts';
import type { LinkRule } from '../event/link.ts';
import { NewelError } from '../errors.ts';
import type { Store } from '../storage/store.ts';
import type { SayEvent } from './own-events.ts';
import { exceptionKey, indexOfKey, rangeOf } from './rows.ts';
import type { Sealing } from './states.ts';

const AT_ONCE = 256;
const EXCEPTIONS = rangeOf(0x8c);

export interface ExceptionParts {
  readonly store: Store;
  readonly sealing: Sealing;
  readonly say: SayEvent;
  readonly now: () => number;
}

interface Unsaid {
  readonly event_id: string;
  readonly rules: readonly LinkRule[];
}

/** Says what row 8c has for a leaf; nothing where there is none. */
export async function sayException(
  { store, sealing, say, now }: ExceptionParts,
  index: number,
): Promise<void> {
  const key = exceptionKey(index);
  const [stored] = await store.getMany([key]);
  if (!stored) return;
  const { event_id: eventId, rules } = sealing.openJson(key, stored) as Unsaid;
  const event = linkEventOf({ id: `link:${eventId}`, timeMs: now() }, { eventId, rules });
  try {
    await say(event, () => ({ puts: [], deletes: [key] }));
  } catch (error) {
    // It is being said by another, at another time.
    if (!(error instanceof NewelError) || error.code !== 'id_conflict') throw error;
  }
}

/** Says what a crash, or a full queue, kept from being said. */
export async function sayUnsaid(parts: ExceptionParts): Promise<void> {
  for (let { from } = EXCEPTIONS; ;) {
    const rows = await parts.store.scan({ ...EXCEPTIONS, from, limit: AT_ONCE });
    for (const { key } of rows) await sayException(parts, indexOfKey(key));
    if (rows.length < AT_ONCE) return;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
}
