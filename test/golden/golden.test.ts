/** Logs as earlier versions left them, frozen under `spec/golden`: this version opens them and answers the same. */

import assert from 'node:assert/strict';
import { chmod, cp, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { createToken } from '../../src/access/token-list.ts';
import { checkReceipt } from '../../src/client/report.ts';
import { folderPaths } from '../../src/cli/folder.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { runCli } from '../support/cli.ts';
import { serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const GOLDEN = join(import.meta.dirname, '../../spec/golden');
const VERSIONS = await readdir(GOLDEN);

interface GoldenErasure {
  readonly erasure_id: string;
  readonly keys_destroyed_by?: string | null;
}

/** A copy that may be served. Version control keeps no permissions, and keys are for their owner alone. */
async function copyOf(t: TestContext, version: string): Promise<string> {
  const dir = join(await tempFolder(t), version);
  await cp(join(GOLDEN, version), dir, { recursive: true });
  for (const name of await readdir(join(dir, 'log/keys'))) await chmod(join(dir, 'log/keys', name), 0o600);
  await chmod(join(dir, 'log/keys'), 0o700);
  return dir;
}

async function filesIn(dir: string): Promise<{ name: string; text: string }[]> {
  const names = (await readdir(dir)).sort();
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(dir, name), 'utf8') })));
}

test('there is one of each on-disk version, small enough to be kept for ever', async () => {
  assert.deepEqual(VERSIONS, ['v1']);
  const names = await readdir(GOLDEN, { recursive: true });
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(GOLDEN, name))).size));
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) < 1e6);
});

for (const version of VERSIONS) {
  describe(`the golden log ${version}`, () => {
    test('is whole', async (t) => {
      const cwd = await copyOf(t, version);
      const { code, out, err } = await runCli(['fsck', '--data', 'log', '--json'], { cwd });
      assert.equal(code, 0, err);
      assert.equal((JSON.parse(out) as JsonObject)['ok'], true);
    });

    test('answers as it did', async (t) => {
      const dir = await copyOf(t, version);
      const { tokens } = folderPaths(join(dir, 'log'));
      const token = (role: 'audit' | 'admin'): Promise<string> =>
        createToken(tokens, { name: `golden-${role}`, role, sources: [], nowMs: Date.now() });
      const [audit, admin] = [await token('audit'), await token('admin')];
      const { url } = await serveDiskLog(t, join(dir, 'log'), { acceptClock: true });
      const ask = async (path: string, bearer: string): Promise<string> =>
        (await fetch(`${url}${path}`, { headers: { Authorization: `Bearer ${bearer}` } })).text();
      const events = await filesIn(join(dir, 'events'));
      for (const { name, text } of events) {
        assert.equal(await ask(`/v1/events/${name.replace('.json', '')}`, audit), text, name);
      }
      const erased = events.filter(({ text }) => text.includes('"code":"event_erased"'));
      assert.ok(erased.length >= 4 && events.length - erased.length >= 10);
      const erasures = JSON.parse(await readFile(join(dir, 'erasures.json'), 'utf8')) as GoldenErasure[];
      for (const { keys_destroyed_by: _then, ...erasure } of erasures) {
        const path = `/v1/erasures/${erasure.erasure_id}?receipts=true`;
        // Until when old copies opened is another matter today.
        const answer = JSON.parse(await ask(path, admin)) as JsonObject;
        const { keys_destroyed_by: _now, keys_overdue: _late, ...now } = answer;
        assert.deepEqual(now, erasure);
      }
    });

    test('is what its receipts and its evidence pack say, those of erased events too', async (t) => {
      const dir = await copyOf(t, version);
      const trust = await readFile(join(dir, 'log.json'), 'utf8');
      const receipts = await filesIn(join(dir, 'receipts'));
      assert.ok(receipts.length >= 14);
      for (const { name, text } of receipts) {
        const { ok, level, checks } = checkReceipt(text, { trust });
        assert.deepEqual([ok, level], [true, 'signed'], `${name} ${JSON.stringify(checks)}`);
      }
      const pack = ['pack', '--trust', 'log.json', '--audience', 'https://auditor.example'];
      const { code, err } = await runCli(['verify', ...pack, '--nonce', 'golden'], { cwd: dir });
      assert.equal(code, 0, err);
    });
  });
}
