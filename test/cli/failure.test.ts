/** What other people name moves no cursor and sets no colour, wherever a failure prints it. */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sayFailure } from '../../src/cli/failure.ts';
import { EventInvalidError, NewelError } from '../../src/errors.ts';
import { runCli } from '../support/cli.ts';
import { newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const HOSTILE = 'y\u001b[31mRED\u009b0m\u202e.json';
const ACTED_ON = /(?!\n)[\p{Cc}\p{Cf}]/u;

function said(json: boolean, error: unknown, where?: string): string {
  let text = '';
  const output = { write: (part: string) => void (text += part), isTerminal: false };
  const terminal = { input: [], out: output, err: output, env: {}, cwd: '/' };
  sayFailure(terminal, json, error, where === undefined ? {} : { where });
  return text;
}

test('neither a place, nor a message, nor a stack is printed raw', () => {
  const system = Object.assign(new Error(`ENOENT: no such file, open '${HOSTILE}'`), { syscall: 'open' });
  const errors = [
    new NewelError('malformed', `${HOSTILE} is not JSON`),
    new NewelError('unreachable', 'it cannot be read', { cause: system }),
    new EventInvalidError([{ pointer: `/${HOSTILE}`, detail: HOSTILE }]),
    system,
    new TypeError(HOSTILE),
    HOSTILE,
  ];
  for (const error of errors) {
    for (const json of [false, true]) {
      const text = said(json, error, HOSTILE);
      assert.doesNotMatch(text, ACTED_ON);
      assert.match(text, json ? /y\\u001b\[31mRED/ : /y\\u\{1b\}\[31mRED/);
    }
  }
  assert.match(
    said(false, new TypeError('bug')),
    /^newel: TypeError: bug\n {4}at /,
    'a stack keeps its lines',
  );
});

test('a file with escapes in its name is told without them', async (t) => {
  const cwd = await tempFolder(t);
  const { dir } = await newDiskLog(cwd, 'log', { kind: 'events' });
  const served = await serveDiskLog(t, dir);
  await served.published(1);
  assert.equal((await runCli(['trust', 'pin', served.url], { cwd })).code, 0);
  await writeFile(join(cwd, HOSTILE), '{}');
  for (const args of [
    ['verify', HOSTILE, '--trust', 'log.json'],
    ['verify', `no-${HOSTILE}`, '--trust', 'log.json'],
    ['receipt', 'show', HOSTILE, '--trust', 'log.json'],
    ['verify', 'x', '--trust', HOSTILE],
    ['submit', HOSTILE, '--url', served.url, '--token-file', HOSTILE],
  ]) {
    for (const more of [[], ['--json']]) {
      const { code, out, err } = await runCli([...args, ...more], { cwd });
      assert.notEqual(code, 0, args.join(' '));
      assert.doesNotMatch(out + err, ACTED_ON);
      assert.match(out + err, /RED/);
    }
  }
});
