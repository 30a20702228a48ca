/** What Node knows of its own process, as metrics: `process_…` and `nodejs_…`. */

import { collectDefaultMetrics, Registry } from 'prom-client';

let registry: Registry | undefined;

/** Measures from now on: what was spent before is not counted. One for the process, since what it listens to is not let go of. */
export function startProcessMetrics(): Registry {
  if (!registry) {
    registry = new Registry();
    collectDefaultMetrics({ register: registry });
  }
  return registry;
}
