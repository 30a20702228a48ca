/**
 * The private zone, as those above it see it: an event goes in, becomes a leaf and a sealed record in one batch, and
 * can be read again, with its statement, by whoever may.
 *
 *   submit   parse → validate → find an earlier copy → commit the fields → append
 *   find     record → open → rebuild the payload → compare with the leaf → hand out
 */

import type { NewelError } from '../errors.ts';
import type { Notice } from '../event/notice.ts';
import type { JsonObject } from '../formats/json.ts';
import type { Ed25519Jwk } from '../formats/jwk.ts';
import type { Reservation, SignedHead } from '../log/log.ts';
import type { TermName } from './terms.ts';

// What those above need of the rooms below: they reach no further than this file.
export { chooseClaims, type ChosenClaims, type ClaimChoice } from '../event/claims.ts';
export { clockSkewMs } from '../event/clock.ts';
export { correctedEvent, correctedMembers } from '../event/correction.ts';
export { LOG_SOURCE } from '../event/log-events.ts';
export { EventErasedError } from './erased.ts';

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

/** Events that go to the log together: in one turn, so that they share as few rounds as can be. */
export interface GroupSubmission extends Omit<Submission, 'body' | 'idempotencyKey' | 'reservation'> {
  /** In the order of their leaves; at most as many as one round takes. */
  readonly bodies: readonly Uint8Array[];
  /** Of each body. */
  readonly reservations: readonly Reservation[];
  /** All or nothing: in one round, or none of them. */
  readonly isAtomic: boolean;
  /** Nothing of it has its place in the log before this resolves; until then it is prepared. Must not reject. */
  readonly after?: Promise<unknown> | undefined;
}

/** What became of one event of a group. */
export type GroupOutcome =
  | { readonly submitted: Submitted; readonly error?: undefined }
  | { readonly submitted?: undefined; readonly error: NewelError }
  /** Nothing is wrong with it; another event of an atomic group was refused. */
  | { readonly submitted?: undefined; readonly error?: undefined };

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
  /** What the log noticed about it when it came. */
  readonly notices: readonly Notice[];
  /**
   * A presentation: the statement with the disclosures that `isShown` says, by the path of each (`['src', 'ip']`), their
   * parents with them, and for whom it is.
   */
  present(isShown: (path: readonly string[]) => boolean, presentedTo: PresentedTo): Promise<Presentation>;
}

export interface PresentedTo {
  readonly audience: string;
  readonly nonce: string;
  /** Seconds since 1970. */
  readonly iat: number;
}

/** Design §3: beside the statement a JWT by the statement key, which is not called key binding. */
export interface Presentation {
  readonly statement: string;
  /** `typ: newel-presentation+jwt` over `{iss, iat, aud, nonce, sd_hash}`. */
  readonly presentation: string;
}

/** What events to find: all that is said of them has to be true. */
export interface EventQuery {
  /** By the names of `terms.ts`: `{ type: 'stepup.completed', session: 'sha-256:…' }`. */
  readonly terms?: Readonly<Partial<Record<TermName, string>>>;
  /** The submitter's own name; only beside the term `source`. */
  readonly id?: string;
  /** The `subject.sub_id` as RFC 9493 has it. */
  readonly subject?: JsonObject;
  /** Received at this time or later, and before: milliseconds since 1970. */
  readonly afterMs?: number;
  readonly beforeMs?: number;
  /** The same for the event's own `time`. */
  readonly timeAfterMs?: number;
  readonly timeBeforeMs?: number;
}

export interface EventPage {
  /** Newest first, in the order of the log. */
  readonly events: readonly StoredEvent[];
  /** Where the next page begins; `undefined` after the last. A page may be short, or empty, with a next one. */
  readonly next: string | undefined;
}

/** Why something is erased: a word of this list, since it stays when all else is gone. */
export const ERASURE_REASONS = [
  'subject_request',
  'consent_withdrawn',
  'retention',
  'legal_obligation',
  'secret_logged',
  'submitted_in_error',
  'other',
] as const;
export type ErasureReason = (typeof ERASURE_REASONS)[number];

/** What to erase: all of a person, events by their `event_id`, or what is older than its type is kept. */
export type ErasureTarget =
  | { readonly subject: JsonObject }
  | { readonly eventIds: readonly string[] }
  /** Milliseconds by event type. */
  | { readonly keptMs: Readonly<Record<string, number>> };

export interface ErasureRequest {
  readonly target: ErasureTarget;
  readonly reason: ErasureReason;
  /** Who asks, as `Principal.name`. */
  readonly requestedBy: string;
}

export interface Erasure {
  /** `era_` and 22 base64url characters. */
  readonly erasureId: string;
  readonly reason: ErasureReason;
  readonly requestedTimeMs: number;
  /**
   * `erasing`: leaf by leaf · `compacting`: all have their markers, and what was overwritten is being cleared from the
   * files · `done`: nothing of it is left in the database · `failed`: something was not as it should be; nothing after
   * `erased` was touched, and the operator has to look.
   */
  readonly state: 'erasing' | 'compacting' | 'done' | 'failed';
  /** Events that it is to erase, and those that are. */
  readonly events: number;
  readonly erased: number;
  /** The `erasure` events that say it, each with the leaves that it names. */
  readonly tombstones: readonly {
    readonly eventId: string;
    readonly leafIndex: number;
    readonly erased: number;
  }[];
  readonly doneTimeMs: number | undefined;
  /**
   * Of a person: when the key that sealed the erased data key is destroyed, at the latest. Until then an old copy of the
   * database opens with the keys of today. `undefined` once it is, and for single events, which take no data key along.
   */
  readonly keysDestroyedByMs: number | undefined;
  /** Whether that time is over, by more than a rotation takes, and the key is still there: it could not be destroyed. */
  readonly areKeysOverdue: boolean;
  /** Words, where it failed. */
  readonly failure: string | undefined;
}

/** One request that read events or changed something. */
export interface Access {
  readonly principal: string;
  readonly role: string;
  /** `GET /v1/events/<event_id>`. */
  readonly route: string;
  readonly eventIds: readonly string[];
}

/** A token as far as it is told apart: no part of the secret. */
export interface ListedToken {
  readonly name: string;
  readonly role: string;
  readonly sources: readonly string[];
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  readonly expiresMs?: number;
  readonly rate?: number;
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
  /**
   * The outcomes in the order of the bodies. Never throws for what is wrong with an event; `storage_failed` where the
   * log has stopped is the outcome of each event whose fate is unknown. Reservations are used or released in any case.
   */
  submitGroup(group: GroupSubmission): Promise<readonly GroupOutcome[]>;
  /**
   * The event with this `event_id`; `undefined` where there is none. Throws `EventErasedError` where its content is gone,
   * `storage_failed` where it is damaged.
   */
  find(eventId: string): Promise<StoredEvent | undefined>;
  /** A page of at most `limit` events. Throws `malformed` for a cursor that is none of its own. */
  list(query: EventQuery, page: { readonly limit: number; readonly cursor?: string }): Promise<EventPage>;
  /** The corrections of an event, by its own source, in the order of the log. */
  correctionsOf(event: StoredEvent): Promise<readonly StoredEvent[]>;

  /** How many events a request would erase now. Throws as `erase` does. */
  countErasure(target: ErasureTarget): Promise<number>;
  /**
   * Accepts an erasure: it is durable and will be done, whatever crashes. Throws `not_found` for a person or an event
   * that there is not, `event_erased` for an event that is, `event_invalid` for what is no subject identifier.
   */
  erase(request: ErasureRequest): Promise<Erasure>;
  findErasure(erasureId: string): Promise<Erasure | undefined>;
  /** The newest first, without their tombstones. */
  listErasures(page: { readonly limit: number; readonly cursor?: string }): Promise<{
    readonly erasures: readonly Erasure[];
    readonly next: string | undefined;
  }>;

  /** Notes that events were read: within a minute a `log.accessed` event says so. */
  noteAccess(access: Access): void;
  /** Resolves when a `log.accessed` event that says so is durable. Throws as `submit` does. */
  logAccess(access: Access): Promise<void>;

  /** Says how the list of tokens differs from the one last said. */
  noteTokens(tokens: readonly ListedToken[]): Promise<void>;

  /** Says what is still to be said and ends what runs by itself. The log is still open then. */
  close(): Promise<void>;
}
