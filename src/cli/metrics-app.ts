/** `GET /metrics` and nothing else, for a socket of its own: whoever can reach that needs no token. */

import { Hono } from 'hono';
import { METRICS_TYPE, readOnce } from '../http/metrics.ts';

/** `read` makes the text, of the type `METRICS_TYPE`, at most once at a time; `onError` is told why it did not. */
export function createMetricsApp(read: () => Promise<string>, onError: (error: unknown) => void): Hono {
  const app = new Hono();
  const readText = readOnce(read);
  app.get('/metrics', async (c) => {
    try {
      return c.body(await readText(), 200, { 'Content-Type': METRICS_TYPE, 'Cache-Control': 'no-store' });
    } catch (error) {
      onError(error);
      return c.text('the metrics cannot be read\n', 500, { 'Cache-Control': 'no-store' });
    }
  });
  return app;
}
