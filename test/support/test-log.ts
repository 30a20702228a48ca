/**
 * A real log for tests: over a store and a guard in memory, with a fixed key and a clock that stands still, so that
 * every byte it signs is the same in every run. Nothing is published unless the test lets time pass: `publish()`.
 *
 *   const test = await openTestLog({ entries: 300 });        published: 300 entries "entry 0" … "entry 299"
 *   await test.append(encodeUtf8('unpublished'));
 *   await test.publish();
 *   const again = await test.reopen();                       the same store and guard, recovered
 */

import { type Ed25519, nobleEd25519 } from '../../src/formats/ed25519.ts';
import { ed25519Signer, ed25519Verifier, type Signer, type Verifier } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { Guard, GuardedHead } from '../../src/log/guard.ts';
import type { Identity, Kind } from '../../src/log/identity.ts';
import { PUBLISH_INTERVAL_MS } from '../../src/log/limits.ts';
import { createLog } from '../../src/log/create.ts';
import type { Log } from '../../src/log/log.ts';
import { openLog, type OpenOptions } from '../../src/log/open.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Store } from '../../src/storage/store.ts';
import { ManualClock } from './manual-clock.ts';

export const TEST_ORIGIN = 'log.example/test';
/** 2026-11-20T12:00:00.000Z */
export const TEST_TIME_MS: number = Date.UTC(2026, 10, 20, 12);

/** `NEWEL_TEST_ED25519=noble` runs a suite with the implementation that browsers have. */
const TEST_ED25519: Ed25519 = process.env['NEWEL_TEST_ED25519'] === 'noble' ? nobleEd25519 : nodeEd25519;

export interface TestLogOptions {
  readonly origin?: string;
  readonly kind?: Kind;
  /** 32 bytes; by default 00 01 … 1f. */
  readonly seed?: Uint8Array;
  readonly ed25519?: Ed25519;
  readonly clock?: ManualClock;
  /** A store without a log in it. */
  readonly store?: Store;
  /** What stands between the log and its store from the first round after the creation on: a store that fails, say. */
  readonly wrapStore?: (store: Store) => Store;
  /** Appended in one go and published before `openTestLog` returns: a count (of `testEntry`), or the entries. */
  readonly entries?: number | readonly Uint8Array[];
  /** Whatever else `openLog` takes. */
  readonly open?: Partial<
    Omit<OpenOptions, 'store' | 'guard' | 'identity' | 'signer' | 'verifier' | 'clock'>
  >;
  /** A closed log to open again, with these options in the place of its own. */
  readonly existing?: TestLog;
}

export interface TestLog {
  readonly log: Log;
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly vkey: string;
  readonly origin: string;
  readonly clock: ManualClock;
  /** The rows themselves; open as long as the test runs, whatever the log does. */
  readonly store: Store;
  readonly guard: MemoryGuard;
  /** Appends one entry and returns its index. It is revealed then, not published. */
  append(entry: Uint8Array): Promise<number>;
  /** Lets a publication interval pass and waits until all that is revealed is published. */
  publish(): Promise<void>;
  /** Closes this log and recovers it from the same store and guard. */
  reopen(): Promise<TestLog>;
}

/** The entry that `openTestLog({ entries: n })` puts at `index`. */
export function testEntry(index: number): Uint8Array {
  return encodeUtf8(`entry ${index}`);
}

/** The guard's contract, in memory. */
export class MemoryGuard implements Guard {
  head: GuardedHead;

  constructor(head: GuardedHead) {
    this.head = head;
  }

  read(): Promise<GuardedHead> {
    return Promise.resolve(this.head);
  }

  write(head: GuardedHead): Promise<void> {
    this.head = head;
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export async function openTestLog(options: TestLogOptions = {}): Promise<TestLog> {
  const ed25519 = options.ed25519 ?? TEST_ED25519;
  const origin = options.origin ?? TEST_ORIGIN;
  const seed = options.seed ?? Uint8Array.from({ length: 32 }, (_, i) => i);
  const clock = options.clock ?? new ManualClock(TEST_TIME_MS);
  const store = options.store ?? new MemoryStore();
  const key = newVkey(origin, KEY_TYPE.ed25519, ed25519.publicKey(seed));
  const vkey = formatVkey(key);
  const signer = ed25519Signer(origin, seed, ed25519);
  const verifier = ed25519Verifier(key, ed25519);
  const identity: Identity = { origin, kind: options.kind ?? 'opaque', instance: '00'.repeat(16), vkey };

  if (options.existing) return open({ ...options.existing }, identity, options);
  let guard: MemoryGuard | undefined;
  await createLog({
    store,
    identity,
    signer,
    clock,
    createGuard: async (head) => {
      guard = new MemoryGuard(head);
    },
  });
  if (!guard) throw new Error('the log was created without a guard');
  const parts = { signer, verifier, vkey, origin, clock, store, guard };
  const test = await open(parts, identity, options);
  const entries =
    typeof options.entries === 'number'
      ? Array.from({ length: options.entries }, (_, i) => testEntry(i))
      : (options.entries ?? []);
  for (let at = 0; at < entries.length; at += APPENDED_AT_ONCE) {
    await Promise.all(entries.slice(at, at + APPENDED_AT_ONCE).map((entry) => test.log.append({ entry })));
  }
  if (entries.length > 0) await test.publish();
  return test;
}

/** Well below what the queue takes by default. */
const APPENDED_AT_ONCE = 4096;

/** Of the event loop; a store in memory needs a handful, another one goes around again. */
const TURNS_OF_A_PUBLICATION = 100;

type Parts = Omit<TestLog, 'log' | 'append' | 'publish' | 'reopen'>;

async function open(parts: Parts, identity: Identity, options: TestLogOptions): Promise<TestLog> {
  const { store, guard, signer, verifier, clock } = parts;
  const kept: Store = {
    commit: (batch) => store.commit(batch),
    getMany: (keys) => store.getMany(keys),
    scan: (range) => store.scan(range),
    compact: (from, to) => store.compact(from, to),
    // The rows outlive the log.
    close: () => Promise.resolve(),
  };
  const log = await openLog({
    ...options.open,
    guard,
    identity,
    signer,
    verifier,
    clock,
    store: options.wrapStore ? options.wrapStore(kept) : kept,
  });
  return {
    ...parts,
    log,
    append: async (entry) => (await log.append({ entry })).index,
    async publish() {
      const isBehind = (): boolean => log.published.size < log.revealed.size;
      while (isBehind()) {
        if (!log.accepting) throw new Error('the log has stopped and publishes no more');
        clock.advance(options.open?.publishIntervalMs ?? PUBLISH_INTERVAL_MS);
        for (let turn = 0; turn < TURNS_OF_A_PUBLICATION && isBehind(); turn++) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    },
    async reopen() {
      await log.close();
      return open(parts, identity, options);
    },
  };
}
