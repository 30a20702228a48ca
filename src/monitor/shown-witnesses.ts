/**
 * Which witnesses have ever shown a head of a log, as rows of the monitor's own database:
 *
 *   41 SHA-256(origin) SHA-256(URL)      01 ‖ time8      when one first did, milliseconds since 1970
 *
 * The heads themselves are rows of `head-rows.ts`. Those are kept by source, and a log or peer may have the URL of a witness:
 * that it showed a head says nothing about the witness.
 */

import { concatBytes } from '../core/bytes.ts';
import { hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { readUint64, writeUint64 } from '../storage/keys.ts';
import type { Store } from '../storage/store.ts';

const PREFIX = 0x41;
const VERSION = 1;
const TIME_AT = 1;
const SIZE = TIME_AT + 8;

export class ShownWitnesses {
  readonly #store: Store;
  readonly #origin: string;
  /** URLs. */
  readonly #shown: Set<string>;
  #failure: NewelError | undefined;

  private constructor(store: Store, origin: string, shown: Set<string>) {
    this.#store = store;
    this.#origin = origin;
    this.#shown = shown;
  }

  /** Reads what is remembered of the witnesses at `urls`. Throws `storage_failed` where a row is damaged. */
  static async open(store: Store, origin: string, urls: readonly string[]): Promise<ShownWitnesses> {
    const rows = await store.getMany(urls.map((url) => rowKey(origin, url)));
    const shown = urls.filter((_, i) => {
      const row = rows[i];
      if (row) assertRow(row);
      return row !== undefined;
    });
    return new ShownWitnesses(store, origin, new Set(shown));
  }

  has(url: string): boolean {
    return this.#shown.has(url);
  }

  /** Durable when it resolves. Rejects with `storage_failed`, then and ever after. */
  async add(url: string, nowMs: number): Promise<void> {
    if (this.#shown.has(url)) return;
    // A write that failed is the last one: what is on the disk is not known.
    if (this.#failure) throw this.#failure;
    try {
      await this.#store.commit({ puts: [{ key: rowKey(this.#origin, url), value: formatRow(nowMs) }] });
    } catch (cause) {
      const message =
        'that a witness has shown a head could not be written, and whether it is kept is not known';
      this.#failure ??= new NewelError('storage_failed', message, { cause });
      throw this.#failure;
    }
    this.#shown.add(url);
  }
}

function rowKey(origin: string, url: string): Uint8Array {
  return concatBytes(Uint8Array.of(PREFIX), hashBytes(encodeUtf8(origin)), hashBytes(encodeUtf8(url)));
}

function formatRow(timeMs: number): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  bytes[0] = VERSION;
  writeUint64(bytes, TIME_AT, timeMs);
  return bytes;
}

/** Throws `storage_failed` for what `formatRow` does not make. */
function assertRow(bytes: Uint8Array): void {
  try {
    if (bytes[0] !== VERSION || bytes.length !== SIZE) throw new RangeError('row expected of version 1');
    readUint64(bytes, TIME_AT);
  } catch (cause) {
    throw new NewelError('storage_failed', 'what was remembered of a witness is damaged', { cause });
  }
}
