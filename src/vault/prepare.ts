/**
 * From the text of an event to all that will be stored of it, but for what a leaf index or a data key goes into. It
 * looks at nothing but its arguments and the system's random bytes, so it can be done anywhere: most of an event's
 * processor time goes here, and `prepare-pool.ts` takes it off the event loop.
 *
 *   parse → validate → fresh seed → statement → commitment and record
 */

import { commitmentOf } from '../event/leaf.ts';
import { parseEvent } from '../event/parse-event.ts';
import { encodeStatement } from '../event/statement.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { digestOf, encodeDisclosure } from './disclosure.ts';
import { formatEventId, newEventId } from './event-id.ts';
import { hmac } from './hmac.ts';
import { type Issuing, openClaimsOf } from './open-claims.ts';
import { encodeRecord } from './record.ts';
import { keysOfSeed, newSeed } from './seed.ts';
import { showDisclosures } from './statement-key.ts';

/** An event as it was sent, and what it takes from those who sent it. */
export interface Draft {
  readonly text: string;
  /** The sources that its submitter may speak for, at least one; the first is that of a flat event. */
  readonly sources: readonly string[];
  /** The `id` of an event that has none. */
  readonly idempotencyKey: string | undefined;
  readonly submitter: string;
  readonly receivedTimeMs: number;
}

/** An event that is ready to become a leaf. */
export interface Prepared {
  readonly id: string;
  readonly source: string;
  /** Whom it is about, as canonical text; its data key hangs on that. */
  readonly subject: string | undefined;
  /** 16 bytes. */
  readonly eventId: Uint8Array;
  readonly seed: Uint8Array;
  readonly recordKey: Uint8Array;
  readonly contentKey: Uint8Array;
  /** HMAC of the text under the content key: a second copy of the same bytes is known by it. */
  readonly contentMac: Uint8Array;
  readonly commitment: Uint8Array;
  /** The statement's payload. */
  readonly payload: string;
  /** Its disclosures as they follow the signature. */
  readonly shown: string;
  /** What `record.ts` seals. */
  readonly encodedRecord: Uint8Array;
}

/** Throws `malformed`, `event_invalid`, `schema_unknown` or `forbidden`. */
export type Prepare = (draft: Draft) => Prepared | Promise<Prepared>;

export function prepareEvent(draft: Draft, issuing: Issuing): Prepared {
  const { text, sources, idempotencyKey, submitter, receivedTimeMs } = draft;
  const value = parseJson(text);
  assertSameId(value, idempotencyKey);
  const eventId = newEventId();
  const { profile, event, id, source, subject, holder } = parseEvent(value, {
    source: sources[0]!,
    fallbackId: formatEventId(eventId),
    ...(idempotencyKey === undefined ? {} : { id: idempotencyKey }),
  });
  if (!sources.includes(source)) {
    throw new NewelError('forbidden', 'this token is not of the source that the event names');
  }
  const seed = newSeed();
  const { recordKey, contentKey, statementRandom } = keysOfSeed(seed);
  const kept = {
    receivedTimeMs,
    profile,
    submitter,
    schema: 'stepup/1' as const,
    holder: holder && JSON.stringify(holder),
    sent: profile === 'flat/1' ? encodeUtf8(text) : undefined,
  };
  const open = openClaimsOf(issuing, eventId, kept);
  const encoded = new Map<string, string>();
  const digest = (json: string): string => {
    const text = encodeDisclosure(json);
    encoded.set(json, text);
    return digestOf(text);
  };
  const { payload, disclosures } = encodeStatement(open, event, statementRandom, digest);
  return {
    id,
    source,
    subject,
    eventId,
    seed,
    recordKey,
    contentKey,
    contentMac: hmac(contentKey, text),
    commitment: commitmentOf(Buffer.from(payload).toString('base64url')),
    payload,
    shown: showDisclosures(disclosures.map(({ json }) => encoded.get(json)!)),
    encodedRecord: encodeRecord({ ...kept, disclosures }),
  };
}

/** Two names for one event would leave it open which one a retry has to use. */
function assertSameId(value: JsonValue, idempotencyKey: string | undefined): void {
  if (idempotencyKey === undefined || !isJsonObject(value)) return;
  if (value['id'] !== undefined && value['id'] !== idempotencyKey) {
    throw new NewelError('malformed', 'the header Idempotency-Key and the id of the event are not the same');
  }
}
