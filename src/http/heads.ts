/** Checkpoints of our own, opened before anything is said about them: the signatures are checked once a head. */

import { NewelError } from '../errors.ts';
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
import { decodeUtf8 } from '../formats/text.ts';
import type { Level } from './level.ts';
import type { Site } from './site.ts';

export interface OwnHead extends Checkpoint {
  /** What the verifier found in the lines, never what somebody asked for. */
  readonly level: Level;
}

/** Heads that are remembered as opened. */
const MAX_OPENED = 256;

export class OwnHeads {
  readonly #site: Site;
  readonly #opened = new Map<string, OwnHead>();

  constructor(site: Site) {
    this.#site = site;
  }

  /** Throws `storage_failed` if the note is not a checkpoint of this log, signed by its key. */
  open(note: Uint8Array): OwnHead {
    const { verifier, log } = this.#site;
    try {
      const key = decodeUtf8(note);
      const known = this.#opened.get(key);
      if (known) return known;
      const { origin, size, root } = openCheckpoint(note, [verifier], log.identity.origin);
      // The policy's quorum is none: the log's own line is all that there can be.
      const head: OwnHead = { origin, size, root, level: 'signed' };
      this.#opened.set(key, head);
      if (this.#opened.size > MAX_OPENED) this.#opened.delete(this.#opened.keys().next().value!);
      return head;
    } catch (cause) {
      const what = 'a stored checkpoint does not verify under the key of this log';
      throw new NewelError('storage_failed', what, { cause });
    }
  }
}
