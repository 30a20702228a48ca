import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Webhook } from '../../src/monitor/webhook.ts';
import { serveLoopback } from '../support/loopback-server.ts';

interface Receiver {
  readonly url: string;
  readonly got: Record<string, unknown>[];
  /** What it answers next, and from the last one on always; 0 hangs up, a negative number never answers. */
  answers: number[];
}

async function receive(t: TestContext, answers: number[]): Promise<Receiver> {
  const receiver = { url: '', got: [] as Record<string, unknown>[], answers };
  const url = await serveLoopback(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const status = receiver.answers.length > 1 ? receiver.answers.shift()! : receiver.answers[0]!;
      if (status === 0) response.destroy();
      if (status <= 0) return;
      if (status < 300) {
        assert.equal(request.method, 'POST');
        assert.equal(request.headers['content-type'], 'application/json');
        receiver.got.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
      }
      response.writeHead(status, status === 302 ? { Location: '/elsewhere' } : {}).end('thanks');
    });
  });
  receiver.url = `${url}/hook?token=secret`;
  return receiver;
}

test('messages arrive in order, each once, though the receiver fails in passing', async (t) => {
  const receiver = await receive(t, [500, 0, 429, 204]);
  const webhook = new Webhook({ url: receiver.url, pauseMs: 1 });
  for (let n = 0; n < 5; n++) webhook.send({ n });
  await webhook.close(5000);
  assert.deepEqual(
    receiver.got,
    [0, 1, 2, 3, 4].map((n) => ({ n })),
  );
  assert.deepEqual([webhook.delivered, webhook.failed], [5, 0]);
});

test('what is refused is given up, said without the URL, and the next one is sent', async (t) => {
  const receiver = await receive(t, [400, 302, 200]);
  const whys: string[] = [];
  const webhook = new Webhook({
    url: receiver.url,
    pauseMs: 1,
    attempts: 2,
    onGivenUp: (why) => whys.push(why),
  });
  for (let n = 0; n < 3; n++) webhook.send({ n });
  await webhook.close(5000);
  assert.deepEqual(receiver.got.at(-1), { n: 2 });
  assert.equal(whys[0], 'it answers 400');
  assert.ok(whys.every((why) => !why.includes('secret')));
});

test('it holds up nobody, and what waits is bounded: the next message says how many had no room', async (t) => {
  const receiver = await receive(t, [200]);
  const webhook = new Webhook({ url: receiver.url, pauseMs: 1 });
  for (let n = 0; n < 300; n++) webhook.send({ n });
  assert.deepEqual([webhook.delivered, webhook.failed], [0, 43], 'sending waits for nobody');
  await webhook.close(60_000);
  // The first is under way, 256 wait.
  assert.equal(receiver.got.length, 257);
  assert.deepEqual(receiver.got.at(-1), { n: 299 });
  assert.deepEqual(
    receiver.got.filter(({ dropped }) => dropped !== undefined).map(({ dropped }) => dropped),
    [43],
  );
  assert.deepEqual([webhook.delivered, webhook.failed], [257, 43]);
});

test('closing waits so long and no longer', async (t) => {
  const receiver = await receive(t, [-1]);
  const webhook = new Webhook({ url: receiver.url });
  webhook.send({ n: 1 });
  webhook.send({ n: 2 });
  const startedMs = performance.now();
  await webhook.close(100);
  assert.ok(performance.now() - startedMs < 2000);
  assert.deepEqual([receiver.got.length, webhook.failed], [0, 2]);
  await new Webhook({ url: receiver.url }).close(100);
});
