/** Presentations made by hand, of the receipts of `test-receipt.ts`: right ones, and whatever no log writes. */

import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { formatBase64Url } from '../../src/formats/base64url.ts';
import type { JsonValue } from '../../src/formats/json.ts';
import { thumbprintOf } from '../../src/formats/jwk.ts';
import { digestOf } from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { RECEIPT_ORIGIN, RECEIVED_TIME_MS, seedOf } from './test-receipt.ts';

export const PRESENTED_TIME_S: number = Math.floor(RECEIVED_TIME_MS / 1000) + 60;

export interface PresentationEdits {
  readonly seed?: Uint8Array;
  /** Instead of what a log writes, as JSON. */
  readonly header?: (header: Record<string, JsonValue>) => unknown;
  readonly payload?: (payload: Record<string, JsonValue>) => unknown;
  /** Of the JSON texts. */
  readonly headerText?: (text: string) => string;
  readonly payloadText?: (text: string) => string;
}

/** The JWT that presents `statement` to `auditor.example` under the nonce `n-0S6_WzA2Mj`. */
export function makePresentation(statement: string, edits: PresentationEdits = {}): string {
  const { seed = seedOf('statement'), headerText = same, payloadText = same } = edits;
  const kid = thumbprintOf(nodeEd25519.publicKey(seed));
  const header = { alg: 'Ed25519', kid, typ: 'newel-presentation+jwt' };
  const payload = {
    iss: `https://${RECEIPT_ORIGIN}`,
    iat: PRESENTED_TIME_S,
    aud: 'auditor.example',
    nonce: 'n-0S6_WzA2Mj',
    sd_hash: digestOf(statement),
  };
  const encode = (text: string): string => formatBase64Url(encodeUtf8(text));
  const signed = [
    encode(headerText(JSON.stringify(edits.header ? edits.header(header) : header))),
    encode(payloadText(JSON.stringify(edits.payload ? edits.payload(payload) : payload))),
  ].join('.');
  return `${signed}.${formatBase64Url(nodeEd25519.sign(seed, encodeUtf8(signed)))}`;
}

function same(text: string): string {
  return text;
}
