/**
 * Every failure that a caller may want to branch on, as one closed union.
 *
 * A `NewelError` says what was found, in words that may be shown to whoever caused it: no secret, no personal
 * value, no received bytes. Subclasses exist only where they carry evidence. A wrong argument from our own code is
 * a plain `TypeError` or `RangeError`; an impossible state is `new Error('bug: …')`.
 */

export type ErrorCode =
  // Bytes and requests that are not what they claim to be.
  | 'malformed'
  | 'too_large'
  | 'not_acceptable'
  | 'method_not_allowed'
  | 'unsupported_media_type'
  | 'not_found'
  // Who may do what.
  | 'unauthenticated'
  | 'forbidden'
  | 'issuer_unavailable'
  // An event that is not taken as it stands.
  | 'event_invalid'
  | 'schema_unknown'
  | 'secret_found'
  | 'id_conflict'
  | 'sequence_conflict'
  | 'event_erased'
  | 'no_witnesses'
  // The log cannot take an entry now, or no more of this caller.
  | 'rate_limited'
  | 'queue_full'
  | 'not_ready'
  | 'storage_failed'
  // Verification: what was claimed is not true.
  | 'signature_invalid'
  | 'signer_unknown'
  | 'proof_invalid'
  | 'root_mismatch'
  | 'inconsistent'
  | 'heads_conflict'
  | 'level_not_met'
  // A log that does not open, each with what to do about it.
  | 'log_exists'
  | 'log_missing'
  | 'log_in_use'
  | 'log_refused'
  // A fault of ours that has no code of its own.
  | 'internal'
  // The command line and its files.
  | 'usage'
  | 'unreachable';

export class NewelError extends Error {
  override name = 'NewelError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A proof computed another root than the one that was signed; both are here. */
export class RootMismatchError extends NewelError {
  override name = 'RootMismatchError';
  readonly expected: Uint8Array;
  readonly computed: Uint8Array;

  constructor(message: string, expected: Uint8Array, computed: Uint8Array) {
    super('root_mismatch', message);
    this.expected = expected;
    this.computed = computed;
  }
}

/** One thing that is wrong with an event. It says where and which rule; the value itself is nowhere in it. */
export interface Fault {
  /** JSON Pointer (RFC 6901) into the event as it was sent; names that the schema does not list are not echoed. */
  readonly pointer: string;
  /** The rule, in words. */
  readonly detail: string;
}

/** An event breaks rules of its schema: the first faults of it. */
export class EventInvalidError extends NewelError {
  override name = 'EventInvalidError';
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super('event_invalid', 'the event breaks rules of its schema');
    this.faults = faults;
  }
}

/** A secret that was found in an event: where, and by which rule (`event/secrets.ts`). The value itself is nowhere in it. */
export interface SecretFinding {
  /** JSON Pointer (RFC 6901) into the event as it was sent; a name that is a secret itself is not echoed. */
  readonly pointer: string;
  /** Id of the rule: `field_name`, `jwt`, `card_number`, … */
  readonly rule: string;
}

/** An event holds what no log may keep: the first findings. */
export class SecretFoundError extends NewelError {
  override name = 'SecretFoundError';
  readonly findings: readonly SecretFinding[];

  constructor(findings: readonly SecretFinding[]) {
    super('secret_found', 'the event holds what looks like a secret, which is never logged');
    this.findings = findings;
  }
}

/** A source that is strict about its numbers sent another one than the next. */
export class SequenceConflictError extends NewelError {
  override name = 'SequenceConflictError';
  readonly expected: number;

  constructor(expected: number) {
    super('sequence_conflict', 'the seq of the event is not the next one of its source');
    this.expected = expected;
  }
}

/** A caller has used up what it may ask for in a time. */
export class RateLimitedError extends NewelError {
  override name = 'RateLimitedError';
  /** Of `unit`, a second. */
  readonly limit: number;
  readonly unit: string;
  readonly retryAfterS: number;

  constructor(limit: number, unit: string, retryAfterS: number) {
    super('rate_limited', `this caller may send ${limit} ${unit} a second, and has sent more`);
    this.limit = limit;
    this.unit = unit;
    this.retryAfterS = retryAfterS;
  }
}
