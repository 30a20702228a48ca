/**
 * The guard: a second, tiny store of the newest head, outside the data folder and never part of a backup. It turns
 * "an older copy was restored" and "the database lost its last rounds" from a fork into a refusal.
 *
 * Two slots of 4,096 bytes, written in turn, so that a torn write leaves the other one whole. A slot is text, padded
 * with newlines:
 *
 *   newel-guard/1
 *   identity {"format":1,"origin":"log.example/bank",…}
 *   sequence 42
 *   kind signed
 *   size 41
 *   root Kq…=
 *   time 1763640008123
 *   sha256 9f86…                       of all the lines above it
 *
 * `sequence` is the round number. `kind` is `signed` for a round that has entries, `published` for a commit that
 * only publishes.
 *
 * Whoever writes it looks before and after: if the file is not what it wrote last, a second copy of this log is
 * running on the same guard, and both must stop. So it appends a mark, which the other one finds at its next look, and
 * which no start passes over:
 *
 *   newel-guard/1 contested            behind the two slots
 */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sha256 } from '@noble/hashes/sha2.js';
import { NewelError } from '../errors.ts';
import { equalBytes } from '../core/bytes.ts';
import { formatBase64, parseBase64 } from '../formats/base64.ts';
import { parseDecimal } from '../formats/decimal.ts';
import { formatHex } from '../formats/hex.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { syncFolder } from '../storage/sync-folder.ts';

export const GUARD_SLOT_BYTES = 4096;

const SLOTS_BYTES = 2 * GUARD_SLOT_BYTES;
const CONTESTED: Uint8Array = encodeUtf8('newel-guard/1 contested\n');

export interface GuardedHead {
  /** As `formatIdentity` has it. */
  readonly identity: string;
  readonly sequence: number;
  readonly kind: 'signed' | 'published';
  readonly size: number;
  readonly root: Uint8Array;
  readonly timeMs: number;
}

export interface Guard {
  /** The higher of the slots that are whole. Throws `log_refused` if neither is. To be called before the first write. */
  read(): Promise<GuardedHead>;
  /** Durable when it resolves, and nobody else has written. If it rejects, the sequencer must stop. */
  write(head: GuardedHead): Promise<void>;
  close(): Promise<void>;
}

const FIELDS = ['identity', 'sequence', 'kind', 'size', 'root', 'time'] as const;

/** The slot of a head, 4,096 bytes. */
export function formatGuardSlot(head: GuardedHead): Uint8Array {
  const values = [head.identity, head.sequence, head.kind, head.size, formatBase64(head.root), head.timeMs];
  const text = `newel-guard/1\n${FIELDS.map((field, i) => `${field} ${values[i]}\n`).join('')}`;
  const bytes = encodeUtf8(`${text}sha256 ${formatHex(sha256(encodeUtf8(text)))}\n`);
  if (bytes.length > GUARD_SLOT_BYTES) throw new RangeError('guard slot is too large');
  const slot = new Uint8Array(GUARD_SLOT_BYTES).fill(0x0a);
  slot.set(bytes);
  return slot;
}

/** The head in a slot, or `undefined` if the slot is torn, empty or anything else. */
export function parseGuardSlot(slot: Uint8Array): GuardedHead | undefined {
  try {
    const [magic, ...lines] = decodeUtf8(slot).split('\n');
    if (magic !== 'newel-guard/1') return undefined;
    const value = (i: number): string => (lines[i] ?? '').slice(FIELDS[i]!.length + 1);
    const kind = value(2);
    if (kind !== 'signed' && kind !== 'published') return undefined;
    const head: GuardedHead = {
      identity: value(0),
      sequence: parseDecimal(value(1), 'sequence'),
      kind,
      size: parseDecimal(value(3), 'size'),
      root: parseBase64(value(4)),
      timeMs: parseDecimal(value(5), 'time'),
    };
    return equalBytes(formatGuardSlot(head), slot) ? head : undefined;
  } catch {
    return undefined;
  }
}

/** Makes the guard file, 0600, with its first head in it. Throws `log_exists` if there is one. */
export async function createGuard(path: string, head: GuardedHead): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new NewelError('log_exists', `there is a guard at ${path}; a guard is never replaced`, {
        cause: error,
      });
    }
    throw new NewelError('storage_failed', `the guard ${path} cannot be made`, { cause: error });
  }
  try {
    await writeSlot(file, formatGuardSlot(head), slotOffset(head));
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dirname(path));
}

/** Opens the guard file. Throws `log_refused` if there is none, or it cannot be written. */
export async function openGuard(path: string): Promise<Guard> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDWR);
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const message = isMissing
      ? `there is no guard at ${path}; init made it beside the folder, or where --guard said. Find it: without it a ` +
        'rollback cannot be told'
      : `the guard ${path} cannot be opened for writing; make it a file that this process may write`;
    throw new NewelError('log_refused', message, { cause: error });
  }
  return new GuardFile(file, path);
}

class GuardFile implements Guard {
  readonly #file: FileHandle;
  readonly #path: string;
  /** The bytes of the file, as this process knows them. */
  #known: Uint8Array | undefined;

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async read(): Promise<GuardedHead> {
    this.#known = await this.#readAll();
    if (this.#known.length > SLOTS_BYTES) {
      throw new NewelError(
        'log_refused',
        `two copies of this log have been writing the guard ${this.#path}, so one of them may have signed what the other has ` +
          'not. Find out which of them is the one that witnesses and monitors know, stop the other for good, and only then ' +
          `cut the mark off: truncate -s ${SLOTS_BYTES} ${this.#path}`,
      );
    }
    const whole = [0, GUARD_SLOT_BYTES]
      .map((at) => parseGuardSlot(this.#known!.subarray(at, at + GUARD_SLOT_BYTES)))
      .filter((slot) => slot !== undefined);
    if (whole.length > 0) return whole.reduce((a, b) => (a.sequence > b.sequence ? a : b));
    throw new NewelError(
      'log_refused',
      `the guard ${this.#path} has no readable slot, so a rollback cannot be told. Bring back the file as it was, never ` +
        'an older one',
    );
  }

  async write(head: GuardedHead): Promise<void> {
    await this.#assertOurs();
    const slot = formatGuardSlot(head);
    const at = slotOffset(head);
    await writeSlot(this.#file, slot, at);
    const after = new Uint8Array(Math.max(this.#known!.length, at + GUARD_SLOT_BYTES));
    after.set(this.#known!);
    after.set(slot, at);
    this.#known = after;
    await this.#assertOurs();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #assertOurs(): Promise<void> {
    if (!this.#known) throw new Error('bug: the guard is written before it is read');
    if (equalBytes(await this.#readAll(), this.#known)) return;
    await this.#file.write(CONTESTED, 0, CONTESTED.length, SLOTS_BYTES);
    await this.#file.datasync();
    throw new Error(
      `another process has written the guard ${this.#path}: two copies of this log are running`,
    );
  }

  async #readAll(): Promise<Uint8Array> {
    const bytes = new Uint8Array(SLOTS_BYTES + CONTESTED.length);
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, 0);
    return bytes.subarray(0, bytesRead);
  }
}

function slotOffset({ sequence }: GuardedHead): number {
  return (sequence % 2) * GUARD_SLOT_BYTES;
}

async function writeSlot(file: FileHandle, slot: Uint8Array, at: number): Promise<void> {
  const { bytesWritten } = await file.write(slot, 0, GUARD_SLOT_BYTES, at);
  if (bytesWritten !== GUARD_SLOT_BYTES) throw new Error('the guard was written short');
  await file.datasync();
}
