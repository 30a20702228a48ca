/**
 * `newel witness serve --gossip`: the witness keeps the heads that it has cosigned, exchanges them with peers and with
 * whoever posts one, and holds against them what it is shown. What proves something is kept in DIR/evidence.
 *
 *   cosigned ─┐
 *   posted   ─┼─ Heads ─ newest (rows 30 … 33 of the witness's database) ─ peers
 *   peers    ─┘    └ evidence ─ DIR/evidence/*.evidence.json
 *
 * None of it keeps the witness from cosigning: what is compared here is compared beside that, a little later.
 */

import { join } from 'node:path';
import { type EvidenceBundle, FORK } from '../client/evidence-bundle.ts';
import { parseTrust, type Trust } from '../client/trust.ts';
import { NewelError } from '../errors.ts';
import { formatVkey } from '../formats/vkey.ts';
import { addGossipRoutes } from '../http/monitor.ts';
import { EvidenceFolder } from '../monitor/evidence-folder.ts';
import { FetchTurns } from '../monitor/fetch-turns.ts';
import { Gossip, type GossipSignal } from '../monitor/gossip-peers.ts';
import { gossipedLog, type HeadsSignal, MAX_ORIGINS, openHeads, originHashOf } from '../monitor/heads.ts';
import { pacedSource } from '../monitor/paced-source.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import type { KnownLog } from '../witness/known-logs.ts';
import type { CosigningSignal } from '../witness/signals.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { nodeMldsa44 } from './mldsa-node.ts';
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

/** Throws `storage_failed`, and what `mkdir` throws for the folder of evidence. */
export async function openWitnessGossip(
  opened: OpenedWitness,
  options: WitnessGossipOptions,
): Promise<WitnessExtension> {
  const { folder, witness, logs, store, vkeys, lines } = opened;
  const { peers, tiles, intervalMs, lookMs = LOOK_MS } = options;
  const ending = new AbortController();
  const turns = new FetchTurns(FETCHES);
  const evidence = await EvidenceFolder.open(join(folder.paths.dir, 'evidence'));
  const trusts = new Map<string, Trust>();
  const failing = new Set<string>();
  /** Logs of which more is proven than is kept; that is said once. */
  const full = new Set<string>();
  let keeping: Promise<unknown> = Promise.resolve();

  const keep = (bundle: EvidenceBundle): void => {
    const trust = trusts.get(bundle.origin);
    if (!trust) return;
    keeping = keeping
      .then(() => evidence.keep(bundle, trust))
      .then((kept) => {
        if (kept === 'known' || (kept === 'full' && full.has(bundle.origin))) return;
        if (kept !== 'full') {
          const { path } = kept;
          return lines.say('error', 'evidence is kept: newel verify says what it proves', { path });
        }
        full.add(bundle.origin);
        const what = 'more is proven against a key than is kept; what is kept convicts it';
        lines.say('error', what, { origin: bundle.origin });
      })
      .catch((error: unknown) =>
        lines.say('error', 'evidence could not be kept in a file', errorFields(error)),
      );
  };
  const heads = await openHeads({
    store,
    logs: [],
    onSignal(signal) {
      saySignal(lines, signal);
      if (signal.event === 'evidence' || signal.event === 'unkept') keep(signal.bundle);
    },
  });

  /** As each log was listed when it was last looked at. */
  const looked = new Map<string, KnownLog>();

  /** Whether the log is followed from now on, by the keys that it is listed with. */
  const follow = async (log: KnownLog): Promise<boolean> => {
    const { origin } = log;
    const before = looked.get(origin);
    if (before && haveSameKeys(before, log)) {
      looked.set(origin, log);
      return trusts.has(origin);
    }
    if (!trusts.has(origin) && heads.origins.size >= MAX_ORIGINS) return false;
    const url = tiles.get(origin) ?? `https://${origin}`;
    const trust = trustOf(log, url, vkeys, lines);
    looked.set(origin, log);
    if (!trust) return false;
    const isNew = !trusts.has(origin);
    trusts.set(origin, trust);
    const source = pacedSource(url, { turns, signal: ending.signal, attempts: ATTEMPTS });
    await heads.follow({ ...gossipedLog(trust, source), own: OWN, chain: OWN });
    // What a crash has kept from being written.
    if (isNew) for (const bundle of heads.origins.get(originHashOf(origin))?.evidence ?? []) keep(bundle);
    return true;
  };

  const take = async (origin: string): Promise<void> => {
    const log = logs.find(origin);
    if (!log || !(await follow(log))) return;
    const note = (await witness.latest(originHashOf(origin)))?.note;
    if (!note) return;
    try {
      await heads.take(note, OWN);
    } catch (error) {
      if (!(error instanceof NewelError && error.code === 'signer_unknown')) throw error;
      lines.say('warn', 'the head that was cosigned last is by no key that is listed now', {
        origin,
      });
    }
  };

  const listed = [...logs.all()];
  if (listed.length > MAX_ORIGINS) {
    const what = `heads of ${MAX_ORIGINS} logs are exchanged, and more are listed`;
    lines.say('warn', what, { listed: listed.length });
  }
  for (const { origin } of listed.slice(0, MAX_ORIGINS)) await take(origin);

  const cosigned = new Set<string>();
  let looking: Promise<void> | undefined;
  const look = async (): Promise<void> => {
    for (const origin of trusts.keys()) {
      if (logs.find(origin)) continue;
      heads.unfollow(origin);
      trusts.delete(origin);
      looked.delete(origin);
    }
    for (const log of logs.all()) {
      // One list, one object: only a list that was read again is compared.
      if (looked.get(log.origin) !== log) cosigned.add(log.origin);
    }
    for (const origin of cosigned) {
      cosigned.delete(origin);
      try {
        await take(origin);
      } catch (error) {
        lines.say('error', 'a head that was cosigned could not be kept for others', errorFields(error));
      }
    }
  };
  const timer = setInterval(() => {
    looking ??= look().finally(() => (looking = undefined));
  }, lookMs);
  timer.unref();

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
      addGossipRoutes(app, { heads, onRequest: (request) => lines.request(request), onError });
    },
    onSignal(signal: CosigningSignal) {
      if (signal.event === 'cosigned') cosigned.add(signal.origin);
      if (signal.event !== 'fork') return;
      const { origin, heads: pair } = signal;
      const bundle = { evidence: FORK, origin, heads: pair, seen: [] } as const;
      heads.takeEvidence(bundle).catch((error: unknown) => {
        lines.say('error', 'a fork could not be kept as evidence', errorFields(error));
      });
    },
    families: () => [
      {
        name: 'newel_evidence',
        help: 'Bundles of evidence against a log that are kept.',
        type: 'gauge',
        samples: [...trusts].map(([origin, trust]) => ({ labels: { origin }, value: evidence.count(trust) })),
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
      await keeping;
    },
  };
}

function haveSameKeys(a: KnownLog, b: KnownLog): boolean {
  return a === b || a.vkeys.map(formatVkey).join() === b.vkeys.map(formatVkey).join();
}

/** A trust file made of the list: with our own keys as its witness, so that our lines are kept on the heads. */
function trustOf(
  { origin, vkeys }: KnownLog,
  url: string,
  own: readonly string[],
  lines: Lines,
): Trust | undefined {
  const keys = vkeys.map(formatVkey);
  const policy = [
    ...keys.map((vkey) => `log ${vkey}\n`),
    ...own.map((vkey, i) => `witness own${i} ${vkey}\n`),
    'quorum none\n',
  ].join('');
  try {
    const file = { origin, kind: 'opaque', url, vkeys: keys, policy };
    return parseTrust(file, { ed25519: nodeEd25519, mldsa44: nodeMldsa44 });
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    lines.say('warn', 'heads of a log are not exchanged: it has no Ed25519 key that is named as its origin', {
      origin,
    });
    return undefined;
  }
}

function saySignal(lines: Lines, signal: HeadsSignal): void {
  switch (signal.event) {
    case 'newest': {
      const { origin, size, source } = signal;
      return lines.say('debug', 'newest head', { origin, size, source });
    }
    case 'apart': {
      const { origin, size } = signal;
      return lines.say('debug', 'the head that was cosigned is not known to be of one tree with the newest', {
        origin,
        size,
      });
    }
    case 'evidence': {
      const { kind, origin, sizes, keys } = signal.verified;
      return lines.say('error', `proof of a ${kind}`, { origin, sizes, keys });
    }
    case 'unkept':
      // What becomes of it in the folder is said.
      return;
    case 'undecided': {
      const { origin, size, source, why } = signal;
      const what = 'a signed head is not known to be of the tree that was cosigned; this is no proof';
      return lines.say('warn', what, { origin, size, source, why });
    }
    case 'unreadable':
      return lines.say('warn', 'a head that was kept does not verify any more', {
        origin: signal.origin,
        ...errorFields(signal.error),
      });
  }
}

function sayPeer(lines: Lines, signal: GossipSignal): void {
  switch (signal.event) {
    case 'peer_answers':
      return lines.say('info', 'a peer answers again', { peer: signal.peer });
    case 'peer_fails':
      return lines.say('warn', 'a peer does not answer', { peer: signal.peer, why: signal.why });
    case 'peer_false':
      return lines.say('warn', 'what a peer answers is not true', { peer: signal.peer, why: signal.why });
    case 'failed':
      return lines.say('error', 'exchanging heads met a failure that is ours', errorFields(signal.error));
  }
}
