/** One request to a witness and its answer, with a bound on everything that a peer can stretch. */

import { readCapped } from '../client/read-capped.ts';
import type { AskingClock } from './asking-clock.ts';

export interface Received {
  readonly status: number;
  /** The `Content-Type`, or nothing. */
  readonly type: string;
  readonly body: Uint8Array;
}

export interface Missing {
  /** In words, and nothing received in them. */
  readonly why: string;
  /** Whether the witness can have read any of the request. */
  readonly wasSent: boolean;
  /** Whether the connection broke: one that was kept alive may, where the other side closed it just now. */
  readonly isBroken: boolean;
}

export interface ExchangeOptions {
  readonly fetch: typeof fetch;
  readonly clock: AskingClock;
  /** Of the whole exchange, to the last byte of the answer. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Calls the exchange off. */
  readonly controller: AbortController;
}

/** Of a record that is none, the first or a later one: whether anything was read is not known. */
const NO_TLS = 'ERR_SSL_WRONG_VERSION_NUMBER';
const UNTRUSTED = 'has a certificate that is not trusted here';
/** Failures before anything is sent, by what Node and OpenSSL call them. */
const UNSENT: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'refuses connections'],
  ['ENOTFOUND', 'has a name that does not resolve'],
  ['EAI_AGAIN', 'has a name that does not resolve now'],
  ['EHOSTUNREACH', 'cannot be reached'],
  ['ENETUNREACH', 'cannot be reached'],
  ['UND_ERR_CONNECT_TIMEOUT', 'does not take a connection in time'],
  ['CERT_HAS_EXPIRED', 'has a certificate that has expired'],
  ['CERT_NOT_YET_VALID', 'has a certificate that is not valid yet'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'has a certificate for another name'],
  ...[
    'CERT_CHAIN_TOO_LONG',
    'CERT_REJECTED',
    'CERT_REVOKED',
    'CERT_SIGNATURE_FAILURE',
    'CERT_UNTRUSTED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'PATH_LENGTH_EXCEEDED',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ].map((code): [string, string] => [code, UNTRUSTED]),
]);

/**
 * Posts `body`, and reads the answer whole. No redirect is followed: it would be a place that nobody configured. The
 * connection is kept for the next request, since every answer is read to its end.
 */
export async function exchange(
  url: string,
  body: Uint8Array,
  { fetch: fetchOne, clock, timeoutMs, maxBytes, controller }: ExchangeOptions,
): Promise<Received | Missing> {
  let isLate = false;
  const cancel = clock.after(timeoutMs, () => {
    isLate = true;
    controller.abort();
  });
  try {
    const response = await fetchOne(url, {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain; charset=utf-8', 'Accept-Encoding': 'identity' },
      body: body as Uint8Array<ArrayBuffer>,
      redirect: 'manual',
      signal: controller.signal,
    });
    const type = response.headers.get('Content-Type') ?? '';
    return { status: response.status, type, body: await readCapped(response, maxBytes, 'one of a witness') };
  } catch (error) {
    if (isLate) return { why: `does not answer within ${timeoutMs} ms`, wasSent: true, isBroken: false };
    const unsent = UNSENT.get(codeOf(error));
    if (unsent !== undefined) return { why: unsent, wasSent: false, isBroken: false };
    if (codeOf(error) === NO_TLS) return { why: 'does not speak TLS there', wasSent: true, isBroken: false };
    return { why: 'gives no whole answer', wasSent: true, isBroken: !controller.signal.aborted };
  } finally {
    cancel();
  }
}

/** The code of what made `fetch` fail. */
function codeOf(error: unknown): string {
  const cause: unknown = error instanceof Error ? error.cause : undefined;
  if (typeof cause !== 'object' || cause === null || !('code' in cause)) return '';
  return typeof cause.code === 'string' ? cause.code : '';
}
