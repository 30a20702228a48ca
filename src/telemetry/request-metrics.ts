/** `newel_request_seconds{method,route,status}`: requests that a server has answered, by the pattern of their route. */

import { Histogram, type Registry } from 'prom-client';
import type { AnsweredRequest } from '../http/signals.ts';

/** Upper bounds of the buckets for what crosses a network. Unit: seconds. */
export const REQUEST_S: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];
/** Methods that routes have. Whatever else is asked with is one of the others. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

/** Counts in `registry` what it is told of. No request makes a series of its own. */
export function countRequests(registry: Registry): (request: AnsweredRequest) => void {
  const requests = new Histogram({
    name: 'newel_request_seconds',
    help: 'How long requests took until their answer was made.',
    labelNames: ['method', 'route', 'status'],
    buckets: [...REQUEST_S],
    registers: [registry],
  });
  const observers = new Map<string, (durationS: number) => void>();
  return ({ method, route, status, durationMs }) => {
    const key = `${status} ${method} ${route}`;
    let observe = observers.get(key);
    if (!observe) {
      const labels = { method: METHODS.has(method) ? method : 'other', route, status: `${status}` };
      const child = requests.labels(labels);
      observe = (durationS) => child.observe(durationS);
      if (METHODS.has(method)) observers.set(key, observe);
    }
    observe(durationMs / 1000);
  };
}
