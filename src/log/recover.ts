/**
 * Getting a stored log ready to be written: proven (`prove.ts`), its guard caught up where a crash left it one round
 * behind, and the clock not behind the last head.
 */

import { NewelError } from '../errors.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { acceptedClockKey, readUint64, writeUint64 } from '../storage/keys.ts';
import type { Row } from '../storage/store.ts';
import type { Clock } from './clock.ts';
import { formatIdentity } from './identity.ts';
import { CLOCK_WAIT_MS } from './limits.ts';
import { type Proven, proveStored, type StoredParts } from './prove.ts';
import type { Listener } from './signals.ts';

export interface RecoverParts extends StoredParts {
  readonly clock: Clock;
  /** Opens although the clock is behind the last head. */
  readonly acceptClock: boolean;
  readonly onSignal: Listener;
}

export interface Recovered extends Proven {
  /** To be made durable with the first commit: that the clock was accepted. */
  readonly acceptedClock: Row | undefined;
}

/** Proves the stored log and gets it ready to be written. Throws `log_refused`, saying what was found and what to do. */
export async function recover(parts: RecoverParts): Promise<Recovered> {
  const proven = await proveStored(parts);
  const acceptedClock = await checkClock(parts, proven.head.timeMs);
  await catchUpGuard(parts, proven);
  return { ...proven, acceptedClock };
}

async function catchUpGuard(
  { guard, identity, onSignal }: RecoverParts,
  { head, guarded, lastKind: kind }: Proven,
): Promise<void> {
  const { round: sequence, size, root, timeMs } = head;
  if (guarded.sequence === sequence) return;
  await guard.write({ identity: decodeUtf8(formatIdentity(identity)), sequence, kind, size, root, timeMs });
  onSignal({ event: 'guard_caught_up', round: sequence });
}

/**
 * Acceptance is recorded, with the time of the last head that it was for: while heads still have that time, because
 * theirs never goes back, the same acceptance holds at the next start.
 */
async function checkClock(
  { store, clock, acceptClock, onSignal }: RecoverParts,
  lastMs: number,
): Promise<Row | undefined> {
  const behindMs = lastMs - clock.now();
  if (behindMs <= 0) return undefined;
  if (behindMs < CLOCK_WAIT_MS) {
    await clock.sleep(behindMs);
    onSignal({ event: 'clock_waited', waitedMs: behindMs });
    return undefined;
  }
  const [row] = await store.getMany([acceptedClockKey]);
  const isAccepted = row?.length === 8 && readUint64(row, 0) === lastMs;
  if (!acceptClock && !isAccepted) {
    throw new NewelError(
      'log_refused',
      `the clock is ${Math.round(behindMs / 1000)} s behind the last signed head; set it right, or accept it with ` +
        '--accept-clock if the head was signed under a wrong one',
    );
  }
  onSignal({ event: 'clock_accepted', behindMs });
  if (isAccepted) return undefined;
  const value = new Uint8Array(8);
  writeUint64(value, 0, lastMs);
  return { key: acceptedClockKey, value };
}
