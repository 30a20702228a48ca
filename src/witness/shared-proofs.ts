/** Consistency proofs that several witnesses want: each is made once, and kept for a while. */

export type ProveConsistency = (old: number, size: number) => Promise<readonly Uint8Array[]>;

/** Proofs that are kept: those of a handful of heads for all the sizes at which witnesses stand. */
const MAX_PROOFS = 64;

export class SharedProofs {
  readonly #prove: ProveConsistency;
  /** By `old:size`, made or being made; the one used last is last. */
  readonly #proofs = new Map<string, Promise<readonly Uint8Array[]>>();

  constructor(prove: ProveConsistency) {
    this.#prove = prove;
  }

  /** The proof from the tree of `old` leaves to that of `size`: none from an empty tree, nor between equal ones. */
  of(old: number, size: number): Promise<readonly Uint8Array[]> {
    if (old === 0 || old === size) return Promise.resolve([]);
    const key = `${old}:${size}`;
    const known = this.#proofs.get(key);
    this.#proofs.delete(key);
    const proof = known ?? this.#prove(old, size);
    this.#proofs.set(key, proof);
    if (!known) {
      proof.catch(() => this.#proofs.delete(key));
      if (this.#proofs.size > MAX_PROOFS) this.#proofs.delete(this.#proofs.keys().next().value!);
    }
    return proof;
  }
}
