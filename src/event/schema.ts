/**
 * The TypeScript types of an event, inferred from its table of members and from the rules by type.
 *
 *   if (event.type === 'stepup.completed') event.outcome       // 'success' | 'failure' | 'unknown', and there
 */

import type { EventType } from './enumerations.ts';
import type { ObjectOf } from './member.ts';
import type { EVENT_MEMBERS } from './members.ts';
import type { REQUIRED_BY_TYPE } from './rules.ts';

/** Everything that an event can have, of whatever type. Only what every event has is required. */
export type EventMembers = ObjectOf<typeof EVENT_MEMBERS>;

/** The required members of a path such as `challenge.method`. */
type Having<Path extends string, From> = Path extends `${infer Head}.${infer Rest}`
  ? Head extends keyof From
    ? { [Name in Head]: NonNullable<From[Name]> & Having<Rest, NonNullable<From[Name]>> }
    : never
  : Path extends keyof From
    ? { [Name in Path]: NonNullable<From[Name]> }
    : never;

type Both<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? All
  : never;

type RequiredPath<Type extends EventType> = Type extends keyof typeof REQUIRED_BY_TYPE
  ? (typeof REQUIRED_BY_TYPE)[Type][number]
  : never;

/** `Having` of each path, distributed. */
type HavingEach<Path extends string> = Path extends unknown ? Having<Path, EventMembers> : never;

/** An event of one type, with what the type requires. */
export type EventOf<Type extends EventType> = EventMembers & { type: Type } & ([RequiredPath<Type>] extends [
    never,
  ]
    ? unknown
    : Both<HavingEach<RequiredPath<Type>>>);

/** An event of the schema `stepup/1`: a union that `type` tells apart. */
export type StepUpEvent = { [Type in EventType]: EventOf<Type> }[EventType];
