/** What the metrics of a served witness say of it at this moment. */

import { formatHex } from '../formats/hex.ts';
import type { MetricFamily } from '../telemetry/metrics-text.ts';
import type { ObservedWitness } from '../telemetry/witness-metrics.ts';
import type { KnownLogs } from '../witness/known-logs.ts';
import type { Witness } from '../witness/witness.ts';
import { hashOrigin } from '../witness/witness-rows.ts';
import { readSoftware } from './version.ts';

/** `families`: of what is served beside the witness. A witness that has stopped says so, and nothing of any log. */
export async function observeWitness(
  name: string,
  witness: Witness,
  logs: KnownLogs,
  families: readonly MetricFamily[],
): Promise<ObservedWitness> {
  const latestOf = (origin: string): ReturnType<Witness['latest']> =>
    witness.latest(formatHex(hashOrigin(origin))).catch((error: unknown) => {
      if (witness.ready) throw error;
      return undefined;
    });
  const observed: { origin: string; latest: Awaited<ReturnType<Witness['latest']>> }[] = [];
  for (const { origin } of logs.all()) observed.push({ origin, latest: await latestOf(origin) });
  return { name, version: readSoftware().version, isReady: witness.ready, logs: observed, families };
}
