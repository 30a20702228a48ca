import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { runCli } from '../support/cli.ts';
import { newDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('config prints each value and where it comes from', async (t) => {
  const cwd = await tempFolder(t);
  const { folder } = await newDiskLog(cwd, 'data');
  const text = await readFile(folder.paths.config, 'utf8');
  await writeFile(
    folder.paths.config,
    text.replace('"serve": {}', '"serve": {"max_round": 17, "log_level": "warn"}'),
  );
  const env = { NEWEL_LISTEN: '127.0.0.1:9', NEWEL_LOG_LEVEL: 'error' };
  const { code, out, err } = await runCli(['config', '--log-level', 'debug'], { cwd, env });
  assert.deepEqual([code, err], [0, '']);
  assert.match(out, /^log-level +debug +--log-level$/m);
  assert.match(out, /^listen +127\.0\.0\.1:9 +NEWEL_LISTEN$/m);
  assert.match(out, /^max-round +17 entries +newel\.json$/m);
  assert.match(out, /^max-queue +8192 entries +default$/m);
  assert.match(out, /^guard +.*data\.guard +default$/m);
  assert.match(out, /^public-url +– +default$/m);
  assert.match(out, /^rate-limit +20000 a second +default$/m);
  assert.match(out, /^oidc +– +default$/m);

  const json = await runCli(['config', '--json'], { cwd, env });
  const shown: unknown = JSON.parse(json.out);
  assert.ok(Array.isArray(shown));
  assert.deepEqual(shown[0], {
    setting: 'listen',
    value: '127.0.0.1:9',
    unit: null,
    source: 'NEWEL_LISTEN',
    env: 'NEWEL_LISTEN',
  });

  const oidc = {
    issuer: 'https://id.example',
    audience: 'https://log.example',
    role_claim: 'roles',
    roles: { auditor: 'audit' },
  };
  await writeFile(
    folder.paths.config,
    text.replace('"serve": {}', `"serve": {}, "oidc": ${JSON.stringify(oidc)}`),
  );
  const jwt = await runCli(['config'], { cwd });
  assert.match(jwt.out, /^oidc +https:\/\/id\.example +newel\.json$/m);
});
