/**
 * Which logs of a witness's list are followed for gossip, and by which keys: at most 64 of them, as the list has them now.
 *
 *   listed ─ follow ─→ followed ─┬─ other keys ────────────→ followed anew
 *                                ├─ keys that cannot judge ─┐
 *                                └─ listed no more ─────────┴→ not followed; what was kept counts once it is again
 */

import { parseTrust, type Trust } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { formatVkey } from '../formats/vkey.ts';
import { type GossipedLog, type Heads, MAX_ORIGINS } from '../monitor/heads.ts';
import type { Lines } from '../telemetry/lines.ts';
import { haveSameKeys, type KnownLog, type KnownLogs } from '../witness/known-logs.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { nodeMldsa44 } from './mldsa-node.ts';

/** Logs of the list that are looked at in one turn of the event loop. */
const TURN_LOOKS = 256;

export interface FollowedLogsParts {
  readonly logs: KnownLogs;
  readonly heads: Pick<Heads, 'follow' | 'unfollow'>;
  /** The witness's own keys, so that its lines are kept on the heads. */
  readonly vkeys: readonly string[];
  readonly urlOf: (origin: string) => string;
  readonly gossiped: (trust: Trust, url: string) => GossipedLog;
  readonly lines: Lines;
  /** Told when a log is followed that was not, or by other keys. */
  readonly onFollowed: (origin: string, trust: Trust) => void;
}

export class FollowedLogs {
  readonly #parts: FollowedLogsParts;
  readonly #trusts = new Map<string, Trust>();
  /** As each log was listed when it was last looked at. */
  readonly #looked = new Map<string, KnownLog>();
  /** Listed logs for which there was no room. */
  readonly #crowded = new Set<string>();
  /** One change after the other. None of them waits for the network. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: FollowedLogsParts) {
    this.#parts = parts;
  }

  /** By whose keys each log is followed, by its origin. */
  get trusts(): ReadonlyMap<string, Trust> {
    return this.#trusts;
  }

  /** Listed logs for which there is no room. */
  get crowded(): number {
    return this.#crowded.size;
  }

  /** Follows what the list has now, and nothing else. Returns the origins that are followed as of now, or by other keys. */
  async followListed(): Promise<readonly string[]> {
    const { logs } = this.#parts;
    for (const origin of this.#looked.keys()) {
      if (logs.find(origin)) continue;
      await this.#inTurn(() => (logs.find(origin) ? Promise.resolve() : this.#leave(origin)));
    }
    const changed: string[] = [];
    let looks = 0;
    for (const log of logs.all()) {
      if (++looks % TURN_LOOKS === 0) await new Promise((resolve) => setImmediate(resolve));
      // One list, one object: only a list that was read again is compared.
      if (this.#looked.get(log.origin) === log) continue;
      const before = this.#trusts.get(log.origin);
      await this.follow(log.origin);
      const now = this.#trusts.get(log.origin);
      if (now && now !== before) changed.push(log.origin);
    }
    return changed;
  }

  /** Whether the log is followed from now on, by the keys that it is listed with. Throws `storage_failed`. */
  follow(origin: string): Promise<boolean> {
    return this.#inTurn(() => this.#follow(origin));
  }

  /** By whose keys a listed log is judged, whether it is followed or not; `undefined` where they cannot judge. */
  trustOf(origin: string): Trust | undefined {
    const log = this.#parts.logs.find(origin);
    return log && this.#trustOf(log);
  }

  async #follow(origin: string): Promise<boolean> {
    const { logs, heads, urlOf, gossiped, onFollowed } = this.#parts;
    const log = logs.find(origin);
    if (!log) return false;
    const isFollowed = this.#trusts.has(origin);
    if (!isFollowed && this.#trusts.size >= MAX_ORIGINS) {
      this.#crowded.add(origin);
      this.#looked.set(origin, log);
      return false;
    }
    const before = this.#looked.get(origin);
    if (before && haveSameKeys(before, log)) {
      this.#looked.set(origin, log);
      return isFollowed;
    }
    const trust = this.#trustOf(log);
    if (trust) {
      await heads.follow(gossiped(trust, urlOf(origin)));
      this.#trusts.set(origin, trust);
      onFollowed(origin, trust);
    } else {
      await this.#leave(origin);
      const what = 'heads of a log are not exchanged: it has no Ed25519 key that is named as its origin';
      this.#parts.lines.say('warn', what, { origin });
    }
    this.#crowded.delete(origin);
    this.#looked.set(origin, log);
    return trust !== undefined;
  }

  async #leave(origin: string): Promise<void> {
    this.#looked.delete(origin);
    this.#crowded.delete(origin);
    if (!this.#trusts.delete(origin)) return;
    await this.#parts.heads.unfollow(origin);
    // There is room for another one now: they are looked at again.
    for (const other of this.#crowded) this.#looked.delete(other);
    this.#crowded.clear();
  }

  /** A trust file made of the list: with our own keys as its witness. */
  #trustOf({ origin, vkeys }: KnownLog): Trust | undefined {
    const keys = vkeys.map(formatVkey);
    const policy = [
      ...keys.map((vkey) => `log ${vkey}\n`),
      ...this.#parts.vkeys.map((vkey, i) => `witness own${i} ${vkey}\n`),
      'quorum none\n',
    ].join('');
    try {
      const file = { origin, kind: 'opaque', url: this.#parts.urlOf(origin), vkeys: keys, policy };
      return parseTrust(file, { ed25519: nodeEd25519, mldsa44: nodeMldsa44 });
    } catch (error) {
      if (!(error instanceof NewelError)) throw error;
      return undefined;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}
