import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  createToken,
  createTokenList,
  formatTokenList,
  listTokens,
  parseTokenList,
  revokeToken,
  type TokenRecord,
} from '../../src/access/token-list.ts';
import { hashToken } from '../../src/access/token.ts';
import { tempFolder } from '../support/temp-folder.ts';

const NOW_MS = Date.UTC(2026, 10, 20, 12);

const RECORD = {
  name: 'bank-app',
  role: 'submit',
  sources: ['app.bank.example'],
  hash: 'ab'.repeat(32),
  created: '2026-11-20T12:00:00.000Z',
};

test('a list is read back as it was written', () => {
  const tokens: TokenRecord[] = [
    { name: 'a', role: 'submit', sources: ['s', 't'], hash: '00'.repeat(32), createdMs: NOW_MS },
    {
      name: 'b',
      role: 'audit',
      sources: [],
      hash: '11'.repeat(32),
      createdMs: NOW_MS,
      expiresMs: NOW_MS + 1,
    },
    { name: 'c', role: 'admin', sources: [], hash: '22'.repeat(32), createdMs: NOW_MS, rate: 200 },
  ];
  const text = formatTokenList(tokens);
  assert.deepEqual(parseTokenList(text), tokens);
  assert.equal(formatTokenList(parseTokenList(text)), text);
  assert.deepEqual(parseTokenList('[]'), []);
});

test('sources of a token that may not submit are read, as earlier lists have them', () => {
  for (const role of ['audit', 'admin'] as const) {
    const [token] = parseTokenList(JSON.stringify([{ ...RECORD, role }]));
    assert.deepEqual([token?.role, token?.sources], [role, RECORD.sources]);
    assert.deepEqual(parseTokenList(JSON.stringify([{ ...RECORD, role, sources: [] }]))[0]?.sources, []);
  }
});

test('whatever is not exactly a list of tokens is refused, saying where', () => {
  const flawed: readonly [string, unknown, RegExp][] = [
    ['no array', { tokens: [] }, /not a JSON array/],
    ['an item that is no object', ['x'], /token 1 is not an object/],
    [
      'an unknown member',
      [{ ...RECORD, expire: '2026-11-20T12:00:00.000Z' }],
      /token 1 has an unknown member "expire"/,
    ],
    ['no name', [{ ...RECORD, name: undefined }], /token 1 has a name/],
    ['a name with a space', [{ ...RECORD, name: 'a b' }], /token 1 has a name/],
    ['a name with a newline', [{ ...RECORD, name: 'a\n' }], /token 1 has a name/],
    ['an unknown role', [{ ...RECORD, role: 'root' }], /token 1 has a role/],
    ['sources that are text', [{ ...RECORD, sources: 'app' }], /token 1 has sources/],
    ['an empty source', [{ ...RECORD, sources: [''] }], /token 1 has sources/],
    ['a source with a space', [{ ...RECORD, sources: ['a b'] }], /token 1 has sources/],
    [
      'the source of the log',
      [{ ...RECORD, sources: ['a', 'newel:log'] }],
      /token 1 has a source that begins/,
    ],
    ['one like it', [{ ...RECORD, role: 'audit', sources: ['NEWEL:x'] }], /token 1 has a source that begins/],
    ['a rate of nothing', [{ ...RECORD, rate: 0 }], /token 1 has a rate/],
    ['a rate that is text', [{ ...RECORD, rate: '5' }], /token 1 has a rate/],
    ['half a rate', [{ ...RECORD, rate: 0.5 }], /token 1 has a rate/],
    ['a rate without end', [{ ...RECORD, rate: 1_000_001 }], /token 1 has a rate/],
    ['no source to submit for', [{ ...RECORD, sources: [] }], /token 1 may submit/],
    ['a short hash', [{ ...RECORD, hash: 'ab' }], /token 1 has a hash/],
    ['an upper-case hash', [{ ...RECORD, hash: 'AB'.repeat(32) }], /token 1 has a hash/],
    ['a time in another form', [{ ...RECORD, created: '2026-11-20' }], /token 1 has a created time/],
    [
      'a time that is none',
      [{ ...RECORD, expires: '2026-13-40T12:00:00.000Z' }],
      /token 1 has an expires time/,
    ],
    ['expires: null', [{ ...RECORD, expires: null }], /token 1 has an expires time/],
    [
      'one name twice',
      [RECORD, { ...RECORD, hash: 'cd'.repeat(32) }],
      /token 2 has the name of an earlier one/,
    ],
    ['one hash twice', [RECORD, { ...RECORD, name: 'other' }], /token 2 has the hash of an earlier one/],
  ];
  for (const [what, value, message] of flawed) {
    assert.throws(() => parseTokenList(JSON.stringify(value)), { code: 'malformed', message }, what);
  }
  assert.throws(() => parseTokenList('[{'), { code: 'malformed', message: /not JSON/ });
  const many = Array.from({ length: 10_001 }, (_, i) => ({ ...RECORD, name: `n${i}` }));
  assert.throws(() => parseTokenList(JSON.stringify(many)), { code: 'too_large' });
});

async function newList(t: TestContext): Promise<string> {
  const path = join(await tempFolder(t), 'tokens.json');
  await createTokenList(path);
  return path;
}

test('a token is made once, kept as its hash alone in a file for its owner, and revoked by its name', async (t) => {
  const path = await newList(t);
  const token = await createToken(path, { name: 'app', role: 'submit', sources: ['s'], nowMs: NOW_MS });
  const text = await readFile(path, 'utf8');
  assert.ok(!text.includes(token.slice(6)));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await listTokens(path), [
    { name: 'app', role: 'submit', sources: ['s'], hash: hashToken(token), createdMs: NOW_MS },
  ]);

  await assert.rejects(createToken(path, { name: 'app', role: 'audit', sources: [], nowMs: NOW_MS }), {
    code: 'usage',
    message: /there is a token named app/,
  });
  await assert.rejects(createToken(path, { name: 'a b', role: 'audit', sources: [], nowMs: NOW_MS }), {
    code: 'usage',
    message: /has a name/,
  });
  assert.equal(await readFile(path, 'utf8'), text);

  await revokeToken(path, 'app');
  assert.deepEqual(await listTokens(path), []);
  await assert.rejects(revokeToken(path, 'app'), { code: 'not_found' });
  assert.deepEqual(await readdir(join(path, '..')), ['tokens.json']);
});

test('edits at the same time all come to be', async (t) => {
  const path = await newList(t);
  const names = Array.from({ length: 8 }, (_, i) => `app${i}`);
  await Promise.all(
    names.map((name) => createToken(path, { name, role: 'submit', sources: ['s'], nowMs: NOW_MS })),
  );
  assert.deepEqual((await listTokens(path)).map(({ name }) => name).toSorted(), names);
});

test('a broken list is not edited', async (t) => {
  const path = await newList(t);
  await writeFile(path, '[{"name":');
  const input = { name: 'app', role: 'submit', sources: ['s'], nowMs: NOW_MS } as const;
  await assert.rejects(createToken(path, input), { code: 'malformed', message: /tokens\.json: not JSON/ });
  assert.equal(await readFile(path, 'utf8'), '[{"name":');
  assert.deepEqual(await readdir(join(path, '..')), ['tokens.json']);
});

test('a list is made only where there is none', async (t) => {
  const path = await newList(t);
  await assert.rejects(createTokenList(path), { code: 'log_exists' });
});
