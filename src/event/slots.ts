/**
 * Which members of an event are disclosures, and where. Each has one slot, a number for ever: its salt and its decoy have
 * their place in the event's randomness by it, whatever else the event has.
 *
 *   0 … 31    the members of the event itself, without `schema` and `holder`
 *   32 … 49   members inside them that stand alone: subject.sub_id 32, session.uid 33, src.ip 34, …
 */

import type { Member, Members } from './member.ts';
import { EVENT_MEMBERS } from './members.ts';

/** A member that is a disclosure. */
export interface Slot {
  readonly slot: number;
  /** Its name in its object. */
  readonly name: string;
  /** The slots of the members of its value; `undefined` where there are none. */
  readonly inner: Level | undefined;
}

/** The slots of one object: as many digests are in its `_sd`, always. */
export interface Level {
  readonly slots: readonly Slot[];
  readonly names: ReadonlySet<string>;
}

/** The slots of the event. */
export const TOP_LEVEL: Level = levelOf(EVENT_MEMBERS);

/** How many there are, at every level: 50. */
export const SLOT_COUNT: number = countOf(TOP_LEVEL);

function levelOf(members: Members): Level {
  const slots = Object.entries(members).flatMap(([name, member]) =>
    member.slot === undefined ? [] : [{ slot: member.slot, name, inner: innerOf(member) }],
  );
  return { slots, names: new Set(slots.map(({ name }) => name)) };
}

function innerOf(member: Member): Level | undefined {
  const inner = member.is === 'object' ? levelOf(member.members) : undefined;
  return inner?.slots.length ? inner : undefined;
}

function countOf({ slots }: Level): number {
  return slots.reduce((sum, { inner }) => sum + 1 + (inner ? countOf(inner) : 0), 0);
}
