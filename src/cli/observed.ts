/** What the metrics of a served log say of it at this moment. */

import type { Log } from '../log/log.ts';
import type { Observed } from '../telemetry/observed.ts';
import type { Witnessing } from './witnessing.ts';

export function observe(log: Log, witnessing: Witnessing, version: string): Observed {
  const { identity, limits, published, queued, revealed } = log;
  const wanting = published.size > 0 ? log.wantingOf(published.size - 1) : undefined;
  const isMet = (log.publication('fast')?.size ?? 0) >= published.size;
  return {
    origin: identity.origin,
    kind: identity.kind,
    version,
    isAccepting: log.accepting,
    head: revealed,
    slots: { none: published, fast: log.publication('fast'), public: log.publication('public') },
    missingLines: wanting && (isMet ? 0 : Math.max(0, wanting.need - wanting.have)),
    queue: queued,
    queueLimits: { entries: limits.maxQueueEntries, bytes: limits.maxQueueBytes },
    witnesses: witnessing.states(),
  };
}
