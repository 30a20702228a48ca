/**
 * The places of an event, as far as names go: which members the schema lists there, and where names are the submitter's own.
 * Names that the schema does not list may be secrets, so findings do not repeat them.
 */

import type { JsonObject } from '../formats/json.ts';
import { FLAT_MEMBERS } from './flat.ts';
import type { Member, Members } from './member.ts';
import { EVENT_MEMBERS } from './members.ts';
import { SUBJECT_FORMATS } from './subject-identifier.ts';

export interface Place {
  /** Names that the schema lists, each with the place that it leads to. */
  readonly listed: ReadonlyMap<string, Place>;
  /** Whether other names are the submitter's to choose, as in `ext` and `labels`. */
  readonly isOpen: boolean;
}

const NOTHING: ReadonlyMap<string, Place> = new Map();
/** A scalar, or below a member that the schema does not list. */
export const LEAF: Place = { listed: NOTHING, isOpen: false };
export const OPEN: Place = { listed: NOTHING, isOpen: true };

const HOLDER: Place = placeOfNames(['kty', 'crv', 'x', 'y', 'kid']);
const SUBJECT: Place = placeOfSubject();
const EVENT: Place = placeOfMembers(EVENT_MEMBERS);
const FLAT: Place = placeOfMembers(FLAT_MEMBERS);

/** The place of a whole event, of either profile. */
export function placeOfEvent(event: JsonObject): Place {
  return event['schema'] === undefined && Object.hasOwn(event, 'event_type') ? FLAT : EVENT;
}

function placeOfMembers(members: Members): Place {
  const listed = new Map(Object.entries(members).map(([name, member]) => [name, placeOfMember(member)]));
  return { listed, isOpen: false };
}

/** Items of a list have the place of the list. */
function placeOfMember(member: Member): Place {
  if (member.is === 'object') return placeOfMembers(member.members);
  if (member.is === 'labels' || member.is === 'extension') return OPEN;
  if (member.is === 'holder') return HOLDER;
  return member.is === 'subject_identifier' ? SUBJECT : LEAF;
}

function placeOfNames(names: readonly string[]): Place {
  return { listed: new Map(names.map((name) => [name, LEAF])), isOpen: false };
}

/** The members of all formats, and the aliases in which they may stand again. */
function placeOfSubject(): Place {
  const names = Object.values(SUBJECT_FORMATS).flatMap((members) => Object.keys(members));
  const single = placeOfNames(['format', ...names]);
  return { listed: new Map(single.listed).set('identifiers', single), isOpen: false };
}
