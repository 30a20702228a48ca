/**
 * The logs of a list with what verifies them, while the file may change: it is looked at every second and read again
 * when it is another one. A file that cannot be read leaves the last good list in force, and says so.
 */

import { open, stat } from 'node:fs/promises';
import { equalBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { type CosignatureArithmetic, cosignatureVerifier } from '../formats/cosignature.ts';
import { ed25519Verifier, type Verifier } from '../formats/note.ts';
import { KEY_TYPE, type Vkey } from '../formats/vkey.ts';
import { type ListedLog, MAX_LOG_LIST_BYTES, parseLogList } from './log-list.ts';
import type { ListSignal } from './signals.ts';

export interface KnownLog extends ListedLog {
  /** Of its keys. */
  readonly verifiers: readonly Verifier[];
}

export interface KnownLogs {
  /** The log of this origin, if it is listed. */
  find(origin: string): KnownLog | undefined;
  /** All that are listed. */
  all(): Iterable<KnownLog>;
  /** Looks at the file no more. */
  close(): void;
}

export interface KnownLogsOptions {
  readonly arithmetic?: CosignatureArithmetic;
  /** How often the file is looked at. */
  readonly pollMs?: number;
  readonly onSignal?: (signal: ListSignal) => void;
}

const POLL_MS = 1000;
/** Logs whose verifiers are made in one turn of the event loop: a key takes a quarter of a millisecond. */
const TURN_LOGS = 64;

/** Logs that stay as they are. Throws `malformed` for a key that cannot be one. */
export function knownLogs(list: Iterable<ListedLog>, arithmetic: CosignatureArithmetic = {}): KnownLogs {
  const logs = new Map([...list].map((log) => [log.origin, withVerifiers(log, arithmetic)]));
  return { find: (origin) => logs.get(origin), all: () => logs.values(), close: () => {} };
}

/** Reads the list and keeps it up to date. Throws `log_refused`, saying what is wrong with the file. */
export async function openKnownLogs(path: string, options: KnownLogsOptions = {}): Promise<KnownLogs> {
  const { arithmetic = {}, pollMs = POLL_MS, onSignal = () => {} } = options;
  const file = new ListFile(path, arithmetic, onSignal);
  await file.open();
  const timer = setInterval(() => void file.refresh(), pollMs);
  timer.unref();
  return {
    find: (origin) => file.logs.get(origin),
    all: () => file.logs.values(),
    close: () => clearInterval(timer),
  };
}

class ListFile {
  readonly #path: string;
  readonly #arithmetic: CosignatureArithmetic;
  readonly #onSignal: (signal: ListSignal) => void;
  logs: ReadonlyMap<string, KnownLog> = new Map();
  #version = '';
  #refreshing = false;

  constructor(path: string, arithmetic: CosignatureArithmetic, onSignal: (signal: ListSignal) => void) {
    this.#path = path;
    this.#arithmetic = arithmetic;
    this.#onSignal = onSignal;
  }

  async open(): Promise<void> {
    try {
      await this.#read();
    } catch (error) {
      const what = error instanceof NewelError ? error.message : 'it cannot be read';
      throw new NewelError('log_refused', `the log list ${this.#path}: ${what}; put it right`, {
        cause: error,
      });
    }
  }

  /** Reads the file again if it is not the one that was read. Never throws. */
  async refresh(): Promise<void> {
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      const version = versionOf(await stat(this.#path, { bigint: true }));
      if (version !== this.#version) await this.#read();
    } catch (error) {
      this.#unreadable(error);
    } finally {
      this.#refreshing = false;
    }
  }

  async #read(): Promise<void> {
    const file = await open(this.#path, 'r');
    let bytes: Uint8Array;
    try {
      const found = await file.stat({ bigint: true });
      // Before parsing, so that a broken file is reported once and not every second.
      this.#version = versionOf(found);
      if (found.size > MAX_LOG_LIST_BYTES)
        throw new NewelError('too_large', `it is longer than ${MAX_LOG_LIST_BYTES} bytes`);
      bytes = await file.readFile();
    } finally {
      await file.close();
    }
    this.logs = await this.#withVerifiers(parseLogList(bytes).values());
    this.#onSignal({ event: 'list_read', logs: this.logs.size });
  }

  /** A log that is listed as before keeps its verifiers; others have their turn while those of many keys are made. */
  async #withVerifiers(list: Iterable<ListedLog>): Promise<Map<string, KnownLog>> {
    const logs = new Map<string, KnownLog>();
    let made = 0;
    for (const log of list) {
      const known = this.logs.get(log.origin);
      if (known && haveSameKeys(known, log)) logs.set(log.origin, { ...log, verifiers: known.verifiers });
      else logs.set(log.origin, withVerifiers(log, this.#arithmetic));
      if (++made % TURN_LOGS === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return logs;
  }

  #unreadable(error: unknown): void {
    const gone = error instanceof Error && 'syscall' in error;
    if (gone && this.#version === '') return;
    if (gone) this.#version = '';
    this.#onSignal({ event: 'list_unreadable', error });
  }
}

function withVerifiers(log: ListedLog, arithmetic: CosignatureArithmetic): KnownLog {
  return { ...log, verifiers: log.vkeys.map((vkey) => verifierOf(vkey, arithmetic)) };
}

function isSameKey(a: Vkey, b: Vkey): boolean {
  const isSame = a.name === b.name && a.keyId === b.keyId && a.type === b.type;
  return isSame && equalBytes(a.publicKey, b.publicKey);
}

/** Whether two entries of lists have the same keys, in the same order. */
export function haveSameKeys(a: ListedLog, b: ListedLog): boolean {
  return a.vkeys.length === b.vkeys.length && a.vkeys.every((vkey, i) => isSameKey(vkey, b.vkeys[i]!));
}

function verifierOf(vkey: Vkey, arithmetic: CosignatureArithmetic): Verifier {
  return vkey.type === KEY_TYPE.ed25519
    ? ed25519Verifier(vkey, arithmetic.ed25519)
    : cosignatureVerifier(vkey, arithmetic);
}

/** Another file by rename has another inode; one edited in place another time or size. */
function versionOf({ ino, size, mtimeNs }: { ino: bigint; size: bigint; mtimeNs: bigint }): string {
  return `${ino} ${size} ${mtimeNs}`;
}
