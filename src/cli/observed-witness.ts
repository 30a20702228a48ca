/** What the metrics of a served witness say of it at this moment. */

import { formatHex } from '../formats/hex.ts';
import type { MetricFamily } from '../telemetry/metrics-text.ts';
import type { ObservedLog, ObservedWitness } from '../telemetry/witness-metrics.ts';
import type { KnownLogs } from '../witness/known-logs.ts';
import type { ListedLog } from '../witness/log-list.ts';
import type { Witness } from '../witness/witness.ts';
import { hashOrigin } from '../witness/witness-rows.ts';
import { readSoftware } from './version.ts';

/** Logs that are read at a time. Between that, others have their turn. */
const GROUP_LOGS = 32;

/**
 * `families`: of what is served beside the witness. A witness that has stopped says so, and nothing of any log. However many
 * logs are listed, a few are read at a time, and others have their turn meanwhile.
 */
export async function observeWitness(
  name: string,
  witness: Witness,
  logs: KnownLogs,
  families: readonly MetricFamily[],
): Promise<ObservedWitness> {
  const read = async ({ origin }: ListedLog): Promise<ObservedLog> => {
    try {
      const latest = await witness.latest(formatHex(hashOrigin(origin)));
      return { origin, latest: latest && { size: latest.size, timeS: latest.timeS } };
    } catch (error) {
      if (witness.ready) throw error;
      return { origin, latest: undefined };
    }
  };
  const listed = [...logs.all()];
  const observed: ObservedLog[] = [];
  for (let at = 0; at < listed.length; at += GROUP_LOGS) {
    observed.push(...(await Promise.all(listed.slice(at, at + GROUP_LOGS).map(read))));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { name, version: readSoftware().version, isReady: witness.ready, logs: observed, families };
}
