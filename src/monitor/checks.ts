/**
 * What a head is held to by itself: how old it is, whether its times can be, and whether enough witnesses have signed it.
 * Each check says what is wrong, or nothing. None of it is proof of anything: it is what an operator should look into.
 */

import { levelOf } from '../client/level.ts';
import { type FollowedHead, timesOf } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';

/**
 * Whether the head is too old: by the newest time that a line of it says, or, where its lines say none, by how long it has
 * been served unchanged. `changedMs` is when it was first seen as it is now.
 */
export function staleness(
  head: FollowedHead,
  { limits }: FollowedLog,
  nowMs: number,
  changedMs: number,
): string | undefined {
  const timesS = timesOf(head);
  if (timesS.length > 0) {
    const ageMs = nowMs - Math.max(...timesS) * 1000;
    if (ageMs <= limits.maxAgeMs) return undefined;
    return `the newest time that is signed on the head is ${minutes(ageMs)} old; ${minutes(limits.maxAgeMs)} are allowed`;
  }
  const sinceMs = nowMs - changedMs;
  if (sinceMs <= limits.maxUntimedAgeMs) return undefined;
  return `the head has no signed time, and has not changed for ${minutes(sinceMs)}; ${minutes(limits.maxUntimedAgeMs)} are allowed`;
}

/** Whether a line of the head is signed for a time that has not come yet. */
export function clockError(head: FollowedHead, { limits }: FollowedLog, nowMs: number): string | undefined {
  const aheadMs = Math.max(0, ...timesOf(head)) * 1000 - nowMs;
  if (aheadMs <= limits.maxAheadMs) return undefined;
  return `a line of the head is signed for ${minutes(aheadMs)} after now, so one of the clocks is wrong: its, or ours`;
}

/** Whether the lines that the policy asks for are missing. */
export function missingQuorum(head: FollowedHead, { trust, origin }: FollowedLog): string | undefined {
  if (trust.policy.quorum === 'none') return undefined;
  const { level, have, need } = levelOf(
    trust.policy,
    head.lines.map(({ line }) => line),
    origin,
  );
  if (level === 'witnessed') return undefined;
  return `the head of ${head.size} leaves has not the witness lines that the policy asks for: ${have} of ${need}`;
}

function minutes(durationMs: number): string {
  const whole = Math.round(durationMs / 60_000);
  return whole < 1 ? `${Math.round(durationMs / 1000)} s` : `${whole} min`;
}
