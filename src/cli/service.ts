/**
 * A log that is served: from opening the folder to letting go of it.
 *
 *   listen ─ read keys, policies, tokens ─ open and prove ─ witnesses agree ─ serve ─┬─ stop()
 *                                                         └─ not yet: read only       └─ the log is fatal
 *
 *   stop()            a signal: answer what is under way, last round, publish, close
 *   the log is fatal  answer 503 to what is under way, close; `ended` is `failed`
 */

import { Worker } from 'node:worker_threads';
import type { Hono } from 'hono';
import { tryReplacing } from '../access/durable-file.ts';
import { authenticateWith } from '../access/authenticate.ts';
import { openOidc } from '../access/oidc.ts';
import { RateLimits } from '../access/rate-limit.ts';
import { openTokens, type Tokens } from '../access/tokens.ts';
import { createApp, createHeldApp, createPublicApp, type Site } from '../http/app.ts';
import { listen, type Listening } from '../http/listen.ts';
import { systemClock } from '../log/clock.ts';
import type { Log } from '../log/log.ts';
import type { PoolLimits } from '../log/pool.ts';
import { readWitnessSizes } from '../log/witness-sizes.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import { openVault, shownOf } from '../vault/open-vault.ts';
import type { Preparing } from '../vault/prepare.ts';
import { PreparePool } from '../vault/prepare-pool.ts';
import type { Vault } from '../vault/vault.ts';
import { nodeEd25519, signAside } from './ed25519-node.ts';
import type { Folder } from './folder.ts';
import { ignoredWitnesses } from './ignored-witnesses.ts';
import { readLogKey } from './log-key.ts';
import { openFolderLog } from './open-log.ts';
import { type Policies, readPolicies } from './policies.ts';
import { assertNeverHadSecondKey, readSecondKey, type SecondKey } from './second-key.ts';
import type { ServeSettings } from './settings.ts';
import { readVaultKeys } from './vault-keys.ts';
import { readSoftware } from './version.ts';
import { Witnessing } from './witnessing.ts';

export interface ServiceOptions {
  readonly folder: Folder;
  readonly settings: ServeSettings;
  readonly acceptClock?: boolean;
  /** Writes whether or not its witnesses agree. */
  readonly startUnwitnessed?: boolean;
  /** Names of witnesses that are neither waited for nor listened to at the start; `ignoredWitnesses` says which names. */
  readonly ignoredWitnesses?: readonly string[];
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
  /** How many witnesses have said at the start that they know of no newer head, and what that means. */
  readonly witnessed: Witnessed;
  /** What GET /v1/log answers: the trust file. */
  readTrust(): Promise<unknown>;
  /** Ends it in order; the same as `ended`. */
  stop(): Promise<End>;
  /** Resolves when all is closed. `failed`: a write failed, or closing did; the next start finds out. */
  readonly ended: Promise<End>;
}

export interface Witnessed {
  /**
   * `none`: the policies name nobody. `empty`: there is nothing yet that they could know. `waiting`: the log reads only
   * until enough of them agree. `unwitnessed`: it writes, and has heard none.
   */
  readonly state: 'agreed' | 'waiting' | 'unwitnessed' | 'empty' | 'none';
  /** One URL is one witness. */
  readonly agreed: number;
}

export type End = 'stopped' | 'failed';

/** How long requests under way may take once it ends. The rest of 10 s is for the last round and its publication. */
const GRACE_MS = 5000;

const EPOCHS_STUCK =
  'keys/epochs cannot be replaced: until it can, no epoch ends, and what is erased still opens in old copies of the database';

/**
 * Listens, opens and proves, then serves. Throws what `listen`, `readLogKey`, `readPolicies`, `openTokens` and
 * `openFolderLog` throw, and `log_refused` where a witness contradicts; then nothing is left open.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { folder, settings, lines, env, acceptClock = false, tryNextPorts = 0 } = options;
  const opened: Opened = {
    sockets: [],
    tokens: undefined,
    log: undefined,
    secondKey: undefined,
    witnessing: undefined,
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
    const secondKey = await readSecondKey(folder);
    opened.secondKey = secondKey;
    const policies = await readPolicies(folder, key.vkey, ...(secondKey ? [secondKey.vkey] : []));
    const ignored = ignoredWitnesses(policies, options.ignoredWitnesses ?? []);
    const tokens = await openTokens(folder.paths.tokens, { onSignal: (signal) => lines.tokens(signal) });
    opened.tokens = tokens;

    const { issuer, origin } = folder;
    const vaultKeys = issuer === undefined ? undefined : await readVaultKeys(folder, env);
    const witnessing = new Witnessing({ origin, policies, settings, ignored, lines });
    opened.witnessing = witnessing;
    const { log, store } = await openFolderLog(folder, {
      key,
      guard: settings.guard,
      acceptClock,
      limits: limitsOf(settings),
      publishIntervalMs: intervalOf(settings, policies),
      ...(secondKey && { cosigner: secondKey.cosigner }),
      isHeld: true,
      slots: witnessing.slots,
      witnessVerifiers: policies.verifiers,
      asking: witnessing,
      onSignal: (signal) => {
        lines.log(signal);
        if (signal.event !== 'fatal') return;
        failed = true;
        if (state === 'serving') void end();
      },
    });
    opened.log = log;
    if (!secondKey) {
      assertNeverHadSecondKey(folder, log.published.checkpoint);
      lines.say('warn', 'checkpoints have no line that holds against quantum computers', NO_SECOND_KEY);
    }
    witnessing.attach(log, await readWitnessSizes(store));
    // What was left of an interrupted rotation is nobody's any more: the database is ours.
    if (vaultKeys) {
      await tryReplacing(folder.paths.epochs).catch((error: unknown) =>
        lines.say('warn', EPOCHS_STUCK, errorFields(error)),
      );
    }
    const now = (): number => systemClock.now();
    const ed25519 = { ...nodeEd25519, signAside };
    let isOpen = false;
    const site: Site = {
      log,
      isOpen: () => isOpen,
      policy: policies.fast.text,
      ...(policies.public && { publicPolicy: policies.public.text }),
      verifier: key.verifier,
      otherVerifiers: [...(secondKey ? [secondKey.verifier] : []), ...policies.verifiers],
      vkeys: [key.vkey, ...(secondKey ? [secondKey.vkey] : [])],
      url: settings.publicUrl ?? main.url,
      software: readSoftware(),
      now,
      ...(policies.witnesses.length > 0 && { witnesses: () => witnessing.states() }),
      ...(vaultKeys && issuer !== undefined && { statements: shownOf({ ...vaultKeys, issuer, ed25519 }) }),
      mayReadRevealed: (authorization) => isKnown(() => tokens.authenticate(authorization)),
      onRequest: (request) => lines.request(request),
      onError: (error) => lines.say('error', 'a request met a failure that is ours', errorFields(error)),
    };
    open?.serve(createPublicApp(site));
    const oidc = folder.oidc && openOidc(folder.oidc, { onSignal: (signal) => lines.issuer(signal) });
    const limits = new RateLimits({ rate: settings.rateLimit });
    // From here on the log writes, and so may what stands above it.
    const begin = async (record?: string): Promise<void> => {
      await log.begin(record);
      const vault =
        issuer === undefined || vaultKeys === undefined
          ? undefined
          : await openVault({
              ...vaultKeys,
              log,
              store,
              issuer,
              now,
              ed25519,
              sources: folder.sources ?? {},
              epochMs: settings.epochMs,
              prepareIn: (preparing) => (opened.pool = startPool(preparing, lines))?.prepare,
              onFailure: (error) =>
                lines.say('error', 'upkeep of the private zone failed', errorFields(error)),
            });
      opened.vault = vault;
      if (vault) {
        tokens.watch((list) => {
          const listed = list.map(({ hash: _hash, ...token }) => token);
          vault.noteTokens(listed).catch((error: unknown) => {
            lines.say('error', 'a change of the tokens could not be logged', errorFields(error));
          });
        });
      }
      isOpen = true;
      main.serve(
        createApp(site, {
          authenticate: authenticateWith(tokens, oidc),
          charge: (principal, count, unit) => limits.charge(principal, count, unit),
          ...(vault ? { vault } : {}),
        }),
      );
    };
    const beginLater = async (): Promise<void> => {
      try {
        if (await witnessing.agreeLater()) await begin(recordOf(false, ignored));
      } catch (error) {
        lines.say('error', 'the log does not go on', errorFields(error));
        failed = true;
        if (state === 'serving') void end();
      }
    };
    main.serve(createHeldApp(site));
    const { startUnwitnessed = false } = options;
    // Whoever can be reached is heard, also where nobody is waited for.
    const wasEmpty = witnessing.isNeeded && log.revealed.size === 0;
    const isAgreed = !witnessing.isNeeded || (await witnessing.tryAgree());
    const mayBegin = startUnwitnessed || isAgreed;
    if (mayBegin) await begin(recordOf(startUnwitnessed && !isAgreed, ignored));
    else opened.agreeing = beginLater();
    const { agreed } = witnessing;
    const witnessed = (): Witnessed['state'] => {
      if (policies.witnesses.length === 0) return 'none';
      if (!mayBegin) return 'waiting';
      if (isAgreed && agreed > 0) return 'agreed';
      return isAgreed && wasEmpty ? 'empty' : 'unwitnessed';
    };
    state = 'serving';
    if (failed) void end();
    const { host, port, url } = main;
    return {
      listening: { host, port, url },
      url: site.url,
      vkey: key.vkey,
      witnessed: { state: witnessed(), agreed },
      readTrust: () => readTrust(createPublicApp(site)),
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
  secondKey: SecondKey | undefined;
  witnessing: Witnessing | undefined;
  /** Until the witnesses agree, where they did not at once. Never rejects. */
  agreeing?: Promise<void>;
  pool: PreparePool | undefined;
  vault: Vault | undefined;
}

/** Nothing new comes in before the log finishes what came. Returns whether all closed well. */
async function closeAll(opened: Opened, lines: Lines): Promise<boolean> {
  const { sockets, tokens } = opened;
  let clean = true;
  const close = async (what: string, closing: Promise<unknown> | undefined): Promise<void> => {
    try {
      await closing;
    } catch (error) {
      clean = false;
      lines.say('error', `${what} did not close well`, errorFields(error));
    }
  };
  opened.witnessing?.stopAgreeing();
  opened.log?.endWaits();
  await close('the sockets', Promise.all(sockets.map((socket) => socket.close(GRACE_MS))));
  tokens?.close();
  // What it has begun has things to say while the log still takes them.
  await opened.agreeing;
  await close('the private zone', opened.vault?.close());
  await close('the log', opened.log?.close());
  await close('the connections to witnesses', opened.witnessing?.close());
  await close('the thread that signs', opened.secondKey?.close());
  await close('the thread that prepares events', opened.pool?.close());
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

const NO_SECOND_KEY = {
  why: 'keys/log-mldsa44 is not there: a log that this version makes has one',
};

/** How often the tree is published: for its witnesses, where some are asked, if that is more often. */
function intervalOf({ publishIntervalMs, witnessIntervalMs }: ServeSettings, { fast }: Policies): number {
  return fast.policy.quorum === 'none' ? publishIntervalMs : Math.min(publishIntervalMs, witnessIntervalMs);
}

/** What is kept of a start that did not hear all of its witnesses. */
function recordOf(isUnwitnessed: boolean, ignored: ReadonlySet<string>): string | undefined {
  const parts = [
    ...(isUnwitnessed ? ['unwitnessed'] : []),
    ...(ignored.size > 0 ? [`ignored ${[...ignored].join(' ')}`] : []),
  ];
  return parts.length > 0 ? parts.join('; ') : undefined;
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
