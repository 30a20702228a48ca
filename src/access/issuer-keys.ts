/**
 * The public keys of an OIDC issuer: its JWKS, fetched when a JWT asks for it, and believed for a time.
 *
 *   younger than 5 min       believed
 *   5 to 10 min              believed, while they are fetched anew beside it
 *   older, or none yet       fetched before anything is decided; where that fails, nobody is let in
 *   a kid that is not there  fetched anew, but not within 30 s of the last time: anyone can write a kid
 *
 * So a key that the issuer has taken back is refused after 10 minutes at the latest, an issuer that is away for less
 * than 5 is not noticed, and no request, however many there are, makes more than one fetch at a time.
 */

import {
  createLocalJWKSet,
  errors,
  type CryptoKey,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose';
import { NewelError } from '../errors.ts';
import { fetchJson } from './fetch-json.ts';
import { isKeysUrl, type OidcConfig } from './oidc-config.ts';
import type { IssuerSignal } from './signals.ts';

export interface IssuerKeysOptions {
  readonly fetch?: typeof fetch;
  /** Milliseconds that never go back. */
  readonly elapsed?: () => number;
  readonly onSignal?: (signal: IssuerSignal) => void;
}

export const MAX_AGE_MS = 600_000;
const REFRESH_MS: number = MAX_AGE_MS / 2;
/** Between two fetches, the first of which went well. */
export const COOLDOWN_MS = 30_000;
/** Between two fetches, the first of which failed. */
export const RETRY_MS = 5000;
/** Keys that an issuer may have. */
const MAX_KEYS = 100;

interface Believed {
  readonly keyOf: (header: JWSHeaderParameters) => Promise<CryptoKey>;
  readonly fetchedMs: number;
}

export class IssuerKeys {
  readonly #config: OidcConfig;
  readonly #fetch: typeof fetch;
  readonly #elapsed: () => number;
  readonly #onSignal: (signal: IssuerSignal) => void;
  #believed: Believed | undefined;
  #fetching: Promise<Believed> | undefined;
  #nextFetchMs = Number.NEGATIVE_INFINITY;
  #failed = false;

  constructor(config: OidcConfig, options: IssuerKeysOptions = {}) {
    const { fetch: fetchOne = fetch, elapsed = () => performance.now(), onSignal = () => {} } = options;
    this.#config = config;
    this.#fetch = fetchOne;
    this.#elapsed = elapsed;
    this.#onSignal = onSignal;
  }

  /** Stands for the keys while they are fresh: what was verified with them may be remembered until it is another. */
  get fresh(): object | undefined {
    const believed = this.#believed;
    return believed && this.#elapsed() - believed.fetchedMs < REFRESH_MS ? believed : undefined;
  }

  /**
   * The key that a JWS header names. Throws `unauthenticated` where the issuer has no such key, or several that fit, and
   * `issuer_unavailable` where it cannot be asked.
   */
  async keyOf(header: JWSHeaderParameters): Promise<CryptoKey> {
    const believed = await this.#believe();
    const key = await find(believed, header);
    if (key) return key;
    if (!this.#mayFetch()) throw this.#failed ? unavailable() : unknownKey();
    const anew = await find(await this.#refresh(), header);
    if (!anew) throw unknownKey();
    return anew;
  }

  async #believe(): Promise<Believed> {
    const believed = this.#believed;
    const ageMs = believed ? this.#elapsed() - believed.fetchedMs : Number.POSITIVE_INFINITY;
    if (!believed || ageMs >= MAX_AGE_MS) {
      if (!this.#mayFetch()) throw unavailable();
      return this.#refresh();
    }
    // Told by its signal where it fails.
    if (ageMs >= REFRESH_MS && this.#mayFetch()) this.#refresh().catch(() => {});
    return believed;
  }

  #mayFetch(): boolean {
    return this.#fetching !== undefined || this.#elapsed() >= this.#nextFetchMs;
  }

  #refresh(): Promise<Believed> {
    this.#fetching ??= this.#fetchKeys().finally(() => (this.#fetching = undefined));
    return this.#fetching;
  }

  async #fetchKeys(): Promise<Believed> {
    try {
      const { issuer, jwksUri = await this.#discover(issuer) } = this.#config;
      const found = await fetchJson(jwksUri, this.#fetch);
      const keys = parseKeys(found);
      const keyOf = createLocalJWKSet(keys);
      const fetchedMs = this.#elapsed();
      this.#believed = { keyOf, fetchedMs };
      this.#nextFetchMs = fetchedMs + COOLDOWN_MS;
      this.#failed = false;
      this.#onSignal({ event: 'issuer_keys_read', keys: keys.keys.length });
      return this.#believed;
    } catch (error) {
      this.#nextFetchMs = this.#elapsed() + RETRY_MS;
      this.#failed = true;
      this.#onSignal({ event: 'issuer_unreachable', error });
      throw unavailable(error);
    }
  }

  /** OpenID Connect Discovery 1.0 §4: where it keeps its keys, said by a document that names the issuer it is of. */
  async #discover(issuer: string): Promise<string> {
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const { issuer: named, jwks_uri: found } = await fetchJson(url, this.#fetch);
    if (named !== issuer) throw new NewelError('malformed', 'the discovery document is of another issuer');
    if (typeof found !== 'string' || !isKeysUrl(found, issuer)) {
      throw new NewelError('malformed', 'the discovery document has no jwks_uri that is an https URL');
    }
    return found;
  }
}

function parseKeys(found: Record<string, unknown>): JSONWebKeySet {
  const { keys } = found;
  if (!Array.isArray(keys) || keys.length > MAX_KEYS) {
    throw new NewelError('malformed', `the answer is not a JWKS of at most ${MAX_KEYS} keys`);
  }
  return { keys: keys as JSONWebKeySet['keys'] };
}

/** `undefined` where none fits. A key that is there and cannot be used is as good as none. */
async function find({ keyOf }: Believed, header: JWSHeaderParameters): Promise<CryptoKey | undefined> {
  try {
    return await keyOf(header);
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return undefined;
    throw unknownKey();
  }
}

function unknownKey(): NewelError {
  return new NewelError('unauthenticated', 'the issuer has no key that the JWT names');
}

function unavailable(cause?: unknown): NewelError {
  const message = 'the keys of the issuer of JWTs cannot be had now';
  return new NewelError('issuer_unavailable', message, cause === undefined ? {} : { cause });
}
