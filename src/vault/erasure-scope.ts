/**
 * What an erasure is about, found again in the index at each step: what was erased is no longer there, so that nothing has
 * to be remembered.
 */

import { ENUMERATIONS } from '../event/enumerations.ts';
import { LOG_SOURCE } from '../event/log-events.ts';
import { parseSubject } from '../event/parse-subject.ts';
import { NewelError } from '../errors.ts';
import type { JsonObject } from '../formats/json.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import type { ErasureScope } from './erasure-row.ts';
import { parseEventId } from './event-id.ts';
import { readRecordRow } from './events.ts';
import type { Keyring } from './keyring.ts';
import { eventKey, indexOfKey, keyEventKey, parseIndex, termKey } from './rows.ts';
import type { Terms } from './terms.ts';
import type { ErasureTarget } from './vault.ts';

export interface ScopeParts {
  readonly log: Pick<Log, 'revealed' | 'firstLeafSince'>;
  readonly store: Store;
  readonly keyring: Keyring;
  readonly terms: Terms;
  readonly now: () => number;
}

export interface Scope {
  readonly scope: ErasureScope;
  readonly events: number;
  /** Of a person: the data key, and its owner's tag. */
  readonly owner?: { readonly ownerTag: Uint8Array; readonly keyId: Uint8Array };
}

export interface OwnerScope extends Scope {
  readonly keyId: Uint8Array;
}

const TYPES: ReadonlySet<string> = new Set(ENUMERATIONS.type);

const DAY_MS = 86_400_000;

/** Types that say what happened to others, or are kept as long as the log. */
const KEPT_TYPES: ReadonlySet<string> = new Set(['erasure', 'retention.applied']);

/** Throws `not_found`, `event_erased`, `event_invalid` or `malformed`; `storage_failed` where the index is damaged. */
export async function scopeOf(parts: ScopeParts, target: ErasureTarget): Promise<Scope> {
  if ('subject' in target) return scopeOfSubject(parts, target.subject);
  if ('eventIds' in target) return scopeOfEvents(parts, target.eventIds);
  return scopeOfAge(parts, target.keptMs);
}

async function scopeOfSubject(parts: ScopeParts, subId: JsonObject): Promise<Scope> {
  const ownerTag = parts.keyring.ownerTag({ subject: parseSubject(subId) });
  const { keyId, ...scope } = await scopeOfOwner(parts, ownerTag);
  return { ...scope, owner: { ownerTag, keyId } };
}

/** All of an owner. Throws `not_found` where there is nothing. */
export async function scopeOfOwner(
  { keyring }: Pick<ScopeParts, 'keyring'>,
  ownerTag: Uint8Array,
): Promise<OwnerScope> {
  const keyId = await keyring.keyIdOf(ownerTag);
  if (!keyId) throw new NewelError('not_found', 'there is nothing of that subject');
  const scope = { keyId: Buffer.from(keyId).toString('base64url') };
  return { scope, events: await keyring.countOf(keyId), keyId };
}

async function scopeOfEvents({ store, log, terms }: ScopeParts, eventIds: readonly string[]): Promise<Scope> {
  const ids = [...new Set(eventIds)].map((eventId) => parseEventId(eventId));
  if (ids.includes(undefined)) throw noSuchEvent();
  const stored = await store.getMany(ids.map((id) => eventKey(id!)));
  const leafIndexes = stored.map((value) => {
    if (!value || parseIndex(value) >= log.revealed.size) throw noSuchEvent();
    return parseIndex(value);
  });
  for (const index of leafIndexes) {
    if ('erasedBy' in (await readRecordRow(store, index))) {
      throw new NewelError('event_erased', 'one of the events is erased already');
    }
  }
  leafIndexes.sort((a, b) => a - b);
  const own = terms.term('source', LOG_SOURCE);
  const said = await store.getMany(leafIndexes.map((index) => termKey(own, index)));
  if (said.some((row) => row !== undefined)) {
    throw new NewelError(
      'event_invalid',
      'what the log says itself holds others to account, and is not erased by name',
    );
  }
  return { scope: { leafIndexes }, events: leafIndexes.length };
}

async function scopeOfAge(parts: ScopeParts, keptMs: Readonly<Record<string, number>>): Promise<Scope> {
  const below: Record<string, number> = {};
  const kept: Record<string, string> = {};
  for (const [type, ms] of Object.entries(keptMs)) {
    if (!TYPES.has(type))
      throw new NewelError('malformed', 'one of the types is none that an event can have');
    if (KEPT_TYPES.has(type))
      throw new NewelError('malformed', 'events of one of the types are never erased by age');
    below[type] = await parts.log.firstLeafSince(parts.now() - ms);
    kept[type] = `${Math.floor(ms / DAY_MS)}d`;
  }
  let events = 0;
  for await (const indexes of leavesLeft(parts, { below, kept }, 10_000)) events += indexes.length;
  return { scope: { below, kept }, events };
}

/** The leaves that are left to erase, at most `atOnce` at a time; each time as the index is then. */
export async function* leavesLeft(
  parts: ScopeParts,
  scope: ErasureScope,
  atOnce: number,
): AsyncGenerator<readonly number[]> {
  if ('leafIndexes' in scope) {
    for (let at = 0; at < scope.leafIndexes.length; at += atOnce) {
      yield scope.leafIndexes.slice(at, at + atOnce);
    }
  } else if ('keyId' in scope) {
    const keyId = Buffer.from(scope.keyId, 'base64url');
    const below = parts.log.revealed.size;
    yield* scanIndexes(parts.store, (index) => keyEventKey(keyId, index), { from: 0, below }, atOnce);
  } else {
    for (const [type, below] of Object.entries(scope.below)) {
      const term = parts.terms.term('type', type);
      yield* scanIndexes(parts.store, (index) => termKey(term, index), { from: 0, below }, atOnce);
    }
  }
}

/** The leaf indexes that end the keys of a range, at most `atOnce` at a time, and never none. */
export async function* scanIndexes(
  store: Store,
  keyOf: (index: number) => Uint8Array,
  { from: first, below }: { readonly from: number; readonly below: number },
  atOnce: number,
): AsyncGenerator<readonly number[]> {
  for (let from = first; ;) {
    const rows = await store.scan({ from: keyOf(from), to: keyOf(below), limit: atOnce });
    const indexes = rows.map(({ key }) => indexOfKey(key));
    if (indexes.length > 0) yield indexes;
    if (indexes.length < atOnce) return;
    from = indexes.at(-1)! + 1;
  }
}

function noSuchEvent(): NewelError {
  return new NewelError('not_found', 'there is no such event');
}
