import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { runCli } from '../support/cli.ts';

const HERE = { cwd: tmpdir() };
const COMMANDS = [
  'dev',
  'init',
  'serve',
  'token',
  'config',
  'submit',
  'receipt',
  'verify',
  'disclose',
  'erase',
  'trust',
  'head',
  'consistency',
  'fsck',
];

test('--help lists every command, and each has a help of its own with its options', async () => {
  const overview = await runCli(['--help'], HERE);
  assert.equal(overview.code, 0);
  for (const name of COMMANDS) {
    assert.match(overview.out, new RegExp(`^  ${name} {2,}\\S`, 'm'));
    const help = await runCli([name, '--help'], HERE);
    assert.equal(help.code, 0);
    assert.match(help.out, new RegExp(`^  newel ${name}`, 'm'));
    assert.match(help.out, /^ {2}--json {2,}\S/m);
    assert.equal(help.err, '');
  }
  assert.deepEqual((await runCli(['help'], HERE)).out, overview.out);
});

test('--version is that of package.json', async () => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const [, version = ''] = /"version": "([^"]+)"/.exec(text) ?? [];
  assert.deepEqual(await runCli(['--version'], HERE), { code: 0, out: `newel ${version}\n`, err: '' });
});

test('wrong usage exits with 2 and says what is wrong, on stderr alone', async () => {
  const wrong: readonly [string[], RegExp][] = [
    [[], /COMMAND --help/],
    [['sreve'], /no command "sreve"/],
    [['head', '--nope'], /Unknown option '--nope'/],
    [['head', '--url'], /--url/],
    [['head', '--url', 'a', '--url', 'b'], /--url is given twice/],
    [['head', 'x'], /too many arguments/],
    [['head', '--json=yes'], /--json/],
    [['consistency'], /an argument is missing/],
    [['init', '--origin', 'log.example'], /--data is needed/],
    [['init', '--data', 'd'], /--origin is needed/],
    [['init', '--data', 'd', '--origin', 'log.example', '--kind', 'x'], /--kind/],
    [['init', '--data', 'd', '--origin', 'a+b'], /the origin holds a plus/],
    [['init', '--data', 'd', '--origin', 'https://log.example'], /the origin has a scheme/],
    [
      ['init', '--data', 'd', '--origin', 'log.example', '--public-url', 'log.example'],
      /--public-url is not an http/,
    ],
    [['token', 'make', 'x'], /create, list or revoke/],
    [['token', 'create'], /which token/],
    [['token', 'create', 'x', '--role', 'root'], /--role is submit, audit or admin/],
    [['token', 'create', 'x', '--role', 'submit'], /at least one --source/],
    [
      ['token', 'create', 'x', '--role', 'submit', '--source', 's', '--expires', '90'],
      /--expires is not like 90d/,
    ],
    [['token', 'list', 'x'], /list takes no name/],
    [['fsck', '--data', 'd', '--url', 'http://127.0.0.1:1'], /either --data or --url/],
    [['head', '--url', 'nowhere'], /--url is not an http/],
    [['head'], /which log\?/],
  ];
  for (const [args, message] of wrong) {
    const { code, out, err } = await runCli(args, HERE);
    assert.equal(code, 2, `${args.join(' ')}: ${err}`);
    assert.match(err, message);
    assert.equal(out, '');
  }
});

test('with --json an error is JSON too', async () => {
  const { code, err } = await runCli(['serve', '--data', '/nowhere/at/all', '--json'], HERE);
  assert.equal(code, 1);
  const said: unknown = JSON.parse(err);
  assert.ok(typeof said === 'object' && said !== null && 'error' in said);
  assert.deepEqual(Object.keys(said.error ?? {}), ['code', 'message']);
  assert.match(JSON.stringify(said), /"code":"log_missing"/);
});

test('colour is only for a terminal, and not with NO_COLOR', async () => {
  const coloured = async (isTerminal: boolean, env: Record<string, string>): Promise<boolean> =>
    (await runCli(['head', '--nope'], { ...HERE, isTerminal, env })).err.includes('\u001b[');
  assert.equal(await coloured(true, {}), true);
  assert.equal(await coloured(false, {}), false);
  assert.equal(await coloured(true, { NO_COLOR: '1' }), false);
  assert.equal(await coloured(true, { TERM: 'dumb' }), false);
});
