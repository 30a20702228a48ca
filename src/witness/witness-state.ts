/**
 * The memory of a witness: for each origin the checkpoint that it cosigned last. What is to be remembered by requests at
 * the same time is written in one commit; each of them waits until it has reached the disk.
 *
 * Opening proves that nothing that was committed is missing: commits are numbered without a gap, every record is as it
 * was written, and no record is older than a commit that wrote it.
 */

import { formatHex } from '../formats/hex.ts';
import { NewelError } from '../errors.ts';
import type { Row, Scan, Store } from '../storage/store.ts';
import { WRITE_BUFFER_BYTES } from '../storage/write-buffer.ts';
import {
  assertIdentity,
  COMMITS,
  commitKey,
  commitRow,
  damaged,
  formatRecord,
  IDENTITY_KEY,
  identityRow,
  parseCommitRow,
  parseRecord,
  type Recorded,
  recordKey,
  RECORDS,
  type WitnessIdentity,
} from './witness-rows.ts';

/** Records that one commit may write. */
const MAX_GROUP = 1000;
/** Rows of old commits that one commit may delete. */
const MAX_PRUNED = 1000;
const PAGE_ROWS = 256;
/** What was written so many bytes ago is in LevelDB's write-ahead log no more. */
const PROVEN_BYTES = 3 * WRITE_BUFFER_BYTES;

interface Pending {
  readonly originHash: Uint8Array;
  readonly timeS: number;
  readonly note: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A commit whose row is kept. */
interface Kept {
  readonly commit: number;
  /** Bytes that had been written before it since the opening. */
  readonly writtenBytes: number;
}

/** Makes the state of a new witness in a database of its own. */
export function createWitnessState(store: Store, identity: WitnessIdentity): Promise<void> {
  return store.commit({ puts: [identityRow(identity)] });
}

/**
 * Opens the state. Throws `log_refused` where the database is another witness's, or where something that was committed is
 * missing or damaged.
 */
export async function openWitnessState(store: Store, identity: WitnessIdentity): Promise<WitnessState> {
  const [found] = await store.getMany([IDENTITY_KEY]);
  assertIdentity(found, identity);
  try {
    const { kept, latest } = await readCommits(store);
    const last = kept.at(-1)?.commit ?? 0;
    const origins = await proveRecords(store, latest, last);
    return new WitnessState(store, kept, origins);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new NewelError(
      'log_refused',
      `${cause.message}. What it has cosigned is not known any more: do not make a new database for the same keys, ` +
        'bring back a whole copy of the newest state, or begin anew under new keys',
      { cause },
    );
  }
}

export class WitnessState {
  readonly #store: Store;
  readonly #kept: Kept[];
  readonly #pending: Pending[] = [];
  /** Of origins, when it was opened. */
  readonly origins: number;
  #commit: number;
  #writtenBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  constructor(store: Store, kept: Kept[], origins: number) {
    this.#store = store;
    this.#kept = kept;
    this.#commit = kept.at(-1)?.commit ?? 0;
    this.origins = origins;
  }

  /** How many commits there have been. */
  get commits(): number {
    return this.#commit;
  }

  /** The checkpoint that was cosigned last; `undefined` where there is none. Throws `storage_failed`. */
  async read(originHash: Uint8Array): Promise<Recorded | undefined> {
    const [value] = await this.#store.getMany([recordKey(originHash)]);
    return value && parseRecord(value, originHash);
  }

  /**
   * Remembers a checkpoint. Resolves when it has reached the disk; if it rejects, the outcome is unknown, and so does
   * every later call. One call at a time for one origin.
   */
  record(originHash: Uint8Array, { timeS, note }: Pick<Recorded, 'timeS' | 'note'>): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#pending.push({ originHash, timeS, note, resolve, reject });
      this.#writing ??= this.#write();
    });
  }

  /** Waits for what is being written. The store stays open. */
  async close(): Promise<void> {
    await this.#writing;
    this.#failure ??= new NewelError('storage_failed', 'the witness is closed');
  }

  async #write(): Promise<void> {
    // Whoever comes in the same turn shares the first commit already.
    await Promise.resolve();
    while (this.#pending.length > 0) {
      const group = this.#pending.splice(0, MAX_GROUP);
      try {
        await this.#commitGroup(group);
        for (const { resolve } of group) resolve();
      } catch (cause) {
        const message = 'a write of the witness has failed, and its outcome is unknown';
        this.#failure = new NewelError('storage_failed', message, { cause });
        for (const { reject } of [...group, ...this.#pending.splice(0)]) reject(this.#failure);
      }
    }
    this.#writing = undefined;
  }

  async #commitGroup(group: readonly Pending[]): Promise<void> {
    const commit = this.#commit + 1;
    const pruned = this.#prune();
    const from = this.#kept[0]?.commit ?? commit;
    const puts: Row[] = group.map(({ originHash, timeS, note }) => ({
      key: recordKey(originHash),
      value: formatRecord({ commit, timeS, note }),
    }));
    puts.push(commitRow({ commit, from, originHashes: group.map(({ originHash }) => originHash) }));
    await this.#store.commit({ puts, deletes: pruned.map(commitKey) });
    this.#commit = commit;
    this.#kept.push({ commit, writtenBytes: this.#writtenBytes });
    for (const { key, value } of puts) this.#writtenBytes += key.length + value.length;
  }

  /** Takes out the commits that have left the write-ahead log: nothing that could be lost silently needs them. */
  #prune(): number[] {
    const end = this.#kept.findIndex(({ writtenBytes }) => writtenBytes > this.#writtenBytes - PROVEN_BYTES);
    return this.#kept
      .splice(0, Math.min(MAX_PRUNED, end === -1 ? this.#kept.length : end))
      .map(({ commit }) => commit);
  }
}

/** The kept commits, and of each origin in them the newest one. */
async function readCommits(store: Store): Promise<{ kept: Kept[]; latest: Map<string, number> }> {
  const kept: Kept[] = [];
  const latest = new Map<string, number>();
  let from: number | undefined;
  for await (const row of rowsOf(store, COMMITS)) {
    const { commit, ...found } = parseCommitRow(row);
    const before = kept.at(-1)?.commit;
    if (before !== undefined && commit !== before + 1) throw damaged(`commit ${before + 1} is missing`);
    kept.push({ commit, writtenBytes: 0 });
    from = found.from;
    for (const hash of found.originHashes) latest.set(formatHex(hash), commit);
  }
  if (from !== kept[0]?.commit) throw damaged(`commit ${from ?? 1} is missing`);
  return { kept, latest };
}

/** Throws `storage_failed`. Returns how many there are. */
async function proveRecords(store: Store, latest: Map<string, number>, last: number): Promise<number> {
  let origins = 0;
  for await (const { key, value } of rowsOf(store, RECORDS)) {
    const originHash = key.subarray(1);
    const { commit } = parseRecord(value, originHash);
    const name = formatHex(originHash);
    if (commit > last) throw damaged(`commit ${commit} is missing`);
    if (commit < (latest.get(name) ?? 0)) throw damaged('a record is older than a commit that wrote it');
    latest.delete(name);
    origins += 1;
  }
  if (latest.size > 0) throw damaged('a record is missing');
  return origins;
}

async function* rowsOf(store: Store, { from, to }: Pick<Scan, 'from' | 'to'>): AsyncGenerator<Row> {
  for (let next = from; ;) {
    const rows = await store.scan({ from: next, to, limit: PAGE_ROWS });
    yield* rows;
    const last = rows.at(-1);
    if (rows.length < PAGE_ROWS || !last) return;
    next = Uint8Array.from([...last.key, 0]);
  }
}
