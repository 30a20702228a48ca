/**
 * The lines of the checkpoint that was cosigned last, where the log's newest one is of the same tree. Whoever has seen
 * that one may send it, with fewer lines or with others that hold: what is recorded only gains by it.
 */

import type { Cosigner } from '../formats/cosignature.ts';
import type { Note, NoteSignature } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { KEY_TYPE } from '../formats/vkey.ts';
import type { KnownLog } from './known-logs.ts';

/** A text that its log has signed. */
export interface SignedText {
  readonly text: string;
  /** The lines of the log that hold. */
  readonly lines: readonly NoteSignature[];
}

/** Whether the log has signed the text to its end: a line of type 0x06 says nothing of extension lines. */
export function isWholeSigned({ vkeys }: Pick<KnownLog, 'vkeys'>, lines: readonly NoteSignature[]): boolean {
  return vkeys.some((vkey) => vkey.type === KEY_TYPE.ed25519 && lineOf(lines, vkey) !== undefined);
}

/**
 * The log's lines for a record in the place of one of the same tree: of each listed key that has signed it the recorded
 * line, as far as it holds over the new text, else the new one. In the order of the list.
 */
export function joinLines(
  { verifiers }: Pick<KnownLog, 'verifiers'>,
  recorded: Note,
  { text, lines }: SignedText,
): NoteSignature[] {
  const message = encodeUtf8(text);
  return verifiers.flatMap((verifier) => {
    const line = lineOf(recorded.signatures, verifier);
    const holds = line && (recorded.text === text || verifier.verify(message, line.signature));
    return (holds ? line : lineOf(lines, verifier)) ?? [];
  });
}

/**
 * Our recorded lines over a text, one of each key that cosigns; `undefined` where one is missing, where the text is another
 * one, or where the log has signed with a key whose line is not recorded.
 */
export function recordedAnswer(
  recorded: Note,
  { text, lines }: SignedText,
  cosigners: readonly Cosigner[],
): NoteSignature[] | undefined {
  if (recorded.text !== text || lines.some((line) => !lineOf(recorded.signatures, line))) return undefined;
  const ours = cosigners.flatMap(({ vkey }) => lineOf(recorded.signatures, vkey) ?? []);
  return ours.length === cosigners.length ? ours : undefined;
}

function lineOf(
  lines: readonly NoteSignature[],
  { name, keyId }: Pick<NoteSignature, 'name' | 'keyId'>,
): NoteSignature | undefined {
  return lines.find((line) => line.name === name && line.keyId === keyId);
}
