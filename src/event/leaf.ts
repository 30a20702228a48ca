/**
 * The leaf of an event: deterministic CBOR (RFC 8949 §4.2.1), public for ever, and nothing personal in it.
 *
 *   a3                   map of three
 *      01 01             1: leaf version 1, an event
 *      02 2f             2: SHA-256, as COSE numbers it (-16)
 *      03 58 20 …        3: commitment, 32 bytes
 *
 * The commitment is SHA-256 of "newel/event/v1", a newline, and the base64url of the statement's payload: what is signed,
 * without the header, so that a statement can be signed again by another key. Versions are listed in spec/event.md.
 */

import { hashBytes, HASH_SIZE } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { type CborValue, parseCbor } from '../formats/cbor.ts';
import { encodeUtf8 } from '../formats/text.ts';
import {
  type LogStatement,
  parseLogStatement,
  parseLogStatementKind,
  STATEMENT_LEAF_VERSION,
} from './log-statement.ts';

/** The version of a leaf that is an event. */
export const EVENT_LEAF_VERSION = 1;
/** Bytes of a leaf that is an event. */
export const EVENT_LEAF_BYTES = 40;

const PREFIX = Uint8Array.of(0xa3, 0x01, 0x01, 0x02, 0x2f, 0x03, 0x58, 0x20);
const DOMAIN = 'newel/event/v1\n';
const VERSION = 1;

/** What a leaf says. */
export type Leaf =
  | { readonly version: typeof EVENT_LEAF_VERSION; readonly commitment: Uint8Array }
  | {
      readonly version: typeof STATEMENT_LEAF_VERSION;
      readonly kind: string;
      /** `undefined` for a kind that is not known here. */
      readonly statement: LogStatement | undefined;
    }
  /** A version that is not known here. It is counted and passed over. */
  | { readonly version: number };

/** The commitment to a statement, 32 bytes, from its payload in base64url. */
export function commitmentOf(encodedPayload: string): Uint8Array {
  return hashBytes(encodeUtf8(DOMAIN + encodedPayload));
}

/** The 40 bytes of an event's leaf. Throws `RangeError` unless the commitment has 32. */
export function formatEventLeaf(commitment: Uint8Array): Uint8Array {
  if (commitment.length !== HASH_SIZE) {
    throw new RangeError(`commitment expected ${HASH_SIZE} bytes, got ${commitment.length}`);
  }
  const leaf = new Uint8Array(EVENT_LEAF_BYTES);
  leaf.set(PREFIX);
  leaf.set(commitment, PREFIX.length);
  return leaf;
}

/**
 * Reads an entry of an event log. A version, or a kind of log statement, that is not known is accepted if the entry
 * is a deterministic CBOR map that names it. Throws `malformed` for everything else.
 */
export function parseLeaf(entry: Uint8Array): Leaf {
  if (entry.length === EVENT_LEAF_BYTES && PREFIX.every((byte, i) => entry[i] === byte)) {
    return { version: EVENT_LEAF_VERSION, commitment: entry.slice(PREFIX.length) };
  }
  const value: CborValue = parseCbor(entry);
  const version = value instanceof Map ? value.get(VERSION) : undefined;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) {
    throw new NewelError('malformed', 'leaf is not a CBOR map with a version');
  }
  if (version === EVENT_LEAF_VERSION) {
    throw new NewelError('malformed', 'leaf of an event is not 40 bytes with a SHA-256 commitment');
  }
  if (version === STATEMENT_LEAF_VERSION) {
    const kind = parseLogStatementKind(entry);
    return { version, kind, statement: kind === 'init' ? parseLogStatement(entry) : undefined };
  }
  return { version };
}
