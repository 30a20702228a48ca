/** `newel submit` with files of many events: in batches, in their order, whole or up to the first that is refused. */

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import { groupsOf } from '../../src/cli/event-groups.ts';
import { SubmitMeter } from '../../src/cli/submit-progress.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { flat } from '../support/batch-requests.ts';
import { type Ran, runCli, type RunOptions } from '../support/cli.ts';
import { fetchDescribed } from '../support/openapi.ts';
import { newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CANARY = 'CANARY-5b2e9c71d04f';

interface Setup {
  readonly cwd: string;
  readonly submit: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Ran>;
  readonly save: (name: string, events: readonly JsonObject[]) => Promise<void>;
  /** Events in the tree. */
  readonly count: () => Promise<number>;
}

async function setUp(t: TestContext, flags: Record<string, string> = {}): Promise<Setup> {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd, 'data', { kind: 'events' });
  const { url } = await serveDiskLog(t, dir, { flags });
  const trust = (await (await fetchDescribed(`${url}/v1/log`)).json()) as JsonObject;
  await writeFile(join(cwd, 'data/client.json'), JSON.stringify({ url, token, trust }));
  return {
    cwd,
    submit: (args, options = {}) => runCli(['submit', ...args], { cwd, ...options }),
    save: (name, events) =>
      writeFile(join(cwd, name), events.map((event) => `${JSON.stringify(event)}\n`).join('')),
    async count() {
      const headers = { Authorization: `Bearer ${token}` };
      const head = (await (await fetchDescribed(`${url}/v1/tree-head`, { headers })).json()) as {
        signed: { tree_size: number };
      };
      return head.signed.tree_size - 1;
    },
  };
}

function events(count: number): JsonObject[] {
  return Array.from({ length: count }, (_, i) => flat(`e-${i}`));
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

test('more events than a batch has are logged in the order of the file, each with its receipt', async (t) => {
  const { cwd, submit, save, count } = await setUp(t);
  await save('many.ndjson', events(530));
  const { code, out, err } = await submit(['many.ndjson', '--out', 'receipts', '--json']);
  assert.deepEqual([code, err], [0, '']);
  const said = linesOf(out).map((line) => JSON.parse(line) as Receipt & { line: number; file: string });
  assert.deepEqual(
    said.map(({ id, line, leaf_index: index }) => [id, line, index]),
    Array.from({ length: 530 }, (_, i) => [`e-${i}`, i + 1, i + 1]),
  );
  assert.equal(new Set(said.map(({ tree_size: size }) => size)).size, 2, 'a round for each batch');
  assert.equal((await readdir(join(cwd, 'receipts'))).length, 530);
  const some = [said[0]!, said[511]!, said[512]!, said[529]!].map(({ file }) => file);
  const verified = await runCli(['verify', ...some], { cwd });
  assert.equal(verified.code, 0, verified.out + verified.err);
  for (const file of some) {
    const receipt = JSON.parse(await readFile(join(cwd, file), 'utf8')) as JsonObject;
    assert.ok(!('n' in receipt) && !('status' in receipt) && !('checkpoint' in receipt));
  }
  assert.equal(await count(), 530);

  const again = await submit(['many.ndjson', '--out', 'again']);
  assert.deepEqual([again.code, linesOf(again.out).length], [0, 530]);
  assert.equal(await count(), 530);
});

test('it stops at the first event that is refused, wherever that is: those before it are logged, none after it', async (t) => {
  const { submit, save, count } = await setUp(t);
  for (const [at, total] of [
    [520, 530],
    [512, 514],
    [0, 3],
    [2, 3],
  ] as const) {
    const before = await count();
    const some = events(total).map((event, i) => ({ ...event, id: `${at}-e-${i}` }));
    const wrong = some.map((event, i) => (i === at || i === at + 1 ? { ...event, status: CANARY } : event));
    await save('some.ndjson', wrong);
    const { code, out, err } = await submit(['some.ndjson']);
    assert.equal(code, 1, err);
    assert.equal(linesOf(out).length, at);
    assert.ok(err.startsWith(`newel: some.ndjson:${at + 1}: `), err);
    assert.match(err, /^ {2}\/status {2}/m);
    if (at > 0)
      assert.match(err, new RegExp(`^To go on from here: newel submit some\\.ndjson --skip ${at}$`, 'm'));
    assert.ok(!err.includes(CANARY));
    assert.equal(await count(), before + at);

    await save('some.ndjson', some);
    const mended = await submit(['some.ndjson', '--skip', String(at)]);
    assert.equal(mended.code, 0, mended.err);
    assert.equal(await count(), before + total);
  }
});

test('a log that takes little in a round is sent less at a time', async (t) => {
  const { submit, save, count } = await setUp(t, { 'max-round': '3' });
  await save('ten.ndjson', events(10));
  const { code, out, err } = await submit(['ten.ndjson', '--json']);
  assert.deepEqual([code, err], [0, '']);
  const indexes = linesOf(out).map((line) => (JSON.parse(line) as Receipt).leaf_index);
  assert.deepEqual(
    indexes,
    Array.from({ length: 10 }, (_, i) => i + 1),
  );
  assert.equal(await count(), 10);
});

test('--atomic logs all events of a file, in one round, or none', async (t) => {
  const { submit, save, count } = await setUp(t);
  const some = events(530);
  const wrong = some.map((event, i) => (i === 3 || i === 520 ? { ...event, status: CANARY } : event));
  await save('some.ndjson', wrong);
  const refused = await submit(['some.ndjson', '--atomic']);
  assert.deepEqual([refused.code, refused.out], [1, '']);
  assert.deepEqual(
    linesOf(refused.err).filter((line) => !line.startsWith('  ')),
    [
      'newel: some.ndjson:4: the event breaks rules of its schema',
      'newel: some.ndjson:521: the event breaks rules of its schema',
      '2 events of 530 refused, so that none is logged.',
    ],
  );
  assert.ok(!refused.err.includes(CANARY));
  assert.equal(await count(), 0);
  const json = await submit(['some.ndjson', '--atomic', '--json', '--skip', '10']);
  const { error } = JSON.parse(json.err) as { error: JsonObject };
  assert.deepEqual([error['code'], error['line'], error['logged']], ['event_invalid', 521, 0]);

  await save('some.ndjson', some);
  const taken = await submit(['some.ndjson', '--atomic', '--json']);
  assert.deepEqual([taken.code, taken.err], [0, '']);
  const sizes = linesOf(taken.out).map((line) => (JSON.parse(line) as Receipt).tree_size);
  assert.deepEqual(
    sizes,
    Array.from({ length: 530 }, () => 531),
  );
  assert.equal(await count(), 530);

  await save('one.json', [flat('one')]);
  assert.equal((await submit(['one.json', '--atomic'])).code, 0);
  const spoilt = await submit(['-', '--atomic'], {
    input: [Buffer.from(`${JSON.stringify(flat('two'))}\n{`)],
  });
  assert.deepEqual([spoilt.code, spoilt.out], [3, ''], 'what cannot be read keeps all from being sent');
  assert.equal(await count(), 531);
});

test('more than one round takes is said to be too much for --atomic', async (t) => {
  const { submit, save, count } = await setUp(t, { 'max-round': '3' });
  await save('ten.ndjson', events(10));
  const { code, out, err } = await submit(['ten.ndjson', '--atomic']);
  assert.deepEqual([code, out], [3, ''], err);
  assert.match(err, /at most 3 events/);
  assert.equal(await count(), 0);
});

test('progress is shown to whoever looks, and to nobody else', async (t) => {
  const { submit, save } = await setUp(t);
  await save('many.ndjson', events(600));
  const { code, out, err } = await submit(['many.ndjson'], { isTerminal: true });
  assert.equal(code, 0);
  assert.equal(linesOf(out).length, 600);
  // A machine that is fast enough has nothing to show.
  const shown = err.replaceAll('\u001b[K', '<clear>');
  assert.match(shown, /^(\r[\d,]+ events logged, [\d,]+ a second[^\n]*<clear>|\r<clear>)*$/);
  assert.ok(!err.includes('logged') || err.endsWith('\r\u001b[K'), 'it is taken away at the end');
});

test('the line of progress: how many, how fast, and how long what is not read yet will take', async () => {
  let nowMs = 0;
  const chunks: string[] = [];
  const written = (): string => chunks.join('');
  const output = (isTerminal: boolean) => ({ isTerminal, write: (text: string) => void chunks.push(text) });
  const meterFor = (isTerminal: boolean, bytes: number | undefined): SubmitMeter => {
    const out = output(isTerminal);
    return new SubmitMeter({ input: [], out, err: out, env: {}, cwd: '.' }, bytes, () => nowMs);
  };
  const read = async (meter: SubmitMeter, bytes: number): Promise<void> => {
    const pieces = (async function* () {
      yield new Uint8Array(bytes);
    })();
    for await (const chunk of meter.count(pieces)) assert.equal(chunk.length, bytes);
  };
  const meter = meterFor(true, 400);
  await read(meter, 100);
  nowMs = 100;
  meter.update(10);
  assert.equal(written(), '', 'not too often');
  nowMs = 2000;
  meter.update(5000);
  assert.equal(written(), '\r5,000 events logged, 2,500 a second, 6 s to go\u001b[K');
  meter.clear();
  meter.clear();
  assert.ok(written().endsWith('\u001b[K\r\u001b[K'));

  chunks.length = 0;
  nowMs = 0;
  const piped = meterFor(true, undefined);
  nowMs = 1000;
  piped.update(3);
  assert.equal(written(), '\r3 events logged, 3 a second\u001b[K');
  chunks.length = 0;
  const quiet = meterFor(false, 400);
  nowMs = 5000;
  quiet.update(3);
  quiet.clear();
  assert.equal(written(), '');
});

test('what comes now and then goes as it comes', async () => {
  let push: (value: number) => void = () => {};
  let end: () => void = () => {};
  async function* source(): AsyncGenerator<{ event: JsonObject }, void> {
    for (;;) {
      const next = await new Promise<number | undefined>((resolve) => {
        push = resolve;
        end = () => resolve(undefined);
      });
      if (next === undefined) return;
      yield { event: { n: next } };
    }
  }
  const limits = { maxEvents: 2, maxChars: 1000, idleMs: 20 };
  const groups = groupsOf(source(), limits);
  const first = groups.next();
  await new Promise((resolve) => setImmediate(resolve));
  push(1);
  assert.deepEqual((await first).value, [{ event: { n: 1 } }], 'it did not wait for a second one');
  const second = groups.next();
  push(2);
  await new Promise((resolve) => setImmediate(resolve));
  push(3);
  await new Promise((resolve) => setImmediate(resolve));
  push(4);
  assert.equal((await second).value?.length, 2);
  const third = groups.next();
  await new Promise((resolve) => setImmediate(resolve));
  end();
  assert.deepEqual((await third).value, [{ event: { n: 4 } }]);
  assert.equal((await groups.next()).done, true);

  async function* spoilt(): AsyncGenerator<{ event: JsonObject }, void> {
    yield { event: { n: 1 } };
    throw new Error('spoilt');
  }
  const broken = groupsOf(spoilt(), limits);
  assert.deepEqual((await broken.next()).value, [{ event: { n: 1 } }], 'what came before is not lost');
  await assert.rejects(broken.next(), /spoilt/);
});
