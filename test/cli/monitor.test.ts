/** `newel monitor` over logs that are served, honestly and not. */

import assert from 'node:assert/strict';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { originHashOf } from '../support/followed-log.ts';
import { type Ran, runCli, startCli } from '../support/cli.ts';
import { DISK_ORIGIN, newDiskLog, type ServedLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { serveLoopback } from '../support/loopback-server.ts';
import { SLOW } from '../support/slow.ts';
import { until } from '../support/until.ts';

interface Setup extends ServedLog {
  readonly cwd: string;
  readonly dir: string;
  readonly token: string;
  readonly grow: (count: number) => Promise<void>;
  /** One pass with the log's trust file. */
  readonly once: (...args: string[]) => Promise<Ran>;
}

async function setUp(t: TestContext, entries: number): Promise<Setup> {
  const cwd = await tempFolder(t);
  const { dir, token } = await newDiskLog(cwd);
  const served = await serveDiskLog(t, dir);
  let size = 0;
  const setup: Setup = {
    ...served,
    cwd,
    dir,
    token,
    async grow(count) {
      await Promise.all(Array.from({ length: count }, (_, i) => served.add(`entry ${size + i}`, token)));
      size += count;
      await served.published(size);
    },
    once: (...args) => runCli(['monitor', '--data', 'm', '--trust', 'log.json', '--once', ...args], { cwd }),
  };
  await setup.grow(entries);
  await writeFile(join(cwd, 'log.json'), await (await fetch(`${served.url}/v1/log`)).text());
  return setup;
}

/** Answers as the log does, but for what `change` answers itself. */
async function proxy(
  t: TestContext,
  to: () => string,
  change: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean,
): Promise<string> {
  return serveLoopback(t, (request, response) => {
    void (async () => {
      const answer = await fetch(`${to()}${request.url}`);
      const body = Buffer.from(await answer.arrayBuffer());
      if (change(request, response, body)) return;
      response.writeHead(answer.status).end(body);
    })();
  });
}

function linesOf(out: string): Record<string, unknown>[] {
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('an honest log: one pass after another, each from where the last one stopped', async (t) => {
  const { once, grow, url, cwd } = await setUp(t, 300);
  const first = await once();
  assert.deepEqual([first.code, first.err], [0, ''], first.out);
  assert.match(first.out, /^✔ log\.example\/disk {2}300 leaves.*; every entry is verified$/m);
  await grow(100);
  const second = await once('--json');
  assert.equal(second.code, 0);
  const [state, ...rest] = linesOf(second.out);
  assert.deepEqual(rest, []);
  const { head_time: _time, ...known } = state!;
  assert.deepEqual(known, {
    event: 'state',
    origin: DISK_ORIGIN,
    url,
    read: true,
    tree_size: 400,
    verified_entries: 400,
    evidence: 0,
  });
  // By its key alone, as any other tlog-tiles log.
  const { vkeys } = JSON.parse(await readFile(join(cwd, 'log.json'), 'utf8')) as { vkeys: string[] };
  const args = [
    'monitor',
    '--data',
    'other',
    '--log',
    url,
    ...vkeys.flatMap((vkey) => ['--vkey', vkey]),
    '--once',
  ];
  const byKey = await runCli(args, { cwd });
  assert.equal(byKey.code, 0, byKey.out + byKey.err);
  assert.match(byKey.out, /400 leaves/);
});

test('what is wrong without being proof is an alert: code 4, a webhook, and nothing is called proof', async (t) => {
  const { once, url, grow, cwd } = await setUp(t, 300);
  assert.equal((await once()).code, 0);
  await grow(10);
  const changing = await proxy(
    t,
    () => url,
    (request, response, body) => {
      if (!request.url!.startsWith('/tile/entries/001')) return false;
      body[body.length - 1]! ^= 1;
      response.end(body);
      return true;
    },
  );
  const got: Record<string, unknown>[] = [];
  const hook = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      got.push(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>);
      response.end();
    });
  });
  t.after(() => hook.close());
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  const address = hook.address();
  assert.ok(address !== null && typeof address === 'object');
  const webhook = `http://127.0.0.1:${address.port}/hook`;
  const { code, out } = await once('--log', changing, '--json', '--webhook', webhook);
  assert.equal(code, 4, out);
  const [alert] = linesOf(out);
  const { time, message, ...told } = alert!;
  assert.deepEqual(told, { event: 'alert', origin: DISK_ORIGIN, code: 'entry_changed' });
  assert.ok(typeof time === 'string' && Math.abs(Date.parse(time) - Date.now()) < 60_000);
  assert.match(String(message), /^entry 309 is not the one/);
  assert.deepEqual(got, [alert]);
  const words = await once('--log', changing);
  assert.equal(words.code, 4);
  assert.match(words.out, /^! alert entry_changed {2}log\.example\/disk: /m);
  assert.doesNotMatch(words.out, /proof|proves/);
  assert.deepEqual(await readdir(join(cwd, 'm/evidence')), []);
  assert.equal((await once()).code, 0, 'it holds again, and goes on');
});

test('a fork is proof: code 1 as long as it lies there, and newel verify convicts by it', async (t) => {
  const { once, cwd, service, token, dir } = await setUp(t, 20);
  assert.equal((await once()).code, 0);
  // The same key, and another tree: what a log does that was copied and went on twice.
  const twin = await copiedLog(t, cwd, dir, () => service.stop());
  const original = await serveDiskLog(t, dir);
  const add = async (served: ServedLog, texts: string[]): Promise<void> => {
    for (const text of texts) await served.add(text, token);
    await served.published(20 + texts.length);
  };
  await add(original, ['one', 'two']);
  await add(twin, ['other one', 'other two', 'other three']);
  assert.equal((await once('--log', original.url)).code, 0);
  const { code, out } = await once('--log', twin.url, '--json');
  assert.equal(code, 1, out);
  const evidence = linesOf(out).find(({ event, kind }) => event === 'evidence' && kind === 'fork');
  assert.ok(evidence);
  assert.equal(evidence['origin'], DISK_ORIGIN);
  const file = (await readdir(join(cwd, 'm/evidence'))).find((name) => name.includes('-fork-'));
  assert.equal(evidence['file'], join(cwd, 'm/evidence', file!));
  assert.deepEqual(JSON.parse(await readFile(join(cwd, 'm/evidence', file!), 'utf8')), evidence['evidence']);
  const again = await once('--log', original.url);
  assert.equal(again.code, 1, 'a log that is convicted stays so');
  assert.match(again.out, /✔ log\.example\/disk {2}22 leaves/);
});

/** Serves a copy of a log that was stopped: a second log under the same key. */
async function copiedLog(
  t: TestContext,
  cwd: string,
  dir: string,
  stop: () => Promise<unknown>,
): Promise<ServedLog> {
  await stop();
  await cp(dir, join(cwd, 'twin'), { recursive: true });
  await cp(`${dir}.guard`, join(cwd, 'twin.guard'));
  const config = join(cwd, 'twin/newel.json');
  await writeFile(
    config,
    (await readFile(config, 'utf8')).replaceAll(`${dir}.guard`, join(cwd, 'twin.guard')),
  );
  return serveDiskLog(t, join(cwd, 'twin'), { flags: { guard: join(cwd, 'twin.guard') } });
}

test('a log that cannot be read at all is code 3, and one beside one that can is an alert', async (t) => {
  const { once, service, cwd, url } = await setUp(t, 5);
  const other = await newDiskLog(cwd, 'other', { origin: 'log.example/other' });
  const served = await serveDiskLog(t, other.dir);
  await writeFile(join(cwd, 'other.json'), await (await fetch(`${served.url}/v1/log`)).text());
  await service.stop();
  const alone = await once();
  assert.equal(alone.code, 3, alone.out);
  assert.match(alone.out, /^! alert unreadable /m);
  const both = await once('--trust', 'other.json');
  assert.equal(both.code, 4, both.out);
  assert.match(both.out, /^– log\.example\/disk {2}no head was ever verified$/m);
  assert.match(both.out, /^✔ log\.example\/other /m);
  assert.ok(!both.err.includes(url));
});

test('a witness that has seen a larger head than the log shows is waited for, and then said', async (t) => {
  const { once, grow, url, cwd } = await setUp(t, 10);
  const trust = JSON.parse(await readFile(join(cwd, 'log.json'), 'utf8')) as {
    limits: Record<string, number>;
  };
  trust.limits['max_publish_delay'] = 1;
  await writeFile(join(cwd, 'log.json'), JSON.stringify(trust));
  const old = Buffer.from(await (await fetch(`${url}/checkpoint`)).arrayBuffer());
  await grow(5);
  const stuck = await proxy(
    t,
    () => url,
    (request, response) => {
      if (request.url !== '/checkpoint') return false;
      response.end(old);
      return true;
    },
  );
  const asked: (string | undefined)[] = [];
  const witness = createServer((request, response) => {
    asked.push(request.url);
    void fetch(`${url}/checkpoint`).then(async (answer) =>
      response.end(Buffer.from(await answer.arrayBuffer())),
    );
  });
  t.after(() => witness.close());
  await new Promise<void>((resolve) => witness.listen(0, '127.0.0.1', resolve));
  const address = witness.address();
  assert.ok(address !== null && typeof address === 'object');
  const at = `http://127.0.0.1:${address.port}/w`;
  const { code, out } = await once('--log', stuck, '--witness', `w1=${at}`);
  assert.equal(code, 4, out);
  assert.match(out, /^! alert withheld {2}log\.example\/disk: .* 15 leaves/m);
  assert.equal(asked[0], `/w/${originHashOf(DISK_ORIGIN)}/checkpoint`);
  const honest = await once('--witness', `w1=${at}`);
  assert.equal(honest.code, 0, honest.out);
  assert.match(honest.out, /^✔ log\.example\/disk {2}1 of 1 witness has shown a head of it$/m);
});

test('a witness at a URL that has none is said in each pass, and once by a service, and is no alert', async (t) => {
  const { once, url, cwd } = await setUp(t, 5);
  // As a witness: what it has cosigned, and nothing elsewhere.
  const head = Buffer.from(await (await fetch(`${url}/checkpoint`)).arrayBuffer());
  let hasForgotten = false;
  const witness = await serveLoopback(t, (request, response) => {
    const isThere = request.url === `/${originHashOf(DISK_ORIGIN)}/checkpoint` && !hasForgotten;
    response.writeHead(isThere ? 200 : 404).end(isThere ? head : undefined);
  });
  const typo = `${witness}/typo`;
  const witnesses = ['--witness', `x1=${url}`, '--witness', `w1=${witness}`, '--witness', `x2=${typo}`];
  for (let pass = 0; pass < 2; pass++) {
    const { code, out, err } = await once(...witnesses);
    assert.deepEqual([code, err], [0, ''], out);
    const [, ...words] = out.trimEnd().split('\n');
    assert.deepEqual(words, [
      '– log.example/disk  1 of 3 witnesses has shown a head of it' +
        `; nothing is compared with x1, which has shown none: is ${url} its monitoring prefix?` +
        `; nothing is compared with x2, which has shown none: is ${typo} its monitoring prefix?`,
    ]);
  }
  const [state] = linesOf((await once(...witnesses, '--json')).out);
  assert.deepEqual(state?.['witnesses'], { configured: 3, shown: 1, none: ['x1', 'x2'] });

  const service = 'monitor --data m --trust log.json --interval 100ms --metrics 127.0.0.1:0 --json'.split(
    ' ',
  );
  const monitor = startCli(t, [...service, ...witnesses], { cwd });
  const [, metrics] = await monitor.waitFor('err', /metrics at (\S+)/);
  await monitor.waitFor('err', /x2, which/);
  hasForgotten = true;
  await monitor.waitFor('out', /"code":"forgotten"/);
  const text = await (await fetch(metrics!)).text();
  for (const [name, source, value] of [
    ['x1', url, 0],
    ['w1', witness, 1],
    ['x2', typo, 0],
  ] as const) {
    const labels = `origin="${DISK_ORIGIN}",witness="${name}",source="${source}"`;
    assert.ok(text.includes(`\nnewel_monitor_witness_shown{${labels}} ${value}\n`), text);
  }
  hasForgotten = false;
  await monitor.waitFor('out', /"event":"cleared"/);
  monitor.child.kill('SIGTERM');
  const { code, out, err } = await monitor.ended;
  assert.equal(code, 0, out);
  assert.equal(err.match(/is \S+ its monitoring prefix\?/g)?.length, 2, err);
  assert.match(err, /^newel: log\.example\/disk: nothing is compared with x2, which has shown none: is /m);
});

test('one pass that a signal ends says in one line what it had reached, and what it waited for', async (t) => {
  const { grow, url, cwd } = await setUp(t, 10);
  const old = Buffer.from(await (await fetch(`${url}/checkpoint`)).arrayBuffer());
  await grow(5);
  let asked = 0;
  let isHanging = false;
  const stuck = await proxy(
    t,
    () => url,
    (request, response) => {
      if (request.url !== '/checkpoint') return false;
      asked += 1;
      if (!isHanging) response.end(old);
      return true;
    },
  );
  const witness = await proxy(
    t,
    () => `${url}/checkpoint#`,
    () => false,
  );
  const once = ['monitor', '--trust', 'log.json', '--log', stuck, '--once', '--data'];
  const stopped = async (...args: string[]): Promise<Ran> => {
    const monitor = startCli(t, [...once, ...args], { cwd });
    // The second look comes when everything of the first one was done, and waits for a larger head.
    await until(() => asked >= (isHanging ? 1 : 2));
    asked = 0;
    monitor.child.kill('SIGTERM');
    return monitor.ended;
  };
  const waiting = await stopped('m', '--witness', `w1=${witness}`);
  assert.equal(waiting.code, 0, waiting.out + waiting.err);
  assert.match(
    waiting.err,
    /^newel: told to stop before the pass was over: log\.example\/disk: 10 of 10 entries verified, waits for [^\n]*the log to serve the head of 15 leaves that http:\S+ has shown\n$/,
  );
  assert.match(waiting.out, /^✔ log\.example\/disk {2}10 leaves/m);
  isHanging = true;
  const hanging = await stopped('other');
  assert.equal(hanging.code, 3, hanging.out + hanging.err);
  assert.equal(
    hanging.err,
    'newel: told to stop before the pass was over: log.example/disk: no head verified, waits for its head\n',
  );
});

test('as a service: an honest log under load raises nothing; metrics, gossip, and an end in order', async (t) => {
  const { url, add, token, cwd, published } = await setUp(t, 10);
  const monitor = startCli(
    t,
    'monitor --data m --trust log.json --interval 100ms --metrics 127.0.0.1:0 --listen 127.0.0.1:0 --json --log'
      .split(' ')
      .concat(url),
    { cwd },
  );
  const [, metrics] = await monitor.waitFor('err', /metrics at (\S+)/);
  const [, heads] = await monitor.waitFor('err', /exchanging heads at (\S+)/);
  let added = 10;
  const seconds = SLOW ? 600 : 3;
  for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs;) {
    await Promise.all(Array.from({ length: 16 }, (_, i) => add(`under load ${added + i}`, token)));
    added += 16;
  }
  await published(added);
  const read = async (): Promise<string> => (await fetch(metrics!)).text();
  for (const endMs = performance.now() + 5000; performance.now() < endMs;) {
    if ((await read()).includes(`newel_monitor_verified_entries{origin="${DISK_ORIGIN}"} ${added}\n`)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const text = await read();
  assert.match(text, new RegExp(`^newel_monitor_tree_size\\{origin="${DISK_ORIGIN}"\\} ${added}$`, 'm'));
  assert.match(text, new RegExp(`^newel_monitor_evidence\\{origin="${DISK_ORIGIN}"\\} 0$`, 'm'));
  assert.doesNotMatch(text, /newel_monitor_alert|newel_monitor_witness/);
  assert.match(text, /^newel_monitor_info\{version="\d+\.\d+\.\d+[^"]*"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes \d+$/m);
  assert.match(text, /^nodejs_eventloop_lag_seconds \S+$/m);
  const names = text.split('\n').flatMap((line) => /^# TYPE (\S+)/.exec(line)?.[1] ?? []);
  assert.equal(new Set(names).size, names.length, 'each family is there once');
  const newest = await fetch(`${heads!}/${originHashOf(DISK_ORIGIN)}`);
  assert.match(await newest.text(), new RegExp(`^${DISK_ORIGIN}\n\\d+\n`));
  monitor.child.kill('SIGTERM');
  const { code, out } = await monitor.ended;
  assert.equal(code, 0, out);
  assert.deepEqual(
    linesOf(out).map(({ event, verified_entries: verified }) => [event, verified]),
    [['state', added]],
  );
});

test('two that watch two forks of one log find out by each other', async (t) => {
  const { cwd, dir, service, token } = await setUp(t, 20);
  const twin = await copiedLog(t, cwd, dir, () => service.stop());
  const original = await serveDiskLog(t, dir);
  for (const text of ['one', 'two', 'three']) await original.add(text, token);
  await original.published(23);
  for (const text of ['other one', 'other two']) await twin.add(text, token);
  await twin.published(22);
  const watch = (data: string, url: string, ...args: string[]): ReturnType<typeof startCli> =>
    startCli(
      t,
      [
        'monitor',
        '--data',
        data,
        '--trust',
        'log.json',
        '--log',
        url,
        '--interval',
        '200ms',
        '--json',
        ...args,
      ],
      { cwd },
    );
  const one = watch('m1', original.url, '--listen', '127.0.0.1:0');
  const [, heads] = await one.waitFor('err', /exchanging heads at (\S+)\/v1\/heads/);
  const other = watch('m2', twin.url, '--peer', heads!);
  await Promise.all([one.waitFor('out', /"event":"evidence"/), other.waitFor('out', /"event":"evidence"/)]);
  for (const party of [one, other]) {
    party.child.kill('SIGTERM');
    assert.equal((await party.ended).code, 1);
  }
  for (const data of ['m1', 'm2']) {
    const files = await readdir(join(cwd, data, 'evidence'));
    const kinds = files.map((name) => /-(fork|rollback)-/.exec(name)?.[1]);
    // The smaller head is the later one: seconds apart, the log's own timed lines prove a rollback, too.
    const rest = kinds.filter((kind) => kind !== 'fork');
    assert.equal(kinds.length - rest.length, 1, `${data}: ${kinds.join()}`);
    assert.ok(rest.length <= 1 && rest.every((kind) => kind === 'rollback'), `${data}: ${kinds.join()}`);
  }
});

test('what is asked wrongly is said, and no folder of something else is taken', async (t) => {
  const cwd = await tempFolder(t);
  const { dir } = await newDiskLog(cwd);
  const vkey = 'log.example/x+00000000+AQ';
  for (const [args, flaw] of [
    [[], /--data is needed/],
    [['--data', 'm'], /which log\?/],
    [['--data', 'm', '--log', 'http://127.0.0.1:1'], /--log and --vkey go together/],
    [['--data', 'm', '--log', 'http://127.0.0.1:1', '--vkey', vkey], /cannot be taken/],
    [['--data', 'm', '--log', 'nowhere', '--vkey', vkey], /--log is not an http or https URL/],
    [['--data', 'm', '--interval', 'often'], /--interval is not a time/],
    [['--data', 'm', '--interval', '10ms'], /--interval is not a time/],
    [['--data', 'm', '--witness', 'http://127.0.0.1:1'], /--witness is not like/],
    [['--data', 'm', '--witness', 'a=http://x', '--witness', 'a=http://y'], /two --witness have one name/],
    [['--data', 'm', '--witness', 'a=http://x', '--witness', 'b=http://x/'], /two --witness have one URL/],
    [['--data', 'm', '--webhook', 'secret'], /--webhook is not an http or https URL/],
    [['--data', 'm', '--metrics', '9090'], /--metrics is not HOST:PORT/],
  ] as const) {
    const { code, err } = await runCli(['monitor', ...args, '--once'], { cwd });
    assert.equal(code, 2, args.join(' '));
    assert.match(err, flaw);
    assert.ok(!err.includes('secret'));
  }
  const served = await serveDiskLog(t, dir);
  await writeFile(join(cwd, 'log.json'), await (await fetch(`${served.url}/v1/log`)).text());
  const taken = await runCli(['monitor', '--data', dir, '--trust', 'log.json', '--once'], { cwd });
  assert.deepEqual([taken.code, taken.out], [2, '']);
  assert.match(taken.err, /a monitor has one of its own/);
  const twice = ['--trust', 'log.json', '--trust', 'log.json', '--data', 'm', '--once'];
  assert.match((await runCli(['monitor', ...twice], { cwd })).err, /two of the logs have one origin/);
});
