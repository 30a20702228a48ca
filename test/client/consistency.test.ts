import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, describe, test } from 'node:test';
import { followHeads, InconsistentHeadsError, type KnownHead } from '../../src/client/consistency.ts';
import { Newel } from '../../src/client/newel.ts';
import type { LogSource } from '../../src/client/source.ts';
import type { OpenedCheckpoint } from '../../src/client/tree.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { verifyConsistency } from '../../src/core/proof.ts';
import { NewelError } from '../../src/errors.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { storeSource } from '../../src/log/store-source.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

/** The public files of a log, which may be another one from one reading to the next. */
class Switch implements LogSource {
  now: LogSource;
  readings = 0;

  constructor(first: LogSource) {
    this.now = first;
  }

  read(path: string): Promise<Uint8Array | undefined> {
    if (path === 'checkpoint') this.readings++;
    return this.now.read(path);
  }
}

function fileOf({ origin, vkey }: TestLog, maxPublishDelayS = 60): Record<string, unknown> {
  return {
    origin,
    kind: 'opaque',
    url: `https://${origin}`,
    vkeys: [vkey],
    policy: `log ${vkey}\nquorum none\n`,
    limits: { max_publish_delay: maxPublishDelayS },
  };
}

/** What the log shows now, for ever. */
async function frozen(log: TestLog): Promise<LogSource> {
  const checkpoint = await storeSource(log.store).read('checkpoint');
  return { read: async (path) => (path === 'checkpoint' ? checkpoint : storeSource(log.store).read(path)) };
}

interface Follow {
  readonly trust?: Trust;
  readonly from?: KnownHead;
  readonly retries?: number;
  readonly signal?: AbortSignal;
}

function follow(
  t: TestLog,
  source: LogSource,
  options: Follow = {},
): AsyncGenerator<OpenedCheckpoint, never> {
  return followHeads({ source, trust: parseTrust(fileOf(t)), intervalMs: 1, retries: 0, ...options });
}

async function grow(t: TestLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await t.append(testEntry(1000 + i));
  await t.publish();
}

/** A log of the same key and origin, with another history. */
function fork(entries: number): Promise<TestLog> {
  return openTestLog({ entries: Array.from({ length: entries }, (_, i) => encodeUtf8(`forked ${i}`)) });
}

async function sizeOfNext(heads: AsyncGenerator<OpenedCheckpoint, never>): Promise<number> {
  const { value } = await heads.next();
  return value.size;
}

describe('following a log', () => {
  test('shows each larger head once, from the newest on', async () => {
    const t = await openTestLog({ entries: 5 });
    const source = new Switch(storeSource(t.store));
    const heads = follow(t, source);
    assert.equal(await sizeOfNext(heads), 5);
    const next = sizeOfNext(heads);
    while (source.readings < 4) await new Promise((resolve) => setTimeout(resolve, 2));
    await grow(t, 300);
    assert.equal(await next, 305);
    await heads.return(undefined as never);
  });

  test('from a head that was kept shows only what extends it', async () => {
    const t = await openTestLog({ entries: 5 });
    const from = t.log.published;
    await grow(t, 10);
    const heads = follow(t, storeSource(t.store), { from });
    assert.equal(await sizeOfNext(heads), 15);
    const other = await fork(5);
    await assert.rejects(follow(t, storeSource(t.store), { from: other.log.published }).next(), (error) => {
      assert.ok(error instanceof InconsistentHeadsError);
      assert.equal(error.code, 'inconsistent');
      assert.deepEqual([error.older.size, error.newer.size], [5, 15]);
      assert.equal(error.older, other.log.published);
      const { begins, older, newer } = error;
      assert.ok(begins, 'what convicts: the newer tree begins with another one');
      assert.notDeepEqual(begins.root, older.root);
      verifyConsistency(5, 15, begins.root, newer.root, begins.proof);
      return true;
    });
  });

  test('a fork of the same size is found, with both signed heads', async () => {
    const [t, other] = [await openTestLog({ entries: 7 }), await fork(7)];
    const source = new Switch(storeSource(t.store));
    const heads = follow(t, source);
    const { value: first } = await heads.next();
    source.now = storeSource(other.store);
    await assert.rejects(heads.next(), (error) => {
      assert.ok(error instanceof InconsistentHeadsError);
      assert.equal(error.older, first);
      assert.deepEqual(error.older.note, t.log.published.checkpoint);
      assert.deepEqual(error.newer.note, other.log.published.checkpoint);
      return true;
    });
  });

  test('a smaller head of another tree is found too, where its tiles are there', async () => {
    const [t, other] = [await openTestLog({ entries: 7 }), await fork(3)];
    const forked = await frozen(other);
    const source = new Switch(storeSource(t.store));
    const heads = follow(t, source);
    assert.equal(await sizeOfNext(heads), 7);
    source.now = { read: (path) => (path === 'checkpoint' ? forked : storeSource(t.store)).read(path) };
    await assert.rejects(heads.next(), InconsistentHeadsError);
  });

  test('a head that is behind is waited for, and is not shown', async () => {
    const t = await openTestLog({ entries: 5 });
    const behind = await frozen(t);
    await grow(t, 5);
    const source = new Switch(storeSource(t.store));
    const heads = follow(t, source);
    assert.equal(await sizeOfNext(heads), 10);
    source.now = behind;
    const next = sizeOfNext(heads);
    const before = source.readings;
    while (source.readings < before + 4) await new Promise((resolve) => setTimeout(resolve, 2));
    await grow(t, 5);
    source.now = storeSource(t.store);
    assert.equal(await next, 15);
  });

  test('a log that is behind for longer than it may is found', async () => {
    const t = await openTestLog({ entries: 5 });
    const rolledBack = await openTestLog({ entries: 5 });
    await grow(t, 5);
    const source = new Switch(storeSource(t.store));
    const heads = follow(t, source, { trust: parseTrust(fileOf(t, 0.05)) });
    assert.equal(await sizeOfNext(heads), 10);
    // Of the larger tree it has no tiles any more.
    source.now = storeSource(rolledBack.store);
    const startMs = performance.now();
    await assert.rejects(heads.next(), (error) => {
      assert.ok(error instanceof InconsistentHeadsError);
      assert.deepEqual([error.older.size, error.newer.size], [10, 5]);
      return true;
    });
    // A timer may be early by a millisecond.
    assert.ok(performance.now() - startMs >= 45);
  });

  test('passes over as many failed readings as it may, one after another', async () => {
    const t = await openTestLog({ entries: 5 });
    let failures = 2;
    const source: LogSource = {
      async read(path) {
        if (failures-- > 0) throw new NewelError('unreachable', 'no');
        return storeSource(t.store).read(path);
      },
    };
    const heads = follow(t, source, { retries: 2 });
    assert.equal(await sizeOfNext(heads), 5);
    failures = 3;
    await assert.rejects(heads.next(), { code: 'unreachable' });
  });

  test('a checkpoint that is false ends it at once', async () => {
    const t = await openTestLog({ entries: 5 });
    const inner = storeSource(t.store);
    const source: LogSource = {
      async read(path) {
        const bytes = await inner.read(path);
        return path === 'checkpoint' ? bytes!.with(t.origin.length + 1, 0x39) : bytes;
      },
    };
    await assert.rejects(follow(t, source, { retries: 9 }).next(), { code: 'signature_invalid' });
  });

  test('ends with the reason of its signal', async () => {
    const t = await openTestLog({ entries: 5 });
    const controller = new AbortController();
    const heads = follow(t, storeSource(t.store), { signal: controller.signal });
    await heads.next();
    const next = heads.next();
    const reason = new Error('enough');
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(next, reason);
    await assert.rejects(follow(t, storeSource(t.store), { signal: controller.signal }).next(), reason);
  });
});

describe('newel.heads', () => {
  const servers: Server[] = [];
  after(() => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
  });

  /** A client of the log, which is served over HTTP. */
  async function newelOf(
    t: TestLog,
    onToken: (token: string | undefined) => void = () => {},
  ): Promise<Newel> {
    const server = createServer((request, response) => {
      onToken(request.headers.authorization);
      void storeSource(t.store)
        .read(request.url!.slice(1))
        .then((bytes) => response.writeHead(bytes ? 200 : 404).end(bytes));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = `http://127.0.0.1:${address.port}`;
    return new Newel({ url, token: 'newel_x', trust: JSON.stringify(fileOf(t)) });
  }

  test('begins at a checkpoint that was kept, as it was signed', async () => {
    const [t, other] = [await openTestLog({ entries: 5 }), await fork(5)];
    const { checkpoint: kept, root } = t.log.published;
    const { checkpoint: forged } = other.log.published;
    await grow(t, 3);
    const newel = await newelOf(t);
    for (const from of [kept, new TextDecoder().decode(kept), { size: 5, root }]) {
      assert.equal(await sizeOfNext(newel.heads({ from, intervalMs: 1 })), 8);
    }
    await assert.rejects(newel.heads({ from: forged }).next(), (error) => {
      assert.ok(error instanceof InconsistentHeadsError);
      assert.deepEqual(error.older.note, forged);
      assert.deepEqual(error.newer.note, t.log.published.checkpoint);
      return true;
    });
    const spoilt = kept.with(t.origin.length + 1, 0x39);
    assert.throws(() => newel.heads({ from: spoilt }), { code: 'signature_invalid' });
    assert.throws(() => newel.heads({ from: 'none' }), { code: 'malformed' });
  });

  test('follows the log over HTTP, without its token', async () => {
    const t = await openTestLog({ entries: 300 });
    const tokens: unknown[] = [];
    const newel = await newelOf(t, (token) => tokens.push(token));
    const sizes: number[] = [];
    for await (const { size } of newel.heads({ intervalMs: 1 })) {
      sizes.push(size);
      if (sizes.length === 3) break;
      await grow(t, 1);
    }
    assert.deepEqual(sizes, [300, 301, 302]);
    assert.deepEqual(new Set(tokens), new Set([undefined]));
  });
});
