/**
 * Claims by name, for whoever shows some of a statement and not the rest. A claim is a disclosure, named by its path:
 *
 *   outcome                     the member of the event
 *   src.ip                      a member that stands alone inside another; src comes along, with what has no disclosure
 *                               of its own (src.is_proxy)
 *   src.*                       src, and every disclosure inside it
 *   *                           every disclosure
 *
 * What is named and what travels along with it are both listed, so that a person sees it before anybody else does.
 */

import { NewelError } from '../errors.ts';
import type { Member, Members } from './member.ts';
import { EVENT_MEMBERS } from './members.ts';
import { PAYLOAD_NAMES } from './statement-names.ts';

/** What is known of one disclosure. */
interface Claim {
  /** The disclosures that it stands in, from the outermost. */
  readonly within: readonly string[];
  /** Members that are inside its value without a disclosure of their own. */
  readonly along: readonly string[];
}

/** By their paths with dots, in the order of the schema. */
const CLAIMS: ReadonlyMap<string, Claim> = new Map(claimsOf(EVENT_MEMBERS, [], []));

/** Every claim there is, in the order of the schema. */
export const CLAIM_PATHS: readonly string[] = [...CLAIMS.keys()];

/** By member without a disclosure of its own, the disclosure that it travels in. */
const CARRIERS: ReadonlyMap<string, string> = new Map(
  [...CLAIMS].flatMap(([name, { along }]) => along.map((path) => [path, name] as const)),
);

/** The claims of a statement that are open to whoever is shown any of it. `cnf` is there where the event has a holder. */
export const OPEN_CLAIMS: readonly string[] = PAYLOAD_NAMES.filter((name) => !name.startsWith('_'));

const AUDITOR: readonly string[] = [
  'type',
  'time',
  'trigger',
  'challenge',
  'outcome',
  'authentication',
  'system_action',
  'action.transaction_data_hash',
];

/** Claims for a purpose. */
export interface Preset {
  readonly claims: readonly string[];
  /** These stay out, although a `*` names them. */
  readonly without: readonly string[];
}

export const PRESETS: Readonly<Record<'auditor' | 'fraud' | 'subject-request', Preset>> = {
  auditor: { claims: AUDITOR, without: [] },
  fraud: { claims: [...AUDITOR, 'src.*', 'device.*', 'session.uid'], without: [] },
  'subject-request': { claims: ['*'], without: ['trigger.risk', 'trigger.policy'] },
};

/** What somebody wants to show: claims by name, or those of a preset. */
export type ClaimChoice = { readonly claims: readonly string[] } | { readonly preset: string };

/** What is shown of a statement, as far as the event has it. */
export interface ChosenClaims {
  /** Every disclosure, those around the chosen ones too, sorted. */
  readonly claims: readonly string[];
  /** The members that travel along inside them, sorted. */
  readonly travelsAlong: readonly string[];
  /** What is open in every statement, whatever is chosen. */
  readonly open: readonly string[];
  /** Whether the disclosure at this path is one of them. */
  isShown(path: readonly string[]): boolean;
}

/** Paths that one choice may name. */
export const MAX_CHOSEN = 100;

/**
 * The claims of a choice. Throws `malformed` for a preset that is none, for no path, for more than MAX_CHOSEN, and for one
 * that names no disclosure, by its place among them; it is repeated only where it is a member of the schema.
 */
export function chooseClaims(choice: ClaimChoice): ChosenClaims {
  const { claims, without } =
    'claims' in choice ? { claims: choice.claims, without: [] } : presetOf(choice.preset);
  if (claims.length === 0) throw new NewelError('malformed', 'claims names none');
  if (claims.length > MAX_CHOSEN) {
    throw new NewelError('malformed', `claims names more than ${MAX_CHOSEN}`);
  }
  const chosen = new Set(claims.flatMap((path, i) => namedBy(path, i)));
  for (const path of without) chosen.delete(path);
  const shown = new Set([...chosen].flatMap((name) => [...CLAIMS.get(name)!.within, name]));
  return {
    claims: [...shown].sort(),
    travelsAlong: travelsAlong(shown),
    open: OPEN_CLAIMS,
    isShown: (path) => shown.has(path.join('.')),
  };
}

/** The members that come along inside these disclosures, sorted. Throws `RangeError` for a path that is none. */
export function travelsAlong(paths: Iterable<string>): readonly string[] {
  const along = [...paths].flatMap((path) => {
    const claim = CLAIMS.get(path);
    if (!claim) throw new RangeError('path expected of a disclosure');
    return claim.along;
  });
  return along.sort();
}

function presetOf(name: string): Preset {
  if (isPresetName(name)) return PRESETS[name];
  throw new NewelError('malformed', `preset is one of ${Object.keys(PRESETS).join(', ')}`);
}

function isPresetName(name: string): name is keyof typeof PRESETS {
  return Object.hasOwn(PRESETS, name);
}

/** The disclosures that one path of a choice names. */
function namedBy(path: string, place: number): readonly string[] {
  if (path === '*') return CLAIM_PATHS;
  if (CLAIMS.has(path)) return [path];
  const root = path.endsWith('.*') ? path.slice(0, -2) : undefined;
  const inside = CLAIM_PATHS.filter((one) => root !== undefined && one.startsWith(`${root}.`));
  if (root !== undefined && CLAIMS.has(root) && inside.length > 0) return [root, ...inside];
  const carrier = CARRIERS.get(path);
  if (carrier !== undefined) {
    throw new NewelError(
      'malformed',
      `claims: ${path} has no disclosure of its own; it travels in ${carrier}`,
    );
  }
  throw new NewelError('malformed', `claims: the path at place ${place} names no disclosure of an event`);
}

function claimsOf(
  members: Members,
  prefix: readonly string[],
  within: readonly string[],
): (readonly [name: string, claim: Claim])[] {
  return Object.entries(members).flatMap(([name, member]) => {
    const path = [...prefix, name];
    if (member.slot === undefined)
      return member.is === 'object' ? claimsOf(member.members, path, within) : [];
    const key = path.join('.');
    const along = alongIn(member, path);
    const inner = member.is === 'object' ? claimsOf(member.members, path, [...within, key]) : [];
    return [[key, { within, along }] as const, ...inner];
  });
}

/** The members inside a disclosure that have none of their own. */
function alongIn(member: Member, path: readonly string[]): readonly string[] {
  if (member.is !== 'object') return [];
  return Object.entries(member.members).flatMap(([name, inner]) => {
    if (inner.slot !== undefined) return [];
    const own = [...path, name];
    return inner.is === 'object' ? alongIn(inner, own) : [own.join('.')];
  });
}
