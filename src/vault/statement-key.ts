/**
 * The key that signs statements: a key of its own, never a log key. A statement is signed when it is handed out, since
 * its leaf commits to the payload alone; so whatever the key is then, the leaf stays the same.
 *
 *   base64url(header) . base64url(payload) . base64url(signature) ~ disclosure ~ … ~
 *   header   {"alg":"Ed25519","kid":"<RFC 7638 thumbprint>","typ":"stepup-event+sd-jwt"}
 */

import { PRESENTATION_TYPE, STATEMENT_TYPE } from '../event/statement-names.ts';
import type { Ed25519 } from '../formats/ed25519.ts';
import { type Ed25519Jwk, formatJwk, thumbprintOf } from '../formats/jwk.ts';
import type { StatementAlg } from './vault.ts';

/** The statement keys of a log: the one that signs, and the public keys of its predecessors. */
export interface StatementKeys {
  /** 32 bytes. */
  readonly seed: Uint8Array;
  readonly retired: readonly Ed25519Jwk[];
}

/** What signing statements takes of Ed25519. */
export interface StatementEd25519 extends Pick<Ed25519, 'publicKey' | 'verify'> {
  /** As `sign`, beside the event loop: there is one signature for each receipt that leaves. */
  signAside(seed: Uint8Array, message: Uint8Array): Promise<Uint8Array>;
}

export interface PresentationClaims {
  readonly iss: string;
  readonly iat: number;
  readonly aud: string;
  readonly nonce: string;
  /** SHA-256 of the presented SD-JWT, its last tilde included. */
  readonly sd_hash: string;
}

export class StatementSigner {
  readonly kid: string;
  /** Public keys, the current one first. */
  readonly jwks: { readonly keys: readonly Ed25519Jwk[] };
  readonly #sign: (message: Uint8Array) => Promise<Uint8Array>;
  readonly #verify: (message: Uint8Array, signature: Uint8Array) => boolean;
  readonly #headers: Readonly<Record<StatementAlg, string>>;

  constructor({ seed, retired }: StatementKeys, ed25519: StatementEd25519) {
    const publicKey = ed25519.publicKey(seed);
    this.kid = thumbprintOf(publicKey);
    this.jwks = { keys: [formatJwk(publicKey), ...retired] };
    this.#sign = (message) => ed25519.signAside(seed, message);
    this.#verify = (message, signature) => ed25519.verify(publicKey, message, signature);
    const header = (alg: StatementAlg): string =>
      encode(JSON.stringify({ alg, kid: this.kid, typ: STATEMENT_TYPE }));
    this.#headers = { Ed25519: header('Ed25519'), EdDSA: header('EdDSA') };
  }

  /** The statement of a payload, as JSON text, with these disclosures, as `showDisclosures` joins them. */
  async sign(alg: StatementAlg, payload: string, shown: string): Promise<string> {
    const signed = `${this.#headers[alg]}.${encode(payload)}`;
    const signature = await this.#sign(Buffer.from(signed, 'latin1'));
    return `${signed}.${Buffer.from(signature).toString('base64url')}${shown}`;
  }

  /** The JWT that says for whom a statement is presented. */
  async signPresentation(claims: PresentationClaims): Promise<string> {
    const header = { alg: 'Ed25519', kid: this.kid, typ: PRESENTATION_TYPE };
    const signed = `${encode(JSON.stringify(header))}.${encode(JSON.stringify(claims))}`;
    const signature = await this.#sign(Buffer.from(signed, 'latin1'));
    return `${signed}.${Buffer.from(signature).toString('base64url')}`;
  }

  /** Whether a JWT is signed by the key that signs now. */
  isSigned(jwt: string): boolean {
    const signedEnd = jwt.lastIndexOf('.');
    const signature = Buffer.from(jwt.slice(signedEnd + 1), 'base64url');
    return this.#verify(Buffer.from(jwt.slice(0, signedEnd), 'latin1'), signature);
  }
}

/** Encoded disclosures as they follow the signature, each between tildes. */
export function showDisclosures(encoded: readonly string[]): string {
  return encoded.length === 0 ? '~' : `~${encoded.join('~')}~`;
}

function encode(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}
