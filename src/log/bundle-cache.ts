/** Full bundles by index, least recently used first, at most so many bytes of them. */
export class BundleCache {
  readonly #maxBytes: number;
  readonly #bundles = new Map<number, Uint8Array>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get(index: number): Uint8Array | undefined {
    const bundle = this.#bundles.get(index);
    if (!bundle) return undefined;
    this.#bundles.delete(index);
    this.#bundles.set(index, bundle);
    return bundle;
  }

  /** Keeps a bundle, unless it alone is too large. */
  set(index: number, bundle: Uint8Array): void {
    if (bundle.length > this.#maxBytes || this.#bundles.has(index)) return;
    this.#bundles.set(index, bundle);
    this.#bytes += bundle.length;
    for (const [oldest, { length }] of this.#bundles) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#bundles.delete(oldest);
      this.#bytes -= length;
    }
  }
}
