/**
 * Checkpoints of our own, opened before anything is said about them: the signatures are checked once a head, and the
 * level is what the verified lines reach.
 */

import { NewelError } from '../errors.ts';
import { type Checkpoint, openCheckpoint } from '../formats/checkpoint.ts';
import type { NoteSignature, Verifier } from '../formats/note.ts';
import { trimToPolicy } from '../formats/policy-lines.ts';
import { decodeUtf8, encodeUtf8 } from '../formats/text.ts';
import { isQuorumMet, parsePolicy, type Policy, witnessOf } from '../formats/tlog-policy.ts';
import type { Level, Wanted } from './level.ts';
import type { Site } from './site.ts';

export interface OwnHead extends Checkpoint {
  /** What the verifier found in the lines, never what somebody asked for. */
  readonly level: Level;
  /** The lines that were verified. */
  readonly signatures: readonly NoteSignature[];
}

/** Heads that are remembered as opened. */
const MAX_OPENED = 256;

/** One for each site, so that each head is verified once. */
const known = new WeakMap<Site, OwnHeads>();

export function ownHeadsOf(site: Site): OwnHeads {
  const heads = known.get(site) ?? new OwnHeads(site);
  known.set(site, heads);
  return heads;
}

export class OwnHeads {
  readonly policy: Policy;
  readonly #origin: string;
  readonly #verifiers: readonly Verifier[];
  readonly #opened = new Map<string, OwnHead>();
  /** The same by the very array, which nobody writes to: those of a round share one. */
  readonly #ofArray = new WeakMap<Uint8Array, OwnHead>();

  constructor({ log, policy, verifier, otherVerifiers = [] }: Site) {
    this.policy = parsePolicy(encodeUtf8(policy));
    this.#origin = log.identity.origin;
    this.#verifiers = [verifier, ...otherVerifiers];
  }

  /** Throws `storage_failed` if the note is not a checkpoint of this log, signed by its key, or has a false line. */
  open(note: Uint8Array): OwnHead {
    const known = this.#ofArray.get(note);
    if (known) return known;
    const head = this.#open(note);
    this.#ofArray.set(note, head);
    return head;
  }

  #open(note: Uint8Array): OwnHead {
    try {
      const key = decodeUtf8(note);
      const opened = this.#opened.get(key);
      if (opened) return opened;
      const { origin, size, root, signatures } = openCheckpoint(note, this.#verifiers, this.#origin);
      const head: OwnHead = { origin, size, root, signatures, level: this.#levelOf(signatures) };
      this.#opened.set(key, head);
      if (this.#opened.size > MAX_OPENED) this.#opened.delete(this.#opened.keys().next().value!);
      return head;
    } catch (cause) {
      const what = 'a stored checkpoint does not verify under the keys of this log and its witnesses';
      throw new NewelError('storage_failed', what, { cause });
    }
  }

  /** The note with the witness lines that are asked for. */
  trim(note: Uint8Array, lines: Wanted['lines']): Uint8Array {
    if (lines === 'all') return note;
    const { policy } = this;
    return trimToPolicy(note, { policy, origin: this.#origin, verified: this.open(note).signatures });
  }

  #levelOf(signatures: readonly NoteSignature[]): Level {
    if (this.policy.quorum === 'none') return 'signed';
    const names = signatures.map((line) => witnessOf(this.policy, line)?.name);
    const cosigned = new Set(names.filter((name) => name !== undefined));
    return isQuorumMet(this.policy, cosigned) ? 'witnessed' : 'signed';
  }
}
