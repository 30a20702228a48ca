import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { listen } from '../../src/http/listen.ts';
import { addGossipRoutes } from '../../src/http/monitor.ts';
import type { AnsweredRequest } from '../../src/http/signals.ts';
import { Hono } from 'hono';
import { type GossipParty, openGossipParty } from '../support/gossip-party.ts';
import { PlayedLog, playedWitness } from '../support/played-log.ts';
import { type PlayedRequest, requestFrom } from '../support/request-from.ts';

const log = new PlayedLog(100);
const forked = log.fork(60).grow(40, 'other');
const WITNESS = playedWitness('witness.example/w1');

async function openParty(): Promise<GossipParty> {
  log.checkpoint = await log.head();
  const party = await openGossipParty(new Map(), 'one', log, [], { witnesses: [WITNESS] });
  await party.poll();
  return party;
}

function post({ app }: GossipParty, body: Uint8Array | string): Promise<Response> {
  return Promise.resolve(
    app.request('/v1/heads', { method: 'POST', body: body as Uint8Array<ArrayBuffer> | string }),
  );
}

function hashOf(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

test('every status has its head', async () => {
  const party = await openParty();
  const good = await log.head(70);
  const cases: [what: string, body: Uint8Array | string, status: number, code?: string][] = [
    ['the same', log.checkpoint!, 200],
    ['an older one', good, 200],
    ['a larger one, of which nobody has the tiles', await log.fork(100).grow(10).head(), 202],
    ['one of another tree', await forked.head(), 409],
    ['a smaller one of another tree', await forked.head(61), 409],
    ['nothing', '', 400, 'malformed'],
    ['no note', 'hello\n', 400, 'malformed'],
    ['no checkpoint', 'hello\n\n— log.example/played AAAAAAAA\n', 400, 'malformed'],
    ['no UTF-8', Uint8Array.of(0xff, 0xfe), 400, 'malformed'],
    ['a head of no leaves that is none', await log.head(0, { root: log.root(5) }), 400, 'malformed'],
    [
      'by nobody that is known',
      await log.head(70, { isUnsigned: true, witnesses: [[playedWitness('w.example/x'), 5]] }),
      403,
      'signer_unknown',
    ],
    [
      'by a witness alone',
      await log.head(70, { isUnsigned: true, witnesses: [[WITNESS, 5]] }),
      403,
      'signer_unknown',
    ],
    ['tampered with', decodeUtf8(good).replace('\n70\n', '\n71\n'), 403, 'signature_invalid'],
    ['of another log', await new PlayedLog(3, 'log.example/else').head(), 404, 'not_found'],
    ['too large', 'x'.repeat(64 * 1024 + 1), 413, 'too_large'],
  ];
  for (const [what, body, status, code] of cases) {
    const response = await post(party, body);
    const text = await response.text();
    assert.equal(response.status, status, `${what}: ${text}`);
    assert.equal(response.headers.get('Cache-Control'), 'no-store', what);
    assert.equal(response.headers.get('X-Content-Type-Options'), 'nosniff', what);
    const type = response.headers.get('Content-Type');
    if (status === 200 || status === 202) {
      assert.equal(type, 'text/plain; charset=utf-8');
      assert.equal(text, decodeUtf8(log.checkpoint!), 'our newest');
    } else if (status === 409) {
      assert.equal(type, 'application/json');
      const { kind, keys } = verifyEvidenceBundle(parseEvidenceBundle(text), { trust: party.trust });
      assert.deepEqual([kind, keys.length], ['fork', 1], 'saved as it is, it convicts');
    } else {
      assert.equal(type, 'application/problem+json');
      const problem = JSON.parse(text) as Record<string, unknown>;
      assert.deepEqual(
        [problem['code'], problem['status'], problem['type']],
        [code, status, 'about:blank'],
        what,
      );
      assert.ok(
        !text.includes('hello') && !text.includes('log.example'),
        'nothing that was received is repeated',
      );
    }
  }
  assert.deepEqual(party.errors, []);
});

test('202 has no body where no head is known', async () => {
  const party = await openGossipParty(new Map(), 'one', log, []);
  const response = await post(party, await log.head(70));
  assert.deepEqual([response.status, await response.text()], [202, '']);
});

test('the newest head is there for whoever asks by the hash of its origin', async () => {
  const party = await openParty();
  const hash = hashOf(log.origin);
  const response = await party.app.request(`/v1/heads/${hash}`);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('Content-Type'), 'text/plain; charset=utf-8');
  assert.equal(response.headers.get('Access-Control-Allow-Origin'), '*');
  assert.equal(await response.text(), decodeUtf8(log.checkpoint!));
  const head = await party.app.request(`/v1/heads/${hash}`, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  for (const [path, status] of [
    [`/v1/heads/${hashOf('log.example/else')}`, 404],
    [`/v1/heads/${hash.toUpperCase()}`, 404],
    [`/v1/heads/${hash.slice(1)}`, 404],
    [`/v1/heads/${hash}?x=1`, 400],
  ] as const) {
    assert.equal((await party.app.request(path)).status, status, path);
  }
  assert.equal((await party.app.request('/v1/heads?x=1', { method: 'POST', body: 'x' })).status, 400);
});

test('429 comes before the body is read, with the seconds to wait', async () => {
  const party = await openParty();
  const postFrom = (address: string): Promise<Response> => {
    const { incoming, response } = requestFrom(party.app, address, '/v1/heads');
    incoming.end('x');
    return response;
  };
  const sendFrom = async (address: string, count: number): Promise<Response[]> => {
    const refused: Response[] = [];
    for (let i = 0; i < count; i++) {
      const response = await postFrom(address);
      if (response.status === 429) refused.push(response);
    }
    return refused;
  };
  const [refused] = await sendFrom('203.0.113.7', 100);
  assert.ok(refused);
  assert.equal((await postFrom('198.51.100.1')).status, 400, 'another network has a rate of its own');
  assert.deepEqual(await sendFrom('127.0.0.1', 100), [], 'behind a proxy there are many');
  assert.ok((await sendFrom('10.0.0.1', 200)).length > 0, 'and all together have a rate');
  assert.equal(refused.headers.get('Retry-After'), '1');
  assert.equal(((await refused.json()) as { code: string }).code, 'rate_limited');
  assert.equal(
    (await party.app.request(`/v1/heads/${hashOf(log.origin)}`)).status,
    200,
    'reading costs nothing',
  );
});

test('what is our fault is told to the operator, and to nobody else', async () => {
  const party = await openParty();
  const errors: unknown[] = [];
  const requests: AnsweredRequest[] = [];
  const app = new Hono();
  const thrown = new TypeError('secret path');
  const heads = Object.assign(Object.create(party.heads) as typeof party.heads, {
    admit: () => 'x',
    takePosted: () => Promise.reject(thrown),
  });
  addGossipRoutes(app, {
    heads,
    onError: (error) => errors.push(error),
    onRequest: (request) => requests.push(request),
  });
  const response = await app.request('/v1/heads', { method: 'POST', body: 'x' });
  assert.equal(response.status, 500);
  assert.ok(!(await response.text()).includes('secret'));
  assert.deepEqual(errors, [thrown]);
  assert.deepEqual(
    requests.map(({ method, route, status }) => [method, route, status]),
    [['POST', '/v1/heads', 500]],
  );
});

test('the heads of one network leave room for those of others, begun or whole', async () => {
  const party = await openParty();
  const held: (() => void)[] = [];
  let isHeld = true;
  const heads = Object.assign(Object.create(party.heads) as typeof party.heads, {
    admit: () => 'x',
    takePosted: async (note: Uint8Array) => {
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
      return party.heads.takePosted(note, 'x');
    },
  });
  const app = new Hono();
  addGossipRoutes(app, { heads, onError: (error) => party.errors.push(error) });
  const begin = (address: string): PlayedRequest => requestFrom(app, address, '/v1/heads');
  const send = ({ incoming, response }: PlayedRequest): Promise<Response> => {
    incoming.end(log.checkpoint!);
    return response;
  };
  const idle = Array.from({ length: 300 }, (_, i) => begin(`203.0.113.${i % 256}`));
  for (const { response } of idle.slice(0, 236)) assert.equal((await response).status, 503, 'cut off');
  const whole = Array.from({ length: 64 }, () => send(begin('203.0.113.7')));
  while (held.length < 64) await new Promise((resolve) => setImmediate(resolve));
  const refused = await send(begin('203.0.113.7'));
  assert.deepEqual([refused.status, refused.headers.get('Retry-After')], [503, '10']);
  assert.equal(((await refused.json()) as { code: string }).code, 'queue_full');
  isHeld = false;
  assert.equal((await send(begin('198.51.100.1'))).status, 200, 'another network');
  for (const end of held) end();
  assert.deepEqual(new Set((await Promise.all(whole)).map(({ status }) => status)), new Set([200]));
  assert.equal((await send(begin('203.0.113.7'))).status, 200, 'its places are given back');
  for (const { incoming } of idle) incoming.destroy();
  for (const { response } of idle.slice(236)) {
    const { status } = await response;
    assert.ok(status === 503 || status === 400);
  }
  assert.deepEqual(party.errors, []);
});

test('over a socket: a body that is too large is refused by what it says, and as it arrives', async (t: TestContext) => {
  const party = await openParty();
  const socket = await listen({ host: '127.0.0.1', port: 0 });
  t.after(() => socket.close(0));
  socket.serve(party.app);
  const url = `${socket.url}/v1/heads`;
  const good = await fetch(url, { method: 'POST', body: log.checkpoint as Uint8Array<ArrayBuffer> });
  assert.deepEqual([good.status, await good.text()], [200, decodeUtf8(log.checkpoint!)]);
  const declared = await fetch(url, { method: 'POST', body: 'x'.repeat(300 * 1024) });
  assert.equal(declared.status, 413);
  await declared.text();
  let sent = 0;
  const chunks = new ReadableStream<Uint8Array>({
    pull(stream) {
      if (++sent > 16) stream.close();
      else stream.enqueue(encodeUtf8('x'.repeat(32 * 1024)));
    },
  });
  const streamed = await fetch(url, { method: 'POST', body: chunks, duplex: 'half' } as RequestInit);
  assert.equal(streamed.status, 413);
  await streamed.text();
});
