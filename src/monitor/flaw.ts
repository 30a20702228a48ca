/** What keeps a monitor from making a step, where it is the log's doing: told as an alert until the step is made. */

import { type ErrorCode, NewelError } from '../errors.ts';
import type { LogSource } from '../client/source.ts';
import type { AlertCode } from './alerts.ts';
import { EntryChangedError } from './entries.ts';
import { type FollowedHead, openFollowedHead } from './followed-head.ts';
import type { FollowedLog } from './followed-log.ts';

export interface Flaw {
  readonly code: AlertCode;
  readonly message: string;
}

/** All that there are. */
export const FLAWS: readonly AlertCode[] = [
  'unreadable',
  'checkpoint_invalid',
  'tile_changed',
  'entry_changed',
  'inconsistent_unproven',
];

/** What reading tiles throws where they are not what the signed root says. */
const TILE_CODES: readonly ErrorCode[] = ['root_mismatch', 'malformed', 'too_large'];

/** Two heads that do not fit together, without proof. */
export class UnprovenError extends NewelError {
  override name = 'UnprovenError';

  constructor(message: string) {
    super('inconsistent', message);
  }
}

/** A checkpoint that is not to be believed, whatever is wrong with it. */
class CheckpointInvalidError extends NewelError {
  override name = 'CheckpointInvalidError';
}

/** Reads what the log serves as its checkpoint. Throws what `flawOf` takes for `checkpoint_invalid` or `unreadable`. */
export async function readServed(source: Pick<LogSource, 'read'>, log: FollowedLog): Promise<Uint8Array> {
  try {
    const note = await source.read('checkpoint');
    if (note) return note;
  } catch (cause) {
    if (!(cause instanceof NewelError) || cause.code !== 'too_large') throw cause;
    throw new CheckpointInvalidError(cause.code, cause.message, { cause });
  }
  throw new NewelError('unreachable', `${log.url} serves no checkpoint`);
}

/** Opens it. Throws what `flawOf` takes for `checkpoint_invalid`. */
export function openServed(note: Uint8Array, log: FollowedLog): FollowedHead {
  try {
    return openFollowedHead(note, log);
  } catch (cause) {
    if (!(cause instanceof NewelError)) throw cause;
    throw new CheckpointInvalidError(cause.code, cause.message, { cause });
  }
}

/** Which flaw an error is. Throws the error itself where it is none of the log's. */
export function flawOf(error: unknown): Flaw {
  if (!(error instanceof NewelError)) throw error;
  const { code, message } = error;
  if (error instanceof CheckpointInvalidError) return { code: 'checkpoint_invalid', message };
  if (error instanceof EntryChangedError) return { code: 'entry_changed', message };
  if (error instanceof UnprovenError) return { code: 'inconsistent_unproven', message };
  if (code === 'unreachable') return { code: 'unreadable', message };
  if (TILE_CODES.includes(code)) return { code: 'tile_changed', message };
  throw error;
}
