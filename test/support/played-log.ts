/**
 * A log that is all in memory, and signs whatever it is told to: heads of any size, at any time, and of two trees under
 * one key. Its tiles are served as `LogSource`, or over a `fetch`, from a tree that is computed as slowly and plainly as
 * RFC 6962 says it.
 */

import { TILE_WIDTH } from '../../src/core/tile.ts';
import { concatBytes } from '../../src/core/bytes.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import type { LogSource } from '../../src/client/source.ts';
import { formatCheckpoint } from '../../src/formats/checkpoint.ts';
import { type Cosigner, ed25519Cosigner, mldsa44Cosigner } from '../../src/formats/cosignature.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { ed25519Signer, formatNote, type NoteSignature } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parseTilePath } from '../../src/formats/tile-path.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { ReferenceTree, referenceLeafHash } from './reference-tree.ts';

export const PLAYED_ORIGIN = 'log.example/played';
const SEED: Uint8Array = new Uint8Array(32).fill(7);
const MLDSA_SEED: Uint8Array = new Uint8Array(32).fill(8);

export interface HeadOptions {
  /** Of the log's ML-DSA-44 line; without it there is none. */
  readonly timeS?: number;
  /** Lines of witnesses, each with its time. */
  readonly witnesses?: readonly (readonly [witness: Cosigner, timeS: number])[];
  readonly root?: Uint8Array;
  /** Without the log's Ed25519 line. */
  readonly isUnsigned?: boolean;
}

export class PlayedLog implements LogSource {
  readonly origin: string;
  readonly #leafHashes: Uint8Array[] = [];
  readonly #tree: ReferenceTree = ReferenceTree.ofLeafHashes(this.#leafHashes);
  /** Whether it answers. */
  isUp = true;
  /** Paths that were read. */
  readonly reads: string[] = [];
  /** What `checkpoint` serves. */
  checkpoint: Uint8Array | undefined;

  constructor(size = 0, origin: string = PLAYED_ORIGIN) {
    this.origin = origin;
    this.grow(size);
  }

  get size(): number {
    return this.#leafHashes.length;
  }

  /** Appends leaves, whose entries begin with `salt`. */
  grow(count: number, salt = 'entry'): this {
    for (let i = 0; i < count; i++) {
      this.#leafHashes.push(referenceLeafHash(encodeUtf8(`${salt} ${this.size}`)));
    }
    return this;
  }

  /** Another log under the same keys, with the same first `size` leaves. */
  fork(size: number): PlayedLog {
    const other = new PlayedLog(0, this.origin);
    other.#leafHashes.push(...this.#leafHashes.slice(0, size));
    return other;
  }

  root(size: number = this.size): Uint8Array {
    return this.#tree.root(size);
  }

  proof(first: number, second: number): Uint8Array[] {
    return this.#tree.proof(first, second);
  }

  /** A signed head of this tree. */
  async head(size: number = this.size, options: HeadOptions = {}): Promise<Uint8Array> {
    const { timeS, witnesses = [], root = this.root(size), isUnsigned = false } = options;
    const text = formatCheckpoint({ origin: this.origin, size, root });
    const signer = ed25519Signer(this.origin, SEED, nobleEd25519);
    const { name, keyId } = signer;
    const lines: NoteSignature[] = isUnsigned
      ? []
      : [{ name, keyId, signature: signer.sign(encodeUtf8(text)) }];
    if (timeS !== undefined) lines.push(await this.#mldsa().cosign(text, timeS));
    for (const [witness, seenS] of witnesses) lines.push(await witness.cosign(text, seenS));
    return formatNote({ text, signatures: lines });
  }

  /** The trust file of this log, with witnesses in its policy. */
  trustFile(witnesses: readonly Cosigner[] = []): JsonObject {
    const key = newVkey(this.origin, KEY_TYPE.ed25519, nobleEd25519.publicKey(SEED));
    const vkeys = [formatVkey(key), formatVkey(this.#mldsa().vkey)];
    const lines = witnesses.map(({ vkey }, i) => `witness w${i} ${formatVkey(vkey)}\n`).join('');
    return {
      origin: this.origin,
      kind: 'opaque',
      url: `https://${this.origin}`,
      vkeys,
      policy: `log ${vkeys[0]!}\n${lines}quorum none\n`,
    };
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    this.reads.push(path);
    if (!this.isUp) return undefined;
    if (path === 'checkpoint') return this.checkpoint;
    const tile = parseTilePath(path);
    if (tile.kind !== 'tile') return undefined;
    const { level, index, width } = tile;
    const first = index * TILE_WIDTH;
    if ((first + width) * TILE_WIDTH ** level > this.size) return undefined;
    const nodes = Array.from({ length: width }, (_, i) =>
      this.#tree.node({ level: 8 * level, index: first + i }),
    );
    return concatBytes(...nodes);
  }

  #mldsa(): Cosigner {
    const vkey = newVkey(this.origin, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(MLDSA_SEED));
    return mldsa44Cosigner(vkey, (message) => nobleMldsa44.sign(MLDSA_SEED, message));
  }
}

/** A witness of type 0x04. */
export function playedWitness(name: string): Cosigner {
  return ed25519Cosigner(name, referenceLeafHash(encodeUtf8(name)));
}
