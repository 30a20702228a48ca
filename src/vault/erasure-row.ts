/**
 * An erasure, from the moment it is accepted: what is asked for, and how far it is. Sealed; the person it may be about is
 * not named in it, only the data key.
 */

import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';
import type { Row, Store } from '../storage/store.ts';
import { randomBytes } from './random.ts';
import { erasureKey, EVENT_ID_BYTES, indexOfKey, rangeOf, tombstoneKey } from './rows.ts';
import type { Sealing } from './states.ts';
import type { Erasure, ErasureReason } from './vault.ts';

const PREFIX = 'era_';
const ERASURES = rangeOf(0x8b);
const AT_ONCE = 256;

/** What is left to erase is found by this again, however often it is begun. */
export type ErasureScope =
  /** All events under a data key; and then the key. */
  | { readonly keyId: string }
  | { readonly leafIndexes: readonly number[] }
  /** Events of a type below a leaf, and how long that type is kept: `90d`. */
  | {
      readonly below: Readonly<Record<string, number>>;
      readonly kept: Readonly<Record<string, string>>;
    };

export interface ErasureRow {
  readonly erasureId: string;
  readonly reason: ErasureReason;
  readonly requestedBy: string;
  readonly requestedTimeMs: number;
  readonly scope: ErasureScope;
  readonly state: 'erasing' | 'compacting' | 'done' | 'failed';
  readonly events: number;
  readonly erased: number;
  /** Runs of slices of leaves, first and last, in which some were erased: where the files have to be cleared. */
  readonly slices: readonly (readonly [number, number])[];
  /** The epoch that the data keys were sealed under when the last of it was erased. */
  readonly epoch: number | undefined;
  readonly doneTimeMs: number | undefined;
  readonly failure: string | undefined;
}

/** An `erasure` event, in a row of its own: an erasure may have thousands. */
export type Tombstone = Erasure['tombstones'][number];

export function newErasureId(): string {
  return PREFIX + formatBase64Url(randomBytes(EVENT_ID_BYTES));
}

/** `undefined` for what is no erasure id, in the one spelling that there is. */
export function parseErasureId(text: string): Uint8Array | undefined {
  if (!text.startsWith(PREFIX)) return undefined;
  try {
    const bytes = parseBase64Url(text.slice(PREFIX.length), 'erasure id');
    return bytes.length === EVENT_ID_BYTES ? bytes : undefined;
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
}

export class ErasureRows {
  readonly #store: Store;
  readonly #sealing: Sealing;

  constructor(store: Store, sealing: Sealing) {
    this.#store = store;
    this.#sealing = sealing;
  }

  row(erasure: ErasureRow): Row {
    return this.#sealing.jsonRow(erasureKey(parseErasureId(erasure.erasureId)!), erasure);
  }

  async find(erasureId: string): Promise<ErasureRow | undefined> {
    const id = parseErasureId(erasureId);
    if (!id) return undefined;
    const key = erasureKey(id);
    const [stored] = await this.#store.getMany([key]);
    return stored && this.#open({ key, value: stored });
  }

  /** Those of the ids that there are, in the order of the ids. */
  async findAll(erasureIds: readonly string[]): Promise<readonly ErasureRow[]> {
    const keys = erasureIds.map((erasureId) => erasureKey(parseErasureId(erasureId)!));
    const stored = await this.#store.getMany(keys);
    return keys.flatMap((key, i) => {
      const value = stored[i];
      return value ? [this.#open({ key, value })] : [];
    });
  }

  /** All there are, some at a time, in the order of their ids, which are random. */
  async *pages(): AsyncGenerator<readonly ErasureRow[]> {
    for (let { from } = ERASURES; ;) {
      const rows = await this.#store.scan({ ...ERASURES, from, limit: AT_ONCE });
      yield rows.map((row) => this.#open(row));
      if (rows.length < AT_ONCE) return;
      from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
    }
  }

  tombstoneRow(erasureId: string, { leafIndex, ...said }: Tombstone): Row {
    return this.#sealing.jsonRow(tombstoneKey(parseErasureId(erasureId)!, leafIndex), said);
  }

  /** In the order of the log. */
  async tombstonesOf(erasureId: string): Promise<readonly Tombstone[]> {
    const id = parseErasureId(erasureId)!;
    const range = { from: tombstoneKey(id, 0), to: tombstoneKey(id, Number.MAX_SAFE_INTEGER) };
    const rows = await this.#store.scan({ ...range, limit: Number.MAX_SAFE_INTEGER });
    return rows.map(({ key, value }) => {
      const { eventId, erased } = this.#sealing.openJson(key, value) as Omit<Tombstone, 'leafIndex'>;
      return { eventId, leafIndex: indexOfKey(key), erased };
    });
  }

  #open({ key, value }: Row): ErasureRow {
    const row = this.#sealing.openJson(key, value) as Partial<ErasureRow>;
    // JSON has no `undefined`.
    return { epoch: undefined, doneTimeMs: undefined, failure: undefined, ...row } as ErasureRow;
  }
}
