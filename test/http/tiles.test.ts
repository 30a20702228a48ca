import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openTree } from '../../src/client/tree.ts';
import { newTiles, TILE_WIDTH } from '../../src/core/tile.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { formatEntries } from '../../src/formats/entry-bundle.ts';
import { formatTilePath, parseTilePath } from '../../src/formats/tile-path.ts';
import { createPublicApp } from '../../src/http/app.ts';
import { pathOf } from '../../src/http/target.ts';
import { ReferenceTree } from '../support/reference-tree.ts';
import { SLOW } from '../support/slow.ts';
import { testEntry } from '../support/test-log.ts';
import { bearer, openTestSite } from '../support/test-site.ts';

const SIZE = 700;
const entries = Array.from({ length: SIZE }, (_, i) => testEntry(i));
const tree = ReferenceTree.ofEntries(entries);

test('every tile and bundle of the tree, at every width, is what the reference has', async () => {
  const { app, test: log } = await openTestSite({ entries: SIZE });
  for (const { level, index, width: widest } of newTiles(0, SIZE)) {
    for (let width = 1; width <= widest; width += width < widest - 1 && width > 3 ? 31 : 1) {
      const first = index * TILE_WIDTH;
      const hashes = Array.from({ length: width }, (_, i) =>
        tree.node({ level: level * 8, index: first + i }),
      );
      const path = formatTilePath({ kind: 'tile', level, index, width });
      const response = await app.request(`/${path}`);
      assert.equal(response.status, 200, path);
      assert.deepEqual(Buffer.from(await response.arrayBuffer()), Buffer.concat(hashes), path);
      if (level > 0) continue;
      const bundle = await app.request(`/${formatTilePath({ kind: 'entries', index, width })}`);
      const wanted = formatEntries(entries.slice(first, first + width));
      assert.deepEqual(new Uint8Array(await bundle.arrayBuffer()), wanted, `entries ${index} of ${width}`);
    }
  }
  await log.log.close();
});

test('a client that trusts only the key reads the tree over these routes', async () => {
  const { app, test: log } = await openTestSite({ entries: SIZE });
  const source = {
    async read(path: string): Promise<Uint8Array | undefined> {
      const response = await app.request(`/${path}`);
      return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
    },
  };
  const note = await source.read('checkpoint');
  const head = openCheckpoint(note!, [log.verifier], log.origin);
  assert.equal(head.size, SIZE);
  assert.deepEqual(head.root, tree.root(SIZE));
  const tiles = await openTree(source, head);
  const nodes = [0, 255, 256, 699].map((index) => ({ level: 0, index }));
  assert.deepEqual(
    await tiles.hashes(SIZE)(nodes),
    nodes.map((node) => tree.node(node)),
  );
  await log.log.close();
});

test('a path with any one character changed, added or removed is answered for what it then is, or 404', async () => {
  const { app, test: log } = await openTestSite({ entries: 300 });
  const paths = ['tile/0/000', 'tile/0/001.p/44', 'tile/1/000.p/1', 'tile/entries/001.p/44'];
  const edit = fc.record({
    path: fc.constantFrom(...paths),
    at: fc.nat({ max: 24 }),
    remove: fc.integer({ min: 0, max: 1 }),
    insert: fc.oneof(
      fc.constantFrom('', '/', '.', '..', '%30', '0', 'x', 'X', '+', '-', ' ', '?', '#', '\\'),
      fc.string({ maxLength: 2 }),
    ),
  });
  const property = fc.asyncProperty(edit, async ({ path, at, remove, insert }) => {
    const target = `/${path.slice(0, at)}${insert}${path.slice(at + remove)}`;
    fc.pre(pathOf(target) !== '/');
    // As `listen` hands it over: what Node read from the wire.
    const env = { incoming: { url: target, headers: {} } };
    const response = await app.request('/', {}, env);
    let isCanonical = true;
    try {
      parseTilePath(target.slice(1));
    } catch {
      isCanonical = false;
    }
    if (response.status === 200) assert.ok(isCanonical, target);
    else assert.equal(response.status, 404, target);
    if (response.status === 404) assert.equal(response.headers.get('Cache-Control'), 'no-store');
  });
  await fc.assert(property, { numRuns: SLOW ? 20_000 : 500 });
  await log.log.close();
});

test('what is in memory is answered in the same turn of the event loop', async () => {
  const { app, test: log } = await openTestSite({ entries: 300 });
  const answer = (target: string): unknown => app.fetch(new Request(`http://test.invalid${target}`));
  for (const target of ['/checkpoint', '/tile/0/001.p/44', '/tile/1/000.p/1']) {
    assert.ok(answer(target) instanceof Response, target);
  }
  // A tile that is not in memory is read once.
  assert.ok(answer('/tile/0/000') instanceof Promise);
  await answer('/tile/0/000');
  assert.ok(answer('/tile/0/000') instanceof Response);
  await log.log.close();
});

test('the entity tag is that of the bytes: the same after a publication of the same head', async () => {
  const { app, test: log } = await openTestSite({ entries: 3 });
  const first = await app.request('/checkpoint');
  const etag = first.headers.get('ETag');
  assert.match(etag ?? '', /^"[0-9a-f]{32}"$/);
  const { timeMs } = log.log.published;
  log.clock.advance(600_000);
  for (let turn = 0; log.log.published.timeMs === timeMs; turn++) {
    assert.ok(turn < 1000, 'nothing was published');
    await new Promise((resolve) => setImmediate(resolve));
  }
  const again = await app.request('/checkpoint');
  assert.equal(again.headers.get('ETag'), etag);
  assert.equal(await again.text(), await first.text());
  await log.append(testEntry(3));
  await log.publish();
  assert.notEqual((await app.request('/checkpoint')).headers.get('ETag'), etag);
  await log.log.close();
});

test('a token is not asked for what strangers may see', async () => {
  const { site, test: log } = await openTestSite({ entries: 3 });
  let asked = 0;
  const mayReadRevealed = (): boolean => {
    asked += 1;
    return true;
  };
  const app = createPublicApp({ ...site, mayReadRevealed });
  await log.append(testEntry(3));
  assert.equal((await app.request('/tile/0/000.p/3', { headers: bearer('audit') })).status, 200);
  assert.equal((await app.request('/tile/0/000.p/5', { headers: bearer('audit') })).status, 404);
  assert.equal(asked, 0);
  assert.equal((await app.request('/tile/0/000.p/4', { headers: bearer('audit') })).status, 200);
  assert.equal(asked, 1);
  assert.equal((await app.request('/tile/0/000.p/4')).status, 404, 'no header, no token');
  assert.equal(asked, 1);
  await log.log.close();
});

test('without a way to know tokens, everyone is a stranger', async () => {
  const { site, test: log } = await openTestSite({ entries: 3 });
  const { mayReadRevealed: _, ...stranger } = site;
  const app = createPublicApp(stranger);
  await log.append(testEntry(3));
  assert.equal((await app.request('/tile/0/000.p/4', { headers: bearer('audit') })).status, 404);
  assert.equal((await app.request('/v1/leaves/3', { headers: bearer('audit') })).status, 404);
  await log.log.close();
});
