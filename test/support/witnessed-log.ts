/**
 * A log as a witness meets it: a key, a tree, checkpoints of any size and the bodies that it sends. Its tree may have a
 * second shape from some leaf on, signed by the same key: the fork that a witness is there to stop.
 */

import { EMPTY_ROOT } from '../../src/core/hash.ts';
import { formatCheckpoint } from '../../src/formats/checkpoint.ts';
import { type Cosigner, ed25519Cosigner, mldsa44Cosigner } from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { ed25519Signer, type Signer, signNote } from '../../src/formats/note.ts';
import { formatVkey, KEY_TYPE, newVkey, type Vkey } from '../../src/formats/vkey.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { formatAddCheckpoint } from '../../src/witness/add-checkpoint-body.ts';
import { ReferenceTree, referenceLeafHash } from './reference-tree.ts';

const LEAVES = 512;

export interface NoteOptions {
  /** Of the other tree. */
  readonly isForked?: boolean;
  readonly root?: Uint8Array;
  /** Lines after the root. */
  readonly extensions?: string;
  /** Instead of the log's own key. */
  readonly signers?: readonly Signer[];
}

export interface BodyOptions extends NoteOptions {
  readonly proof?: readonly Uint8Array[];
}

export class WitnessedLog {
  readonly origin: string;
  readonly seed: Uint8Array;
  readonly vkey: Vkey;
  readonly signer: Signer;
  readonly tree: ReferenceTree;
  readonly forkedTree: ReferenceTree;

  /** `forkedAt` is the first leaf that the other tree has another one of. */
  constructor(
    origin = 'log.example/bank',
    { forkedAt = 5, leaves = LEAVES }: { forkedAt?: number; leaves?: number } = {},
  ) {
    this.origin = origin;
    this.seed = seedOf(origin);
    this.vkey = newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(this.seed));
    this.signer = ed25519Signer(origin, this.seed, nodeEd25519);
    const leaf = (i: number): Uint8Array => referenceLeafHash(Buffer.from(`${origin} ${i}`));
    this.tree = ReferenceTree.ofLeafHashes(Array.from({ length: leaves }, (_, i) => leaf(i)));
    this.forkedTree = ReferenceTree.ofLeafHashes(
      Array.from({ length: leaves }, (_, i) => leaf(i < forkedAt ? i : i + leaves)),
    );
  }

  /** The entry of a log list. */
  listed(qpd?: number): string {
    return `vkey ${formatVkey(this.vkey)}\n${qpd === undefined ? '' : `qpd ${qpd}\n`}`;
  }

  root(size: number, isForked = false): Uint8Array {
    return size === 0 ? EMPTY_ROOT : (isForked ? this.forkedTree : this.tree).root(size);
  }

  text(size: number, { isForked = false, root, extensions = '' }: NoteOptions = {}): string {
    const { origin } = this;
    return formatCheckpoint({ origin, size, root: root ?? this.root(size, isForked) }) + extensions;
  }

  note(size: number, options: NoteOptions = {}): Uint8Array {
    return signNote(this.text(size, options), options.signers ?? [this.signer]);
  }

  proof(oldSize: number, size: number, isForked = false): Uint8Array[] {
    if (oldSize === 0 || oldSize >= size) return [];
    return (isForked ? this.forkedTree : this.tree).proof(oldSize, size);
  }

  body(oldSize: number, size: number, options: BodyOptions = {}): Uint8Array {
    const proof = options.proof ?? this.proof(oldSize, size, options.isForked);
    return formatAddCheckpoint({ oldSize, proof, checkpoint: this.note(size, options) });
  }
}

/** The keys of a witness: Ed25519, and ML-DSA-44 unless it is to be quick. */
export function testCosigners(name: string, { isQuick = false }: { isQuick?: boolean } = {}): Cosigner[] {
  const seed = seedOf(name);
  const ed25519 = ed25519Cosigner(name, seed, nodeEd25519);
  if (isQuick) return [ed25519];
  const vkey = newVkey(name, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seed));
  return [ed25519, mldsa44Cosigner(vkey, (message) => nobleMldsa44.sign(seed, message))];
}

/** 32 bytes of a name. */
export function seedOf(name: string): Uint8Array {
  return Uint8Array.from(referenceLeafHash(Buffer.from(name)));
}
