/**
 * What a witness knows that cannot be true together with what this log holds. It is no proof for others, since a witness
 * may lie about sizes; it is reason enough to write nothing more: a second copy of this log, and a log that was restored
 * from an older copy, look like this.
 *
 *   larger      409 with a size that this log has never signed
 *   sizeless    409 without a size, which no conforming witness sends, from whatever size it is asked
 *   rejected    422: the proof from the size that it has cosigned to our head, which our own verifier accepts, is refused
 */

import { formatBase64 } from '../formats/base64.ts';

export type ConflictKind = 'larger' | 'sizeless' | 'rejected';

export interface WitnessConflict {
  readonly name: string;
  readonly url: string;
  readonly kind: ConflictKind;
  /** Size of the head that was to be cosigned. */
  readonly ours: number;
  /** The size that the witness has cosigned, where it said one. */
  readonly theirs?: number;
  /** Root of our head. */
  readonly root: Uint8Array;
  /** For an operator: who, which sizes, which root, and what it means. */
  readonly message: string;
}

const MEANING =
  'Another copy of this log is being written, or this one was restored from an older copy: it must not go on; ' +
  'bring back the newest database, or find the other copy';

/** A conflict with its message. `largest`: the size of the largest head that this log has ever signed. */
export function newConflict(
  conflict: Omit<WitnessConflict, 'message'> & { readonly origin: string; readonly largest: number },
): WitnessConflict {
  const { name, url, kind, origin, ours, theirs, root, largest } = conflict;
  const head = `our head of ${ours} leaves, root ${formatBase64(root)}`;
  const found = {
    larger: `has cosigned ${theirs} leaves of ${origin}, more than the ${largest} that this log has ever signed; ${head}`,
    sizeless: `has cosigned a tree of ${origin} that is none of ours, and does not say of which size; ${head}`,
    rejected:
      theirs === ours
        ? `has cosigned another tree of ${ours} leaves of ${origin}: it refuses ${head}`
        : `has cosigned another tree of ${theirs} leaves of ${origin} than ours: it refuses the proof from there to ${head}`,
  }[kind];
  const message = `witness ${name} ${found}. ${MEANING}.`;
  return { name, url, kind, ours, ...(theirs === undefined ? {} : { theirs }), root, message };
}
