/**
 * The private zone, as those above it see it: an event goes in, becomes a leaf and a sealed record in one batch, and
 * can be read again, with its statement, by whoever may.
 *
 *   submit   parse → validate → find an earlier copy → commit the fields → append
 *   find     record → open → rebuild the payload → compare with the leaf → hand out
 */

import type { JsonObject } from '../formats/json.ts';
import type { Ed25519Jwk } from '../formats/jwk.ts';
import type { Reservation, SignedHead } from '../log/log.ts';

/** What the header of a statement calls its algorithm: RFC 9864's name, or the older one of RFC 8037. */
export type StatementAlg = 'Ed25519' | 'EdDSA';

export interface Submission {
  /** The event as it was sent: UTF-8 JSON, at most `maxEventBytes`. */
  readonly body: Uint8Array;
  /** The name of the token that sends it; kept in the record. */
  readonly submitter: string;
  /** The sources that the submitter may speak for; the first is that of flat events. */
  readonly sources: readonly string[];
  /** Taken as `id` where the event has none. */
  readonly idempotencyKey?: string;
  /** Room taken with `reserve` before the body was read. */
  readonly reservation: Reservation;
}

export interface Submitted {
  /** False where the same event was here before. */
  readonly created: boolean;
  readonly event: StoredEvent;
  /** The signed head of the round that took the event, where it was created now. */
  readonly head: SignedHead | undefined;
}

export interface StoredEvent {
  /** `evt_` and 22 base64url characters. */
  readonly eventId: string;
  readonly id: string;
  readonly source: string;
  readonly profile: 'stepup/1' | 'flat/1';
  readonly leafIndex: number;
  /** The leaf's 40 bytes, equal to those in the tree. */
  readonly leaf: Uint8Array;
  readonly receivedTimeMs: number;
  /** The event in its canonical form. */
  readonly content: JsonObject;
  /** The statement with every disclosure, signed now by the current statement key. */
  statement(alg: StatementAlg): Promise<string>;
}

export interface Vault {
  readonly issuer: string;
  /** Public statement keys, the current one first. */
  readonly jwks: { readonly keys: readonly Ed25519Jwk[] };
  /** Schemas of events that are accepted. */
  readonly schemas: readonly string[];
  readonly maxEventBytes: number;

  /** Takes room for an event whose body has at most `bodyBytes`. Throws `queue_full` or `storage_failed`. */
  reserve(bodyBytes: number): Reservation;
  /**
   * Resolves when a signed, durable head covers the event, or with the earlier copy of it. Throws `malformed`,
   * `event_invalid`, `schema_unknown`, `forbidden` (another's source), `id_conflict`, `queue_full`, `storage_failed`.
   * The reservation is used or released in any case.
   */
  submit(submission: Submission): Promise<Submitted>;
  /** The event with this `event_id`; `undefined` where there is none. Throws `storage_failed` where it is damaged. */
  find(eventId: string): Promise<StoredEvent | undefined>;
}
