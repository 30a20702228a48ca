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
  | 'not_found'
  // Who may do what.
  | 'unauthenticated'
  | 'forbidden'
  // The log cannot take an entry now.
  | 'queue_full'
  | 'storage_failed'
  // Verification: what was claimed is not true.
  | 'signature_invalid'
  | 'signer_unknown'
  | 'proof_invalid'
  | 'root_mismatch'
  | 'inconsistent'
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
