/**
 * The trust file: the saved answer of `GET /v1/log`, the one thing to pin about a log. Whoever verifies believes these
 * keys and nobody else's. Members that this version does not know are passed over, since later ones add some.
 *
 *   { "origin": "log.example/bank", "kind": "events", "url": "https://log.example/bank",
 *     "vkeys": ["log.example/bank+2b1d3a4c+AQ…"], "policy": "log log.example/bank+2b1d3a4c+AQ…\nquorum none\n",
 *     "issuer": "https://log.example/bank", "jwks": { "keys": [{ "kty": "OKP", "crv": "Ed25519", … }] }, … }
 */

import { NewelError } from '../errors.ts';
import { equalBytes } from '../core/bytes.ts';
import { type CosignatureArithmetic, cosignatureVerifier } from '../formats/cosignature.ts';
import { type Ed25519Verification, nobleVerification } from '../formats/ed25519.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import { parseJwks } from '../formats/jwk.ts';
import type { Mldsa44 } from '../formats/mldsa.ts';
import { ed25519Verifier, type Verifier } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parsePolicy, type Policy } from '../formats/tlog-policy.ts';
import { KEY_TYPE, parseVkey, type Vkey } from '../formats/vkey.ts';
import { readJsonObject } from './json-input.ts';

/** Whose word is taken, for what. Made by `parseTrust`. */
export interface Trust {
  readonly origin: string;
  readonly kind: 'events' | 'opaque';
  /** The log's public URL, without a trailing slash. */
  readonly url: string;
  /** The log's keys as vkeys, those of types that this version does not verify too. */
  readonly vkeys: readonly string[];
  /**
   * Of the log's Ed25519 keys that the policy lists, at least one; then of the policy's witnesses. With `mldsa44` also of
   * keys of that kind: the log's is a secondary one where the policy does not list it.
   */
  readonly verifiers: readonly Verifier[];
  readonly policy: Policy;
  /** `iss` of the log's statements; `undefined` of a log of opaque entries, which makes none. */
  readonly issuer: string | undefined;
  /** Public keys that sign statements, retired ones too, by their RFC 7638 thumbprint. */
  readonly statementKeys: ReadonlyMap<string, Uint8Array>;
  /** Schemas of events that the log takes. */
  readonly schemas: readonly string[];
  /** How soon after a signed head a checkpoint that is consistent with it is published. */
  readonly maxPublishDelayMs: number;
  /** Who does the arithmetic. */
  readonly ed25519: Ed25519Verification;
  /** Without it no line of ML-DSA-44 is verified, and none counts. */
  readonly mldsa44?: Mldsa44;
}

/** A trust file as text, bytes or parsed JSON, or what `parseTrust` made of one. */
export type TrustInput = Trust | JsonObject | string | Uint8Array;

export interface TrustOptions {
  /** An implementation faster than the one that runs everywhere. */
  readonly ed25519?: Ed25519Verification;
  /** `nobleMldsa44` of `formats/mldsa-noble`, or one that is faster. Without it no line of ML-DSA-44 is verified or counted. */
  readonly mldsa44?: Mldsa44;
  /** A tlog-policy to hold the log to instead of the file's own. */
  readonly policy?: string | Uint8Array;
}

const MAX_TRUST_BYTES = 1024 * 1024;
const MAX_KEYS = 16;
const DEFAULT_MAX_PUBLISH_DELAY_S = 60;
const WHAT = 'trust file';

/** What came out of `parseTrust`, so that it can be given wherever a trust file can. */
const parsed = new WeakSet<object>();

/**
 * Reads a trust file. Throws `malformed` or `too_large`, saying what is wrong with it: also where its policy lists none
 * of the log's keys, or the log itself as a witness.
 */
export function parseTrust(file: unknown, options: TrustOptions = {}): Trust {
  const { ed25519 = nobleVerification, mldsa44 } = options;
  const json = readJsonObject(file, WHAT, MAX_TRUST_BYTES);
  const origin = textOf(json, 'origin');
  const { kind = 'events' } = json;
  if (kind !== 'events' && kind !== 'opaque') throw flaw('is of a kind of log that is not known');
  const policy = parsePolicyOf(options.policy ?? textOf(json, 'policy'));
  const vkeys = textsOf(json, 'vkeys', MAX_KEYS);
  const verifiers = verifiersOf(origin, vkeys, policy, { ed25519, mldsa44 });
  const { issuer, jwks, schemas, limits } = json;
  const isIssuing = kind === 'events';
  const trust: Trust = {
    origin,
    kind,
    url: textOf(json, 'url').replace(/\/+$/, ''),
    vkeys,
    verifiers,
    policy,
    issuer: isIssuing || issuer !== undefined ? textOf(json, 'issuer') : undefined,
    statementKeys: isIssuing || jwks !== undefined ? statementKeysOf(jwks) : new Map(),
    schemas: schemas === undefined ? [] : textsOf(json, 'schemas', MAX_KEYS),
    maxPublishDelayMs: 1000 * maxPublishDelayOf(limits),
    ed25519,
    ...(mldsa44 && { mldsa44 }),
  };
  parsed.add(trust);
  return trust;
}

/** The trust itself, or what `parseTrust` makes of a file. */
export function toTrust(trust: TrustInput): Trust {
  return isTrust(trust) ? trust : parseTrust(trust);
}

function isTrust(trust: TrustInput): trust is Trust {
  return typeof trust === 'object' && parsed.has(trust);
}

function verifiersOf(
  origin: string,
  texts: readonly string[],
  { logs, witnesses }: Policy,
  { ed25519, mldsa44 }: CosignatureArithmetic,
): readonly Verifier[] {
  const own = within('has a vkey that cannot be taken', () =>
    [...new Set(texts)].map((text) => parseVkey(text)),
  );
  if (own.some(({ name }) => name !== origin)) throw flaw('has a vkey that is not named as the origin');
  const cosigners = witnesses.map(({ vkey }) => vkey);
  if (
    cosigners.some(
      (key) => key.name === origin || own.some(({ publicKey }) => equalBytes(publicKey, key.publicKey)),
    )
  )
    throw flaw('has a policy that takes the log for a witness of itself');
  const isListed = (key: Vkey): boolean =>
    logs.some(({ vkey }) => vkey.name === key.name && equalBytes(vkey.publicKey, key.publicKey));
  const signers = own.filter(({ type }) => type === KEY_TYPE.ed25519);
  const listed = signers.filter(isListed);
  if (listed.length === 0) {
    throw flaw(
      signers.length > 0 ? 'has no key of the log that the policy lists' : 'has no Ed25519 key of the log',
    );
  }
  return within('has a vkey that cannot be taken', () => [
    ...listed.map((key) => ed25519Verifier(key, ed25519)),
    ...[...own, ...cosigners]
      .filter(({ name, type }) => (type === KEY_TYPE.mldsa44 ? mldsa44 : name !== origin))
      .map((key) => ({
        ...cosignatureVerifier(key, { ed25519, mldsa44 }),
        ...(key.name === origin && !isListed(key) && { isSecondary: true as const }),
      })),
  ]);
}

function parsePolicyOf(policy: string | Uint8Array): Policy {
  return within('has a policy that cannot be taken', () =>
    parsePolicy(typeof policy === 'string' ? encodeUtf8(policy) : policy),
  );
}

function statementKeysOf(jwks: JsonValue | undefined): ReadonlyMap<string, Uint8Array> {
  if (jwks === undefined) throw flaw('has no jwks');
  const keys = within('has a jwks that cannot be taken', () => parseJwks(jwks));
  if (keys.length === 0) throw flaw('has no key that signs statements');
  return new Map(keys.map(({ kid, publicKey }) => [kid, publicKey]));
}

function maxPublishDelayOf(limits: JsonValue | undefined): number {
  const seconds = isJsonObject(limits) ? limits['max_publish_delay'] : undefined;
  if (seconds === undefined) return DEFAULT_MAX_PUBLISH_DELAY_S;
  if (typeof seconds !== 'number' || !(seconds > 0)) {
    throw flaw('has a max_publish_delay that is not a number of seconds');
  }
  return seconds;
}

function textOf(json: JsonObject, name: string): string {
  const value = json[name];
  if (value === undefined) throw flaw(`has no ${name}`);
  if (typeof value !== 'string' || value === '') throw flaw(`has a ${name} that is not text`);
  return value;
}

function textsOf(json: JsonObject, name: string, max: number): readonly string[] {
  const value = json[name];
  if (value === undefined) throw flaw(`has no ${name}`);
  if (Array.isArray(value) && value.length <= max) {
    const texts = value.filter((item) => typeof item === 'string');
    if (texts.length === value.length) return texts;
  }
  throw flaw(`has ${name} that are not a list of at most ${max} texts`);
}

function within<T>(found: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(cause.code, `${WHAT} ${found}: ${cause.message}`, { cause });
  }
}

function flaw(found: string): NewelError {
  return new NewelError(
    'malformed',
    `${WHAT} ${found}: save the answer of GET /v1/log of the log that you mean`,
  );
}
