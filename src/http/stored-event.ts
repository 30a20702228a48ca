/**
 * An event as it is read: what was logged, where it is, what the log noticed about it, and what its corrections make of
 * it.
 *
 *   { "event_id": "evt_…", "id": "e-1", "source": "…", "profile": "stepup/1", "log": "log.example/bank",
 *     "leaf_index": 41, "leaf_hash": "…", "received_time": "2026-11-20T12:00:08.123Z", "clock_skew_ms": 118,
 *     "notices": [{"code":"sequence_gap", …}], "event": {…},
 *     "corrections": [{"event_id": "evt_…", "id": "e-9", "leaf_index": 57, "received_time": "…", "members": ["outcome"]}],
 *     "corrected": {…} }
 *
 * With so many corrections that there may be older ones, `"corrections_truncated": true` stands beside them.
 */

import { hashLeaf } from '../core/hash.ts';
import { formatBase64 } from '../formats/base64.ts';
import type { JsonObject } from '../formats/json.ts';
import {
  clockSkewMs,
  correctedEvent,
  correctedMembers,
  type StoredEvent,
  type Vault,
} from '../vault/vault.ts';
import { formatTime } from './respond.ts';

/** An event with what stands beside it in an answer. */
export interface ReadEvent {
  readonly event: StoredEvent;
  /** In the order of the log; the newest `MAX_CORRECTIONS` of them. */
  readonly corrections: readonly StoredEvent[];
}

/** Corrections that are folded in: of each of its two ids that an event is named by, the vault has at most so many. */
const MAX_CORRECTIONS = 1000;

/** Up to so many events are looked up without asking first whether their sources correct anything. */
const FEW_EVENTS = 4;

/** Events with their corrections. */
export async function withCorrections(
  vault: Pick<Vault, 'correctionsOf' | 'list'>,
  events: readonly StoredEvent[],
): Promise<ReadEvent[]> {
  const sources = new Set(events.map(({ source }) => source));
  const correcting = events.length > FEW_EVENTS ? await correctingSources(vault, sources) : sources;
  return Promise.all(
    events.map(async (event) => ({
      event,
      corrections: correcting.has(event.source)
        ? (await vault.correctionsOf(event)).slice(-MAX_CORRECTIONS)
        : [],
    })),
  );
}

/** Those of the sources that have corrected anything: most never do, and a page is of few of them. */
async function correctingSources(
  vault: Pick<Vault, 'list'>,
  sources: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const asked = await Promise.all(
    [...sources].map(async (source) => {
      const { events, next } = await vault.list({ terms: { source, type: 'correction' } }, { limit: 1 });
      return { source, corrects: events.length > 0 || next !== undefined };
    }),
  );
  return new Set(asked.filter(({ corrects }) => corrects).map(({ source }) => source));
}

/** All events that an answer rests on, each once. */
export function eventsIn(read: readonly ReadEvent[]): StoredEvent[] {
  const byId = new Map<string, StoredEvent>();
  for (const { event, corrections } of read) {
    for (const one of [event, ...corrections]) byId.set(one.eventId, one);
  }
  return [...byId.values()];
}

/** The answer's members. `origin` is that of the log. */
export function storedEventBody({ event, corrections }: ReadEvent, origin: string): Record<string, unknown> {
  const { eventId, id, source, profile, leafIndex, leaf, receivedTimeMs, content, notices } = event;
  return {
    event_id: eventId,
    id,
    source,
    profile,
    log: origin,
    leaf_index: leafIndex,
    leaf_hash: formatBase64(hashLeaf(leaf)),
    received_time: formatTime(receivedTimeMs),
    clock_skew_ms: clockSkewMs(content['time'] as string, receivedTimeMs),
    ...(notices.length > 0 && { notices }),
    event: content,
    ...(corrections.length > 0 && correctedBody(content, corrections)),
  };
}

function correctedBody(content: JsonObject, corrections: readonly StoredEvent[]): Record<string, unknown> {
  const contents = corrections.map((correction) => correction.content);
  return {
    corrections: corrections.map(({ eventId, id, leafIndex, receivedTimeMs }, i) => ({
      event_id: eventId,
      id,
      leaf_index: leafIndex,
      received_time: formatTime(receivedTimeMs),
      members: correctedMembers(contents[i]!),
    })),
    ...(corrections.length >= MAX_CORRECTIONS && { corrections_truncated: true }),
    corrected: correctedEvent(content, contents),
  };
}
