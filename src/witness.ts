/**
 * For whoever embeds a witness in a process of their own: open it, make an app of it, serve that however they like.
 *
 *   const store = await openLevelStore(folder, { create: false });      made once, with createWitnessState
 *   const logs = await openKnownLogs(path);
 *   const witness = await openWitness({ identity, store, cosigners: [ed25519Cosigner(name, seed)], logs });
 *   const app = createWitnessApp({ witness });                          a Hono app
 */

export { NewelError, type ErrorCode } from './errors.ts';
export {
  type Cosigner,
  type CosignatureArithmetic,
  ed25519Cosigner,
  mldsa44Cosigner,
} from './formats/cosignature.ts';
export { createWitnessApp, type WitnessSite } from './http/witness.ts';
export { listen, type Listening, type ListenOptions } from './http/listen.ts';
export { MemoryStore } from './storage/memory.ts';
export { openLevelStore } from './storage/level.ts';
export type { Store } from './storage/store.ts';
export { type KnownLog, type KnownLogs, knownLogs, openKnownLogs } from './witness/known-logs.ts';
export { type ListedLog, parseLogList } from './witness/log-list.ts';
export type { CosigningSignal } from './witness/signals.ts';
export {
  type AddCheckpointAnswer,
  createWitnessState,
  openWitness,
  type SignSubtreeAnswer,
  type Witness,
  type WitnessIdentity,
  type WitnessOptions,
} from './witness/witness.ts';
