import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { FetchTurns } from '../../src/monitor/fetch-turns.ts';
import { pacedSource, type PacedSourceOptions } from '../../src/monitor/paced-source.ts';
import { readUntil, readWithin } from '../../src/monitor/timed-source.ts';
import type { LogSource } from '../../src/client/source.ts';
import { loopTurns, playTime } from '../support/played-time.ts';
import { serveLoopback } from '../support/loopback-server.ts';

function source(url: string, options: Partial<PacedSourceOptions> = {}): ReturnType<typeof pacedSource> {
  return pacedSource(url, { turns: new FetchTurns(8), pauseMs: 5, ...options });
}

test('what fails in passing is asked for again, a 404 and other refusals are not', async (t) => {
  const answers = [500, 503, 429, 200];
  let asked = 0;
  const url = await serveLoopback(t, (request, response) => {
    asked += 1;
    response.statusCode =
      request.url === '/log/tile/0/000' ? (answers.shift() ?? 200) : Number(request.url!.slice(-3));
    response.end('bytes');
  });
  assert.deepEqual(await source(`${url}/log/`).read('tile/0/000'), new TextEncoder().encode('bytes'));
  assert.equal(asked, 4);
  assert.equal(await source(url).read('404'), undefined);
  asked = 0;
  for (const path of ['301', '400', '403', '410']) {
    await assert.rejects(source(url, { attempts: 2 }).read(path), { code: 'unreachable' });
  }
  asked = 0;
  await assert.rejects(source(url).read('500'), { code: 'unreachable' });
  assert.equal(asked, 4, 'it is given up in the end');
  await assert.rejects(source('http://127.0.0.1:1', { attempts: 2 }).read('checkpoint'), {
    code: 'unreachable',
  });
});

test('who asks to be left alone is, for all files of it, and not for ever', async (t) => {
  const time = playTime(t);
  const times: number[] = [];
  const fetch = async (): Promise<Response> => {
    times.push(performance.now());
    return times.length === 1
      ? new Response(null, { status: 429, headers: { 'Retry-After': '1' } })
      : new Response('bytes');
  };
  const paced = source('http://log.example', { fetch });
  const first = paced.read('checkpoint');
  await time.pass(500);
  await time.during(Promise.all([first, paced.read('tile/0/000'), paced.read('tile/0/001')]));
  assert.equal(times.length, 4);
  assert.ok(
    times.slice(1).every((at) => at - times[0]! > 999.9 && at - times[0]! < 1100),
    times.join(),
  );

  let asked = 0;
  const busy = async (): Promise<Response> => {
    asked += 1;
    return new Response(null, { status: 503, headers: { 'Retry-After': '3600' } });
  };
  const startedMs = performance.now();
  const reading = source('http://log.example', { fetch: busy }).read('checkpoint');
  await assert.rejects(time.during(reading), { code: 'unreachable' });
  assert.ok(performance.now() - startedMs < 100, 'an hour is not waited for');
  assert.equal(asked, 1);
});

test('an answer is cut off at what its file can be', async (t) => {
  const url = await serveLoopback(t, (request, response) => {
    response.end(Buffer.alloc(request.url!.startsWith('/tile/entries/') ? 8193 : 300_000));
  });
  const paced = source(url, { attempts: 1 });
  await assert.rejects(paced.read('tile/0/000'), { code: 'too_large' });
  await assert.rejects(paced.read('checkpoint'), { code: 'too_large' });
  assert.equal((await paced.read('tile/entries/000'))?.length, 8193);
});

test('no more bundles are fetched at a time than there are turns, and one more of each other source', async () => {
  let underWay = 0;
  let most = 0;
  const fetch = async (): Promise<Response> => {
    underWay += 1;
    most = Math.max(most, underWay);
    // Whoever else has a turn begins meanwhile.
    await loopTurns(5);
    underWay -= 1;
    return new Response('x');
  };
  const read = (sources: readonly LogSource[]): Promise<unknown> =>
    Promise.all(Array.from({ length: 20 }, (_, i) => sources[i % sources.length]!.read(`tile/entries/${i}`)));
  const common = new FetchTurns(3);
  await read([0, 1].map(() => source('http://log.example', { turns: common, fetch })));
  assert.equal(most, 4);
  most = 0;
  await read([source('http://log.example', { turns: new FetchTurns(3), fetch })]);
  assert.equal(most, 3);
});

test('a source whose answers hang holds up no other, and none of its own small files', async (t) => {
  const hung: ServerResponse[] = [];
  const url = await serveLoopback(t, (request, response) => {
    if (request.url!.startsWith('/slow/tile/entries/')) hung.push(response);
    else response.end('x');
  });
  const turns = new FetchTurns(8);
  const stop = new AbortController();
  const [slow, other] = [
    source(`${url}/slow`, { turns, signal: stop.signal }),
    source(`${url}/other`, { turns }),
  ];
  await other.read('tile/entries/first');
  const reads = Array.from({ length: 20 }, (_, i) => slow.read(`tile/entries/${i}`));
  const ended = Promise.allSettled(reads);
  for (let i = 0; i < 20; i++) await other.read(`tile/entries/${i}`);
  assert.equal((await slow.read('checkpoint'))?.length, 1);
  assert.equal(hung.length, 4, 'half of them');
  stop.abort(new Error('told to stop'));
  await ended;
});

test('reading until a time ends what is under way, and what waits for its turn', async (t) => {
  const url = await serveLoopback(t, () => {});
  const turns = new FetchTurns(1);
  const paced = source(url, { turns });
  const reads = [readWithin(50, paced, 'tile/entries/0'), readWithin(30, paced, 'tile/entries/1')];
  await Promise.all(reads.map((read) => assert.rejects(read, { code: 'unreachable' })));
  await assert.rejects(readUntil(paced, 'checkpoint', AbortSignal.abort()), { code: 'unreachable' });
});

test('told to stop, it ends what is under way and what waits', async () => {
  const stop = new AbortController();
  const reason = new Error('told to stop');
  const asked = { hanging: 0, failing: 0 };
  const hanging = (_url: unknown, init?: RequestInit): Promise<Response> => {
    asked.hanging += 1;
    return new Promise((_, reject) => {
      init!.signal!.addEventListener('abort', () => reject(init!.signal!.reason as Error));
    });
  };
  const failing = async (): Promise<Response> => {
    asked.failing += 1;
    return new Response(null, { status: 503, headers: { 'Retry-After': '30' } });
  };
  const common = new FetchTurns(2);
  const reads = [
    ...[0, 1].map((i) =>
      source('http://log.example', { signal: stop.signal, turns: common, fetch: hanging }).read(
        `tile/entries/${i}`,
      ),
    ),
    ...[2, 3].map((i) =>
      source('http://other.example', { signal: stop.signal, turns: common, fetch: hanging }).read(
        `tile/entries/${i}`,
      ),
    ),
    source('http://log.example', { signal: stop.signal, fetch: failing }).read('checkpoint'),
  ];
  const ended = Promise.allSettled(reads);
  await loopTurns(10);
  assert.equal(asked.failing, 1, 'it waits for as long as it was told');
  assert.ok(asked.hanging > 0, 'they are under way');
  stop.abort(reason);
  assert.deepEqual(
    await ended,
    reads.map(() => ({ status: 'rejected', reason })),
  );
});

test('an answer that does not come is given up', async (t) => {
  const url = await serveLoopback(t, () => {});
  await assert.rejects(source(url, { timeoutMs: 30, attempts: 2 }).read('checkpoint'), {
    code: 'unreachable',
  });
});
