import assert from 'node:assert/strict';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Role } from '../../src/access/principal.ts';
import type { TokensSignal } from '../../src/access/signals.ts';
import { createToken, createTokenList, formatTokenList, revokeToken } from '../../src/access/token-list.ts';
import { hashToken, newToken } from '../../src/access/token.ts';
import { openTokens, type Tokens } from '../../src/access/tokens.ts';
import { tempFolder } from '../support/temp-folder.ts';

const UNAUTHENTICATED = { code: 'unauthenticated' } as const;
const POLL_MS = 1000;

/** Tokens whose file is looked at when `poll` says so. */
class TokensUnderTest {
  nowMs = 1000;
  readonly signals: TokensSignal[] = [];
  readonly path: string;
  readonly #t: TestContext;
  tokens!: Tokens;

  constructor(t: TestContext, path: string) {
    this.#t = t;
    this.path = path;
  }

  static async open(t: TestContext): Promise<TokensUnderTest> {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const under = new TokensUnderTest(t, join(await tempFolder(t), 'tokens.json'));
    await createTokenList(under.path);
    under.tokens = await openTokens(under.path, {
      now: () => under.nowMs,
      pollMs: POLL_MS,
      onSignal: (signal) => under.signals.push(signal),
    });
    t.after(() => under.tokens.close());
    return under;
  }

  add(name: string, role: Role = 'submit', expiresMs?: number): Promise<string> {
    const expiry = expiresMs === undefined ? {} : { expiresMs };
    return createToken(this.path, { name, role, sources: ['s'], nowMs: 0, ...expiry });
  }

  /** Lets polls come, each with time for it to end. */
  async poll(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.#t.mock.timers.tick(POLL_MS);
      // As long as a poll takes that finds nothing new, and some.
      for (let j = 0; j < 3; j++) await stat(import.meta.filename);
    }
  }

  /** Polls until there is one more signal. */
  async signalled(change: () => Promise<unknown>): Promise<TokensSignal> {
    const before = this.signals.length;
    await change();
    for (let polls = 0; this.signals.length === before; polls++) {
      assert.ok(polls < 10_000, 'the change was not seen');
      await this.poll(1);
    }
    return this.signals.at(-1)!;
  }
}

test('a known token tells its bearer, and nothing else does', async (t) => {
  const under = await TokensUnderTest.open(t);
  let token = '';
  await under.signalled(async () => (token = await under.add('app')));
  const { tokens } = under;
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(tokens.authenticate(`Bearer ${token}`), { name: 'app', role: 'submit', sources: ['s'] });
  }
  assert.throws(() => tokens.authenticate(undefined), UNAUTHENTICATED);
  assert.throws(() => tokens.authenticate(`Bearer ${newToken()}`), UNAUTHENTICATED);
  assert.throws(() => tokens.authenticate(`Basic ${token}`), UNAUTHENTICATED);
  assert.throws(() => tokens.authenticate(token), UNAUTHENTICATED);
});

test('no message of a refusal holds what was presented', async (t) => {
  const { tokens } = await TokensUnderTest.open(t);
  const token = newToken();
  for (const header of [`Bearer ${token}`, `Basic ${token}`]) {
    assert.throws(
      () => tokens.authenticate(header),
      (error: Error) => !error.message.includes(token.slice(6)),
    );
  }
});

test('a token ends with its time, though it was seen before', async (t) => {
  const under = await TokensUnderTest.open(t);
  let token = '';
  await under.signalled(async () => (token = await under.add('app', 'audit', 5000)));
  under.nowMs = 4999;
  assert.equal(under.tokens.authenticate(`Bearer ${token}`).role, 'audit');
  under.nowMs = 5000;
  assert.throws(() => under.tokens.authenticate(`Bearer ${token}`), UNAUTHENTICATED);
});

test('a revoked token is refused once the file is another one, though it was seen before', async (t) => {
  const under = await TokensUnderTest.open(t);
  let token = '';
  await under.signalled(async () => (token = await under.add('app')));
  assert.equal(under.tokens.authenticate(`Bearer ${token}`).name, 'app');
  const signal = await under.signalled(() => revokeToken(under.path, 'app'));
  assert.deepEqual(signal, { event: 'tokens_read', tokens: 0 });
  assert.throws(() => under.tokens.authenticate(`Bearer ${token}`), UNAUTHENTICATED);
});

test('a broken or missing file leaves the last good list in force and is told of once', async (t) => {
  const under = await TokensUnderTest.open(t);
  let token = '';
  await under.signalled(async () => (token = await under.add('app')));
  for (const spoil of [() => writeFile(under.path, '[{'), () => rm(under.path)]) {
    const signal = await under.signalled(spoil);
    assert.equal(signal.event, 'tokens_unreadable');
    const told = under.signals.length;
    await under.poll(20);
    assert.equal(under.signals.length, told, 'told of once');
    assert.equal(under.tokens.authenticate(`Bearer ${token}`).name, 'app');
  }
  const signal = await under.signalled(() => createTokenList(under.path));
  assert.deepEqual(signal, { event: 'tokens_read', tokens: 0 });
  assert.throws(() => under.tokens.authenticate(`Bearer ${token}`), UNAUTHENTICATED);
});

test('a list that is missing or broken at the start is a refusal that says so', async (t) => {
  const path = join(await tempFolder(t), 'tokens.json');
  await assert.rejects(openTokens(path), {
    code: 'log_refused',
    message: /tokens\.json: it cannot be read; .*newel token create/,
  });
  await writeFile(path, '{}');
  await assert.rejects(openTokens(path), { code: 'log_refused', message: /not a JSON array/ });
});

test('more callers than the cache holds are all still known', async (t) => {
  const under = await TokensUnderTest.open(t);
  const secrets = Array.from({ length: 20 }, newToken);
  const list = secrets.map((token, i) => ({
    name: `app${i}`,
    role: 'submit' as const,
    sources: ['s'],
    hash: hashToken(token),
    createdMs: 0,
  }));
  await under.signalled(() => writeFile(under.path, formatTokenList(list)));
  // Spellings of the scheme are the only other headers that a token can have: 64 of them.
  const schemes = Array.from({ length: 64 }, (_, bits) =>
    Array.from('bearer', (letter, i) => ((bits >> i) & 1 ? letter.toUpperCase() : letter)).join(''),
  );
  for (let pass = 0; pass < 2; pass++) {
    secrets.forEach((token, i) => {
      for (const scheme of schemes) {
        assert.equal(under.tokens.authenticate(`${scheme} ${token}`).name, `app${i}`);
      }
    });
  }
});
