/**
 * The trust file: the saved answer of `GET /v1/log`, the one thing to pin about a log. Only what verification needs is
 * read from it, since later versions add members:
 *
 *   {"origin":"log.example/bank","vkeys":["log.example/bank+2b1d3a4c+AQ…"],…}
 */

import { NewelError } from '../errors.ts';
import { ed25519Verifier, type Verifier } from '../formats/note.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { KEY_TYPE, parseVkey } from '../formats/vkey.ts';
import { nodeEd25519 } from './ed25519-node.ts';

export interface Trust {
  readonly origin: string;
  /** The log's own keys of the types that this version verifies. At least one. */
  readonly verifiers: readonly Verifier[];
  readonly vkeys: readonly string[];
}

const MAX_TRUST_BYTES = 1024 * 1024;
const MAX_KEYS = 16;
const ADVICE = 'save the answer of GET /v1/log of the log that you mean';

/** Reads a trust file. Throws `malformed` or `too_large`, naming `what`. */
export function parseTrust(bytes: Uint8Array, what: string): Trust {
  if (bytes.length > MAX_TRUST_BYTES)
    throw new NewelError('too_large', `${what} is larger than any trust file: ${ADVICE}`);
  let value: unknown;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch (cause) {
    throw new NewelError('malformed', `${what} is not JSON: ${ADVICE}`, { cause });
  }
  return trustOf(value, what);
}

/** The trust in a JSON value. Throws `malformed`, naming `what`. */
export function trustOf(value: unknown, what: string): Trust {
  const flaw = (found: string): NewelError => new NewelError('malformed', `${what} ${found}: ${ADVICE}`);
  if (typeof value !== 'object' || value === null || !('origin' in value) || !('vkeys' in value)) {
    throw flaw('is not a trust file: it has no origin and vkeys');
  }
  const { origin, vkeys } = value;
  if (typeof origin !== 'string' || origin === '') throw flaw('has an origin that is not text');
  if (!Array.isArray(vkeys) || vkeys.length > MAX_KEYS || !vkeys.every((key) => typeof key === 'string')) {
    throw flaw(`has vkeys that are not a list of at most ${MAX_KEYS} texts`);
  }
  const verifiers: Verifier[] = [];
  for (const text of vkeys) {
    try {
      const key = parseVkey(text);
      if (key.name !== origin) throw new NewelError('malformed', 'it is not named as the origin');
      // A key of another type is beside the first one, never instead of it.
      if (key.type === KEY_TYPE.ed25519) verifiers.push(ed25519Verifier(key, nodeEd25519));
    } catch (cause) {
      if (!(cause instanceof NewelError)) throw cause;
      throw new NewelError('malformed', `${what} has a vkey that cannot be taken: ${cause.message}`, {
        cause,
      });
    }
  }
  if (verifiers.length === 0) throw flaw('has no Ed25519 key of the log');
  return { origin, verifiers, vkeys };
}
