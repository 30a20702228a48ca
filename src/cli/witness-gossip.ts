/**
 * `newel witness serve --gossip`: the witness keeps the heads that it has cosigned, exchanges them with peers and with
 * whoever posts one, and holds against them what it is shown. What proves something is kept in DIR/evidence.
 *
 *   cosigned ─┐
 *   posted   ─┼─ Heads ─ newest (rows 30 … 33 of the witness's database) ─ peers
 *   peers    ─┘    └ evidence ─ DIR/evidence/*.evidence.json
 *   forked   ──────────┘
 *
 * None of it keeps the witness from cosigning: what is compared here is compared beside that, a little later, and each log
 * beside the others. Only the answer to a fork waits, until that is in the folder.
 */

import { join } from 'node:path';
import { type EvidenceBundle, FORK } from '../client/evidence-bundle.ts';
import type { Trust } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { addGossipRoutes } from '../http/monitor.ts';
import { EvidenceFolder } from '../monitor/evidence-folder.ts';
import { FetchTurns } from '../monitor/fetch-turns.ts';
import { Gossip } from '../monitor/gossip-peers.ts';
import { gossipedLog, MAX_ORIGINS, openHeads, originHashOf } from '../monitor/heads.ts';
import { pacedSource } from '../monitor/paced-source.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import type { Fork } from '../witness/witness.ts';
import { FollowedLogs } from './witness-followed.ts';
import { sayHeads, sayPeer } from './witness-gossip-lines.ts';
import type { OpenedWitness, WitnessExtension } from './witness-service.ts';

export interface WitnessGossipOptions {
  /** URLs of monitors and witnesses. */
  readonly peers: readonly string[];
  /** Where the tiles of a log are read, by origin; by default below `https://` and its origin. */
  readonly tiles: ReadonlyMap<string, string>;
  /** How often everything is exchanged although nothing is new. */
  readonly intervalMs?: number;
  /** How often what was cosigned is looked at; 1 s by default. */
  readonly lookMs?: number;
}

/** Files that are fetched at a time, and how often one is asked for. */
const FETCHES = 4;
const ATTEMPTS = 2;
const LOOK_MS = 1000;
/** Under which our own heads are kept and shown. */
const OWN = 'witness';

/** Opens what is kept, and reads nothing over the network. Throws `storage_failed`, and what `mkdir` throws for the folder of evidence. */
export async function openWitnessGossip(
  opened: OpenedWitness,
  options: WitnessGossipOptions,
): Promise<WitnessExtension> {
  const { folder, witness, store, logs, vkeys, lines, onRequest } = opened;
  const { peers, tiles, intervalMs, lookMs = LOOK_MS } = options;
  const ending = new AbortController();
  const turns = new FetchTurns(FETCHES);
  const evidence = await EvidenceFolder.open(join(folder.paths.dir, 'evidence'));
  const keep = keeperOf(evidence, lines);
  const heads = await openHeads({
    store,
    logs: [],
    onSignal(signal) {
      sayHeads(lines, signal);
      if (signal.event !== 'evidence' && signal.event !== 'unkept') return;
      const trust = followed.trusts.get(signal.bundle.origin);
      if (trust) keep.later(signal.bundle, trust);
    },
  });
  const followed = new FollowedLogs({
    logs,
    heads,
    vkeys,
    lines,
    urlOf: (origin) => tiles.get(origin) ?? `https://${origin}`,
    gossiped: (trust, url) => {
      const source = pacedSource(url, { turns, signal: ending.signal, attempts: ATTEMPTS });
      return { ...gossipedLog(trust, source), own: OWN, chain: OWN };
    },
    onFollowed(origin, trust) {
      // What a crash has kept from being written.
      for (const bundle of heads.origins.get(originHashOf(origin))?.evidence ?? []) keep.later(bundle, trust);
    },
  });

  /** Takes what was cosigned last of a log that is followed. */
  const take = async (origin: string): Promise<void> => {
    const hash = originHashOf(origin);
    const isFollowed = await followed.follow(origin);
    const before = heads.origins.get(hash);
    try {
      const note = isFollowed && (await witness.latest(hash))?.note;
      if (note) await heads.take(note, OWN);
    } catch (error) {
      const code = error instanceof NewelError ? error.code : undefined;
      // Not followed any more, or by other keys: then it is taken anew.
      if (code === 'not_found' && heads.origins.get(hash) !== before) return;
      if (code !== 'signer_unknown') {
        const what = 'a head that was cosigned could not be kept for others';
        return lines.say('error', what, errorFields(error));
      }
      lines.say('warn', 'the head that was cosigned last is by no key that is listed now', { origin });
    }
  };

  /** Logs of which something was cosigned that was not taken yet, and those of which it is being taken. */
  const cosigned = new Set<string>();
  const taking = new Map<string, Promise<void>>();
  let looking: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    for (const origin of await followed.followListed()) cosigned.add(origin);
    for (const origin of cosigned) {
      if (taking.has(origin)) continue;
      cosigned.delete(origin);
      taking.set(
        origin,
        take(origin).finally(() => taking.delete(origin)),
      );
    }
  };
  const lookLater = (): void => {
    looking ??= look()
      .catch((error: unknown) =>
        lines.say('error', 'the list of logs could not be followed', errorFields(error)),
      )
      .finally(() => (looking = undefined));
  };

  for (const origin of await followed.followListed()) cosigned.add(origin);
  if (followed.crowded > 0) {
    const what = `heads of ${MAX_ORIGINS} logs are exchanged, and more are listed`;
    lines.say('warn', what, { not_exchanged: followed.crowded });
  }
  for (const origin of tiles.keys()) {
    if (!logs.find(origin)) lines.say('warn', '--tiles names a log that is not listed', { origin });
  }
  lookLater();
  const timer = setInterval(lookLater, lookMs);
  timer.unref();

  const failing = new Set<string>();
  const gossip = new Gossip({
    heads,
    peers: peers.map((url) => ({ name: url, url })),
    ...(intervalMs === undefined ? {} : { intervalMs }),
    onSignal(signal) {
      if (signal.event === 'peer_fails') failing.add(signal.peer);
      if (signal.event === 'peer_answers') failing.delete(signal.peer);
      sayPeer(lines, signal);
    },
  });
  gossip.start();
  lines.say('info', 'exchanging heads', { logs: heads.origins.size, peers: peers.length });

  return {
    addRoutes(app) {
      const onError = (error: unknown): void =>
        lines.say('error', 'a request met a failure that is ours', errorFields(error));
      addGossipRoutes(app, { heads, onRequest, onError });
    },
    onCosigned: (origin) => void cosigned.add(origin),
    async keepFork({ origin, heads: pair }: Fork) {
      const trust = followed.trustOf(origin);
      if (!trust) return;
      const bundle = { evidence: FORK, origin, heads: pair, seen: [] } as const;
      const isKept = await keep.now(bundle, trust);
      if (isKept && (await followed.follow(origin))) await heads.takeEvidence(bundle);
    },
    families: () => [
      {
        name: 'newel_evidence',
        help: 'Bundles of evidence that are kept, against a log or a key of our own.',
        type: 'gauge',
        samples: [...followed.trusts].map(([origin, trust]) => ({
          labels: { origin },
          value: evidence.count(trust),
        })),
      },
      {
        name: 'newel_peer_failing',
        help: '1 where a peer does not answer; else 0.',
        type: 'gauge',
        samples: peers.map((peer) => ({ labels: { peer }, value: failing.has(peer) ? 1 : 0 })),
      },
    ],
    async close() {
      clearInterval(timer);
      ending.abort(new Error('the witness is closing'));
      await gossip.close();
      await looking;
      await Promise.all(taking.values());
      await keep.close();
    },
  };
}

interface Keeper {
  /**
   * Durable when this resolves: whether it is kept, or as much of its kind is; not where it convicts nobody by these keys.
   * Rejects where it could not be written. All of that is said.
   */
  now(bundle: EvidenceBundle, trust: Trust): Promise<boolean>;
  /** The same, of which nobody waits for the end. */
  later(bundle: EvidenceBundle, trust: Trust): void;
  /** Resolves when all of it is written. */
  close(): Promise<void>;
}

/** Keeps evidence in the folder. What would be said again and again, of one log, is said once. */
function keeperOf(evidence: EvidenceFolder, lines: Lines): Keeper {
  /** Logs of which more is proven than is kept, and those of which the last bundle could not be written. */
  const full = new Set<string>();
  const unwritten = new Set<string>();
  const writing = new Set<Promise<unknown>>();
  const now = async (bundle: EvidenceBundle, trust: Trust): Promise<boolean> => {
    const { origin } = bundle;
    try {
      const kept = await evidence.keep(bundle, trust);
      unwritten.delete(origin);
      if (kept === 'full') {
        const what = 'more is proven against a key than is kept; what is kept convicts it';
        if (!full.has(origin)) lines.say('error', what, { origin });
        full.add(origin);
      } else if (kept !== 'known') {
        lines.say('error', 'evidence is kept: newel verify says what it proves', { path: kept.path });
      }
      return true;
    } catch (error) {
      if (error instanceof NewelError && error.code !== 'storage_failed') {
        lines.say('warn', 'what a log has signed convicts nobody by the keys that are listed now', {
          origin,
        });
        return false;
      }
      const what = 'evidence could not be kept in a file; that is tried again when it is shown again';
      if (!unwritten.has(origin)) lines.say('error', what, { origin, ...errorFields(error) });
      unwritten.add(origin);
      throw error;
    }
  };
  return {
    now,
    later(bundle, trust) {
      const written = now(bundle, trust)
        .catch(() => {})
        .finally(() => writing.delete(written));
      writing.add(written);
    },
    close: async () => void (await Promise.all(writing)),
  };
}
