/**
 * A real vault for tests: over `openTestLog`, so store, guard, clock and log key are in memory and fixed. Leaf 0 is the
 * log statement; events follow from leaf 1.
 *
 *   const test = await openTestVault();
 *   const { event } = await test.submit(exampleEvent('full.json'));
 *   const again = await test.reopen();                       recovered, records proven
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeEd25519, signAside } from '../../src/cli/ed25519-node.ts';
import type { JsonValue } from '../../src/formats/json.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { MAX_PUBLISH_DELAY_MS } from '../../src/log/limits.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Store } from '../../src/storage/store.ts';
import type { Epoch, EpochFile } from '../../src/vault/epochs.ts';
import { createVault, openVault, type VaultOptions } from '../../src/vault/open-vault.ts';
import { proveRecords } from '../../src/vault/prove-records.ts';
import type { Submitted, Vault } from '../../src/vault/vault.ts';
import { openTestLog, TEST_TIME_MS, type TestLog, type TestLogOptions } from './test-log.ts';

export const TEST_ISSUER = 'https://log.example/test';
/** The sources of `submit`: that of flat events, and that of the examples. */
export const TEST_SOURCES: readonly string[] = ['test', 'https://bank.example/payments'];
export const TEST_MASTER: Uint8Array = new Uint8Array(32).fill(0x4d);
export const TEST_STATEMENT_SEED: Uint8Array = new Uint8Array(32).fill(0x53);

export interface TestVault {
  readonly test: TestLog;
  readonly vault: Vault;
  /** Submits an event as JSON, or as the bytes given. */
  readonly submit: (event: JsonValue | Uint8Array, options?: SubmitOptions) => Promise<Submitted>;
  /** Closes the log and recovers log and vault from the same store and guard. */
  readonly reopen: () => Promise<TestVault>;
}

export interface SubmitOptions {
  readonly sources?: readonly string[];
  readonly idempotencyKey?: string;
}

export interface TestVaultOptions extends TestLogOptions {
  readonly vault?: TestVaultSettings;
}

/** What a vault can be told beside its keys. */
export type TestVaultSettings = Partial<
  Pick<VaultOptions, 'epochs' | 'sources' | 'epochMs' | 'compactDelayMs' | 'onFailure' | 'prepareIn'>
>;

export async function openTestVault(options: TestVaultOptions = {}): Promise<TestVault> {
  const store = options.store ?? new MemoryStore();
  const proveCompanions = (first: number, entries: readonly Uint8Array[]): Promise<void> =>
    proveRecords(store, first, entries);
  const test = await openTestLog({
    ...options,
    store,
    kind: 'events',
    open: { ...options.open, proveCompanions },
  });
  await createVault({ ...keys, log: test.log, maxPublishDelayMs: MAX_PUBLISH_DELAY_MS });
  await test.publish();
  return open(test, { store, epochs: testEpochs(test.clock.now()), ...options.vault });
}

/** An epoch file in memory, with a fixed first epoch, which begins when the tests' clock does. */
export function testEpochs(createdMs: number = TEST_TIME_MS): EpochFile {
  let epochs: readonly Epoch[] = [{ number: 1, createdMs, key: new Uint8Array(32).fill(0x45) }];
  return {
    read: async () => epochs,
    replace: async (next) => void (epochs = next),
  };
}

const keys = {
  master: TEST_MASTER,
  statementKeys: { seed: TEST_STATEMENT_SEED, retired: [] },
  issuer: TEST_ISSUER,
  ed25519: { ...nodeEd25519, signAside },
};

async function open(test: TestLog, settings: OpenSettings): Promise<TestVault> {
  const vault = await openVault({ ...keys, ...settings, log: test.log, now: () => test.clock.now() });
  return {
    test,
    vault,
    submit(event, { sources = TEST_SOURCES, ...rest } = {}) {
      const body = event instanceof Uint8Array ? event : encodeUtf8(JSON.stringify(event));
      return vault.submit({
        ...rest,
        body,
        sources,
        submitter: 'test',
        reservation: vault.reserve(body.length),
      });
    },
    reopen: async () => {
      await vault.close();
      return open(await test.reopen(), settings);
    },
  };
}

interface OpenSettings extends TestVaultSettings {
  readonly store: Store;
  readonly epochs: EpochFile;
}

const MAX_WAIT_MS = 60_000;

/** Resolves when all erasures that were accepted are done; rejects where one failed or takes too long. */
export async function erasuresDone(vault: Vault): Promise<void> {
  for (const endMs = performance.now() + MAX_WAIT_MS; ;) {
    const { erasures } = await vault.listErasures({ limit: 100 });
    const left = erasures.filter(({ state }) => state !== 'done');
    if (left.length === 0) return;
    const failed = left.find(({ state }) => state === 'failed');
    if (failed || performance.now() > endMs) {
      throw new Error(`an erasure is ${left[0]!.state}: ${failed?.failure ?? 'it takes too long'}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const EXAMPLES = join(import.meta.dirname, '../../spec/examples');

/** The events of an example file, in its order. */
export function exampleEvents(name: string): JsonValue[] {
  const text = readFileSync(join(EXAMPLES, name), 'utf8');
  const texts = name.endsWith('.ndjson') ? text.split('\n').filter((line) => line !== '') : [text];
  return texts.map((event) => JSON.parse(event) as JsonValue);
}
