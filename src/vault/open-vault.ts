/**
 * Making a vault and opening it. What init wrote has to be what this process was given: the log statement at leaf 0
 * names origin, issuer and statement keys, and the master key opens the index key.
 */

import { formatLogStatement, parseLogStatement } from '../event/log-statement.ts';
import { NewelError } from '../errors.ts';
import type { Log, Reservation } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { Accesses } from './accesses.ts';
import { EpochSealing } from './epoch-sealing.ts';
import { type Epoch, EPOCH_MS, type EpochFile } from './epochs.ts';
import { correctionsOf } from './corrections.ts';
import { describeErasure } from './describe-erasure.ts';
import { ErasureList } from './erasure-list.ts';
import { type ErasureRow, ErasureRows, type Tombstone } from './erasure-row.ts';
import { Eraser } from './eraser.ts';
import { scopeOf } from './erasure-scope.ts';
import { Events } from './events.ts';
import { sayException, sayUnsaid } from './exceptions.ts';
import { GatheredReads } from './gathered-reads.ts';
import { newVaultRow } from './index-key.ts';
import { Keyring } from './keyring.ts';
import { Mutex } from './mutex.ts';
import { type SayEvent, sayer } from './own-events.ts';
import { linkForm } from './place.ts';
import { type Prepare, preparer, type Preparing } from './prepare.ts';
import { endRotation, rotateEpoch } from './rotate.ts';
import { Search } from './search.ts';
import { sayGaps, sequenceForm } from './source-numbers.ts';
import { type StatementEd25519, type StatementKeys, StatementSigner } from './statement-key.ts';
import { Sealing, States } from './states.ts';
import { Submissions } from './submit.ts';
import { Terms } from './terms.ts';
import { TokenChanges } from './token-changes.ts';
import { Upkeep } from './upkeep.ts';
import type { Erasure, Vault } from './vault.ts';

/** The largest event that is taken, as it is sent. */
const MAX_EVENT_BYTES = 64 * 1024;
/** What a record may have for each byte of its event: escapes, base64 and the bytes as sent. */
const RECORD_GROWTH = 4;
/** Salts, names and frames of a record, however small its event is. */
const RECORD_BASE_BYTES = 8192;

export interface VaultOptions {
  readonly log: Log;
  /** The one that the log writes to: for reading. */
  readonly store: Store;
  /** 32 bytes. */
  readonly master: Uint8Array;
  readonly statementKeys: StatementKeys;
  readonly issuer: string;
  readonly ed25519: StatementEd25519;
  /** What the data keys are sealed under. */
  readonly epochs: EpochFile;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  /** Where events are prepared; here, unless it is given. */
  readonly prepareIn?: (preparing: Preparing) => Prepare | undefined;
  /** What is special about sources, by name. */
  readonly sources?: Readonly<Record<string, SourceRules>>;
  /** How long an epoch lasts. */
  readonly epochMs?: number;
  /** How long to wait for more erasures before the files are cleared. */
  readonly compactDelayMs?: number;
  /** Told of what failed beside all requests. By default it goes to the console. */
  readonly onFailure?: (error: unknown) => void;
}

export interface SourceRules {
  /** What becomes of an event with a secret in it; `reject` by default. */
  readonly secrets?: 'reject' | 'redact';
  /** Whether a `seq` that is not the next one is refused; `lenient` by default. */
  readonly sequence?: 'strict' | 'lenient';
}

const COMPACT_DELAY_MS = 10_000;

/** Writes leaf 0, the log statement, and with it what a vault begins with. The log must be empty. */
export async function createVault(
  options: Pick<VaultOptions, 'log' | 'master' | 'statementKeys' | 'issuer' | 'ed25519'> & {
    readonly maxPublishDelayMs: number;
  },
): Promise<void> {
  const { log, master, statementKeys, issuer, ed25519, maxPublishDelayMs } = options;
  if (log.revealed.size !== 0) throw new Error('bug: a vault is made in an empty log');
  const entry = formatLogStatement({
    kind: 'init',
    origin: log.identity.origin,
    issuer,
    statement_keys: new StatementSigner(statementKeys, ed25519).jwks.keys.map(({ kid }) => kid!),
    schemas: ['stepup/1'],
    max_publish_delay: maxPublishDelayMs / 1000,
  });
  await log.append({ entry, companions: () => ({ puts: [newVaultRow(master)] }) });
}

/** What anyone may know of a vault, also while it is not open. */
export function shownOf({
  issuer,
  statementKeys,
  ed25519,
}: Pick<VaultOptions, 'issuer' | 'statementKeys' | 'ed25519'>): Pick<
  Vault,
  'issuer' | 'jwks' | 'schemas' | 'maxEventBytes'
> {
  const { jwks } = new StatementSigner(statementKeys, ed25519);
  return { issuer, jwks, schemas: ['stepup/1'], maxEventBytes: MAX_EVENT_BYTES };
}

/** Throws `log_refused`, saying what is not as init left it. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { log, store, master, issuer, now } = options;
  const signer = new StatementSigner(options.statementKeys, options.ed25519);
  await assertLogStatement(
    log,
    issuer,
    signer.jwks.keys.map(({ kid }) => kid!),
  );
  const issuing = { issuer, origin: log.identity.origin };
  const { epochs, sources = {}, onFailure = (error): void => console.error(error) } = options;
  const keyring = await Keyring.open(store, master, await epochs.read());
  const { indexKey } = keyring;
  const redacting = Object.keys(sources).filter((source) => sources[source]!.secrets === 'redact');
  const preparing = { ...issuing, indexKey, redacting };
  const prepare = options.prepareIn?.(preparing) ?? preparer(preparing);

  const reads = new GatheredReads(store);
  const sealing = new Sealing(indexKey);
  const epochSealing = new EpochSealing(keyring);
  const terms = new Terms(indexKey);
  const base = { log, store, issuing, signer, keyring, sealing, terms, now };
  const states = {
    sequences: new States(sealing, reads, sequenceForm),
    links: new States(epochSealing, reads, linkForm),
  };
  const roomOf = (bodyBytes: number): number => RECORD_GROWTH * bodyBytes + RECORD_BASE_BYTES;
  const reserve = (bodyBytes: number): Reservation => log.reserve(roomOf(bodyBytes));
  const reserveOwn = (bodyBytes: number): Reservation => log.reserve(roomOf(bodyBytes), { isOwn: true });
  const events = new Events(base);
  const say: SayEvent = sayer(reserveOwn, (submission, extra) => submissions.submit(submission, extra));
  const submissions = new Submissions(
    {
      ...base,
      ...states,
      isStrict: (source) => sources[source]?.sequence === 'strict',
      // Where it cannot be said now, the upkeep says it, or the next start.
      onMismatch: (index) => sayException({ ...base, say }, index).catch(onFailure),
    },
    reads,
    events,
    prepare,
    now,
  );
  const accesses = new Accesses({ indexKey, say, now, onFailure });
  const tokenChanges = new TokenChanges({ log, store, sealing, indexKey, say, now });
  const search = new Search({ ...base, events });
  const erasures = new ErasureRows(store, sealing);
  const { list: erasureList, unfinished } = await ErasureList.read(erasures);
  const keyRows = new Mutex();
  const { compactDelayMs = COMPACT_DELAY_MS, epochMs = EPOCH_MS } = options;
  const eraser = new Eraser({
    ...base,
    ...states,
    events,
    erasures,
    list: erasureList,
    say,
    keyRows,
    compactDelayMs,
    onFailure,
  });
  let isClosing = false;
  const { links } = states;
  const rotating = { ...base, epochs, keyRows, links, epochSealing, isStopped: (): boolean => isClosing };
  await sayUnsaid({ ...base, say });
  await endRotation(rotating);
  eraser.resume(unfinished);
  const upkeep = new Upkeep({
    sayAccesses: () => accesses.sayAll(),
    async sayGaps() {
      await sayUnsaid({ ...base, say });
      await sayGaps({ ...base, states: states.sequences, say });
    },
    rotate: () => rotateEpoch(rotating),
    isRotating: () => keyring.oldestEpoch !== keyring.epoch,
    epochBeganMs: () => keyring.epoch.createdMs,
    oldestEpochBeganMs: () => keyring.oldestEpoch.createdMs,
    epochMs,
    now,
    onFailure,
  });

  const describe = (row: ErasureRow, tombstones?: readonly Tombstone[]): Erasure => {
    const epochOf = (number: number): Epoch | undefined => keyring.epochOf(number);
    return describeErasure(row, { epoch: keyring.epoch, epochOf, epochMs, nowMs: now() }, tombstones);
  };
  return {
    issuer,
    jwks: signer.jwks,
    schemas: ['stepup/1'],
    maxEventBytes: MAX_EVENT_BYTES,
    reserve,
    submit: (submission) => submissions.submit(submission),
    submitGroup: (group) => submissions.submitGroup(group),
    find: (eventId) => events.find(eventId),
    list: (query, page) => search.list(query, page),
    correctionsOf: (event) => correctionsOf(search, event),
    countErasure: async (target) => (await scopeOf(base, target)).events,
    erase: async (request) => describe(await eraser.accept(request)),
    async findErasure(erasureId) {
      const row = await erasures.find(erasureId);
      const tombstones = row && (await erasures.tombstonesOf(erasureId));
      // What is committed is read by nobody before it is revealed.
      return (
        row &&
        describe(
          row,
          tombstones!.filter(({ leafIndex }) => leafIndex < log.revealed.size),
        )
      );
    },
    async listErasures(page) {
      const { erasures: rows, next } = await erasureList.page(page);
      return { erasures: rows.map((row) => describe(row)), next };
    },
    noteAccess: (access) => accesses.note(access),
    logAccess: (access) => accesses.log(access),
    noteTokens: (tokens) => tokenChanges.say(tokens),
    async close() {
      isClosing = true;
      await eraser.close();
      await tokenChanges.close();
      await upkeep.close();
    },
  };
}

async function assertLogStatement(log: Log, issuer: string, kids: readonly string[]): Promise<void> {
  if (log.revealed.size === 0)
    throw refused('the log has no log statement at leaf 0, so its init did not end');
  const [entry] = await log.readEntries(0, 1);
  const statement = parseLogStatement(entry!);
  if (statement.origin !== log.identity.origin || statement.issuer !== issuer) {
    throw refused(
      'the log statement at leaf 0 names another origin or issuer than newel.json: bring that file back as init wrote it',
    );
  }
  // What is served as a statement key is trusted by whoever saves it, so the tree has to name each.
  const isNamed = kids.every((kid) => statement.statement_keys.includes(kid));
  if (!isNamed || new Set(kids).size < kids.length) {
    throw refused(
      'keys/statement.jwks has a key that the log statement at leaf 0 does not name, or one twice: bring it back as init wrote it',
    );
  }
}

function refused(message: string): NewelError {
  return new NewelError('log_refused', message);
}
