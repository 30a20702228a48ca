import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import { after, describe, test } from 'node:test';
import { httpSource } from '../../src/client/source.ts';

const servers: Server[] = [];
after(() => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return `http://127.0.0.1:${address.port}`;
}

describe('httpSource', () => {
  test('reads below its prefix, whether or not that ends in a slash', async () => {
    const paths: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      paths.push(request.url);
      response.end('bytes');
    });
    for (const prefix of [`${url}/bank`, `${url}/bank/`]) {
      assert.deepEqual(await httpSource(prefix).read('tile/0/000'), new TextEncoder().encode('bytes'));
    }
    assert.deepEqual(paths, ['/bank/tile/0/000', '/bank/tile/0/000']);
  });

  test('404 is undefined; any other answer, and none at all, is unreachable', async () => {
    let status = 404;
    const url = await serve((_, response) => {
      response.statusCode = status;
      response.end('no');
    });
    assert.equal(await httpSource(url).read('checkpoint'), undefined);
    for (status of [301, 403, 500, 503]) {
      await assert.rejects(httpSource(url).read('checkpoint'), { code: 'unreachable' });
    }
    await assert.rejects(httpSource('http://127.0.0.1:1').read('checkpoint'), { code: 'unreachable' });
  });

  test('an answer without an end is cut off at the largest public file', async () => {
    const url = await serve((_, response) => {
      const chunk = new Uint8Array(1 << 20);
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        response.once('drain', more);
      };
      more();
    });
    await assert.rejects(httpSource(url).read('checkpoint'), { code: 'too_large' });
  });

  test('an answer that does not come is given up', async () => {
    const url = await serve(() => {});
    await assert.rejects(httpSource(url, { timeoutMs: 50 }).read('checkpoint'), { code: 'unreachable' });
  });
});
