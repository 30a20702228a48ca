/**
 * What a log says of itself, in leaves of version 0: deterministic CBOR `{1: 0, 2: {…}}`, public. `init` writes the first
 * at leaf 0, so the key that signs statements is proven by the very tree that proves them. Later kinds are rotation,
 * freeze and successor.
 *
 *   a2 01 00 02 a6                                     version 0; six members, in the order of their encodings:
 *      64 "kind"               64 "init"
 *      66 "issuer"             78 18 "https://log.example/bank"
 *      66 "origin"             70 "log.example/bank"
 *      67 "schemas"            81 68 "stepup/1"
 *      6e "statement_keys"     81 78 2b "<RFC 7638 thumbprint>"
 *      71 "max_publish_delay"  18 3c                   seconds
 */

import { NewelError } from '../errors.ts';
import { type CborMap, type CborValue, formatCbor, parseCbor } from '../formats/cbor.ts';
import { parseBase64Url } from '../formats/base64url.ts';

/** The version of a leaf that is a log statement. */
export const STATEMENT_LEAF_VERSION = 0;

/** What `init` says, at leaf 0. */
export interface LogStatement {
  readonly kind: 'init';
  readonly origin: string;
  /** The `iss` of statements. */
  readonly issuer: string;
  /** RFC 7638 thumbprints of the keys that sign statements. At least one. */
  readonly statement_keys: readonly string[];
  /** Schemas of the events that are taken. At least one. */
  readonly schemas: readonly string[];
  /** Seconds within which a head is followed by a published checkpoint. */
  readonly max_publish_delay: number;
}

const VERSION = 1;
const BODY = 2;
const MEMBERS = 6;
const THUMBPRINT_BYTES = 32;

/** The bytes of the leaf. Throws `RangeError` for a statement that `parseLogStatement` would not give back. */
export function formatLogStatement(statement: LogStatement): Uint8Array {
  const { kind, origin, issuer, statement_keys, schemas, max_publish_delay } = statement;
  const body: CborMap = new Map<number | string, CborValue>([
    ['kind', kind],
    ['origin', origin],
    ['issuer', issuer],
    ['statement_keys', [...statement_keys]],
    ['schemas', [...schemas]],
    ['max_publish_delay', max_publish_delay],
  ]);
  try {
    statementOf(body);
  } catch (cause) {
    throw new RangeError('log statement expected texts, thumbprints and whole seconds', { cause });
  }
  return formatCbor(
    new Map<number, CborValue>([
      [VERSION, STATEMENT_LEAF_VERSION],
      [BODY, body],
    ]),
  );
}

/** Reads a leaf that is a log statement. Throws `malformed` for every other, and for a kind that is not known here. */
export function parseLogStatement(entry: Uint8Array): LogStatement {
  return statementOf(bodyOf(entry));
}

/** The kind of a log statement, also of one that is not known here. Throws `malformed` for what is none. */
export function parseLogStatementKind(entry: Uint8Array): string {
  return textOf(bodyOf(entry).get('kind'));
}

function bodyOf(entry: Uint8Array): CborMap {
  const value = parseCbor(entry);
  const body = value instanceof Map ? value.get(BODY) : undefined;
  if (!(value instanceof Map) || value.size !== 2 || value.get(VERSION) !== STATEMENT_LEAF_VERSION) {
    throw malformed('is not a CBOR map of version 0 and a body');
  }
  if (!(body instanceof Map)) throw malformed('has a body that is no map');
  return body;
}

function statementOf(body: CborMap): LogStatement {
  if (body.get('kind') !== 'init') throw malformed('is not of the kind init');
  const statement: LogStatement = {
    kind: 'init',
    origin: textOf(body.get('origin')),
    issuer: textOf(body.get('issuer')),
    statement_keys: textsOf(body.get('statement_keys')),
    schemas: textsOf(body.get('schemas')),
    max_publish_delay: secondsOf(body.get('max_publish_delay')),
  };
  if (body.size !== MEMBERS) throw malformed('has members that are not known');
  for (const thumbprint of statement.statement_keys) {
    if (parseBase64Url(thumbprint, 'thumbprint in a log statement').length !== THUMBPRINT_BYTES) {
      throw malformed('has a thumbprint that is not SHA-256');
    }
  }
  return statement;
}

function textOf(value: CborValue | undefined): string {
  if (typeof value !== 'string' || value === '') throw malformed('lacks a text');
  return value;
}

function textsOf(value: CborValue | undefined): string[] {
  if (!Array.isArray(value) || value.length === 0) throw malformed('lacks a list of texts');
  const texts = value.map(textOf);
  if (new Set(texts).size < texts.length) throw malformed('has a list with one text twice');
  return texts;
}

function secondsOf(value: CborValue | undefined): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed('lacks whole seconds');
  return value as number;
}

function malformed(flaw: string): NewelError {
  return new NewelError('malformed', `log statement ${flaw}`);
}
