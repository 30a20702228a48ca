/** What a monitor holds a log to: its keys, its policy, the form of its entries, and how old a head of it may become. */

import { type HeadKey, headKeysOf } from '../client/head-lines.ts';
import type { LogSource } from '../client/source.ts';
import type { Trust } from '../client/trust.ts';
import { graceMsOf } from './gossiped-log.ts';
import { originHashOf } from './heads.ts';

export interface FollowedLog {
  readonly origin: string;
  /** SHA-256 of the origin, 64 lower-case hex digits: what witnesses and peers file its heads under. */
  readonly originHash: string;
  /** Its public URL prefix. */
  readonly url: string;
  readonly source: LogSource;
  readonly trust: Trust;
  /** Whose lines count: the log's own and those of the policy's witnesses. */
  readonly keys: readonly HeadKey[];
  readonly limits: FollowLimits;
}

export interface FollowLimits {
  /** How old the newest signed time of a head may be. */
  readonly maxAgeMs: number;
  /** How long a log whose lines have no time may serve the same head. */
  readonly maxUntimedAgeMs: number;
  /** How far ahead of our clock a signed time may be. */
  readonly maxAheadMs: number;
  /** How long a head that somebody else was shown may be larger than what the log serves. */
  readonly maxWithheldMs: number;
}

/** A log republishes every 10 minutes: three of them missed. */
const MAX_AGE_MS = 30 * 60_000;
const MAX_UNTIMED_AGE_MS = 24 * 3_600_000;
const MAX_AHEAD_MS = 5 * 60_000;

export interface FollowedLogOptions {
  /** Where it is read; the URL in the trust file may be another one. */
  readonly url: string;
  readonly source: LogSource;
  /** How old a head may be, whether its lines have times or not. */
  readonly maxAgeMs?: number | undefined;
}

/** The log of a trust file. Lines of ML-DSA-44 count where `trust` has the arithmetic for them. Throws `malformed`. */
export function followedLog(trust: Trust, { url, source, maxAgeMs }: FollowedLogOptions): FollowedLog {
  const { origin } = trust;
  return {
    origin,
    originHash: originHashOf(origin),
    url: url.replace(/\/+$/, ''),
    source,
    trust,
    keys: headKeysOf(trust),
    limits: {
      maxAgeMs: maxAgeMs ?? MAX_AGE_MS,
      maxUntimedAgeMs: maxAgeMs ?? MAX_UNTIMED_AGE_MS,
      maxAheadMs: MAX_AHEAD_MS,
      maxWithheldMs: graceMsOf(trust),
    },
  };
}
