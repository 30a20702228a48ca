/**
 * A monitor as a process: its folder, its logs, and everybody it tells.
 *
 *   DIR/  db/         LevelDB: what was verified of each log, and the heads that were seen; one process
 *         evidence/   *.evidence.json: proof, for newel verify and for others
 *
 *   open ─ serve metrics and gossip ─ follow ─┬─ a signal: remember, tell, close
 *                                             └─ of one pass: all is verified that there is
 */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { type Listening, listen } from '../http/listen.ts';
import { addGossipRoutes } from '../http/monitor.ts';
import { Alerts } from '../monitor/alerts.ts';
import { EvidenceFolder } from '../monitor/evidence-folder.ts';
import { FetchTurns } from '../monitor/fetch-turns.ts';
import { followedLog } from '../monitor/followed-log.ts';
import type { Follower } from '../monitor/follower.ts';
import { type LogPosition, Monitor } from '../monitor/monitor.ts';
import { pacedSource } from '../monitor/paced-source.ts';
import { Webhook } from '../monitor/webhook.ts';
import { openLevelStore } from '../storage/level.ts';
import type { Store } from '../storage/store.ts';
import { closeInOrder } from './ending.ts';
import { EXIT } from './exit-code.ts';
import { makeDataFolder } from './make-folder.ts';
import { alertFinding, evidenceFinding, type Finding, wordsOfNone } from './monitor-findings.ts';
import type { MonitoredLog } from './monitor-logs.ts';
import { createMonitorMetrics } from './monitor-metrics.ts';
import { createMetricsApp } from './metrics-app.ts';
import type { Address } from './address.ts';
import { readSoftware } from './version.ts';

export interface MonitorServiceOptions {
  readonly dir: string;
  readonly logs: readonly MonitoredLog[];
  readonly witnesses: readonly { readonly name: string; readonly url: string }[];
  readonly peers: readonly string[];
  readonly intervalMs: number;
  readonly maxAgeMs: number | undefined;
  readonly webhook: string | undefined;
  /** Where heads are exchanged with whoever asks. */
  readonly listen: Address | undefined;
  readonly metrics: Address | undefined;
  readonly once: boolean;
  readonly signal: AbortSignal;
  readonly onFinding: (finding: Finding) => void;
  readonly onProgress: (origin: string, at: { readonly done: number; readonly total: number }) => void;
  /**
   * Told what is no finding: that a webhook does not take messages, that a request failed, and of a service that a witness
   * shows no head of a log. Of one pass that is in what is known of each log then.
   */
  readonly onTrouble: (what: string) => void;
  /** Told once, when it begins: the URLs that were bound. */
  readonly onStarted: (bound: {
    readonly gossip: string | undefined;
    readonly metrics: string | undefined;
  }) => void;
}

/** Files that are fetched at a time, of all logs together. */
const FETCHES = 8;
/** What waits for the webhook at the end may take so long. */
const WEBHOOK_GRACE_MS = 5000;
const SOCKET_GRACE_MS = 2000;
/** In the folder of a log, or of a witness. */
const FOREIGN = ['newel.json', 'witness.json'] as const;

/** How it ended, and what is known of each log then. */
export interface MonitorEnd {
  readonly code: number;
  readonly positions: readonly LogPosition[];
  readonly evidence: EvidenceFolder;
  /** Of one pass, whether it was told to stop before its end. */
  readonly isStopped: boolean;
}

/** Follows until told to stop, or once. Throws what opening throws; then nothing is left open. */
export async function runMonitor(options: MonitorServiceOptions): Promise<MonitorEnd> {
  const { dir, signal, onFinding, onTrouble } = options;
  await assertOwnFolder(dir);
  await makeDataFolder(dir);
  const store = await openStore(join(dir, 'db'));
  const sockets: Listening[] = [];
  const webhook = options.webhook === undefined ? undefined : openWebhook(options.webhook, onTrouble);
  try {
    const now = Date.now;
    const tell = (finding: Finding): void => {
      onFinding(finding);
      webhook?.send(finding);
    };
    const evidence = await EvidenceFolder.open(join(dir, 'evidence'));
    const alerts = new Alerts({
      now,
      onRaised: (alert) => tell(alertFinding('alert', alert, now())),
      onCleared: (alert) => tell(alertFinding('cleared', alert, now())),
    });
    const turns = new FetchTurns(FETCHES);
    const source = (url: string): ReturnType<typeof pacedSource> => pacedSource(url, { turns, signal });
    const monitor = await Monitor.open({
      logs: options.logs.map(({ trust, url }) =>
        followedLog(trust, { url, source: source(url), maxAgeMs: options.maxAgeMs }),
      ),
      witnesses: options.witnesses.map(({ name, url }) => ({ name, url, source: source(url) })),
      peers: options.peers.map((url) => ({ name: url, url })),
      store,
      evidence,
      alerts,
      intervalMs: options.intervalMs,
      signal,
      now,
      onEvidence: (_log, kept) => tell(evidenceFinding(kept, now())),
      onNoneShown({ origin }, witness) {
        if (!options.once) onTrouble(`${origin}: ${wordsOfNone(witness)}`);
      },
      onProgress: ({ origin }, at) => options.onProgress(origin, at),
    });
    const gossip = options.listen && (await serveGossip(options.listen, monitor, onTrouble));
    if (gossip) sockets.push(gossip);
    const metrics = options.metrics && (await listen(options.metrics));
    if (metrics) {
      sockets.push(metrics);
      const { version } = readSoftware();
      const read = createMonitorMetrics(() => ({
        version,
        positions: monitor.positions,
        alerts,
        evidence,
        webhook,
      }));
      const onError = (error: unknown): void => onTrouble(`the metrics cannot be read: ${wordsOf(error)}`);
      metrics.serve(createMetricsApp(read, onError));
    }
    options.onStarted({ gossip: gossip?.url, metrics: metrics?.url });
    let isStopped = false;
    if (options.once) isStopped = !(await monitor.runOnce());
    else await monitor.run();
    const code = exitCodeOf(monitor.followers, evidence, alerts);
    return { code, positions: monitor.positions, evidence, isStopped };
  } finally {
    const closeSockets = sockets.map((socket) => ['a socket', () => socket.close(SOCKET_GRACE_MS)] as const);
    await closeInOrder(
      [
        ...closeSockets,
        ['the webhook', () => webhook?.close(WEBHOOK_GRACE_MS)],
        ['the database', () => store.close()],
      ],
      { say: (_, what, { error = '' } = {}) => onTrouble(`${what}: ${String(error)}`) },
    );
  }
}

/** From the gravest: proof, nothing read, alerts that stand. */
function exitCodeOf(followers: readonly Follower[], evidence: EvidenceFolder, alerts: Alerts): number {
  if (followers.some(({ log }) => evidence.count(log.trust) > 0)) return EXIT.refused;
  if (followers.every(({ readMs }) => readMs === undefined)) return EXIT.unreadable;
  return alerts.standing.length > 0 ? EXIT.below : EXIT.ok;
}

async function serveGossip(
  address: Address,
  { heads }: Monitor,
  onTrouble: (what: string) => void,
): Promise<Listening> {
  const socket = await listen(address);
  const app = new Hono();
  addGossipRoutes(app, {
    heads,
    onError: (error) => onTrouble(`a request met a failure: ${wordsOf(error)}`),
  });
  socket.serve(app);
  return socket;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}

function openWebhook(url: string, onTrouble: (what: string) => void): Webhook {
  return new Webhook({
    url,
    onGivenUp: (why) => onTrouble(`a message for the webhook was given up: ${why}`),
  });
}

/** The monitor's own database, made where it is missing. */
async function openStore(folder: string): Promise<Store> {
  try {
    return await openLevelStore(folder, { create: false });
  } catch (error) {
    if (!(error instanceof NewelError) || error.code !== 'log_missing') throw error;
    await makeDataFolder(folder);
    return await openLevelStore(folder, { create: true });
  }
}

async function assertOwnFolder(dir: string): Promise<void> {
  for (const name of FOREIGN) {
    const isThere = await stat(join(dir, name)).then(
      () => true,
      () => false,
    );
    if (isThere) {
      throw new NewelError(
        'usage',
        `${dir} is the folder of a log or witness (${name}): a monitor has one of its own`,
      );
    }
  }
}
