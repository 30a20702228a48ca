/** The checkpoint in a request to a witness, whose log is to be found by its origin before any line of it is verified. */

import { NewelError } from '../errors.ts';
import { type Checkpoint, parseCheckpointWithExtensions } from '../formats/checkpoint.ts';
import { parseNote } from '../formats/note.ts';
import { encodeUtf8 } from '../formats/text.ts';

/** Bytes of text that a checkpoint may have, with extension lines. */
const MAX_TEXT_BYTES = 16 * 1024;

export interface Submitted {
  /** The signed text. */
  readonly text: string;
  readonly checkpoint: Checkpoint;
  /** Whether lines follow the root. */
  readonly hasExtensions: boolean;
}

/** What the note says. Throws `malformed`, `too_large`. */
export function readSubmitted(note: Uint8Array): Submitted {
  const { text } = parseNote(note);
  if (encodeUtf8(text).length > MAX_TEXT_BYTES)
    throw new NewelError('too_large', `the text of the checkpoint is longer than ${MAX_TEXT_BYTES} bytes`);
  const { origin, size, root, extensions } = parseCheckpointWithExtensions(text);
  return { text, checkpoint: { origin, size, root }, hasExtensions: extensions.length > 0 };
}
