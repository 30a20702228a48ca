import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type FolderConfig,
  folderState,
  formatFolderConfig,
  parseFolderConfig,
  readFolder,
} from '../../src/cli/folder.ts';
import { oidcConfig } from '../support/issuer.ts';
import { tempFolder } from '../support/temp-folder.ts';

const CONFIG: FolderConfig = {
  kind: 'opaque',
  origin: 'log.example/test',
  instance: '0123456789abcdef'.repeat(2),
  url: 'https://log.example/test',
  serve: { max_queue: 5 },
};

test('newel.json is read back as it was written', () => {
  assert.deepEqual(parseFolderConfig(formatFolderConfig(CONFIG), 'newel.json'), CONFIG);
  const { url: _, ...without } = CONFIG;
  assert.deepEqual(parseFolderConfig(formatFolderConfig(without), 'newel.json'), without);
  const withIssuer = { ...CONFIG, oidc: oidcConfig() };
  assert.deepEqual(parseFolderConfig(formatFolderConfig(withIssuer), 'newel.json'), withIssuer);
});

test('whatever is not exactly a newel.json is refused, saying what to do', () => {
  const good: unknown = JSON.parse(formatFolderConfig(CONFIG));
  assert.ok(typeof good === 'object');
  const flawed: readonly [string, unknown, RegExp][] = [
    ['an array', [], /is not a JSON object/],
    [
      'the next format',
      { ...good, format: 2 },
      /has format 2, and this newel reads format 1: see UPGRADING\.md/,
    ],
    ['no format', { ...good, format: undefined }, /has no format number/],
    ['a format in quotes', { ...good, format: '1' }, /has no format number/],
    ['an unknown member', { ...good, guard: 'x' }, /unknown member "guard"/],
    ['an unknown kind', { ...good, kind: 'blob' }, /has a kind/],
    ['an event log without issuer', { ...good, kind: 'events' }, /has no issuer/],
    ['an issuer that is no https URL', { ...good, kind: 'events', issuer: 'http://x' }, /has no issuer/],
    ['an issuer of an opaque log', { ...good, issuer: 'https://x.example' }, /has an issuer/],
    ['no origin', { ...good, origin: undefined }, /has no origin/],
    ['an origin with a space', { ...good, origin: 'a b' }, /has an origin that is not one/],
    ['a short instance', { ...good, instance: 'ab' }, /has no instance/],
    ['a url that is a number', { ...good, url: 8080 }, /has a url/],
    ['no serve', { ...good, serve: undefined }, /has no object serve/],
    ['a list as serve', { ...good, serve: [] }, /has no object serve/],
    ['an issuer that is none', { ...good, oidc: {} }, /newel\.json: oidc has no issuer .*put it right/],
  ];
  for (const [what, value, message] of flawed) {
    assert.throws(
      () => parseFolderConfig(JSON.stringify(value), 'newel.json'),
      { code: 'log_refused', message },
      what,
    );
  }
  assert.throws(() => parseFolderConfig('{"format":1', 'newel.json'), {
    code: 'log_refused',
    message: /is not JSON/,
  });
});

test('a folder is told by what is in it', async (t) => {
  const dir = await tempFolder(t);
  const at = (name: string): string => join(dir, name);
  assert.equal(await folderState(at('nothing')), 'absent');
  await mkdir(at('empty'));
  assert.equal(await folderState(at('empty')), 'absent');
  await mkdir(at('other'));
  await writeFile(join(at('other'), 'letter.txt'), 'x');
  assert.equal(await folderState(at('other')), 'other');
  await mkdir(at('begun'));
  await writeFile(join(at('begun'), 'newel.json.unfinished'), '{}');
  assert.equal(await folderState(at('begun')), 'unfinished');
  await mkdir(at('log'));
  await writeFile(join(at('log'), 'newel.json'), '{}');
  assert.equal(await folderState(at('log')), 'log');

  await assert.rejects(readFolder(at('nothing')), {
    code: 'log_missing',
    message: /there is no log at .*newel init/,
  });
  await assert.rejects(readFolder(at('other')), { code: 'log_missing', message: /no newel\.json/ });
  await assert.rejects(readFolder(at('begun')), {
    code: 'log_refused',
    message: /init of .* was interrupted.*begun\.guard/,
  });
});
