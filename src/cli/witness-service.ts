/**
 * A witness that is served: from opening its folder to letting go of it.
 *
 *   listen ─ read keys, logs ─ open and prove the database ─ serve ─┬─ stop()      answers what is under way, closes
 *                                                                   └─ a write failed: closes; `ended` is `failed`
 *
 * Whoever serves more beside a witness (gossip) extends it: routes on the same socket, rows of its own in the same
 * database, and something to close before that.
 */

import type { Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { formatKeyId, formatVkey, KEY_TYPE } from '../formats/vkey.ts';
import { listen, type Listening } from '../http/listen.ts';
import type { AnsweredRequest } from '../http/signals.ts';
import { createWitnessApp } from '../http/witness.ts';
import { openLevelStore } from '../storage/level.ts';
import { type SetAside, setAside } from '../storage/set-aside.ts';
import type { Store } from '../storage/store.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import type { MetricFamily } from '../telemetry/metrics-text.ts';
import { createWitnessMetrics } from '../telemetry/witness-metrics.ts';
import { type KnownLogs, openKnownLogs } from '../witness/known-logs.ts';
import type { ListSignal, CosigningSignal } from '../witness/signals.ts';
import { type KeepFork, openWitness, type Witness } from '../witness/witness.ts';
import { nodeEd25519 } from './ed25519-node.ts';
import { closeInOrder, type End, Ending } from './ending.ts';
import { createMetricsApp } from './metrics-app.ts';
import { MldsaThread, nodeMldsa44 } from './mldsa-node.ts';
import { observeWitness } from './observed-witness.ts';
import type { Address } from './address.ts';
import type { WitnessFolder } from './witness-folder.ts';
import { missingKeys, readWitnessKeys, witnessCosigner } from './witness-keys.ts';

export interface WitnessServiceOptions {
  readonly folder: WitnessFolder;
  /** Instead of the one in witness.json. */
  readonly listen?: Address;
  /** A socket of its own for `/metrics`. */
  readonly metrics?: Address;
  /** The path of the log list, instead of the folder's. */
  readonly logs?: string;
  readonly lines: Lines;
  /** Called once, when all is open and before anything is served. */
  readonly extend?: (opened: OpenedWitness) => Promise<WitnessExtension>;
}

/** What an extension may use. */
export interface OpenedWitness {
  readonly folder: WitnessFolder;
  readonly witness: Witness;
  readonly logs: KnownLogs;
  /** The witness writes the keys 0x20 to 0x2f; heads have 0x30 to 0x3f. */
  readonly store: Store;
  readonly vkeys: readonly string[];
  readonly lines: Lines;
  /** Says and counts a request that was answered. */
  readonly onRequest: (request: AnsweredRequest) => void;
}

export interface WitnessExtension {
  /** Adds routes beside those of the witness. */
  readonly addRoutes?: (app: Hono) => void;
  readonly onCosigned?: (origin: string) => void;
  readonly keepFork?: KeepFork;
  /** Metrics of its own, as they are now. */
  readonly families?: () => readonly MetricFamily[];
  /** Before the database closes. */
  close(): Promise<void>;
}

export interface WitnessService {
  readonly listening: { readonly host: string; readonly port: number; readonly url: string };
  /** Where the metrics are, where they have a socket of their own. */
  readonly metricsUrl?: string;
  /** `name+key id` of each key. */
  readonly keys: readonly string[];
  /** How many logs are listed. */
  readonly logs: number;
  stop(): Promise<End>;
  readonly ended: Promise<End>;
}

/** How long requests under way may take once it ends. */
const GRACE_MS = 5000;
const STARTING = 'the witness is starting\n';
const KEY_MISSING =
  'one of the two keys that init made is not there: policies that count on its line do not have it; bring it back, or ' +
  'take it out of them';
const ARITHMETIC = { ed25519: nodeEd25519, mldsa44: nodeMldsa44 };

interface Opened {
  readonly sockets: Listening[];
  thread?: MldsaThread;
  logs?: KnownLogs;
  store?: Store;
  witness?: Witness;
  extension?: WitnessExtension;
}

/** Throws what `listen`, `readWitnessKeys`, `openKnownLogs` and `openWitness` throw; then nothing is left open. */
export async function startWitness(options: WitnessServiceOptions): Promise<WitnessService> {
  const { folder, lines, extend } = options;
  const { paths } = folder;
  const opened: Opened = { sockets: [] };
  const metrics = createWitnessMetrics();
  const ending = new Ending(() => closeAll(opened, lines));
  try {
    const socket = await listen({ ...(options.listen ?? folder.listen), starting: STARTING });
    opened.sockets.push(socket);
    const scraped = options.metrics && (await listen({ ...options.metrics, starting: STARTING }));
    if (scraped) opened.sockets.push(scraped);
    const keys = await readWitnessKeys(folder);
    const [missing] = missingKeys(folder, keys);
    if (missing !== undefined) lines.say('warn', KEY_MISSING, { file: missing });
    const logs = await openKnownLogs(options.logs ?? paths.logs, {
      arithmetic: ARITHMETIC,
      onSignal: (signal) => {
        sayList(lines, signal);
        metrics.list(signal);
      },
    });
    opened.logs = logs;
    if (keys.some(({ vkey }) => vkey.type === KEY_TYPE.mldsa44)) opened.thread = new MldsaThread();
    const { store, aside } = await openStore(folder);
    opened.store = store;
    const witness = await openWitness({
      identity: folder,
      store,
      cosigners: keys.map((key) => witnessCosigner(key, opened.thread)),
      logs,
      arithmetic: ARITHMETIC,
      onSignal: (signal) => {
        saySignal(lines, signal);
        metrics.cosigning(signal);
        if (signal.event === 'cosigned') opened.extension?.onCosigned?.(signal.origin);
        if (signal.event === 'fatal') ending.fail();
      },
      keepFork: async (fork) => opened.extension?.keepFork?.(fork),
    });
    opened.witness = witness;
    await aside.dropAll();
    const vkeys = keys.map(({ vkey }) => formatVkey(vkey));
    const onRequest = (request: AnsweredRequest): void => {
      lines.request(request);
      metrics.request(request);
    };
    const extension = await extend?.({ folder, witness, logs, store, vkeys, lines, onRequest });
    if (extension) opened.extension = extension;
    const { addRoutes } = extension ?? {};
    const readMetrics = async (): Promise<string> =>
      metrics.format(await observeWitness(folder.name, witness, logs, extension?.families?.() ?? []));
    scraped?.serve(
      createMetricsApp(readMetrics, (error) =>
        lines.say('error', 'the metrics cannot be read', errorFields(error)),
      ),
    );
    const app = createWitnessApp({
      witness,
      onRequest,
      onError: (error) => lines.say('error', 'a request met a failure that is ours', errorFields(error)),
      ...(addRoutes ? { addRoutes } : {}),
    });
    socket.serve(app);
    ending.serving();
    const { host, port, url } = socket;
    return {
      listening: { host, port, url },
      ...(scraped && { metricsUrl: `${scraped.url}/metrics` }),
      keys: keys.map(({ vkey }) => `${vkey.name}+${formatKeyId(vkey.keyId)}`),
      logs: [...logs.all()].length,
      stop: () => ending.end(),
      ended: ending.ended,
    };
  } catch (error) {
    await ending.end();
    throw error;
  }
}

/** A database that is missing is not made: what it cosigned would be forgotten. */
async function openStore({ paths }: WitnessFolder): Promise<{ store: Store; aside: SetAside }> {
  let aside: SetAside | undefined;
  try {
    aside = await setAside(paths.db);
    return { store: await openLevelStore(paths.db, { create: false }), aside };
  } catch (cause) {
    // Nothing was opened, unless LevelDB itself refused it as damaged.
    const isRefused = cause instanceof NewelError && cause.code === 'log_refused';
    if (!isRefused) await aside?.drop();
    if (cause instanceof NewelError && cause.code !== 'log_missing') throw cause;
    throw new NewelError(
      'log_missing',
      `there is no database in ${paths.db}, though ${paths.config} is there: bring back a whole copy of the newest ` +
        'folder. Without it the witness does not know what it has cosigned, and its keys must not sign any more',
      { cause },
    );
  }
}

function saySignal(lines: Lines, signal: CosigningSignal): void {
  switch (signal.event) {
    case 'opened': {
      const { origins, commits, durationMs } = signal;
      const fields = { origins, commits, duration_ms: Math.round(durationMs) };
      return lines.say('info', 'what was cosigned is read and whole', fields);
    }
    case 'cosigned':
      return lines.say('debug', 'cosigned', { origin: signal.origin, size: signal.size });
    case 'fork': {
      const { origin, size } = signal;
      return lines.say('error', 'a log has signed two trees of one size: it is forked', { origin, size });
    }
    case 'clock_behind':
      return lines.say(
        'error',
        'the clock is behind the last cosignature: nothing is signed until it has caught up',
        {
          origin: signal.origin,
          behind_s: signal.behindS,
        },
      );
    case 'fatal': {
      const what = 'a write failed or a read met damage: the witness has stopped, start it again to find out';
      return lines.say('error', what, errorFields(signal.error));
    }
  }
}

function sayList(lines: Lines, signal: ListSignal): void {
  if (signal.event === 'list_read') return lines.say('info', 'log list read', { logs: signal.logs });
  lines.say('error', 'log list not readable: the last good one stays in force', errorFields(signal.error));
}

/** Nothing new comes in before what came is answered. Returns whether all closed well. */
function closeAll(opened: Opened, lines: Lines): Promise<boolean> {
  const { sockets, thread, logs, store, witness, extension } = opened;
  return closeInOrder(
    [
      ['the sockets', () => Promise.all(sockets.map((socket) => socket.close(GRACE_MS)))],
      ['the log list', () => logs?.close()],
      ['what is served beside the witness', () => extension?.close()],
      ['the witness', () => witness?.close()],
      ['the thread that signs', () => thread?.close()],
      ['the database', () => store?.close()],
    ],
    lines,
  );
}
