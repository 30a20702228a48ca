/**
 * A vault whose writes can be made to fail, and what to look at afterwards.
 *
 *   const crash = await openCrashVault();
 *   crash.faulty().failNext('persisted');            the next commit is there, and nobody is told so
 *   await assert.rejects(crash.now().submit(event));
 *   await crash.recover();                            as a start after it does
 *   assert.deepEqual(await crash.findings(), []);
 */

import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Row, Store } from '../../src/storage/store.ts';
import { openRecordChecker } from '../../src/vault/check-records.ts';
import type { EpochFile } from '../../src/vault/epochs.ts';
import type {
  Erasure,
  ErasureRequest,
  ErasureTarget,
  GroupOutcome,
  StoredEvent,
} from '../../src/vault/vault.ts';
import { FaultyStore } from './faulty-store.ts';
import {
  openTestVault,
  testEpochs,
  type TestVault,
  type TestVaultOptions,
  TEST_ISSUER,
  TEST_MASTER,
  TEST_SOURCES,
} from './test-vault.ts';
import { until } from './until.ts';

export interface CrashVault {
  readonly store: Store;
  readonly epochs: EpochFile;
  /** What failed beside all requests. */
  readonly failures: unknown[];
  /** The vault that is open now, and what its writes go through. */
  now(): TestVault;
  faulty(): FaultyStore;
  /** Opens log and vault anew from what is stored. */
  recover(): Promise<TestVault>;
  /** What a whole check of the private zone finds. */
  findings(): Promise<string[]>;
}

export async function openCrashVault(options: TestVaultOptions = {}): Promise<CrashVault> {
  const store = options.store ?? new MemoryStore();
  const epochs = options.vault?.epochs ?? testEpochs();
  const wrapped: FaultyStore[] = [];
  const failures: unknown[] = [];
  let now = await openTestVault({
    ...options,
    store,
    wrapStore: (inner) => {
      wrapped.push(new FaultyStore(inner));
      return wrapped.at(-1)!;
    },
    vault: { compactDelayMs: 0, onFailure: (error) => failures.push(error), ...options.vault, epochs },
  });
  return {
    store,
    epochs,
    failures,
    now: () => now,
    faulty: () => wrapped.at(-1)!,
    recover: async () => (now = await now.reopen()),
    findings: () => findingsOf(now, store, epochs),
  };
}

export async function findingsOf({ test }: TestVault, store: Store, epochs: EpochFile): Promise<string[]> {
  const { log } = test;
  const checker = await openRecordChecker({
    store,
    master: TEST_MASTER,
    epochs: await epochs.read(),
    issuing: { issuer: TEST_ISSUER, origin: log.identity.origin },
    readEntries: async (first, count) => (first < log.revealed.size ? log.readEntries(first, count) : []),
  });
  const findings: string[] = [];
  for (let first = 0; first < log.revealed.size; first += 256) {
    const count = Math.min(256, log.revealed.size - first);
    findings.push(...(await checker.check(first, await log.readEntries(first, count))));
  }
  return [...findings, ...(await checker.end())];
}

export function bytesOf(event: JsonValue): Uint8Array {
  return encodeUtf8(JSON.stringify(event));
}

export interface GroupOptions {
  readonly isAtomic?: boolean;
  readonly sources?: readonly string[];
}

export function submitGroup(
  { vault }: TestVault,
  events: readonly (JsonValue | Uint8Array)[],
  { isAtomic = false, sources = TEST_SOURCES }: GroupOptions = {},
): Promise<readonly GroupOutcome[]> {
  const bodies = events.map((event) => (event instanceof Uint8Array ? event : bytesOf(event)));
  const reservations = bodies.map((body) => vault.reserve(body.length));
  return vault.submitGroup({ bodies, reservations, isAtomic, sources, submitter: 'test' });
}

/** A word for each outcome: its code, `created`, `copy`, or `untouched`. */
export function wordsOf(outcomes: readonly GroupOutcome[]): string[] {
  return outcomes.map(({ submitted, error }) => {
    if (error) return error.code;
    if (!submitted) return 'untouched';
    return submitted.created ? 'created' : 'copy';
  });
}

/** A small event of the source `test`. */
export function eventOf(id: string, members: JsonObject = {}): JsonObject {
  const time = '2026-11-20T12:00:00.000Z';
  return { schema: 'stepup/1', id, source: 'test', type: 'login.succeeded', time, ...members };
}

/** One that is about somebody. */
export function eventAbout(subject: string, id: string, members: JsonObject = {}): JsonObject {
  return eventOf(id, { subject: { sub_id: subjectOf(subject) }, ...members });
}

export function subjectOf(id: string): JsonObject {
  return { format: 'opaque', id };
}

export function rowsOf(store: Store, prefix: number): Promise<Row[]> {
  return store.scan({ from: Uint8Array.of(prefix), to: Uint8Array.of(prefix + 1), limit: 1_000_000 });
}

/** Every row of the private zone, as text: for telling whether anything has changed. */
export async function snapshotOf(store: Store): Promise<string[]> {
  const rows = await store.scan({ from: Uint8Array.of(0x80), to: Uint8Array.of(0xff), limit: 1_000_000 });
  return rows.map(
    ({ key, value }) => `${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('hex')}`,
  );
}

export function erasing(target: ErasureTarget): ErasureRequest {
  return { target, reason: 'subject_request', requestedBy: 'operator' };
}

/** The erasure once it is in one of those states. */
export async function erasureIn(
  { vault }: TestVault,
  erasureId: string,
  ...states: readonly Erasure['state'][]
): Promise<Erasure> {
  return until(async () => {
    const erasure = await vault.findErasure(erasureId);
    return erasure && states.includes(erasure.state) ? erasure : undefined;
  });
}

/** All events of the log's own, of a type, the oldest first. */
export async function ownEvents({ vault }: TestVault, type: string): Promise<StoredEvent[]> {
  const found: StoredEvent[] = [];
  let cursor: string | undefined;
  do {
    const page = await vault.list(
      { terms: { source: 'newel:log', type } },
      { limit: 100, ...(cursor === undefined ? {} : { cursor }) },
    );
    found.push(...page.events);
    cursor = page.next;
  } while (cursor !== undefined);
  return found.toReversed();
}
