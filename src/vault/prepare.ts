/**
 * From the text of an event to all that will be stored of it, but for what a leaf index or a data key goes into. It
 * looks at nothing but its arguments and the system's random bytes, so it can be done anywhere: most of an event's
 * processor time goes here, and `prepare-pool.ts` takes it off the event loop.
 *
 *   parse → refuse secrets → validate → fresh seed → statement → commitment, record, terms
 */

import { clockNoticesOf } from '../event/clock.ts';
import { commitmentOf } from '../event/leaf.ts';
import { type LinkFacts, linkFactsOf } from '../event/link.ts';
import type { Notice } from '../event/notice.ts';
import { LOG_SOURCE } from '../event/log-events.ts';
import { parseEvent } from '../event/parse-event.ts';
import { findSecrets, redactSecrets } from '../event/secrets.ts';
import { encodeStatement } from '../event/statement.ts';
import { NewelError, SecretFoundError } from '../errors.ts';
import { isJsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { digestOf, encodeDisclosure } from './disclosure.ts';
import { formatEventId, newEventId } from './event-id.ts';
import { hmac } from './hmac.ts';
import { type Issuing, openClaimsOf } from './open-claims.ts';
import { encodeRecord } from './record.ts';
import { keysOfSeed, newSeed } from './seed.ts';
import { showDisclosures } from './statement-key.ts';
import { Terms } from './terms.ts';

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

/** What preparing takes beside the event: all of it can be copied to a thread. */
export interface Preparing extends Issuing {
  readonly indexKey: Uint8Array;
  /** Sources in whose events secrets are replaced; in all others an event with a secret is refused. */
  readonly redacting: readonly string[];
}

/** An event that is ready to become a leaf. */
export interface Prepared {
  readonly id: string;
  readonly source: string;
  /** Whom it is about, as canonical text; its data key hangs on that. */
  readonly subject: string | undefined;
  readonly type: string;
  readonly seq: number | undefined;
  readonly txn: string | undefined;
  /** Where its transaction goes with it; `undefined` where it plays no part in one. */
  readonly link: LinkFacts | undefined;
  readonly notices: readonly Notice[];
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
  /** What it is found by, as `terms.ts` joins them. */
  readonly terms: Uint8Array;
  /** What `record.ts` seals. */
  readonly encodedRecord: Uint8Array;
}

/** Throws `malformed`, `secret_found`, `event_invalid`, `schema_unknown` or `forbidden`. */
export type Prepare = (draft: Draft) => Prepared | Promise<Prepared>;

export function preparer(preparing: Preparing): (draft: Draft) => Prepared {
  const terms = new Terms(preparing.indexKey);
  const redacting = new Set(preparing.redacting);
  return (draft) => prepareEvent(draft, { issuing: preparing, terms, redacting });
}

interface PreparingParts {
  readonly issuing: Issuing;
  readonly terms: Terms;
  readonly redacting: ReadonlySet<string>;
}

function prepareEvent(draft: Draft, { issuing, terms, redacting }: PreparingParts): Prepared {
  const { sources, idempotencyKey, submitter, receivedTimeMs } = draft;
  const sent = parseJson(draft.text);
  assertSameId(sent, idempotencyKey);
  assertNoSecret(idempotencyKey);
  // The log's own events hold names of callers, and nothing that anybody sends.
  const isOwn = sources[0] === LOG_SOURCE;
  const { value, notices: redactions } = isOwn
    ? { value: sent, notices: [] }
    : withoutSecrets(sent, (source) => redacting.has(source ?? sources[0]!));
  // What was sent is kept nowhere if there was a secret in it.
  const text = redactions.length === 0 ? draft.text : JSON.stringify(value);
  const eventId = newEventId();
  const parsed = parseEvent(value, {
    source: sources[0]!,
    fallbackId: formatEventId(eventId),
    ...(idempotencyKey === undefined ? {} : { id: idempotencyKey }),
  });
  const { profile, event, id, source, subject, holder } = parsed;
  if (!sources.includes(source)) {
    throw new NewelError('forbidden', 'this token is not of the source that the event names');
  }
  const seed = newSeed();
  const { recordKey, contentKey, statementRandom } = keysOfSeed(seed);
  const schema = 'stepup/1';
  const kept = { receivedTimeMs, schema, holder: holder && JSON.stringify(holder) } as const;
  const sentBytes = profile === 'flat/1' ? encodeUtf8(text) : undefined;
  const open = openClaimsOf(issuing, eventId, kept);
  const encoded: string[] = [];
  const digest = (json: string, slot: number): string => digestOf((encoded[slot] = encodeDisclosure(json)));
  const { payload, disclosures } = encodeStatement(open, event, statementRandom, digest);
  return {
    id,
    source,
    subject,
    type: event.type,
    seq: event.seq,
    txn: event.txn,
    link: linkFactsOf(event),
    notices: [...redactions, ...parsed.notices, ...clockNoticesOf(event, receivedTimeMs)],
    eventId,
    seed,
    recordKey,
    contentKey,
    contentMac: hmac(contentKey, text),
    commitment: commitmentOf(Buffer.from(payload).toString('base64url')),
    payload,
    shown: showDisclosures(disclosures.map(({ slot }) => encoded[slot]!)),
    terms: terms.termsOf(event),
    encodedRecord: encodeRecord({
      receivedTimeMs,
      profile,
      submitter,
      schema,
      holder: kept.holder,
      sent: sentBytes,
      disclosures,
    }),
  };
}

/**
 * The event without secrets: as it is, or with what may be replaced replaced. Throws `secret_found` where it has one that
 * may not. Every value of it is looked at before anything else is, the id of the submitter too.
 */
function withoutSecrets(
  sent: JsonValue,
  mayRedact: (source: string | undefined) => boolean,
): { readonly value: JsonValue; readonly notices: readonly Notice[] } {
  const findings = findSecrets(sent);
  if (findings.length === 0) return { value: sent, notices: [] };
  const source = isJsonObject(sent) ? sent['source'] : undefined;
  if (!mayRedact(typeof source === 'string' ? source : undefined)) throw new SecretFoundError(findings);
  const { event, redacted, left } = redactSecrets(sent);
  if (left.length > 0) throw new SecretFoundError(left);
  return {
    value: event,
    notices: redacted.map(({ rule, count }) => ({ code: 'secret_redacted', rule, count })),
  };
}

/** Two names for one event would leave it open which one a retry has to use. */
function assertSameId(value: JsonValue, idempotencyKey: string | undefined): void {
  if (idempotencyKey === undefined || !isJsonObject(value)) return;
  if (value['id'] !== undefined && value['id'] !== idempotencyKey) {
    throw new NewelError('malformed', 'the header Idempotency-Key and the id of the event are not the same');
  }
}

/** It is kept as the id of the event, and the header is not there to be replaced in. */
function assertNoSecret(idempotencyKey: string | undefined): void {
  const findings = idempotencyKey === undefined ? [] : findSecrets({ id: idempotencyKey });
  if (findings.length > 0) throw new SecretFoundError(findings);
}
