/** The scripts of `spec/http`, against the app and against a real socket. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { runScript, type Stage } from '../support/http-script.ts';
import { sendToApp, sendToPort } from '../support/http-target.ts';
import { openTestSite, type TestSite } from '../support/test-site.ts';

const FOLDER = fileURLToPath(new URL('../../spec/http', import.meta.url));
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

test('there are scripts', () => {
  assert.ok(files.length >= 5);
});

for (const name of files) {
  for (const socket of [false, true]) {
    test(`${name}, ${socket ? 'over a socket' : 'app.request()'}`, async (t) => {
      let opened: TestSite | undefined;
      let listening: Listening | undefined;
      const current = (): TestSite => opened ?? assert.fail('no log is open');
      const stage: Stage = {
        async open(entries) {
          await opened?.test.log.close();
          opened = await openTestSite({ entries });
          if (!socket) return sendToApp(opened.app);
          listening ??= await listen({ host: '127.0.0.1', port: 0 });
          listening.serve(opened.app);
          return sendToPort(listening.port);
        },
        append: async (text) => void (await current().test.append(encodeUtf8(text))),
        publish: () => current().test.publish(),
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
