/** A bare HTTP server on loopback, in the place of whatever is asked; closed after the test, whoever is still connected. */

import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { TestContext } from 'node:test';

/** Its URL, without a slash at its end. */
export async function serveLoopback(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return `http://127.0.0.1:${address.port}`;
}
