/**
 * The heads of up to 64 logs, kept and compared with each other, for whoever gossips: a head that somebody shows is
 * verified, compared, and answered with ours, or with the evidence that both cannot be.
 *
 *   take         from a source that is configured: the log, a witness, a peer that was asked
 *   takePosted   from a stranger, at a bounded rate, and of no effect on what is known but by what is proven
 *
 * All that was answered is on the disk before.
 */

import { hashBytes } from '../core/hash.ts';
import { type EvidenceBundle, parseEvidenceBundle } from '../client/evidence-bundle.ts';
import { TokenBucket } from '../client/token-bucket.ts';
import type { VerifiedEvidence } from '../client/verify-evidence.ts';
import { NewelError } from '../errors.ts';
import { parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import { formatHex } from '../formats/hex.ts';
import { parseNote } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import type { Store } from '../storage/store.ts';
import type { GossipedLog, HeadsSignal } from './gossiped-log.ts';
import { HeadRows } from './head-rows.ts';
import { type HeadAnswer, OriginHeads } from './origin-heads.ts';
import { Posters, type PostLimits } from './posters.ts';
import { within } from './timed-source.ts';

export { type GossipedLog, gossipedLog, type HeadsSignal } from './gossiped-log.ts';
export type { KeptHead } from './kept-head.ts';
export type { HeadAnswer } from './origin-heads.ts';

/** Logs whose heads one process keeps. */
export const MAX_ORIGINS = 64;
/** Bytes that a posted head may have. */
export const MAX_POSTED_BYTES: number = 64 * 1024;
const DECIDE_MS = 2000;
/** Comparisons of heads of strangers that read tiles, of one log: 4 a second. */
const TILE_READS = { burst: 16, everyMs: 250 } as const;

/** SHA-256 of an origin, 64 lower-case hex digits: what its heads are filed under. */
export function originHashOf(origin: string): string {
  return formatHex(hashBytes(encodeUtf8(origin)));
}

export interface HeadsOptions {
  readonly store: Store;
  readonly logs: readonly GossipedLog[];
  readonly onSignal?: (signal: HeadsSignal) => void;
  readonly postLimits?: Partial<PostLimits>;
  /** How long whoever posts a head waits for what becomes of it; 2 s by default. */
  readonly decideMs?: number;
  /** Milliseconds since 1970, UTC. */
  readonly now?: () => number;
  /** Milliseconds that never go back. */
  readonly elapsed?: () => number;
}

/** Reads what is kept of the logs. Throws `usage` for more than 64 of them, `storage_failed`. */
export async function openHeads(options: HeadsOptions): Promise<Heads> {
  const heads = new Heads(options);
  for (const log of options.logs) await heads.follow(log);
  return heads;
}

export class Heads {
  readonly #rows: HeadRows;
  readonly #listeners = new Set<(signal: HeadsSignal) => void>();
  readonly #now: () => number;
  readonly #elapsed: () => number;
  readonly #posters: Posters;
  readonly #decideMs: number;
  /** By the hex of SHA-256 of their origin. */
  readonly #origins = new Map<string, OriginHeads>();

  /** Follows nothing yet: `openHeads` is what reads. */
  constructor({ store, onSignal, postLimits, decideMs = DECIDE_MS, now, elapsed }: HeadsOptions) {
    this.#rows = new HeadRows(store);
    if (onSignal) this.#listeners.add(onSignal);
    this.#now = now ?? Date.now;
    this.#elapsed = elapsed ?? ((): number => performance.now());
    this.#posters = new Posters(this.#elapsed, postLimits);
    this.#decideMs = decideMs;
  }

  /**
   * Follows a log from now on; of one that is followed, takes its sources anew, and where its keys are others, all that is
   * kept of it, as those keys open it. One call at a time for one origin. Throws `usage` at the 65th.
   */
  async follow(log: GossipedLog): Promise<void> {
    const name = originHashOf(log.origin);
    const known = this.#origins.get(name);
    if (known && haveSameKeys(known.log, log)) {
      known.log = log;
      return;
    }
    if (known) await this.unfollow(log.origin);
    if (this.#origins.size >= MAX_ORIGINS) {
      throw new NewelError('usage', `heads of at most ${MAX_ORIGINS} logs are kept and exchanged`);
    }
    const tileReads = new TokenBucket(TILE_READS);
    const origin = new OriginHeads(log, {
      rows: this.#rows,
      originHash: hashBytes(encodeUtf8(log.origin)),
      now: this.#now,
      mayReadTiles: () => tileReads.take(this.#elapsed()) === 0,
      onSignal: (signal) => {
        for (const listener of this.#listeners) listener(signal);
      },
    });
    await origin.load();
    this.#origins.set(name, origin);
  }

  /**
   * Follows a log no more: what comes of it, and what is under way, is `not_found`. Resolves when nothing more is written;
   * what is kept counts again once it is followed again.
   */
  async unfollow(origin: string): Promise<void> {
    const name = originHashOf(origin);
    const followed = this.#origins.get(name);
    this.#origins.delete(name);
    await followed?.end();
  }

  /** Has one more told of what happens. Returns how to end that. */
  subscribe(listener: (signal: HeadsSignal) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The origins that are followed, by the hex of their SHA-256. */
  get origins(): ReadonlyMap<string, OriginHeads> {
    return this.#origins;
  }

  /**
   * Takes a signed head from a source that is configured, under its name. Throws `malformed`, `too_large`, `not_found` for
   * an origin that is not followed, `signer_unknown`, `signature_invalid`, `storage_failed`.
   */
  async take(note: Uint8Array, source: string): Promise<HeadAnswer> {
    return this.#originOf(note).take(note, source);
  }

  /**
   * Whether a stranger of this network may post a head now, `undefined` where it is not known: what to post it under.
   * Throws `rate_limited`.
   */
  admit(network: string | undefined): string {
    return this.#posters.admit(network);
  }

  /**
   * Takes a signed head from a stranger, by what `admit` has returned. Where the log's tiles take their time it is
   * undecided, and decided afterwards. Throws as `take`.
   */
  async takePosted(note: Uint8Array, poster: string): Promise<HeadAnswer> {
    const origin = this.#originOf(note);
    return within(this.#decideMs, origin.take(note, '', poster), () => ({
      kind: 'undecided',
      ours: origin.ours?.checkpoint,
      why: 'the tiles of the log are still being read',
    }));
  }

  /**
   * Keeps evidence that somebody else has found, and tells of it. Throws `malformed`, `too_large`, `not_found`, and what
   * `verifyEvidenceBundle` throws where it does not convict.
   */
  async takeEvidence(evidence: EvidenceBundle | Uint8Array): Promise<VerifiedEvidence> {
    const bundle = evidence instanceof Uint8Array ? parseEvidenceBundle(evidence) : evidence;
    return this.#followed(bundle.origin).addEvidence(bundle);
  }

  /** The head that we show of an origin, by the 64 hex digits of its SHA-256; `undefined` where there is none. */
  async ours(originHash: string): Promise<Uint8Array | undefined> {
    return this.#origins.get(originHash)?.ours?.checkpoint;
  }

  /** Tries again what could not be decided, of all logs at once. */
  async retry(): Promise<void> {
    const retryOne = ([name, origin]: [string, OriginHeads]): Promise<void> =>
      origin.retry().catch((error: unknown) => {
        if (this.#origins.get(name) === origin) throw error;
      });
    await Promise.all([...this.#origins].map(retryOne));
  }

  #originOf(note: Uint8Array): OriginHeads {
    return this.#followed(parseCheckpointWithExtensions(parseNote(note).text).origin);
  }

  #followed(origin: string): OriginHeads {
    const found = this.#origins.get(originHashOf(origin));
    if (!found) throw new NewelError('not_found', 'the log of this origin is not followed here');
    return found;
  }
}

function haveSameKeys(a: GossipedLog, b: GossipedLog): boolean {
  const namesOf = ({ keys }: GossipedLog): string =>
    keys.map(({ name, keyId, isLog }) => `${name}+${keyId}${isLog ? '' : ' witness'}`).join();
  return namesOf(a) === namesOf(b);
}
