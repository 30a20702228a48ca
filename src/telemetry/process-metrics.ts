/** What Node knows of its own process, as metrics: `process_…` and `nodejs_…`. */

import { collectDefaultMetrics, Registry } from 'prom-client';

let registry: Registry | undefined;

/** In the exposition format of Prometheus. */
export function formatProcessMetrics(): Promise<string> {
  // One for the process, since what it listens to is not let go of.
  if (!registry) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
  }
  return registry.metrics();
}
