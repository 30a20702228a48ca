import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { PlayedLog } from '../support/played-log.ts';
import { runCli } from '../support/cli.ts';
import { serveLoopback } from '../support/loopback-server.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('the URL is --url, else NEWEL_URL, else that of --trust, else that of client.json: nothing goes to another log', async (t) => {
  const cwd = await tempFolder(t);
  const asked: string[] = [];
  const urlOf = (name: string): Promise<string> =>
    serveLoopback(t, (request, response) => {
      asked.push(`${name} ${request.url}`);
      response.writeHead(503).end();
    });
  const [flag, env, pinned, dev] = await Promise.all(['flag', 'env', 'pinned', 'dev'].map(urlOf));
  const ofDev = { ...new PlayedLog(1, 'log.example/dev').trustFile(), url: dev };
  await mkdir(join(cwd, 'data'));
  await writeFile(
    join(cwd, 'data/client.json'),
    JSON.stringify({ url: dev, token: 'newel_dev', trust: ofDev }),
  );
  await writeFile(join(cwd, 'log.json'), JSON.stringify({ ...new PlayedLog(1).trustFile(), url: pinned }));
  await writeFile(join(cwd, 'bad.json'), JSON.stringify({ ...new PlayedLog(1).trustFile(), url: 'nowhere' }));
  const first = async (
    args: readonly string[],
    environment: Record<string, string> = {},
  ): Promise<string> => {
    asked.length = 0;
    const { code, err } = await runCli(['head', ...args], { cwd, env: environment });
    assert.notEqual(code, 0);
    return asked[0] ?? err;
  };
  const withTrust = ['--trust', 'log.json'];
  assert.equal(await first([...withTrust, '--url', flag!], { NEWEL_URL: env! }), 'flag /checkpoint');
  assert.equal(await first(withTrust, { NEWEL_URL: env! }), 'env /checkpoint');
  assert.equal(await first(withTrust), 'pinned /checkpoint');
  assert.equal(await first([]), 'dev /checkpoint');
  assert.match(
    await first(['--trust', 'bad.json']),
    /^newel: url in .*bad\.json is not an http or https URL/,
  );
});
