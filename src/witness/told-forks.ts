/** Two trees of one size under a log's key: told with both heads, once of each size, so that who repeats it is no flood. */

import { equalBytes } from '../core/bytes.ts';
import { formatNote, type NoteSignature, parseNote, type Verifier } from '../formats/note.ts';
import type { KnownLog } from './known-logs.ts';
import type { CosigningSignal } from './signals.ts';
import type { Recorded } from './witness-rows.ts';

export class ToldForks {
  readonly #onSignal: (signal: CosigningSignal) => void;
  /** The size told last, by origin. */
  readonly #sizes = new Map<string, number>();

  constructor(onSignal: (signal: CosigningSignal) => void) {
    this.#onSignal = onSignal;
  }

  /** Tells of a fork, if the head is another tree of the size that was cosigned last. `lines` are of the log, and hold. */
  compare(
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
  ): void {
    if (size !== last.size || equalBytes(root, last.root)) return;
    if (this.#sizes.get(origin) === size) return;
    this.#sizes.set(origin, size);
    const heads = [logLinesOf(last.note, verifiers), formatNote({ text, signatures: lines })] as const;
    this.#onSignal({ event: 'fork', origin, size, heads });
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
