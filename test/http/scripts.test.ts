/** The scripts of `spec/http`, against the app and against a real socket. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { runScript, type Stage } from '../support/http-script.ts';
import { type Send, sendToApp, sendToPort } from '../support/http-target.ts';
import { openTestSite, type TestSite } from '../support/test-site.ts';
import { erasuresDone } from '../support/test-vault.ts';

const FOLDER = fileURLToPath(new URL('../../spec/http', import.meta.url));
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

test('there are scripts', () => {
  assert.ok(files.length >= 5);
});

test('a script whose expectation is false fails', async (t) => {
  const { app, test: log } = await openTestSite({ entries: 2 });
  const stage: Stage = {
    open: async () => sendToApp(app),
    openEvents: async () => sendToApp(app),
    append: async () => {},
    publish: async () => {},
    erased: async () => {},
  };
  const run = (...lines: string[]): Promise<void> => {
    const text = ['@log 2', '== an exchange', '> GET /v1/leaves', ...lines].join('\n');
    return runScript(text, stage, { socket: false, describe: (_title, exchange) => exchange() });
  };
  const truths = ['< 200', '< Content-Type: application/json', '< Set-Cookie: -', '<< contains leaf_input'];
  await run(...truths, '<< member next = null', '<< items items = 2', '<< keep n = member tree_size');
  const lies = [
    '< Content-Type: text/plain',
    '< Content-Type: -',
    '< Set-Cookie: *',
    '<< is "{}"',
    '<< contains leaf_output',
    '<< lacks leaf_input',
    '<< bytes 0',
    '<< member next = 2',
    '<< member absent = null',
    '<< items items = 3',
    '<< keep n = header Set-Cookie',
    '<< contains {{unknown}}',
    '<< resembles this',
    'no part of a script',
  ];
  for (const lie of lies) await t.test(lie, () => assert.rejects(run(...truths, lie)));
  await assert.rejects(run('< 201', '<< contains leaf_input'));
  await assert.rejects(run('< 200'), /checks more than its status/);
  await log.log.close();
});

for (const name of files) {
  for (const socket of [false, true]) {
    test(`${name}, ${socket ? 'over a socket' : 'app.request()'}`, async (t) => {
      let opened: TestSite | undefined;
      let listening: Listening | undefined;
      const current = (): TestSite => opened ?? assert.fail('no log is open');
      const show = async (next: TestSite): Promise<Send> => {
        await opened?.test.log.close();
        opened = next;
        if (!socket) return sendToApp(opened.app);
        listening ??= await listen({ host: '127.0.0.1', port: 0 });
        listening.serve(opened.app);
        return sendToPort(listening.port);
      };
      const stage: Stage = {
        open: async (entries) => show(await openTestSite({ entries })),
        openEvents: async () => show(await openTestSite({ kind: 'events', vault: { compactDelayMs: 0 } })),
        append: async (text) => void (await current().test.append(encodeUtf8(text))),
        publish: () => current().test.publish(),
        erased: () => erasuresDone(current().vault!.vault),
      };
      const text = readFileSync(join(FOLDER, name), 'utf8');
      try {
        await runScript(text, stage, { socket, describe: (title, run) => t.test(title, run) });
        assert.deepEqual(current().errors, []);
      } finally {
        await listening?.close(1000);
        await opened?.test.log.close();
      }
    });
  }
}
