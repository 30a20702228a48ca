/**
 * A batch that is taken whole or not at all: it is read to its end, and goes to the log in one round. Where anything in it
 * is refused, all that is at fault is told, and nothing is stored.
 *
 *   read ─ charge ─ room for all ─ log ─ answer
 *
 * What is being read is held in memory, no more than one round takes, and has no room in the queue yet: so a body that comes
 * slowly, or never ends, keeps nobody else out.
 */

import { NewelError } from '../errors.ts';
import type { PoolLimits, Reservation } from '../log/log.ts';
import type { Submitted } from '../vault/vault.ts';
import { BatchTooLargeError } from './batch-limits.ts';
import { BatchRoom } from './batch-room.ts';
import type { BatchInput } from './batch-run.ts';
import type { Element } from './splitter.ts';

/** An event of the batch that keeps the whole of it from being taken. */
export interface AtomicFault {
  readonly n: number;
  readonly error: NewelError;
}

/** The batch was refused for its events at fault, at least one, in their order. */
export class BatchRefusedError extends NewelError {
  override name = 'BatchRefusedError';
  readonly faults: readonly AtomicFault[];

  constructor(faults: readonly AtomicFault[]) {
    super(faults[0]!.error.code, 'an event of the batch was refused, and with it the batch');
    this.faults = faults;
  }
}

export interface AtomicInput extends BatchInput {
  readonly roundLimits: Pick<PoolLimits, 'maxRoundEntries' | 'maxRoundBytes'>;
}

/** Nothing that is an event: what stands for a line that is too long to be one. */
const NO_EVENT = new Uint8Array(0);
const WHAT = 'a batch that is taken whole';

/**
 * What became of the events, all of them taken. Throws `BatchRefusedError` for what is wrong with events; `too_large`
 * for more than one round takes; and what is wrong with the body as a whole. Then nothing is stored, but for
 * `storage_failed`, after which nobody knows.
 */
export async function submitAtomic(input: AtomicInput): Promise<readonly Submitted[]> {
  const { vault, limits, principal, charge } = input;
  let reservations: readonly Reservation[] = [];
  try {
    const elements = await readAll(input);
    charge(elements.length);
    const bodies = elements.map(({ body }) => body ?? NO_EVENT);
    const room = new BatchRoom(vault, limits.maxRoomWaitMs);
    reservations = await room.takeAll(bodies.map(({ length }) => length));
    const { name: submitter, sources } = principal;
    const outcomes = await vault.submitGroup({ bodies, reservations, submitter, sources, isAtomic: true });
    // No event is too large by itself here: together their records are.
    if (outcomes.some(({ error }, n) => error?.code === 'too_large' && !elements[n]!.error)) {
      throw new BatchTooLargeError(input.roundLimits.maxRoundBytes, 'bytes', WHAT);
    }
    const faults = outcomes.flatMap(({ error }, n) =>
      error ? [{ n, error: elements[n]!.error ?? error }] : [],
    );
    if (faults.length > 0) throw new BatchRefusedError(faults);
    return outcomes.map(({ submitted }) => {
      if (!submitted) throw new Error('bug: an event of an atomic group has no outcome');
      return submitted;
    });
  } finally {
    // Of no effect on what has taken its place.
    for (const reservation of reservations) reservation.release();
    input.chunks.release();
  }
}

/** The batch, of no more than one round takes. */
async function readAll({ limits, roundLimits, chunks, splitter }: AtomicInput): Promise<readonly Element[]> {
  const maxEvents = Math.min(limits.maxEvents, roundLimits.maxRoundEntries);
  const maxBytes = roundLimits.maxRoundBytes;
  const elements: Element[] = [];
  let bytes = 0;
  const add = (element: Element): void => {
    if (elements.length >= maxEvents) throw new BatchTooLargeError(maxEvents, 'events', WHAT);
    bytes += element.body?.length ?? 0;
    if (bytes > maxBytes) throw new BatchTooLargeError(maxBytes, 'bytes', WHAT);
    elements.push(element);
  };
  for (let chunk = await chunks.next(); chunk; chunk = await chunks.next()) {
    for (const element of splitter.push(chunk)) add(element);
  }
  for (const element of splitter.end()) add(element);
  if (elements.length === 0) throw new NewelError('malformed', 'there is no event in the body');
  return elements;
}
