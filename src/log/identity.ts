/**
 * What a log is, for ever: written once by `init` into the database, repeated in the guard. JSON with its members
 * in this order, so that equal identities are equal bytes:
 *
 *   {"format":1,"origin":"log.example/bank","kind":"opaque","instance":"5f1c…","vkey":"log.example/bank+2b1d3a4c+AQ…"}
 */

import { NewelError } from '../errors.ts';
import { encodeUtf8, decodeUtf8 } from '../formats/text.ts';

/** The version of everything in the database. Another one is refused; UPGRADING.md says how to get from one to the next. */
export const DISK_FORMAT = 1;

export const KINDS = ['events', 'opaque'] as const;
export type Kind = (typeof KINDS)[number];

export interface Identity {
  readonly origin: string;
  readonly kind: Kind;
  /** 128 random bits in hex, made by `init`: tells two logs of one name apart. */
  readonly instance: string;
  /** The key that signs tree heads. */
  readonly vkey: string;
}

export function formatIdentity({ origin, kind, instance, vkey }: Identity): Uint8Array {
  return encodeUtf8(JSON.stringify({ format: DISK_FORMAT, origin, kind, instance, vkey }));
}

/** Throws `log_refused`, saying what differs, unless the stored bytes are those of `expected`. */
export function checkIdentity(stored: Uint8Array, expected: Identity): void {
  const found = parseMembers(stored);
  const wanted = parseMembers(formatIdentity(expected));
  for (const [member, value] of Object.entries(wanted)) {
    if (found[member] === value) continue;
    throw new NewelError(
      'log_refused',
      `the database has ${member} ${JSON.stringify(found[member])}, the configuration ${JSON.stringify(value)}; ` +
        (member === 'format' ? 'see UPGRADING.md' : 'this is the folder of another log, or the wrong key'),
    );
  }
}

function parseMembers(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decodeUtf8(bytes));
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch (error) {
    throw new NewelError('log_refused', 'the identity in the database (round 0) is not readable', {
      cause: error,
    });
  }
  throw new NewelError('log_refused', 'the identity in the database (round 0) is not readable');
}
