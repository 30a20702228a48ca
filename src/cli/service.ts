/**
 * A log that is served: from opening the folder to letting go of it.
 *
 *   listen ─ read key, policy, tokens ─ open and prove ─ serve ─┬─ stop()
 *                                                               └─ the log is fatal
 *
 *   stop()            a signal: answer what is under way, last round, publish, close
 *   the log is fatal  answer 503 to what is under way, close; `ended` is `failed`
 */

import { Worker } from 'node:worker_threads';
import type { Hono } from 'hono';
import { authenticateWith } from '../access/authenticate.ts';
import { openOidc } from '../access/oidc.ts';
import { RateLimits } from '../access/rate-limit.ts';
import { openTokens, type Tokens } from '../access/tokens.ts';
import { createApp, createPublicApp, type Site, type Statements } from '../http/app.ts';
import { listen, type Listening } from '../http/listen.ts';
import { systemClock } from '../log/clock.ts';
import type { Log } from '../log/log.ts';
import type { PoolLimits } from '../log/pool.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import { openVault } from '../vault/open-vault.ts';
import type { Preparing } from '../vault/prepare.ts';
import { PreparePool } from '../vault/prepare-pool.ts';
import type { Vault } from '../vault/vault.ts';
import { nodeEd25519, signAside } from './ed25519-node.ts';
import type { Folder } from './folder.ts';
import { readLogKey, readPolicy } from './log-key.ts';
import { openFolderLog } from './open-log.ts';
import type { ServeSettings } from './settings.ts';
import { readVaultKeys } from './vault-keys.ts';
import { readSoftware } from './version.ts';

export interface ServiceOptions {
  readonly folder: Folder;
  readonly settings: ServeSettings;
  readonly acceptClock?: boolean;
  /** Ports after the one asked for that may be tried. */
  readonly tryNextPorts?: number;
  readonly lines: Lines;
  /** Where the master key may be given. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Service {
  /** Where it listens. */
  readonly listening: { readonly host: string; readonly port: number; readonly url: string };
  /** The public URL. */
  readonly url: string;
  readonly vkey: string;
  /** What GET /v1/log answers: the trust file. */
  readTrust(): Promise<unknown>;
  /** Ends it in order; the same as `ended`. */
  stop(): Promise<End>;
  /** Resolves when all is closed. `failed`: a write failed, or closing did; the next start finds out. */
  readonly ended: Promise<End>;
}

export type End = 'stopped' | 'failed';

/** How long requests under way may take once it ends. The rest of 10 s is for the last round and its publication. */
const GRACE_MS = 5000;

/**
 * Listens, opens and proves, then serves. Throws what `listen`, `readLogKey`, `readPolicy`, `openTokens` and
 * `openFolderLog` throw; then nothing is left open.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { folder, settings, lines, env, acceptClock = false, tryNextPorts = 0 } = options;
  const opened: Opened = {
    sockets: [],
    tokens: undefined,
    log: undefined,
    pool: undefined,
    vault: undefined,
  };
  let resolveEnded: (end: End) => void;
  const ended = new Promise<End>((resolve) => (resolveEnded = resolve));
  let state: 'starting' | 'serving' | 'ending' = 'starting';
  let failed = false;
  const end = (): Promise<End> => {
    if (state !== 'ending') {
      state = 'ending';
      void closeAll(opened, lines).then((clean) => resolveEnded(clean && !failed ? 'stopped' : 'failed'));
    }
    return ended;
  };

  try {
    // Bound before the log is proved: a port that is taken is told at once, and whoever asks meanwhile gets a 503.
    const main = await listen({ ...settings.listen, tryNextPorts });
    opened.sockets.push(main);
    const open = settings.listenPublic && (await listen(settings.listenPublic));
    if (open) opened.sockets.push(open);

    // What may be spoilt is read before the log is opened: from then on it signs and publishes.
    const key = await readLogKey(folder);
    const policy = await readPolicy(folder, key.vkey);
    const tokens = await openTokens(folder.paths.tokens, { onSignal: (signal) => lines.tokens(signal) });
    opened.tokens = tokens;

    const { issuer } = folder;
    const vaultKeys = issuer === undefined ? undefined : await readVaultKeys(folder, env);
    const { log, store } = await openFolderLog(folder, {
      key,
      guard: settings.guard,
      acceptClock,
      limits: limitsOf(settings),
      publishIntervalMs: settings.publishIntervalMs,
      onSignal: (signal) => {
        lines.log(signal);
        if (signal.event !== 'fatal') return;
        failed = true;
        if (state === 'serving') void end();
      },
    });
    opened.log = log;
    const now = (): number => systemClock.now();
    const vault =
      issuer === undefined || vaultKeys === undefined
        ? undefined
        : await openVault({
            ...vaultKeys,
            log,
            store,
            issuer,
            now,
            ed25519: { ...nodeEd25519, signAside },
            sources: folder.sources ?? {},
            epochMs: settings.epochMs,
            prepareIn: (preparing) => (opened.pool = startPool(preparing, lines))?.prepare,
            onFailure: (error) => lines.say('error', 'upkeep of the private zone failed', errorFields(error)),
          });
    opened.vault = vault;

    const site: Site = {
      log,
      policy,
      verifier: key.verifier,
      vkeys: [key.vkey],
      url: settings.publicUrl ?? main.url,
      software: readSoftware(),
      now,
      ...(vault ? { statements: statementsOf(vault) } : {}),
      mayReadRevealed: (authorization) => isKnown(() => tokens.authenticate(authorization)),
      onRequest: (request) => lines.request(request),
      onError: (error) => lines.say('error', 'a request met a failure that is ours', errorFields(error)),
    };
    const oidc = folder.oidc && openOidc(folder.oidc, { onSignal: (signal) => lines.issuer(signal) });
    const limits = new RateLimits({ rate: settings.rateLimit });
    const app = createApp(site, {
      authenticate: authenticateWith(tokens, oidc),
      charge: (principal, count, unit) => limits.charge(principal, count, unit),
      ...(vault ? { vault } : {}),
    });
    if (vault) {
      tokens.watch((list) => {
        const listed = list.map(({ hash: _hash, ...token }) => token);
        vault.noteTokens(listed).catch((error: unknown) => {
          lines.say('error', 'a change of the tokens could not be logged', errorFields(error));
        });
      });
    }
    open?.serve(createPublicApp(site));
    main.serve(app);
    state = 'serving';
    if (failed) void end();
    const { host, port, url } = main;
    return {
      listening: { host, port, url },
      url: site.url,
      vkey: key.vkey,
      readTrust: () => readTrust(app),
      stop: end,
      ended,
    };
  } catch (error) {
    await closeAll(opened, lines);
    throw error;
  }
}

interface Opened {
  readonly sockets: Listening[];
  tokens: Tokens | undefined;
  log: Log | undefined;
  pool: PreparePool | undefined;
  vault: Vault | undefined;
}

/** Nothing new comes in before the log finishes what came. Returns whether all closed well. */
async function closeAll({ sockets, tokens, log, pool, vault }: Opened, lines: Lines): Promise<boolean> {
  let clean = true;
  const close = async (what: string, closing: Promise<unknown> | undefined): Promise<void> => {
    try {
      await closing;
    } catch (error) {
      clean = false;
      lines.say('error', `${what} did not close well`, errorFields(error));
    }
  };
  await close('the sockets', Promise.all(sockets.map((socket) => socket.close(GRACE_MS))));
  tokens?.close();
  // It has things to say while the log still takes them.
  await close('the private zone', vault?.close());
  await close('the log', log?.close());
  await close('the thread that prepares events', pool?.close());
  return clean;
}

function limitsOf({
  maxQueueEntries,
  maxQueueBytes,
  maxRoundEntries,
  maxRoundBytes,
}: ServeSettings): PoolLimits {
  return { maxQueueEntries, maxQueueBytes, maxRoundEntries, maxRoundBytes };
}

/** Room for what is in the making, so that little of it is copied to where it lasts. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 96 };

/** From sources there is none: Node does not load TypeScript in a thread, and events are prepared where they arrive. */
function startPool(preparing: Preparing, lines: Lines): PreparePool | undefined {
  if (import.meta.url.endsWith('.ts')) return undefined;
  const entry = new URL('./prepare-worker.js', import.meta.url);
  const start = (): Worker =>
    new Worker(entry, { workerData: preparing, resourceLimits: WORKER_LIMITS, env: {} });
  return new PreparePool(start, preparing, (error) =>
    lines.say(
      'error',
      'the thread that prepares events died; they are prepared without it',
      errorFields(error),
    ),
  );
}

/** What anyone may know of it. */
function statementsOf({ issuer, jwks, schemas, maxEventBytes }: Vault): Statements {
  return { issuer, jwks, schemas, maxEventBytes };
}

function isKnown(authenticate: () => unknown): boolean {
  try {
    authenticate();
    return true;
  } catch {
    return false;
  }
}

async function readTrust(app: Hono): Promise<unknown> {
  const response = await app.request('/v1/log');
  if (!response.ok) throw new Error(`bug: /v1/log answers ${response.status}`);
  return response.json();
}
