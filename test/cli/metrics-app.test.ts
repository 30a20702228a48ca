import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createMetricsApp } from '../../src/cli/metrics-app.ts';

interface Making {
  readonly resolve: (text: string) => void;
  readonly reject: (error: Error) => void;
}

test('metrics are answered in the type that their text has', async () => {
  const app = createMetricsApp(
    () => Promise.resolve('newel_x 1\n'),
    () => assert.fail(),
  );
  const answer = await app.request('/metrics');
  assert.equal(answer.headers.get('Content-Type'), Registry.PROMETHEUS_CONTENT_TYPE);
  assert.deepEqual([answer.status, await answer.text()], [200, 'newel_x 1\n']);
  assert.equal((await app.request('/')).status, 404);
});

test('what cannot be read is a 500 that says nothing, and is told to whoever runs it alone', async (t) => {
  const said = t.mock.method(console, 'error', () => {});
  const errors: unknown[] = [];
  const cause = new Error('secret path');
  const app = createMetricsApp(
    () => Promise.reject(cause),
    (error) => errors.push(error),
  );
  const answer = await app.request('/metrics');
  assert.deepEqual([answer.status, await answer.text()], [500, 'the metrics cannot be read\n']);
  assert.deepEqual([errors, said.mock.callCount()], [[cause], 0]);
});

test('one text is made at a time, and given again for a second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const makings: ((text: string) => void)[] = [];
  const app = createMetricsApp(
    () => new Promise((resolve) => makings.push(resolve)),
    () => assert.fail(),
  );
  const ask = async (): Promise<string> => (await app.request('/metrics')).text();
  const first = [ask(), ask(), ask()];
  assert.equal(makings.length, 1);
  t.mock.timers.tick(5000);
  first.push(ask());
  assert.equal(makings.length, 1, 'however long it takes');
  makings[0]!('one\n');
  assert.deepEqual(await Promise.all(first), Array(4).fill('one\n'));
  t.mock.timers.tick(999);
  assert.deepEqual([await ask(), makings.length], ['one\n', 1]);
  t.mock.timers.tick(1);
  const second = ask();
  assert.equal(makings.length, 2);
  makings[1]!('two\n');
  assert.equal(await second, 'two\n');
});

test('what failed is told to all who wait for it, and is not kept', async () => {
  const errors: unknown[] = [];
  const cause = new Error('no');
  const makings: Making[] = [];
  const app = createMetricsApp(
    () => new Promise((resolve, reject) => makings.push({ resolve, reject })),
    (error) => errors.push(error),
  );
  const ask = (): Promise<Response> => Promise.resolve(app.request('/metrics'));
  const asked = [ask(), ask()];
  makings[0]!.reject(cause);
  assert.deepEqual(
    (await Promise.all(asked)).map(({ status }) => status),
    [500, 500],
  );
  assert.deepEqual([errors, makings.length], [[cause, cause], 1]);
  const next = ask();
  assert.equal(makings.length, 2);
  makings[1]!.resolve('newel_x 1\n');
  assert.deepEqual([(await next).status, await (await next).text()], [200, 'newel_x 1\n']);
});
