/**
 * What a monitor remembers of a log, in one row, so that it changes as a whole or not at all:
 *
 *   40 sha256(origin)     deterministic CBOR
 *      1  1               version of this row
 *      2  bytes           the newest head that was shown to extend all earlier ones: a signed note
 *      3  number          entries that were verified; the head may be ahead of them
 *      4  bytes           the compact range of those entries, 32 bytes a hash, largest subtree first
 *      5  [n, n, n]       of those: events, log statements, leaves of versions that are not known
 *      6  [n, n]          of those: entries that are no leaf, and the index of the first of them
 *      7  number          when the head last changed, by our clock, milliseconds since 1970
 *
 * A crash leaves the row of before or of after. Entries are verified again from where it says, so none is passed over;
 * a head is only ever replaced by one that extends it.
 */

import { concatBytes } from '../core/bytes.ts';
import { HASH_SIZE, hashBytes } from '../core/hash.ts';
import { isSize } from '../core/int.ts';
import { CompactRange } from '../core/range.ts';
import { nodesOf } from '../core/tree.ts';
import { NewelError } from '../errors.ts';
import { type CborValue, formatCbor, parseCbor } from '../formats/cbor.ts';
import { encodeUtf8 } from '../formats/text.ts';
import type { Store } from '../storage/store.ts';
import { type FollowedHead, openFollowedHead } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';

const PREFIX = 0x40;
const VERSION = 1;

/** Entries of a log of events, by what they are. All zero of a log of opaque entries. */
export interface LeafCounts {
  readonly events: number;
  readonly statements: number;
  /** Of versions that are not known here. */
  readonly unknown: number;
  /** No leaves at all. */
  readonly malformed: number;
  /** The index of the first of those; 0 where there is none. */
  readonly firstMalformed: number;
}

export interface FollowedState {
  readonly head: FollowedHead;
  /** Of the entries that were verified; its size is their number. */
  readonly range: CompactRange;
  readonly leaves: LeafCounts;
  readonly changedMs: number;
}

export const NO_LEAVES: LeafCounts = {
  events: 0,
  statements: 0,
  unknown: 0,
  malformed: 0,
  firstMalformed: 0,
};

/** What was remembered of a log. Throws `log_refused` for a row that is damaged or that other keys have signed. */
export async function readState(store: Store, log: FollowedLog): Promise<FollowedState | undefined> {
  const [row] = await store.getMany([stateKey(log)]);
  if (!row) return undefined;
  try {
    return parseState(row, log);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(
      'log_refused',
      `what was remembered of ${log.origin} is damaged, or was signed by a key that is not trusted now (${cause.message}); ` +
        'give the keys that it was followed with, or follow it anew in another folder and keep this one',
      { cause },
    );
  }
}

/** Durable when it resolves. */
export async function writeState(store: Store, log: FollowedLog, state: FollowedState): Promise<void> {
  await store.commit({ puts: [{ key: stateKey(log), value: formatState(state) }] });
}

function stateKey({ origin }: FollowedLog): Uint8Array {
  return concatBytes(Uint8Array.of(PREFIX), hashBytes(encodeUtf8(origin)));
}

function formatState({ head, range, leaves, changedMs }: FollowedState): Uint8Array {
  const { events, statements, unknown, malformed, firstMalformed } = leaves;
  return formatCbor(
    new Map<number, CborValue>([
      [1, VERSION],
      [2, head.note],
      [3, range.size],
      [4, concatBytes(...range.hashes)],
      [5, [events, statements, unknown]],
      [6, [malformed, firstMalformed]],
      [7, changedMs],
    ]),
  );
}

function parseState(row: Uint8Array, log: FollowedLog): FollowedState {
  const map = parseCbor(row);
  if (!(map instanceof Map) || map.get(1) !== VERSION || map.size !== 7) throw damaged();
  const note = map.get(2);
  const hashes = map.get(4);
  if (!(note instanceof Uint8Array) || !(hashes instanceof Uint8Array)) throw damaged();
  const head = openFollowedHead(note, log);
  const size = numberOf(map.get(3));
  if (size > head.size || hashes.length !== HASH_SIZE * nodesOf({ begin: 0, end: size }).length)
    throw damaged();
  const [events, statements, unknown] = numbersOf(map.get(5), 3);
  const [malformed, firstMalformed] = numbersOf(map.get(6), 2);
  return {
    head,
    range: new CompactRange(
      size,
      Array.from({ length: hashes.length / HASH_SIZE }, (_, i) =>
        hashes.slice(i * HASH_SIZE, (i + 1) * HASH_SIZE),
      ),
    ),
    leaves: {
      events: events!,
      statements: statements!,
      unknown: unknown!,
      malformed: malformed!,
      firstMalformed: firstMalformed!,
    },
    changedMs: numberOf(map.get(7)),
  };
}

function numbersOf(value: CborValue | undefined, count: number): number[] {
  if (!Array.isArray(value) || value.length !== count) throw damaged();
  return value.map(numberOf);
}

function numberOf(value: CborValue | undefined): number {
  if (typeof value !== 'number' || !isSize(value)) throw damaged();
  return value;
}

function damaged(): NewelError {
  return new NewelError('malformed', 'it is not a row of this version');
}
