/** A log whose heads are kept and exchanged, and what is told of them. */

import { type HeadKey, headKeysOf } from '../client/head-lines.ts';
import type { LogSource } from '../client/source.ts';
import { toTrust, type Trust, type TrustInput } from '../client/trust.ts';
import type { EvidenceBundle } from '../client/evidence-bundle.ts';
import type { VerifiedEvidence } from '../client/verify-evidence.ts';

export interface GossipedLog {
  readonly origin: string;
  /** Whose lines count. At least one is the log's. */
  readonly keys: readonly HeadKey[];
  /** Where the log's tiles are read. Without it, heads of different sizes stay undecided. */
  readonly tiles?: LogSource | undefined;
  /** Where else tiles of a tree may be, of which a source showed the head: that source may be a mirror. */
  readonly tilesOf?: ((source: string) => LogSource | undefined) | undefined;
  /** The source of our own: the log as we follow it, or, of a witness, what it has cosigned. */
  readonly own?: string | undefined;
  /** A source whose heads were each proven to extend the one before: those that we have cosigned ourselves, of a witness. */
  readonly chain?: string | undefined;
  /** How long a head may be undecided before that is told: the log may have signed it and not published it yet. */
  readonly graceMs?: number | undefined;
}

/** Who publishes late says so itself, so that it is believed up to here: nobody may keep a monitor silent for longer. */
const MAX_GRACE_MS = 10 * 60_000;

/** How long a head of this log may be undecided, or larger than what the log serves, before that is told. */
export function graceMsOf({ maxPublishDelayMs }: Pick<Trust, 'maxPublishDelayMs'>): number {
  return Math.min(maxPublishDelayMs, MAX_GRACE_MS);
}

/** The log of a trust file. */
export function gossipedLog(trust: TrustInput, tiles?: LogSource): GossipedLog {
  const known = toTrust(trust);
  return { origin: known.origin, keys: headKeysOf(known), tiles, graceMs: graceMsOf(known) };
}

/** What is told; `cli` makes log lines, metrics and alerts of it. */
export type HeadsSignal =
  /** There is a larger head now. */
  | { readonly event: 'newest'; readonly origin: string; readonly size: number; readonly source: string }
  /** Our own head is shown, and the newest is not: nobody has shown yet that they are of one tree. */
  | { readonly event: 'apart'; readonly origin: string; readonly size: number }
  /** Proof: it is kept, and stays proof wherever it is taken. */
  | { readonly event: 'evidence'; readonly bundle: EvidenceBundle; readonly verified: VerifiedEvidence }
  /** Proof too, of which as much is kept as there is room for. */
  | { readonly event: 'unkept'; readonly bundle: EvidenceBundle; readonly verified: VerifiedEvidence }
  /** No proof: for as long as the grace, nobody could show whether a signed head is of the tree that is followed. */
  | {
      readonly event: 'undecided';
      readonly origin: string;
      readonly size: number;
      readonly source: string;
      readonly sinceMs: number;
      readonly why: string;
    }
  /** A row that was kept does not verify: keys have changed, or it is damaged. It is passed over. */
  | { readonly event: 'unreadable'; readonly origin: string; readonly error: unknown };
