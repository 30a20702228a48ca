/** A head as it is kept: with the lines that were verified, and no others. */

import { formatKeyName, type LinedHead, openHead, readTrueLines } from '../client/head-lines.ts';
import { equalBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { formatHex } from '../formats/hex.ts';
import { formatNote, MAX_NOTE_LINES, type NoteSignature } from '../formats/note.ts';
import type { HeadSeen } from './compare.ts';
import type { GossipedLog } from './gossiped-log.ts';

/** A head whose lines were verified, of which the note has no others. */
export type KeptHead = HeadSeen & LinedHead;

/** Who showed a head, and when. */
export type Seen = Pick<HeadSeen, 'source' | 'timeMs'>;

/** The source of what a stranger posted. Who that was is nobody's business: the next one to ask would read it in the evidence. */
export const POSTED = 'posted';

/** Throws what `openHead` throws. */
export function openKeptHead(note: Uint8Array, { origin, keys }: GossipedLog, seen: Seen): KeptHead {
  return keptHead(openHead(note, origin, keys), seen);
}

/** A head of which some lines may be false, with its true ones: for judging alone. `undefined`: there are none. */
export function readTrueHead(
  note: Uint8Array,
  { origin, keys }: GossipedLog,
  seen: Seen,
): KeptHead | undefined {
  try {
    return keptHead(readTrueLines(note, origin, keys), seen);
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return undefined;
  }
}

function keptHead(head: LinedHead, { source, timeMs }: Seen): KeptHead {
  const checkpoint = formatNote({ text: head.text, signatures: head.lines.map(({ line }) => line) });
  return { ...head, checkpoint, source, timeMs };
}

export function isOneTree(a: KeptHead | undefined, b: KeptHead): boolean {
  return a !== undefined && a.size === b.size && equalBytes(a.root, b.root);
}

export function isSameNote(a: KeptHead | undefined, b: KeptHead): boolean {
  return a !== undefined && equalBytes(a.checkpoint, b.checkpoint);
}

/** What names the tree of a head. */
export function treeOf({ size, root }: Pick<KeptHead, 'size' | 'root'>): string {
  return `${size} ${formatHex(root)}`;
}

/** The note with at most `maxBytes`: the log's lines, then as many others as there is room for, in their order. */
export function noteWithin({ checkpoint, text, lines }: KeptHead, maxBytes: number): Uint8Array {
  if (checkpoint.length <= maxBytes) return checkpoint;
  let note = checkpoint;
  const taken: NoteSignature[] = [];
  for (const { line } of lines.toSorted((a, b) => Number(b.key.isLog) - Number(a.key.isLog))) {
    const longer = formatNote({ text, signatures: [...taken, line] });
    if (taken.length > 0 && longer.length > maxBytes) continue;
    taken.push(line);
    note = longer;
  }
  return note;
}

/** The larger head; of one tree, a head with the lines of both, of one key the later one. */
export function newestOf(newest: KeptHead | undefined, head: KeptHead): KeptHead {
  if (!newest || head.size > newest.size) return head;
  if (head.size < newest.size || head.text !== newest.text) return newest;
  const lines = new Map(newest.lines.map((line) => [formatKeyName(line.key), line]));
  let isNew = false;
  for (const line of head.lines) {
    const known = lines.get(formatKeyName(line.key));
    if (known && (line.timeS ?? 0) <= (known.timeS ?? 0)) continue;
    if (!known && lines.size >= MAX_NOTE_LINES) continue;
    lines.set(formatKeyName(line.key), line);
    isNew = true;
  }
  if (!isNew) return newest;
  const joined = [...lines.values()];
  const checkpoint = formatNote({ text: newest.text, signatures: joined.map(({ line }) => line) });
  return { ...newest, lines: joined, checkpoint };
}
