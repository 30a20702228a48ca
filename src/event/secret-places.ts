/**
 * The places of an event, as far as names go: which members the schema lists there, and where names are the submitter's own.
 * Names that the schema does not list may be secrets, so findings do not repeat them. And which values are identities: two
 * events, persons or transactions whose identities were replaced by one and the same marker would become one.
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
  /** Whether events, or what they are about, are told apart or joined by what stands here: then nothing of it is replaced. */
  readonly isIdentity: boolean;
}

const NOTHING: ReadonlyMap<string, Place> = new Map();
/** A scalar, or below a member that the schema does not list. */
export const LEAF: Place = { listed: NOTHING, isOpen: false, isIdentity: false };
export const OPEN: Place = { listed: NOTHING, isOpen: true, isIdentity: false };
const IDENTITY: Place = { listed: NOTHING, isOpen: false, isIdentity: true };

/** Paths of members that are identities, with all that is below them. */
const EVENT_IDENTITIES: ReadonlySet<string> = new Set([
  'id',
  'source',
  'seq',
  'type',
  'subject',
  'txn',
  'corrects',
  'causation_id',
  'trace_id',
  'session.uid',
  'action.id',
  'feedback.refers_to',
  'challenge.id',
  'http_request.request_id',
]);
const FLAT_IDENTITIES: ReadonlySet<string> = new Set(['id', 'user_id', 'session_id', 'txn']);

const HOLDER: Place = placeOfNames(['kty', 'crv', 'x', 'y', 'kid']);
const SUBJECT: Place = placeOfSubject();
const EVENT: Place = placeOfMembers(EVENT_MEMBERS, EVENT_IDENTITIES);
const FLAT: Place = placeOfMembers(FLAT_MEMBERS, FLAT_IDENTITIES);

/** The place of a whole event, of either profile. */
export function placeOfEvent(event: JsonObject): Place {
  return event['schema'] === undefined && Object.hasOwn(event, 'event_type') ? FLAT : EVENT;
}

/** The place of a member that `place` does not list. */
export function placeOfUnlisted({ isOpen, isIdentity }: Place): Place {
  if (isOpen) return OPEN;
  return isIdentity ? IDENTITY : LEAF;
}

function placeOfMembers(members: Members, identities: ReadonlySet<string>, around = ''): Place {
  const listed = new Map<string, Place>();
  for (const [name, member] of Object.entries(members)) {
    const path = around + name;
    const place = placeOfMember(member, identities, `${path}.`);
    listed.set(name, identities.has(path) ? identityOf(place) : place);
  }
  return { listed, isOpen: false, isIdentity: false };
}

function identityOf({ listed, isOpen }: Place): Place {
  const names = [...listed].map(([name, place]) => [name, identityOf(place)] as const);
  return { listed: new Map(names), isOpen, isIdentity: true };
}

/** Items of a list have the place of the list. */
function placeOfMember(member: Member, identities: ReadonlySet<string>, around: string): Place {
  if (member.is === 'object') return placeOfMembers(member.members, identities, around);
  if (member.is === 'labels' || member.is === 'extension') return OPEN;
  if (member.is === 'holder') return HOLDER;
  return member.is === 'subject_identifier' ? SUBJECT : LEAF;
}

function placeOfNames(names: readonly string[]): Place {
  return { listed: new Map(names.map((name) => [name, LEAF])), isOpen: false, isIdentity: false };
}

/** The members of all formats, and the aliases in which they may stand again. */
function placeOfSubject(): Place {
  const names = Object.values(SUBJECT_FORMATS).flatMap((members) => Object.keys(members));
  const single = placeOfNames(['format', ...names]);
  return { ...single, listed: new Map(single.listed).set('identifiers', single) };
}
