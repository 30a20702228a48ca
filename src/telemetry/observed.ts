/** What is there of a served log when its metrics are asked for, and the families that say it. */

import type { MetricFamily, Sample } from './metrics-text.ts';

export interface Observed {
  readonly origin: string;
  readonly kind: string;
  readonly version: string;
  /** Whether an entry would be taken now, room permitting. */
  readonly isAccepting: boolean;
  /** The newest durable, signed head. */
  readonly head: Timed;
  /** What each slot holds, by its name: `none`, `fast`, `public`. */
  readonly slots: Readonly<Record<string, Timed | undefined>>;
  /** Lines of witnesses that the newest published checkpoint lacks for the slot `fast`; `undefined` without witnesses. */
  readonly missingLines: number | undefined;
  readonly queue: { readonly entries: number; readonly bytes: number };
  readonly queueLimits: { readonly entries: number; readonly bytes: number };
  /** Of each witness its state, one of `WITNESS_STATES`, and the size that it has cosigned last. */
  readonly witnesses: readonly { readonly name: string; readonly state: string; readonly size: number }[];
}

interface Timed {
  readonly size: number;
  /** Since 1970. */
  readonly timeMs: number;
}

const WITNESS_STATES = ['ok', 'failing', 'open', 'over_budget', 'unknown'] as const;

export function familiesOf(observed: Observed): readonly MetricFamily[] {
  const { origin, kind, version, head, slots, missingLines, queue, queueLimits, witnesses } = observed;
  const held = Object.entries(slots).flatMap(([slot, one]) => (one ? [{ labels: { slot }, one }] : []));
  return [
    gauge('newel_info', 'The log, and the version that serves it. Always 1.', [
      { labels: { origin, kind, version }, value: 1 },
    ]),
    gauge('newel_accepting', '1 where an entry would be taken now, room permitting; else 0.', [
      { value: observed.isAccepting ? 1 : 0 },
    ]),
    gauge('newel_tree_size', 'Leaves of the newest durable, signed head.', [{ value: head.size }]),
    gauge('newel_head_time_seconds', 'When that head was signed, since 1970.', [
      { value: head.timeMs / 1000 },
    ]),
    gauge(
      'newel_slot_size',
      'Leaves of the checkpoint that a slot holds: none is what is published, fast what its witnesses have cosigned.',
      held.map(({ labels, one }) => ({ labels, value: one.size })),
    ),
    gauge(
      'newel_slot_time_seconds',
      'When that checkpoint was published, since 1970.',
      held.map(({ labels, one }) => ({ labels, value: one.timeMs / 1000 })),
    ),
    gauge(
      'newel_missing_lines',
      'Lines of witnesses that the newest published checkpoint lacks for the slot fast.',
      missingLines === undefined ? [] : [{ value: missingLines }],
    ),
    gauge('newel_queue_entries', 'Entries that wait for a round, or have room reserved.', [
      { value: queue.entries },
    ]),
    gauge('newel_queue_bytes', 'Their bytes.', [{ value: queue.bytes }]),
    gauge('newel_queue_limit_entries', 'Entries that may wait.', [{ value: queueLimits.entries }]),
    gauge('newel_queue_limit_bytes', 'Bytes that may wait.', [{ value: queueLimits.bytes }]),
    gauge(
      'newel_witness_size',
      'Leaves of the head that a witness has cosigned last.',
      witnesses.map(({ name, size }) => ({ labels: { witness: name }, value: size })),
    ),
    gauge(
      'newel_witness_state',
      '1 for the state that a witness is in, 0 for the others: open is left alone for a while, over_budget has granted no more for now.',
      witnesses.flatMap(({ name, state }) =>
        WITNESS_STATES.map((one) => ({
          labels: { witness: name, state: one },
          value: one === state ? 1 : 0,
        })),
      ),
    ),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}
