/** A witness in memory, or served on a socket of its own. */

import type { TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import {
  type Cosigner,
  type CosignatureArithmetic,
  cosignatureVerifier,
} from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import type { NoteSignature, Verifier } from '../../src/formats/note.ts';
import { parseSignatureLines } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { listen } from '../../src/http/listen.ts';
import { createWitnessApp, type WitnessSite } from '../../src/http/witness.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Store } from '../../src/storage/store.ts';
import { type KnownLogs, knownLogs } from '../../src/witness/known-logs.ts';
import { parseLogList } from '../../src/witness/log-list.ts';
import type { CosigningSignal } from '../../src/witness/signals.ts';
import {
  createWitnessState,
  openWitness,
  type Witness,
  type WitnessIdentity,
  type WitnessOptions,
} from '../../src/witness/witness.ts';
import { ManualClock } from './manual-clock.ts';
import { testCosigners } from './witnessed-log.ts';

export const WITNESS: WitnessIdentity = { name: 'witness.example/w1', instance: '5'.repeat(32) };
export const ARITHMETIC: CosignatureArithmetic = { ed25519: nodeEd25519, mldsa44: nobleMldsa44 };
export const START_MS: number = Date.UTC(2026, 10, 20, 12);

export interface TestWitness {
  readonly witness: Witness;
  readonly store: Store;
  readonly clock: ManualClock;
  readonly cosigners: readonly Cosigner[];
  readonly signals: CosigningSignal[];
}

export interface TestWitnessOptions extends Partial<Omit<WitnessOptions, 'logs' | 'onSignal' | 'clock'>> {
  /** Entries of the list. */
  readonly listed: readonly string[] | KnownLogs;
  readonly isQuick?: boolean;
  readonly clock?: ManualClock;
}

/** Opens a witness; makes its state where `store` is not given. */
export async function openTestWitness({
  listed,
  isQuick = false,
  ...options
}: TestWitnessOptions): Promise<TestWitness> {
  const clock = options.clock ?? new ManualClock(START_MS);
  const store = options.store ?? new MemoryStore();
  if (!options.store) await createWitnessState(store, WITNESS);
  const cosigners = options.cosigners ?? testCosigners(WITNESS.name, { isQuick });
  const signals: CosigningSignal[] = [];
  const witness = await openWitness({
    identity: WITNESS,
    arithmetic: ARITHMETIC,
    elapsed: () => clock.elapsed(),
    ...options,
    store,
    clock,
    cosigners,
    logs: 'all' in listed ? listed : logsOf(...listed),
    onSignal: (signal) => signals.push(signal),
  });
  return { witness, store, clock, cosigners, signals };
}

/** The logs of a list with these entries. */
export function logsOf(...listed: readonly string[]): KnownLogs {
  return knownLogs(parseLogList(encodeUtf8(`logs/v0\n${listed.join('')}`)).values(), ARITHMETIC);
}

/** Serves a witness until the test is over. Returns the port. */
export async function serveWitness(t: TestContext, site: WitnessSite): Promise<number> {
  const socket = await listen({ host: '127.0.0.1', port: 0 });
  socket.serve(createWitnessApp(site));
  t.after(() => socket.close(100));
  return socket.port;
}

export function verifiersOf(cosigners: readonly Cosigner[]): Verifier[] {
  return cosigners.map(({ vkey }) => cosignatureVerifier(vkey, ARITHMETIC));
}

/** The lines of an answer, all of which must be by these keys, one each, over this text. */
export function verifiedLines(lines: string, text: string, cosigners: readonly Cosigner[]): NoteSignature[] {
  const parsed = parseSignatureLines(lines);
  const verifiers = verifiersOf(cosigners);
  const hold = parsed.filter((line, i) => {
    const verifier = verifiers[i];
    if (line.name !== verifier?.name || line.keyId !== verifier.keyId) return false;
    return verifier.verify(encodeUtf8(text), line.signature);
  });
  if (hold.length !== cosigners.length || parsed.length !== cosigners.length)
    throw new Error('a line does not hold');
  return hold;
}

/** The timestamp of a line. */
export function timeOf(line: NoteSignature): number {
  return Number(new DataView(line.signature.buffer, line.signature.byteOffset).getBigUint64(0));
}
