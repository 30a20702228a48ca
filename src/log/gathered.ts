/**
 * What is known of one published head: as it was published, and the lines that witnesses have given for it, by key. Of each
 * key the line with the earliest time bounds what the tree holds; the one with the last time says that the head was still
 * the newest. All lines that come here are verified.
 */

import { parseTimestampedSignature } from '../formats/cosignature.ts';
import {
  formatNote,
  MAX_NOTE_BYTES,
  MAX_NOTE_LINES,
  type NoteSignature,
  parseNote,
} from '../formats/note.ts';
import type { KeptCheckpoint, Publication } from './kept.ts';

export type LinesByKey = ReadonlyMap<string, NoteSignature>;

export class Gathered {
  /** As it was published last. */
  head: Publication;
  /** As it was published first, with the lines that came until it was written last; `undefined` until it is read. */
  kept: KeptCheckpoint | undefined;
  /** Whether it is marked as one that met the policy. */
  isMarked: boolean;
  readonly #origin: string;
  readonly #earliest = new Map<string, NoteSignature>();
  readonly #last = new Map<string, NoteSignature>();
  readonly #fresh = new Set<string>();

  constructor(origin: string, head: Publication, isMarked = false) {
    this.#origin = origin;
    this.head = head;
    this.isMarked = isMarked;
  }

  get earliest(): LinesByKey {
    return this.#earliest;
  }

  get last(): LinesByKey {
    return this.#last;
  }

  /** Lines that came since the head was published last. */
  get fresh(): readonly NoteSignature[] {
    return [...this.#last].flatMap(([key, line]) => (this.#fresh.has(key) ? [line] : []));
  }

  /** It is published again, or asked for again: what came until now is not fresh. */
  renew(head: Publication = this.head): void {
    this.head = head;
    this.#fresh.clear();
  }

  /**
   * Whether any of the lines is new. Of those that were asked for, one that says the same time as before is fresh as well:
   * the witness has just said it.
   */
  add(lines: readonly NoteSignature[], areAsked = false): boolean {
    let isNew = false;
    for (const line of lines) {
      const key = `${line.name} ${line.keyId}`;
      const timeS = timestampOf(line);
      const earliest = this.#earliest.get(key);
      const last = this.#last.get(key);
      if (!earliest || timeS < timestampOf(earliest)) {
        this.#earliest.set(key, line);
        isNew = true;
      }
      if (!last || timeS > timestampOf(last)) {
        this.#last.set(key, line);
        this.#fresh.add(key);
        isNew = true;
      } else if (areAsked && timeS === timestampOf(last)) {
        this.#fresh.add(key);
      }
    }
    return isNew;
  }

  /** Adds the witness lines of a stored note; none of them is fresh. */
  addStored(checkpoint: Uint8Array): void {
    const fresh = [...this.#fresh];
    this.add(parseNote(checkpoint).signatures.filter(({ name }) => name !== this.#origin));
    this.#fresh.clear();
    for (const key of fresh) this.#fresh.add(key);
  }

  /**
   * The note with the log's own lines as they are in `checkpoint`, and these of witnesses: those that are wanted first, and
   * of the others as many as a note has room for.
   */
  format(checkpoint: Uint8Array, lines: LinesByKey, isWanted: (line: NoteSignature) => boolean): Uint8Array {
    const { text, signatures } = parseNote(checkpoint);
    const own = signatures.filter(({ name }) => name === this.#origin);
    const all = [...lines.values()];
    const taken = [...own, ...all.filter(isWanted)];
    let bytes = taken.reduce((sum, line) => sum + bytesOf(line), text.length);
    for (const line of all.filter((other) => !isWanted(other))) {
      bytes += bytesOf(line);
      if (taken.length >= MAX_NOTE_LINES || bytes > MAX_NOTE_BYTES) break;
      taken.push(line);
    }
    return formatNote({ text, signatures: taken });
  }
}

/** When the line was made, in seconds since 1970. */
export function timestampOf({ signature }: NoteSignature): number {
  return parseTimestampedSignature(signature).timestampS;
}

/** Bytes that a line has in a note, at most. */
function bytesOf({ name, signature }: NoteSignature): number {
  return 16 + 4 * name.length + Math.ceil((4 + signature.length) / 3) * 4;
}
