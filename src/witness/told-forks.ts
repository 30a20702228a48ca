/**
 * Two trees of one size under a log's key: told once of each size, so that who repeats it is no flood; and handed over with
 * both heads, before it is answered, until whoever keeps them has.
 */

import { equalBytes } from '../core/bytes.ts';
import { formatNote, type NoteSignature, parseNote, type Verifier } from '../formats/note.ts';
import type { KnownLog } from './known-logs.ts';
import type { CosigningSignal } from './signals.ts';
import type { Recorded } from './witness-rows.ts';

/** Both heads are signed by the log, of one size, and have different roots: signed notes, of the log's lines alone. */
export interface Fork {
  readonly origin: string;
  readonly size: number;
  readonly heads: readonly [recorded: Uint8Array, submitted: Uint8Array];
}

/** Resolves when the fork is kept. Where it rejects it is handed over again when the log shows it again. */
export type KeepFork = (fork: Fork) => Promise<void>;

export class ToldForks {
  readonly #onSignal: (signal: CosigningSignal) => void;
  readonly #keep: KeepFork;
  /** The size told last, by origin. */
  readonly #told = new Map<string, number>();
  /** The size of the fork that was kept last. */
  readonly #kept = new Map<string, number>();

  constructor(onSignal: (signal: CosigningSignal) => void, keep: KeepFork) {
    this.#onSignal = onSignal;
    this.#keep = keep;
  }

  /**
   * Tells of a fork, if the head is another tree of the size that was cosigned last, and has it kept. `lines` are of the
   * log, and hold. Never rejects.
   */
  async compare(
    { origin, verifiers }: KnownLog,
    last: Recorded,
    {
      text,
      size,
      root,
      lines,
    }: Pick<Recorded, 'size' | 'root'> & {
      readonly text: string;
      readonly lines: readonly NoteSignature[];
    },
  ): Promise<void> {
    if (size !== last.size || equalBytes(root, last.root)) return;
    if (this.#told.get(origin) !== size) {
      this.#told.set(origin, size);
      this.#onSignal({ event: 'fork', origin, size });
    }
    if (this.#kept.get(origin) === size) return;
    const heads = [logLinesOf(last.note, verifiers), formatNote({ text, signatures: lines })] as const;
    await this.#keep({ origin, size, heads }).then(
      () => this.#kept.set(origin, size),
      () => {},
    );
  }
}

/** The note without our lines; all of it where the list has none of the log's keys any more that signed it. */
function logLinesOf(note: Uint8Array, verifiers: readonly Verifier[]): Uint8Array {
  const { text, signatures } = parseNote(note);
  const isLogs = ({ name, keyId }: NoteSignature): boolean =>
    verifiers.some((verifier) => verifier.name === name && verifier.keyId === keyId);
  const lines = signatures.filter(isLogs);
  return lines.length > 0 ? formatNote({ text, signatures: lines }) : note;
}
