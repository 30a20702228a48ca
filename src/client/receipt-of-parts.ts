/**
 * A statement and a proof that were kept apart, as the receipt that they are the two halves of, so that the same checks
 * judge them. Its other members are read from the halves themselves and so agree with them; a half that cannot be read
 * fails in its own check, and what would have been read from it is filled up and never shown.
 */

import { isEventId, type Receipt } from './receipt.ts';
import { hashLeaf } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { commitmentOf, formatEventLeaf } from '../event/leaf.ts';
import { formatBase64 } from '../formats/base64.ts';
import { parseCheckpoint } from '../formats/checkpoint.ts';
import type { JsonObject, JsonValue } from '../formats/json.ts';
import { parseNote } from '../formats/note.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { verifySdJwt } from '../formats/sd-jwt-verify.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { parseTlogProof } from '../formats/tlog-proof.ts';

const NO_EVENT = `evt_${'A'.repeat(22)}`;
const NO_PAYLOAD = '';
const NO_NAME = '-';
/** The last second that a time in RFC 3339 can have. */
const MAX_SECONDS = 253_402_300_799;

/** `eventId` is what the statement is said to be of, where somebody said so. */
export function receiptOfParts(statement: string, proof: string, eventId?: string): Receipt {
  const { payload, encodedPayload } = readable(() => parseSdJwt(statement)) ?? NO_STATEMENT;
  const { jti, iat, log } = payload;
  // What is signed is for the check to say: here the statement is only read.
  const { id, source } = readable(() => verifySdJwt(parseSdJwt(statement), () => {}).claims) ?? {};
  const parsed = readable(() => parseTlogProof(encodeUtf8(proof)));
  const head = parsed && readable(() => parseCheckpoint(parseNote(parsed.checkpoint).text));
  const seconds =
    typeof iat === 'number' && Number.isInteger(iat) && iat >= 0 && iat <= MAX_SECONDS ? iat : 0;
  return {
    event_id: eventId ?? eventIdOf(jti),
    id: nameOf(id),
    source: nameOf(source),
    log: head?.origin ?? nameOf(log),
    leaf_index: parsed?.index ?? 0,
    leaf_hash: formatBase64(hashLeaf(formatEventLeaf(commitmentOf(encodedPayload)))),
    tree_size: head?.size ?? 0,
    level: 'signed',
    received_time: new Date(seconds * 1000).toISOString(),
    proof_url: NO_NAME,
    statement,
    proof,
  };
}

function eventIdOf(jti: JsonValue | undefined): string {
  return typeof jti === 'string' && isEventId(jti) ? jti : NO_EVENT;
}

function nameOf(value: JsonValue | undefined): string {
  return typeof value === 'string' && value !== '' ? value : NO_NAME;
}

const NO_STATEMENT: { readonly payload: JsonObject; readonly encodedPayload: string } = {
  payload: {},
  encodedPayload: NO_PAYLOAD,
};

/** What can be read, or `undefined`: whether that matters, the checks say. */
function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}
