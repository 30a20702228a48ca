/**
 * The package root: what a submitter needs to log an event, and what a browser, an auditor or a monitor needs to check a
 * log without trusting it. Nothing in here, or reached from here, needs Node.
 */

export { type ErrorCode, EventInvalidError, type Fault, NewelError, RootMismatchError } from '../errors.ts';
export { hashLeaf } from '../core/hash.ts';
export { rootFromInclusion, verifyConsistency, verifyInclusion } from '../core/proof.ts';
export type { FlatEvent } from '../event/flat.ts';
export type { StepUpEvent } from '../event/schema.ts';
export { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
export { ed25519Verifier, type Verifier } from '../formats/note.ts';
export { presentSdJwt } from '../formats/sd-jwt-present.ts';
export { parseTlogProof, type TlogProof } from '../formats/tlog-proof.ts';
export { parsePolicy, type Policy } from '../formats/tlog-policy.ts';
export { parseVkey, type Vkey } from '../formats/vkey.ts';
export { type BatchItem, BatchItems, parseBatchAnswer } from './batch-items.ts';
export { type BatchFault, BatchRefusedError } from './batch-post.ts';
export { followHeads, type FollowOptions, InconsistentHeadsError, type KnownHead } from './consistency.ts';
export {
  type EvidenceBundle,
  formatEvidenceBundle,
  type Judgement,
  parseEvidenceBundle,
  type Sighting,
} from './evidence-bundle.ts';
export { checkPack, type PackFiles, type PackOptions, type PackReport } from './evidence-pack.ts';
export type { PackCheck, PackCheckName, PackedEvent } from './evidence-checks.ts';
export type { EvidenceSummary } from './evidence-manifest.ts';
export type { Level } from './level.ts';
export {
  type CallOptions,
  type HeadsOptions,
  Newel,
  type NewelOptions,
  type SubmitManyOptions,
  type Submittable,
  type SubmitOptions,
  type UpgradeOptions,
} from './newel.ts';
export { LevelNotMetError, OutcomeUnknownError } from './outcome-errors.ts';
export type { Pending, ProvenReceipt } from './proven-receipt.ts';
export type { EventOutcome } from './submit-many.ts';
export {
  checkPresentation,
  type OpenedPresentation,
  type PresentationOptions,
  type Presented,
  type VerifiedPresentation,
  verifyPresentation,
} from './presentation.ts';
export { formatReceipt, isEventId, parseReceipt, type Receipt } from './receipt.ts';
export {
  type IndexedDbOptions,
  type IndexedDbReceiptStore,
  openIndexedDbReceiptStore,
} from './receipt-store-indexeddb.ts';
export { MemoryReceiptStore } from './receipt-store-memory.ts';
export type { ReceiptStore } from './receipt-store.ts';
export {
  type Check,
  type CheckName,
  checkReceipt,
  type ReceiptReport,
  type SignedHead,
  type VerifyOptions,
} from './report.ts';
export { httpSource, type LogSource } from './source.ts';
export type { OpenedStatement } from './statement.ts';
export { checkExtends, fetchCheckpoint, NotExtendedError, type OpenedCheckpoint, openTree } from './tree.ts';
export { type Lines, trimLines } from './trim-lines.ts';
export { parseTrust, type Trust, type TrustInput, type TrustOptions } from './trust.ts';
export {
  type ProofOptions,
  type VerifiedProof,
  type VerifiedReceipt,
  verifyProof,
  verifyReceipt,
  verifyStatement,
} from './verify.ts';
export { type EvidenceOptions, type VerifiedEvidence, verifyEvidenceBundle } from './verify-evidence.ts';
export { DamagedTileError, VerifiedTiles } from './verified-tiles.ts';
