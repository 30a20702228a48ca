/**
 * Where each source is with its numbers, and saying what is missing: gaps that stay open for a while, and forks, become
 * `source.gap` events of the log's own source. That something was said is durable with the leaf that says it.
 */

import { gapEventOf } from '../event/log-events.ts';
import {
  dueGaps,
  formatSequenceState,
  parseSequenceState,
  type SequenceReport,
  type SequenceState,
} from '../event/sequence.ts';
import type { Store } from '../storage/store.ts';
import { formatEventId, newEventId } from './event-id.ts';
import type { SayEvent } from './own-events.ts';
import {
  arrayOf,
  bytesOf,
  damagedRecord,
  decodeOwn,
  encodeOwn,
  rangeOf,
  sequenceKey,
  TERM_BYTES,
} from './rows.ts';
import type { StateForm, States } from './states.ts';

export interface Numbered {
  readonly source: string;
  readonly numbers: SequenceState;
}

export const sequenceForm: StateForm<Numbered> = {
  key: sequenceKey,
  format: ({ source, numbers }) => encodeOwn([source, formatSequenceState(numbers)]),
  parse: (bytes) => {
    const [source, numbers] = arrayOf(decodeOwn(bytes), 2);
    if (typeof source !== 'string') throw damagedRecord();
    return { source, numbers: parseSequenceState(bytesOf(numbers)) };
  },
};

/** How long a gap may stay open before it is said: what was sent side by side arrives in any order. */
export const GAP_GRACE_MS = 10_000;

const AT_ONCE = 1024;
const SEQUENCES = rangeOf(0x89);

export interface NumbersParts {
  readonly store: Store;
  readonly states: States<Numbered>;
  readonly say: SayEvent;
  readonly now: () => number;
}

/** Says what is due of all sources. */
export async function sayGaps(parts: NumbersParts): Promise<void> {
  const { store, states, now } = parts;
  for (let { from } = SEQUENCES; ;) {
    const rows = await store.scan({ ...SEQUENCES, from, limit: AT_ONCE });
    for (const row of rows) {
      if (dueGaps(states.parse(row).numbers, now(), GAP_GRACE_MS).due.length === 0) continue;
      await sayGapsOf(parts, row.key.subarray(-TERM_BYTES));
    }
    if (rows.length < AT_ONCE) return;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
}

/** Nothing of the source has its place meanwhile: what is said and what is marked are then the same numbers. */
async function sayGapsOf({ states, say, now }: NumbersParts, tag: Uint8Array): Promise<void> {
  await states.alone([tag], async () => {
    let state = await states.read(tag);
    if (!state) return;
    const timeMs = now();
    for (const report of dueGaps(state.numbers, timeMs, GAP_GRACE_MS).due) {
      const { source, numbers } = state;
      const marked: Numbered = { source, numbers: withSaid(numbers, report) };
      const id = `${report.kind}:${formatEventId(newEventId())}`;
      // In the batch of its leaf: so each is said once, whatever crashes.
      await say(gapEventOf({ id, timeMs }, { source, report }), () => ({ puts: [states.row(tag, marked)] }));
      state = marked;
    }
  });
}

/** The numbers once that report is in the log. */
function withSaid(numbers: SequenceState, { kind, first, last }: SequenceReport): SequenceState {
  if (kind === 'fork') return { ...numbers, forks: undefined };
  const { lost } = numbers;
  if (lost?.first === first && lost.last === last) return { ...numbers, lost: undefined };
  const gaps = numbers.gaps.map((gap) =>
    gap.first === first && gap.last === last ? { ...gap, isLogged: true } : gap,
  );
  return { ...numbers, gaps };
}
