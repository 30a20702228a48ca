/**
 * What events are found by. A term is a keyed hash of a member's name and value: who has the database and not the index
 * key learns from it that two events have something in common, and not what.
 *
 *   term 16   HMAC-SHA-256 under the index key of ["type","stepup.completed"], its first 16 bytes
 *
 * A subject is found by its data key and (source, id) by its own tag, so neither is a term.
 */

import type { JsonObject } from '../formats/json.ts';
import { isJsonObject } from '../formats/json.ts';
import { hmac } from './hmac.ts';
import { TERM_BYTES } from './rows.ts';

/** By the name in queries: the path of the member. */
const TERMS = {
  source: ['source'],
  type: ['type'],
  outcome: ['outcome'],
  system_action: ['system_action'],
  reason: ['trigger', 'reason'],
  method: ['challenge', 'method'],
  session: ['session', 'uid'],
  ip: ['src', 'ip'],
  device: ['device', 'fingerprint'],
  txn: ['txn'],
  action_id: ['action', 'id'],
  corrects: ['corrects'],
} as const;

export type TermName = keyof typeof TERMS;

const PATHS = Object.entries(TERMS) as readonly [TermName, readonly string[]][];
/** Values that return over and over; what names one person or transaction is not worth its place. */
const FEW: ReadonlySet<TermName> = new Set<TermName>([
  'source',
  'type',
  'outcome',
  'system_action',
  'reason',
  'method',
]);
const MAX_KEPT = 1024;

/** Makes terms under one index key. */
export class Terms {
  readonly #indexKey: Uint8Array;
  readonly #kept = new Map<string, Uint8Array>();

  constructor(indexKey: Uint8Array) {
    this.#indexKey = indexKey;
  }

  /** 16 bytes. */
  term(name: TermName, value: string): Uint8Array {
    if (!FEW.has(name)) return this.tag(name, value);
    const text = `${name} ${value}`;
    const kept = this.#kept.get(text);
    if (kept) return kept;
    const made = this.tag(name, value);
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(text, made);
    return made;
  }

  /** All terms that are true of an event, one after the other. */
  termsOf(event: JsonObject): Uint8Array {
    const found: Uint8Array[] = [];
    for (const [name, path] of PATHS) {
      const value = valueAt(event, path);
      if (typeof value === 'string') found.push(this.term(name, value));
    }
    const terms = new Uint8Array(found.length * TERM_BYTES);
    found.forEach((term, i) => terms.set(term, i * TERM_BYTES));
    return terms;
  }

  /** A tag of 16 bytes for something else than a member. */
  tag(...parts: readonly string[]): Uint8Array {
    return hmac(this.#indexKey, JSON.stringify(['term', ...parts])).slice(0, TERM_BYTES);
  }
}

/** The terms that `termsOf` joined. */
export function splitTerms(terms: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: terms.length / TERM_BYTES }, (_, i) =>
    terms.subarray(i * TERM_BYTES, (i + 1) * TERM_BYTES),
  );
}

/** Whether an event has all these values. */
export function hasTerms(event: JsonObject, terms: Readonly<Partial<Record<TermName, string>>>): boolean {
  return PATHS.every(([name, path]) => terms[name] === undefined || valueAt(event, path) === terms[name]);
}

function valueAt(event: JsonObject, path: readonly string[]): unknown {
  let value: unknown = event;
  for (const name of path) {
    if (!isJsonObject(value as JsonObject)) return undefined;
    value = (value as JsonObject)[name];
  }
  return value;
}
