/**
 * Dynamic linking: whether the events of one `txn` fit together (spec/binding.md). One event after the other, in the
 * order of the log; what was said before is in a state of bounded size.
 *
 *   required → completed → executed     one transaction hash, authenticated before, not too long before, and once
 *
 * A breach is told with the event that makes it visible, which for what arrives late is not the one that is wrong.
 */

import { equalBytes } from '../core/bytes.ts';
import { parseBase64Url } from '../formats/base64url.ts';
import { type Instant, instantOf } from './instant.ts';
import { type LinkState, MAX_COMPLETIONS, MAX_WAITING, NO_LINK } from './link-state.ts';
import type { EventMembers } from './schema.ts';

export { formatLinkState, type LinkState, parseLinkState } from './link-state.ts';

/** The rules, in the order in which breaches are told. */
export const LINK_RULES = [
  /** The transaction hash is another one than on an earlier event. */
  'hash_differs',
  /** One event of the three carries a transaction hash, and another does not. */
  'hash_missing',
  /** A step-up was required, and no successful one is there. */
  'not_authenticated',
  /** The execution is before the authentication: by their times, or in the log. */
  'executed_before_authentication',
  /** From the authentication to the execution it is more than `requirement.max_age`. */
  'too_old',
  /** The completion or allowance had its execution already. */
  'executed_twice',
] as const;

export type LinkRule = (typeof LINK_RULES)[number];

/** What one event says of its `txn`. */
export interface LinkFacts {
  /** 32 bytes of the transaction hash that it carries. */
  readonly hash: Uint8Array | undefined;
  /** It has to carry the hash, if any event does. */
  readonly needsHash: boolean;
  readonly maxAgeS: number | undefined;
  readonly step:
    | { readonly is: 'required' | 'allowed' }
    /** Successfully authenticated, or executed, at that time. */
    | { readonly is: 'completed' | 'executed'; readonly at: Instant }
    | undefined;
}

export interface LinkAdvance {
  readonly state: LinkState;
  /** Each once; none where all is well. */
  readonly breaches: readonly LinkRule[];
}

const HASH_PREFIX = 'sha-256:';

/** The facts of an event; `undefined` for one that plays no part. */
export function linkFactsOf(event: EventMembers): LinkFacts | undefined {
  if (event.txn === undefined) return undefined;
  const text = event.action?.transaction_data_hash;
  const hash =
    text === undefined ? undefined : parseBase64Url(text.slice(HASH_PREFIX.length), 'the transaction hash');
  const maxAgeS = event.requirement?.max_age;
  const step = stepOf(event);
  if (hash === undefined && maxAgeS === undefined && step === undefined) return undefined;
  const needsHash = event.type === 'stepup.required' || step?.is === 'completed' || step?.is === 'executed';
  return { hash, needsHash, maxAgeS, step };
}

function stepOf({ type, time, decision, outcome, authentication }: EventMembers): LinkFacts['step'] {
  if (type === 'stepup.evaluated' && decision !== undefined) {
    return { is: decision === 'not_required' ? 'allowed' : 'required' };
  }
  if (type === 'stepup.required') return { is: 'required' };
  if (type === 'stepup.bypassed') return { is: 'allowed' };
  if (type === 'stepup.completed' && outcome === 'success') {
    return { is: 'completed', at: instantOf(authentication?.auth_time ?? time) };
  }
  if (type === 'action.executed' && outcome !== 'failure') return { is: 'executed', at: instantOf(time) };
  return undefined;
}

/** The state as it is written to. */
type Draft = { -readonly [Name in keyof LinkState]: LinkState[Name] };
type Breaches = Set<LinkRule>;

/** What is known of a `txn` after one more event, and the rules that it shows to be broken. */
export function advanceLink(state: LinkState | undefined, facts: LinkFacts): LinkAdvance {
  const draft: Draft = { ...(state ?? NO_LINK) };
  const breaches: Breaches = new Set();
  compareHash(draft, facts, breaches);
  tightenAge(draft, facts, breaches);
  const { step } = facts;
  if (step?.is === 'required') demand(draft, breaches);
  else if (step?.is === 'allowed') allow(draft, breaches);
  else if (step?.is === 'completed') complete(draft, step.at, breaches);
  else if (step?.is === 'executed') execute(draft, step.at, breaches);
  return { state: draft, breaches: LINK_RULES.filter((rule) => breaches.has(rule)) };
}

function compareHash(draft: Draft, { hash, needsHash }: LinkFacts, breaches: Breaches): void {
  if (hash === undefined) {
    if (!needsHash) return;
    if (draft.hash === undefined) draft.lacksHash = true;
    else breaches.add('hash_missing');
  } else if (draft.hash === undefined) {
    draft.hash = hash;
    if (draft.lacksHash) breaches.add('hash_missing');
    draft.lacksHash = false;
  } else if (draft.hashesDiffer || !equalBytes(draft.hash, hash)) {
    // Where there are two already, it is another one than one of them.
    draft.hashesDiffer = true;
    breaches.add('hash_differs');
  }
}

/** The strictest requirement holds, for executions before it as well. */
function tightenAge(draft: Draft, { maxAgeS }: LinkFacts, breaches: Breaches): void {
  const earlierS = draft.maxAgeS ?? Infinity;
  if (maxAgeS === undefined || maxAgeS >= earlierS) return;
  draft.maxAgeS = maxAgeS;
  if (draft.oldestAgeMs > 1000 * maxAgeS && draft.oldestAgeMs <= 1000 * earlierS) breaches.add('too_old');
}

function demand(draft: Draft, breaches: Breaches): void {
  draft.isDue = true;
  draft.isAllowed = false;
  if (draft.early === 0) return;
  breaches.add('not_authenticated');
  draft.late = Math.min(draft.late + draft.early, MAX_WAITING);
  draft.early = 0;
}

function allow(draft: Draft, breaches: Breaches): void {
  draft.isDue = false;
  if (!isUsedAlready(draft, breaches)) draft.isAllowed = true;
}

function complete(draft: Draft, at: Instant, breaches: Breaches): void {
  draft.isDue = false;
  if (draft.early > 0) breaches.add('executed_before_authentication');
  if (isUsedAlready(draft, breaches)) return;
  const completions = [...draft.completions, at].sort((a, b) => a.earliestMs - b.earliestMs);
  draft.completions = completions.slice(-MAX_COMPLETIONS);
}

/** Whether a completion or allowance belongs to an execution that stands before it in the log. */
function isUsedAlready(draft: Draft, breaches: Breaches): boolean {
  if (draft.early > 0) {
    if (draft.early > 1) breaches.add('executed_twice');
    draft.early = 0;
  } else if (draft.late > 0) {
    // How many more there were than can be counted is not known: then every one is used.
    if (draft.late < MAX_WAITING) draft.late--;
  } else {
    return false;
  }
  draft.wasUsed = true;
  return true;
}

function execute(draft: Draft, at: Instant, breaches: Breaches): void {
  if (draft.completions.length > 0) {
    useCompletion(draft, at, breaches);
  } else if (draft.isAllowed) {
    draft.isAllowed = false;
    draft.wasUsed = true;
  } else if (draft.isDue) {
    breaches.add('not_authenticated');
    draft.late = Math.min(draft.late + 1, MAX_WAITING);
  } else if (draft.wasUsed) {
    breaches.add('executed_twice');
  } else {
    draft.early = Math.min(draft.early + 1, MAX_WAITING);
  }
}

/** The oldest completion that the execution keeps to the rules with; else the one that it comes closest with. */
function useCompletion(draft: Draft, at: Instant, breaches: Breaches): void {
  const { completions } = draft;
  const maxAgeMs = 1000 * (draft.maxAgeS ?? Infinity);
  const isEarlier = (authenticated: Instant): boolean => authenticated.earliestMs <= at.latestMs;
  const ageMs = (authenticated: Instant): number => Math.max(0, at.earliestMs - authenticated.latestMs);
  let used = completions.findIndex((one) => isEarlier(one) && ageMs(one) <= maxAgeMs);
  if (used >= 0) {
    draft.oldestAgeMs = Math.max(draft.oldestAgeMs, ageMs(completions[used]!));
  } else {
    used = completions.findLastIndex(isEarlier);
    breaches.add(used >= 0 ? 'too_old' : 'executed_before_authentication');
    used = Math.max(used, 0);
  }
  draft.completions = completions.filter((_, i) => i !== used);
  draft.wasUsed = true;
}
