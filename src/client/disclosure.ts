/**
 * The answer of `POST /v1/disclosures`, read as anything that comes from outside: nothing of it is verified here, and
 * whoever makes something of it has `checkPack` or `verifyPresentation` verify that.
 */

import { NewelError } from '../errors.ts';
import { isSize } from '../core/int.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import { readJsonObject } from './json-input.ts';
import { isEventId } from './receipt.ts';

/** What is shown of the events, as far as they have it. */
export interface Discloses {
  /** Disclosures by their paths, sorted. */
  readonly claims: readonly string[];
  /** The members that travel along inside them, sorted. */
  readonly travelsAlong: readonly string[];
  /** The claims that are open in every statement. */
  readonly open: readonly string[];
}

export interface DisclosedEvent {
  readonly eventId: string;
  readonly leafIndex: number;
  readonly statement: string;
  readonly presentation: string;
  /** A tlog-proof up to its checkpoint. */
  readonly proof: string;
}

export interface Disclosure {
  readonly discloses: Discloses;
  /** The origin. */
  readonly log: string;
  readonly audience: string;
  readonly nonce: string;
  /** RFC 3339. */
  readonly issuedTime: string;
  /** One for all proofs. */
  readonly checkpoint: string;
  readonly items: readonly DisclosedEvent[];
}

/** Bytes that an answer may have. */
export const MAX_DISCLOSURE_BYTES: number = 17 * 1024 * 1024;
const WHAT = 'answer of the log';

/** Throws `too_large`, or `malformed`, naming the member. */
export function parseDisclosure(body: Uint8Array): Disclosure {
  const json = readJsonObject(body, WHAT, MAX_DISCLOSURE_BYTES);
  const { items } = json;
  if (!Array.isArray(items)) throw flaw('has no items');
  return {
    discloses: disclosesOf(json),
    log: textOf(json, 'log'),
    audience: textOf(json, 'audience'),
    nonce: textOf(json, 'nonce'),
    issuedTime: textOf(json, 'issued_time'),
    checkpoint: textOf(json, 'checkpoint'),
    items: items.map(itemOf),
  };
}

/** The answer to a dry run: what would be shown. Throws as `parseDisclosure` does. */
export function parseDryRun(body: Uint8Array): Discloses {
  return disclosesOf(readJsonObject(body, WHAT, MAX_DISCLOSURE_BYTES));
}

function disclosesOf({ discloses }: JsonObject): Discloses {
  if (!isJsonObject(discloses)) throw flaw('does not say what it discloses');
  return {
    claims: textsOf(discloses, 'claims'),
    travelsAlong: textsOf(discloses, 'travels_along'),
    open: textsOf(discloses, 'open'),
  };
}

function itemOf(item: JsonValue): DisclosedEvent {
  if (!isJsonObject(item)) throw flaw('has an item that is not an object');
  const eventId = textOf(item, 'event_id');
  const { leaf_index: leafIndex } = item;
  if (!isEventId(eventId)) throw flaw('has an event_id that is none');
  if (typeof leafIndex !== 'number' || !isSize(leafIndex)) throw flaw('has a leaf_index that is none');
  const [statement, presentation, proof] = [
    textOf(item, 'statement'),
    textOf(item, 'presentation'),
    textOf(item, 'proof'),
  ];
  return { eventId, leafIndex, statement, presentation, proof };
}

function textOf(json: JsonObject, name: string): string {
  const value = json[name];
  if (typeof value !== 'string') throw flaw(`has no ${name}`);
  return value;
}

function textsOf(json: JsonObject, name: string): readonly string[] {
  const value = json[name];
  const texts = Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  if (!Array.isArray(value) || texts.length < value.length)
    throw flaw(`has ${name} that are not a list of texts`);
  return texts;
}

function flaw(found: string): NewelError {
  return new NewelError('malformed', `${WHAT} ${found}`);
}
