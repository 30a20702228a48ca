/** A tree head as a monitor takes it from anybody: signed by the log itself, with every line by a known key verified. */

import { type LinedHead, openHead, readTrueLines } from '../client/head-lines.ts';
import { equalBytes } from '../core/bytes.ts';
import { EMPTY_ROOT } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import type { FollowedLog } from './followed-log.ts';

export interface FollowedHead extends LinedHead {
  /** The signed note, as it was received. */
  readonly note: Uint8Array;
}

/**
 * Opens a checkpoint of the log, with or without extension lines. Throws `malformed` (also for sizes of 2^53 and more),
 * `too_large`, `signature_invalid`, `signer_unknown`, and `root_mismatch` for an empty tree with another root.
 */
export function openFollowedHead(note: Uint8Array, { origin, keys }: FollowedLog): FollowedHead {
  const head = openHead(note, origin, keys);
  if (head.size === 0 && !equalBytes(head.root, EMPTY_ROOT)) {
    throw new NewelError('root_mismatch', 'checkpoint of the empty tree has the root of another one');
  }
  return { ...head, note };
}

/** The lines of a head that are true, of one that `openFollowedHead` refuses: for judging alone. `undefined`: there are none. */
export function readRefusedHead(note: Uint8Array, { origin, keys }: FollowedLog): FollowedHead | undefined {
  try {
    return { ...readTrueLines(note, origin, keys), note };
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return undefined;
  }
}

/** The times that verified lines of the head say, seconds since 1970; none of a log whose lines have no time. */
export function timesOf({ lines }: LinedHead): readonly number[] {
  return lines.flatMap(({ timeS }) => (timeS === undefined ? [] : [timeS]));
}
