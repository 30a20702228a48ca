/**
 * What `newel erase` is told to erase. A person is never named in an argument, which every user of the machine can see:
 * a subject identifier comes from a file or a pipe.
 */

import { isEventId } from '../client/receipt.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { ERASURE_REASONS } from '../vault/vault.ts';
import type { Call, Options } from './command.ts';
import { readInput } from './input-file.ts';

export const TARGET_OPTIONS: Options = {
  subject: {
    value: 'FILE|-',
    help: 'all events of the person in this file: a subject identifier (RFC 9493), as JSON',
  },
  event: { value: 'EVT', help: 'one event, by its event_id; several times for several', multiple: true },
  retention: {
    value: 'TYPE=90d,…',
    help: 'all events of a type that were received so many days ago, or earlier',
  },
  reason: { value: 'REASON', help: `${ERASURE_REASONS.join(', ')}; it is kept for ever` },
};

const TARGETS = ['subject', 'event', 'retention'] as const;
const MAX_EVENTS = 1000;
const MAX_SUBJECT_BYTES = 64 * 1024;
const KEPT = /^([a-z_.]+)=([1-9][0-9]{0,4}d)$/;

/** Whether anything says what to erase. */
export function hasTarget(call: Call): boolean {
  return [...TARGETS, 'reason'].some((name) => call.texts(name).length > 0);
}

/** The request, without `dry_run`. Throws what `flaw` makes, `unreachable`, `malformed` or `too_large`. */
export async function readTarget(call: Call, flaw: (words: string) => NewelError): Promise<JsonObject> {
  const given = TARGETS.filter((name) => call.texts(name).length > 0);
  const [name] = given;
  if (name === undefined || given.length > 1) {
    throw flaw(`what is to be erased? Give one of ${TARGETS.map((target) => `--${target}`).join(', ')}`);
  }
  const reason = call.text('reason');
  if (!ERASURE_REASONS.some((known) => known === reason)) {
    throw flaw(`--reason is one of ${ERASURE_REASONS.join(', ')}`);
  }
  return { ...(await targetOf(call, name, flaw)), reason: reason! };
}

async function targetOf(
  call: Call,
  name: (typeof TARGETS)[number],
  flaw: (words: string) => NewelError,
): Promise<JsonObject> {
  const texts = call.texts(name);
  switch (name) {
    case 'subject':
      return { subject: await readSubject(call, texts[0]!) };
    case 'event': {
      const ids = [...new Set(texts)];
      if (!ids.every(isEventId)) throw flaw('--event is not evt_ and 22 base64url characters');
      if (ids.length > MAX_EVENTS) throw flaw(`--event is given more than ${MAX_EVENTS} times`);
      return { event_ids: ids };
    }
    case 'retention': {
      const pairs = texts[0]!.split(',').map((text) => KEPT.exec(text));
      const kept = new Map(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']));
      if (kept.has('')) throw flaw('--retention is not like log.accessed=90d,login.succeeded=400d');
      if (kept.size < pairs.length) throw flaw('--retention has a type twice');
      return { retention: Object.fromEntries(kept) };
    }
  }
}

/** Nothing of the file is in the words. */
async function readSubject({ terminal }: Call, file: string): Promise<JsonObject> {
  const what = 'a subject identifier, like {"format":"opaque","id":"…"}';
  const bytes = await readInput(terminal, file, what, MAX_SUBJECT_BYTES);
  let value: JsonValue;
  try {
    value = parseJson(decodeUtf8(bytes));
  } catch (cause) {
    throw new NewelError('malformed', `the subject is not ${what}`, { cause });
  }
  if (isJsonObject(value)) return value;
  throw new NewelError('malformed', `the subject is not ${what}`);
}
