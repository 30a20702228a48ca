/**
 * A log that is served: from opening the folder to letting go of it.
 *
 *   listen ─ read keys, policies, tokens ─ open and prove ─ witnesses agree ─ serve ─┬─ stop()
 *                                                         └─ not yet: read only       └─ the log is fatal
 *
 *   stop()            a signal: answer what is under way, last round, publish, close
 *   the log is fatal  answer 503 to what is under way, close; `ended` is `failed`
 */

import type { Hono } from 'hono';
import { tryReplacing } from '../access/durable-file.ts';
import { authenticateWith } from '../access/authenticate.ts';
import { openOidc } from '../access/oidc.ts';
import { RateLimits } from '../access/rate-limit.ts';
import { openTokens } from '../access/tokens.ts';
import { createApp, createHeldApp, createPublicApp, type Site, type WriteSite } from '../http/app.ts';
import { listen } from '../http/listen.ts';
import { systemClock } from '../log/clock.ts';
import type { PoolLimits } from '../log/pool.ts';
import { readWitnessSizes } from '../log/witness-sizes.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import { createLogMetrics } from '../telemetry/log-metrics.ts';
import { tellBoth } from '../telemetry/signals.ts';
import { shownOf } from '../vault/open-vault.ts';
import { type End, Ending } from './ending.ts';
import type { Folder } from './folder.ts';
import { ignoredWitnesses } from './ignored-witnesses.ts';
import { readLogKey } from './log-key.ts';
import { createMetricsApp } from './metrics-app.ts';
import { observe } from './observed.ts';
import { openFolderLog } from './open-log.ts';
import { closeAll, type Opened } from './opened.ts';
import { type Policies, readPolicies } from './policies.ts';
import { openPrivateZone, STATEMENT_ED25519 } from './private-zone.ts';
import { assertNeverHadSecondKey, readSecondKey } from './second-key.ts';
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
  /** Names of witnesses that are neither waited for at the start nor asked later; `ignoredWitnesses` says which names. */
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
   * `none`: the policies name nobody. `waiting`: the log reads only until enough of them agree. `empty`: too few have
   * answered, and it begins, since there is nothing in it. `unwitnessed`: it writes all the same.
   */
  readonly state: 'agreed' | 'waiting' | 'unwitnessed' | 'empty' | 'none';
  /** One URL is one witness. */
  readonly agreed: number;
}

const EPOCHS_STUCK =
  'keys/epochs cannot be replaced: until it can, no epoch ends, and what is erased still opens in old copies of the database';

/**
 * Listens, opens and proves, then serves. Throws what `listen`, `readLogKey`, `readPolicies`, `openTokens` and
 * `openFolderLog` throw, and `log_refused` where a witness contradicts; then nothing is left open.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { folder, settings, lines, env, acceptClock = false, tryNextPorts = 0 } = options;
  const opened: Opened = { sockets: [] };
  const metrics = createLogMetrics();
  const told = tellBoth(lines, metrics);
  const ending = new Ending(() => closeAll(opened, lines));

  try {
    // Bound before the log is proved: a port that is taken is told at once, and whoever asks meanwhile gets a 503.
    const main = await listen({ ...settings.listen, tryNextPorts });
    opened.sockets.push(main);
    const open = settings.listenPublic && (await listen(settings.listenPublic));
    if (open) opened.sockets.push(open);
    const scraped = settings.metrics && (await listen(settings.metrics));
    if (scraped) opened.sockets.push(scraped);

    // What may be spoilt is read before the log is opened: from then on it signs and publishes.
    const key = await readLogKey(folder);
    const secondKey = await readSecondKey(folder);
    opened.secondKey = secondKey;
    const policies = await readPolicies(folder, key.vkey, ...(secondKey ? [secondKey.vkey] : []));
    const ignored = ignoredWitnesses(policies, options.ignoredWitnesses ?? []);
    const tokens = await openTokens(folder.paths.tokens, { onSignal: told.tokens });
    opened.tokens = tokens;

    const { issuer, origin } = folder;
    const vaultKeys = issuer === undefined ? undefined : await readVaultKeys(folder, env);
    const witnessing = new Witnessing({
      origin,
      policies,
      settings,
      ignored,
      lines,
      onSignal: told.witnesses,
    });
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
        told.log(signal);
        if (signal.event === 'fatal') ending.fail();
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
    const software = readSoftware();
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
      software,
      now: () => systemClock.now(),
      ...(policies.witnesses.length > 0 && { witnesses: () => witnessing.states() }),
      ...(vaultKeys &&
        issuer !== undefined && {
          statements: shownOf({ ...vaultKeys, issuer, ed25519: STATEMENT_ED25519 }),
        }),
      mayReadRevealed: (authorization) => isKnown(() => tokens.authenticate(authorization)),
      onRequest: told.request,
      onError: (error) => lines.say('error', 'a request met a failure that is ours', errorFields(error)),
    };
    open?.serve(createPublicApp(site));
    const readMetrics = (): Promise<string> => metrics.format(observe(log, witnessing, software.version));
    scraped?.serve(
      createMetricsApp(readMetrics, (error) =>
        lines.say('error', 'the metrics cannot be read', errorFields(error)),
      ),
    );
    const oidc = folder.oidc && openOidc(folder.oidc, { onSignal: told.issuer });
    const limits = new RateLimits({ rate: settings.rateLimit });
    const write: WriteSite = {
      authenticate: authenticateWith(tokens, oidc),
      charge: (principal, count, unit) => limits.charge(principal, count, unit),
      readMetrics,
    };
    // From here on the log writes, and so may what stands above it.
    const begin = async (record?: string): Promise<void> => {
      await log.begin(record);
      if (issuer !== undefined && vaultKeys) {
        const parts = { folder, issuer, keys: vaultKeys, log, store, tokens, settings, lines };
        opened.zone = await openPrivateZone(parts);
      }
      isOpen = true;
      main.serve(createApp(site, { ...write, ...(opened.zone && { vault: opened.zone.vault }) }));
    };
    const beginLater = async (): Promise<void> => {
      try {
        if (await witnessing.agreeLater()) await begin(recordOf(false, ignored));
      } catch (error) {
        lines.say('error', 'the log does not go on', errorFields(error));
        ending.fail();
      }
    };
    main.serve(createHeldApp(site, write));
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
      if (witnessing.isAgreed && agreed > 0) return 'agreed';
      return isAgreed && wasEmpty ? 'empty' : 'unwitnessed';
    };
    ending.serving();
    const { host, port, url } = main;
    return {
      listening: { host, port, url },
      url: site.url,
      vkey: key.vkey,
      witnessed: { state: witnessed(), agreed },
      readTrust: () => readTrust(createPublicApp(site)),
      stop: () => ending.end(),
      ended: ending.ended,
    };
  } catch (error) {
    await ending.end();
    throw error;
  }
}

function limitsOf({
  maxQueueEntries,
  maxQueueBytes,
  maxRoundEntries,
  maxRoundBytes,
}: ServeSettings): PoolLimits {
  return { maxQueueEntries, maxQueueBytes, maxRoundEntries, maxRoundBytes };
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
