/**
 * What is kept of heads, as rows of a witness's or monitor's own database. `origin` is SHA-256 of an origin.
 *
 *   30 origin                    newest      the largest head that is known to be of one tree with the others
 *   31 origin SHA-256(source)    shown       the head that a source showed last
 *   32 origin SHA-256(tree)      undecided   a head of which nobody could say yet whether it is of that tree
 *   33 origin SHA-256(accused)   evidence    the text of an evidence bundle
 *
 *   head    01 ‖ time8 ‖ length2 ‖ source, UTF-8 ‖ signed note            time in milliseconds since 1970
 *
 * The notes have verified lines only, and are verified again when they are read.
 */

import { concatBytes } from '../core/bytes.ts';
import { hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { readUint64, writeUint64 } from '../storage/keys.ts';
import type { Batch, Row, Store } from '../storage/store.ts';
import type { HeadSeen } from './compare.ts';

const PREFIX = { newest: 0x30, shown: 0x31, undecided: 0x32, evidence: 0x33 } as const;
export type RowKind = keyof typeof PREFIX;
const VERSION = 1;
const TIME_AT = 1;
const LENGTH_AT = TIME_AT + 8;
const SOURCE_AT = LENGTH_AT + 2;
/** Rows of one kind and origin are bounded by whoever writes them, well below this. */
const MAX_ROWS = 4096;

export type StoredHead = Pick<HeadSeen, 'checkpoint' | 'source' | 'timeMs'>;

/** The key of a row, of which there may be several by `name`. */
export function rowKey(kind: RowKind, originHash: Uint8Array, name?: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(PREFIX[kind]), originHash, ...(name ? [hashBytes(name)] : []));
}

export function formatHeadRow({ checkpoint, source, timeMs }: StoredHead): Uint8Array {
  const name = encodeUtf8(source);
  const bytes = new Uint8Array(SOURCE_AT + name.length + checkpoint.length);
  bytes[0] = VERSION;
  writeUint64(bytes, TIME_AT, timeMs);
  new DataView(bytes.buffer).setUint16(LENGTH_AT, name.length);
  bytes.set(name, SOURCE_AT);
  bytes.set(checkpoint, SOURCE_AT + name.length);
  return bytes;
}

/** Throws `storage_failed` for what `formatHeadRow` does not make. */
export function parseHeadRow(bytes: Uint8Array): StoredHead {
  try {
    if (bytes[0] !== VERSION || bytes.length < SOURCE_AT) throw new RangeError('row expected of version 1');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const noteAt = SOURCE_AT + view.getUint16(LENGTH_AT);
    return {
      source: decodeUtf8(bytes.subarray(SOURCE_AT, noteAt)),
      timeMs: readUint64(bytes, TIME_AT),
      checkpoint: bytes.slice(noteAt),
    };
  } catch (cause) {
    throw new NewelError('storage_failed', 'a stored head is damaged', { cause });
  }
}

/** The rows, and the one who writes them: a write that failed is the last one, for its outcome is not known. */
export class HeadRows {
  readonly #store: Store;
  #failure: NewelError | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Resolves when it is on the disk. Rejects with `storage_failed`, then and ever after. */
  async write(batch: Batch): Promise<void> {
    if (this.#failure) throw this.#failure;
    try {
      await this.#store.commit(batch);
    } catch (cause) {
      const message = 'a head could not be written, and whether it is kept is not known';
      this.#failure ??= new NewelError('storage_failed', message, { cause });
      throw this.#failure;
    }
  }

  /**
   * Gives `take` each row of a kind that is of the origin. One that it refuses with a `NewelError` goes to `onRefused`, which
   * may write once all are read.
   */
  async readEach(
    kind: RowKind,
    originHash: Uint8Array,
    take: (value: Uint8Array) => void,
    onRefused: (error: NewelError, row: Row) => void,
  ): Promise<void> {
    for (const row of await this.#read(kind, originHash)) {
      try {
        take(row.value);
      } catch (error) {
        if (!(error instanceof NewelError)) throw error;
        onRefused(error, row);
      }
    }
  }

  #read(kind: RowKind, originHash: Uint8Array): Promise<Row[]> {
    const from = rowKey(kind, originHash);
    // The rows of an origin end where its hash, counted up, begins; names follow the hash, so that a byte more is enough.
    const to = concatBytes(from, new Uint8Array(33).fill(0xff));
    return this.#store.scan({ from, to, limit: MAX_ROWS });
  }
}
