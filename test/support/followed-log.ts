/**
 * A log as a monitor meets it: entries, tiles and signed heads under one key, all in memory, of which any file can be
 * served otherwise than it is. A second log with the same key is its fork.
 */

import { createHash } from 'node:crypto';
import type { LogSource } from '../../src/client/source.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { concatBytes } from '../../src/core/bytes.ts';
import { TILE_WIDTH } from '../../src/core/tile.ts';
import { type Cosigner, mldsa44Cosigner } from '../../src/formats/cosignature.ts';
import { formatEntries } from '../../src/formats/entry-bundle.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import { formatJwk } from '../../src/formats/jwk.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { ed25519Signer, formatNote, type NoteSignature, type Signer } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parseTilePath } from '../../src/formats/tile-path.ts';
import { formatVkey, KEY_TYPE, newVkey, type Vkey } from '../../src/formats/vkey.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { nodeMldsa44 } from '../../src/cli/mldsa-node.ts';
import { ReferenceTree, referenceLeafHash } from './reference-tree.ts';

export const FOLLOWED_ORIGIN = 'log.example/followed';
export const FOLLOWED_URL = 'https://log.example/followed';
const SEED: Uint8Array = new Uint8Array(32).fill(3);
const MLDSA_SEED: Uint8Array = new Uint8Array(32).fill(4);
export const OTHER_SEED: Uint8Array = new Uint8Array(32).fill(5);

export interface ServedHead {
  /** Instead of its size. */
  readonly sizeText?: string;
  readonly root?: Uint8Array;
  /** Lines after the root. */
  readonly extensions?: string;
  /** Of the log's ML-DSA-44 line; without it there is none. */
  readonly timeS?: number;
  /** Lines of witnesses, each with its time. */
  readonly witnesses?: readonly (readonly [witness: Cosigner, timeS: number])[];
  /** Of the key that signs as the log. */
  readonly seed?: Uint8Array;
}

export class FollowedTestLog implements LogSource {
  readonly origin: string = FOLLOWED_ORIGIN;
  readonly entries: Uint8Array[] = [];
  readonly #hashes: Uint8Array[] = [];
  readonly #tree: ReferenceTree = ReferenceTree.ofLeafHashes(this.#hashes);
  /** What a path is served as, in place of what it is: changed bytes, nothing, or a failure. */
  readonly faults: Map<string, (bytes: Uint8Array | undefined) => Uint8Array | undefined> = new Map();
  readonly reads: string[] = [];
  /** What `checkpoint` serves. */
  checkpoint: Uint8Array | undefined;

  constructor(size = 0) {
    this.grow(size);
  }

  get size(): number {
    return this.entries.length;
  }

  /** Appends entries that begin with `salt`. */
  grow(count: number, salt = 'entry'): this {
    return this.add(...Array.from({ length: count }, (_, i) => encodeUtf8(`${salt} ${this.size + i}`)));
  }

  add(...entries: readonly Uint8Array[]): this {
    for (const entry of entries) {
      this.entries.push(entry);
      this.#hashes.push(referenceLeafHash(entry));
    }
    return this;
  }

  /** Another log under the same keys, with the same first `size` entries. */
  fork(size: number): FollowedTestLog {
    return new FollowedTestLog().add(...this.entries.slice(0, size));
  }

  root(size: number = this.size): Uint8Array {
    return this.#tree.root(size);
  }

  /** A signed head of this tree. */
  async head(size: number = this.size, options: ServedHead = {}): Promise<Uint8Array> {
    const {
      sizeText = String(size),
      root = this.root(size),
      extensions = '',
      timeS,
      witnesses = [],
    } = options;
    const text = `${this.origin}\n${sizeText}\n${formatBase64(root)}\n${extensions}`;
    const signer: Signer = ed25519Signer(this.origin, options.seed ?? SEED, nodeEd25519);
    const { name, keyId } = signer;
    const lines: NoteSignature[] = [{ name, keyId, signature: signer.sign(encodeUtf8(text)) }];
    if (timeS !== undefined) lines.push(await mldsaKey().cosign(text, timeS));
    for (const [witness, seenS] of witnesses) lines.push(await witness.cosign(text, seenS));
    return formatNote({ text, signatures: lines });
  }

  /** Signs a head and serves it. */
  async publish(size: number = this.size, options: ServedHead = {}): Promise<void> {
    this.checkpoint = await this.head(size, options);
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    this.reads.push(path);
    const fault = this.faults.get(path);
    const bytes = this.#read(path);
    return fault ? fault(bytes) : bytes;
  }

  #read(path: string): Uint8Array | undefined {
    if (path === 'checkpoint') return this.checkpoint;
    const tile = parseTilePath(path);
    const first = tile.index * TILE_WIDTH;
    if (tile.kind === 'entries') {
      if (first + tile.width > this.size) return undefined;
      return formatEntries(this.entries.slice(first, first + tile.width));
    }
    if ((first + tile.width) * TILE_WIDTH ** tile.level > this.size) return undefined;
    const nodes = Array.from({ length: tile.width }, (_, i) =>
      this.#tree.node({ level: 8 * tile.level, index: first + i }),
    );
    return concatBytes(...nodes);
  }
}

export interface TrustOfFollowed {
  readonly kind?: 'events' | 'opaque';
  /** Without the log's ML-DSA-44 key. */
  readonly isUntimed?: boolean;
  readonly witnesses?: readonly Cosigner[];
  /** How many of them must have signed; none by default. */
  readonly threshold?: number;
}

/** The trust file of the log, parsed. */
export function trustOfFollowed(options: TrustOfFollowed = {}): Trust {
  const { kind = 'opaque', isUntimed = false, witnesses = [], threshold } = options;
  const vkey = formatVkey(followedVkey());
  const vkeys = isUntimed ? [vkey] : [vkey, formatVkey(mldsaKey().vkey)];
  const lines = witnesses.map((witness, i) => `witness w${i} ${formatVkey(witness.vkey)}\n`).join('');
  const quorum =
    threshold === undefined
      ? 'quorum none\n'
      : `group all-of-them ${threshold} ${witnesses.map((_, i) => `w${i}`).join(' ')}\nquorum all-of-them\n`;
  const statements = {
    issuer: 'https://log.example',
    jwks: { keys: [{ ...formatJwk(nodeEd25519.publicKey(SEED)) }] },
  };
  const file = {
    origin: FOLLOWED_ORIGIN,
    kind,
    url: FOLLOWED_URL,
    vkeys,
    policy: `log ${vkey}\n${lines}${quorum}`,
    ...(kind === 'events' && statements),
  };
  return parseTrust(file, { ed25519: nodeEd25519, mldsa44: nodeMldsa44 });
}

/** The log's Ed25519 key. */
export function followedVkey(): Vkey {
  return newVkey(FOLLOWED_ORIGIN, KEY_TYPE.ed25519, nodeEd25519.publicKey(SEED));
}

function mldsaKey(): Cosigner {
  const vkey = newVkey(FOLLOWED_ORIGIN, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(MLDSA_SEED));
  return mldsa44Cosigner(vkey, (message) => nobleMldsa44.sign(MLDSA_SEED, message));
}

/** What witnesses and peers file the heads of a log under. */
export function originHashOf(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}
