/** Checkpoints of our own, opened before anything is said about them: the signatures are checked once a head. */

import { NewelError } from '../errors.ts';
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Site } from './site.ts';

/** Heads that are remembered as opened. */
const MAX_OPENED = 256;

export class OwnHeads {
  readonly #site: Site;
  readonly #opened = new Map<string, Checkpoint>();

  constructor(site: Site) {
    this.#site = site;
  }

  /** Throws `storage_failed` if the note is not a checkpoint of this log, signed by its key. */
  open(note: Uint8Array): Checkpoint {
    const { verifier, log } = this.#site;
    try {
      const key = decodeUtf8(note);
      const known = this.#opened.get(key);
      if (known) return known;
      const checkpoint = openCheckpoint(note, [verifier], log.identity.origin);
      this.#opened.set(key, checkpoint);
      if (this.#opened.size > MAX_OPENED) this.#opened.delete(this.#opened.keys().next().value!);
      return checkpoint;
    } catch (cause) {
      const what = 'a stored checkpoint does not verify under the key of this log';
      throw new NewelError('storage_failed', what, { cause });
    }
  }
}
