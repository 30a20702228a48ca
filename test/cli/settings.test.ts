import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Folder, folderPaths } from '../../src/cli/folder.ts';
import { resolveSettings, type SettingRow } from '../../src/cli/settings.ts';

const FOLDER: Folder = {
  kind: 'opaque',
  origin: 'log.example/test',
  instance: '00'.repeat(16),
  serve: {},
  paths: folderPaths('/srv/log'),
};

interface Given {
  readonly flags?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly serve?: Readonly<Record<string, unknown>>;
  readonly url?: string;
}

function settle({ flags = {}, env = {}, serve = {}, url }: Given): ReturnType<typeof resolveSettings> {
  const folder = { ...FOLDER, serve, ...(url === undefined ? {} : { url }) };
  return resolveSettings({ folder, flag: (name) => flags[name], env, cwd: '/home/op' });
}

function rowOf(rows: readonly SettingRow[], flag: string): SettingRow {
  const row = rows.find((one) => one.flag === flag);
  assert.ok(row, flag);
  return row;
}

test('defaults serve on this machine alone, with the guard beside the folder', () => {
  const { settings, rows } = settle({});
  assert.deepEqual(settings.listen, { host: '127.0.0.1', port: 8080 });
  assert.equal(settings.listenPublic, undefined);
  assert.equal(settings.publicUrl, undefined);
  assert.equal(settings.guard, '/srv/log.guard');
  assert.equal(settings.maxQueueEntries, 8192);
  assert.equal(settings.maxQueueBytes, 64 * 2 ** 20);
  assert.equal(settings.rateLimit, 20_000);
  assert.equal(settings.logLevel, 'info');
  assert.ok(rows.every(({ source }) => source === 'default'));
});

test('a flag goes before the environment, the environment before newel.json', () => {
  const serve = { max_queue: 3 };
  const env = { NEWEL_MAX_QUEUE: '2' };
  const flags = { 'max-queue': '1' };
  const expected: readonly [Given, number, string][] = [
    [{ serve, env, flags }, 1, '--max-queue'],
    [{ serve, env }, 2, 'NEWEL_MAX_QUEUE'],
    [{ serve }, 3, 'newel.json'],
    [{}, 8192, 'default'],
  ];
  for (const [given, value, source] of expected) {
    const { settings, rows } = settle(given);
    assert.equal(settings.maxQueueEntries, value);
    assert.deepEqual(rowOf(rows, 'max-queue'), {
      flag: 'max-queue',
      env: 'NEWEL_MAX_QUEUE',
      value: String(value),
      unit: 'entries',
      source,
    });
  }
});

test('every setting can come from each of its three places', () => {
  const values: Readonly<Record<string, string>> = {
    listen: '127.0.0.1:1',
    'listen-public': '[::1]:2',
    metrics: '127.0.0.1:3',
    'public-url': 'https://log.example/test',
    guard: '/mnt/guard',
    'max-queue': '5',
    'max-queue-bytes': '100000',
    'max-round': '6',
    'max-round-bytes': '100001',
    'publish-interval-ms': '50',
    'witness-interval-ms': '51',
    'witness-deadline-ms': '52',
    'public-requests-per-day': '53',
    'rate-limit': '7',
    'epoch-days': '3',
    'log-level': 'debug',
  };
  const { rows } = settle({});
  assert.deepEqual(
    rows.map(({ flag }) => flag),
    Object.keys(values),
  );
  for (const { flag, env } of rows) {
    const value = values[flag]!;
    assert.deepEqual(rowOf(settle({ flags: { [flag]: value } }).rows, flag).source, `--${flag}`);
    assert.deepEqual(rowOf(settle({ env: { [env]: value } }).rows, flag).source, env);
    const inFile = flag === 'public-url' ? { url: value } : { serve: { [flag.replaceAll('-', '_')]: value } };
    const row = rowOf(settle(inFile).rows, flag);
    assert.deepEqual([row.source, row.value], ['newel.json', value]);
  }
});

test('relative paths begin where they are written: the working folder, or the data folder', () => {
  assert.equal(settle({ flags: { guard: 'g' } }).settings.guard, '/home/op/g');
  assert.equal(settle({ env: { NEWEL_GUARD: '../g' } }).settings.guard, '/home/g');
  assert.equal(settle({ serve: { guard: '../g' } }).settings.guard, '/srv/g');
  assert.equal(settle({ serve: { guard: '/mnt/g' } }).settings.guard, '/mnt/g');
});

test('addresses and URLs are parsed strictly', () => {
  assert.deepEqual(settle({ flags: { listen: '[::]:0' } }).settings.listen, { host: '::', port: 0 });
  assert.deepEqual(settle({ flags: { listen: 'localhost:65535' } }).settings.listen.port, 65_535);
  for (const listen of [
    '8080',
    ':8080',
    '127.0.0.1',
    '127.0.0.1:65536',
    '127.0.0.1:080',
    '127.0.0.1:-1',
    '::1:80',
    '[1.2.3.4]:80',
    'a b:80',
    '',
  ]) {
    assert.throws(
      () => settle({ flags: { listen } }),
      { code: 'usage', message: /^--listen is not HOST:PORT, for example 127/ },
      listen,
    );
  }
  assert.equal(
    settle({ flags: { 'public-url': 'https://log.example/a/' } }).settings.publicUrl,
    'https://log.example/a',
  );
  for (const url of [
    'log.example',
    'ftp://log.example',
    'https://u:p@log.example',
    'https://log.example?x',
    'https://log.example#x',
    'https://',
    ' https://log.example',
  ]) {
    assert.throws(() => settle({ flags: { 'public-url': url } }), { code: 'usage' }, url);
  }
});

test('numbers are decimal and in their range, wherever they come from', () => {
  for (const value of ['0', '-1', '+5', '1e3', '0x10', '08', '1000001', '', ' 5', '9007199254740993']) {
    assert.throws(
      () => settle({ flags: { 'max-queue': value } }),
      { code: 'usage', message: /^--max-queue / },
      value,
    );
    assert.throws(
      () => settle({ env: { NEWEL_MAX_QUEUE: value } }),
      { code: 'usage', message: /^NEWEL_MAX_QUEUE / },
      value,
    );
  }
  for (const value of [0, 1.5, -3, Number.MAX_SAFE_INTEGER, '1e3', true, null, [], {}]) {
    const message = /newel\.json: max_queue /;
    assert.throws(
      () => settle({ serve: { max_queue: value } }),
      { code: 'log_refused', message },
      JSON.stringify(value),
    );
  }
  assert.throws(() => settle({ flags: { 'max-queue-bytes': '65534' } }), { code: 'usage', message: /65535/ });
  assert.throws(() => settle({ flags: { 'log-level': 'loud' } }), {
    code: 'usage',
    message: /debug, info, warn, error/,
  });
});

test('a guard in the data folder is refused, whichever place says so; one that only looks like it is not', () => {
  const message = / lies in the data folder \/srv\/log, .*put it outside/;
  for (const guard of ['/srv/log/g', '/srv/log', '/srv/log/..g', '/srv/log/../log/g', '/srv/log/a/../..g']) {
    assert.throws(() => settle({ flags: { guard } }), { code: 'usage', message }, guard);
    assert.throws(() => settle({ env: { NEWEL_GUARD: guard } }), { code: 'usage', message }, guard);
    assert.throws(() => settle({ serve: { guard } }), { code: 'log_refused', message }, guard);
  }
  for (const guard of ['/srv/log.guard', '/srv/logs', '/srv/..g', '/srv/log/../g', '/mnt/log/g']) {
    assert.equal(settle({ flags: { guard } }).settings.guard, guard.replace('/log/..', ''), guard);
  }
});

test('no publication may come so late that the promise of max_publish_delay cannot be kept', () => {
  assert.equal(settle({ flags: { 'publish-interval-ms': '30000' } }).settings.publishIntervalMs, 30_000);
  assert.throws(() => settle({ flags: { 'publish-interval-ms': '30001' } }), {
    code: 'usage',
    message: '--publish-interval-ms is not from 10 to 30000',
  });
});

test('a member of serve that is not known is refused by its name', () => {
  assert.throws(() => settle({ serve: { maxQueue: 5 } }), {
    code: 'log_refused',
    message: /unknown member "maxQueue".*max_queue/,
  });
  assert.throws(() => settle({ serve: { accept_clock: true } }), {
    code: 'log_refused',
    message: /"accept_clock"/,
  });
});
