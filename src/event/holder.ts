/**
 * The holder of a statement: a public JWK (RFC 7517) that the submitter sends with the event and the statement has in
 * its claim `cnf` (RFC 7800). Only the members that make the key, in the form that RFC 7638 hashes, and perhaps a `kid`.
 *
 *   {"kty":"EC","crv":"P-256","x":"…43 characters…","y":"…43 characters…"}
 */

import { NewelError } from '../errors.ts';
import { parseBase64Url } from '../formats/base64url.ts';
import { isAcceptableKey } from '../formats/ed25519.ts';
import { isOnCurve, type PrimeCurve } from './prime-curve.ts';
import { TEXT_FORMS } from './text-form.ts';
import { flawOfUnlisted } from './unlisted.ts';

export type HolderJwk =
  | { kty: 'EC'; crv: PrimeCurve; x: string; y: string; kid?: string }
  | { kty: 'OKP'; crv: 'Ed25519'; x: string; kid?: string };

interface Curve {
  readonly kty: HolderJwk['kty'];
  readonly coordinates: readonly ('x' | 'y')[];
  /** Of one coordinate. */
  readonly bytes: number;
}

export const HOLDER_CURVES: Readonly<Record<HolderJwk['crv'], Curve>> = {
  'P-256': { kty: 'EC', coordinates: ['x', 'y'], bytes: 32 },
  'P-384': { kty: 'EC', coordinates: ['x', 'y'], bytes: 48 },
  'P-521': { kty: 'EC', coordinates: ['x', 'y'], bytes: 66 },
  Ed25519: { kty: 'OKP', coordinates: ['x'], bytes: 32 },
};

/** Characters of a `kid`. */
export const MAX_KID = 128;

/** What a JWK has only if it is a private or a shared key (RFC 7518 §6). */
const SECRET = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
const KID = new RegExp(TEXT_FORMS.id.pattern, 'u');

/** Which rule a value breaks as a holder, continuing "the holder"; `undefined` for one that is fine. */
export function flawOfHolder(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return 'must be an object, a public JWK';
  const jwk = value as Readonly<Record<string, unknown>>;
  if (SECRET.some((name) => Object.hasOwn(jwk, name))) {
    return 'must be a public key, and has members of a private one: make a new key, this one is no longer a secret';
  }
  const crv = jwk['crv'];
  if (typeof crv !== 'string' || !Object.hasOwn(HOLDER_CURVES, crv)) {
    return `must have a crv that is one of ${Object.keys(HOLDER_CURVES).join(', ')}`;
  }
  const { kty, coordinates, bytes } = HOLDER_CURVES[crv as HolderJwk['crv']];
  if (jwk['kty'] !== kty) return 'must have the kty of its crv: EC, or OKP for Ed25519';
  const listed: readonly string[] = ['kty', 'crv', ...coordinates, 'kid'];
  if (!Object.keys(jwk).every((name) => listed.includes(name))) {
    return flawOfUnlisted(jwk, listed);
  }
  const points = coordinates.map((name) => bytesOf(jwk[name]));
  if (points.some((point) => point?.length !== bytes)) {
    return `must have its ${coordinates.join(' and ')} as ${bytes} bytes in unpadded base64url`;
  }
  const [x, y] = points;
  if (crv === 'Ed25519' && !isAcceptableKey(x!)) return 'must be an Ed25519 key that is not of small order';
  if (crv !== 'Ed25519' && !isOnCurve(crv as PrimeCurve, x!, y!)) return 'must be a point of its curve';
  const { kid } = jwk;
  if (Object.hasOwn(jwk, 'kid') && !(typeof kid === 'string' && kid.length <= MAX_KID && KID.test(kid))) {
    return `must have a kid of 1 to ${MAX_KID} visible ASCII characters, or none`;
  }
  return undefined;
}

function bytesOf(value: unknown): Uint8Array | undefined {
  // No coordinate has more characters; a longer text is not worth reading.
  if (typeof value !== 'string' || value.length > 88) return undefined;
  try {
    return parseBase64Url(value, 'coordinate');
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}
