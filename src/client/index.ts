/**
 * The package root: what a browser, an auditor or a monitor needs to check a log without trusting it. Nothing in
 * here, or reached from here, needs Node.
 */

export { NewelError, RootMismatchError, type ErrorCode } from '../errors.ts';
export { hashLeaf } from '../core/hash.ts';
export { rootFromInclusion, verifyConsistency, verifyInclusion } from '../core/proof.ts';
export { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
export { ed25519Verifier, type Verifier } from '../formats/note.ts';
export { parseTlogProof, type TlogProof } from '../formats/tlog-proof.ts';
export { parsePolicy, type Policy } from '../formats/tlog-policy.ts';
export { parseVkey, type Vkey } from '../formats/vkey.ts';
export { httpSource, type LogSource } from './source.ts';
export { checkExtends, fetchCheckpoint, type OpenedCheckpoint, openTree } from './tree.ts';
export { DamagedTileError, VerifiedTiles } from './verified-tiles.ts';
