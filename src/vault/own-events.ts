/**
 * What the log says itself, as events of its own source: they go the same way as all others and are found, disclosed and
 * proven like them. No token may have that source. They have a little room of their own in the queue, so that what has to be
 * said before something is done does not wait for those who fill it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { LOG_SOURCE } from '../event/log-events.ts';
import type { EventMembers } from '../event/schema.ts';
import { NewelError } from '../errors.ts';
import { encodeUtf8 } from '../formats/text.ts';
import type { Reservation } from '../log/log.ts';
import type { Extra } from './event-rows.ts';
import type { Submission, Submitted } from './vault.ts';

/** The name that stands in the records of the log's own events. */
const SUBMITTER = 'newel';
/** How long to wait for room where even its own is taken, and how often to look. */
const WAIT_MS = 30_000;
const RETRY_MS = 20;

export type SayEvent = (event: EventMembers, extra?: Extra) => Promise<Submitted>;

/** `extra` is written in the same batch, unless the event was said before. Throws `queue_full` or `storage_failed`. */
export function sayer(
  reserve: (bodyBytes: number) => Reservation,
  submit: (submission: Submission, extra?: Extra) => Promise<Submitted>,
): SayEvent {
  return async (event, extra) => {
    const body = encodeUtf8(JSON.stringify(event));
    const reservation = await roomFor(body.length, reserve);
    return submit({ body, submitter: SUBMITTER, sources: [LOG_SOURCE], reservation }, extra);
  };
}

async function roomFor(bytes: number, reserve: (bodyBytes: number) => Reservation): Promise<Reservation> {
  for (const endMs = performance.now() + WAIT_MS; ; await sleep(RETRY_MS)) {
    try {
      return reserve(bytes);
    } catch (error) {
      if (!(error instanceof NewelError) || error.code !== 'queue_full' || performance.now() > endMs)
        throw error;
    }
  }
}
