/** The whole matrix of statuses over a real socket, and what never leaves it. */

import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { EMPTY_ROOT } from '../../src/core/hash.ts';
import { proveSubtreeConsistency } from '../../src/core/subtree.ts';
import { formatHex } from '../../src/formats/hex.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { mldsa44Cosigner, subtreeMessage } from '../../src/formats/cosignature.ts';
import {
  ed25519Signer,
  formatNote,
  openNote,
  parseNote,
  parseSignatureLines,
  type Signer,
} from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { createWitnessApp } from '../../src/http/witness.ts';
import { formatSignSubtree } from '../../src/witness/sign-subtree-body.ts';
import { hashOrigin } from '../../src/witness/witness-rows.ts';
import { exchange, openSocket, parseResponse, type RawResponse, sendToPort } from '../support/http-target.ts';
import { type PlayedRequest, requestFrom } from '../support/request-from.ts';
import {
  openTestWitness,
  serveWitness,
  START_MS,
  timeOf,
  verifiedLines,
  verifiersOf,
  WITNESS,
} from '../support/test-witness.ts';
import { until } from '../support/until.ts';
import { type BodyOptions, seedOf, WitnessedLog } from '../support/witnessed-log.ts';

const bank = new WitnessedLog();
const stranger = new WitnessedLog('log.example/stranger');
const SIZE_TYPE = 'text/x.tlog.size';
const TEXT = 'text/plain; charset=utf-8';

type Post = (body: Uint8Array, path?: string) => Promise<RawResponse>;

function posting(port: number): Post {
  const send = sendToPort(port);
  return (body, path = '/add-checkpoint') => send({ method: 'POST', target: path, headers: [], body });
}

const pathOf = (origin: string): string => `/${formatHex(hashOrigin(origin))}/checkpoint`;
const textOf = ({ body }: RawResponse): string => Buffer.from(body).toString();

/** Something else in the place of a log's line that holds: 64 bytes that are no signature. */
const forger: Signer = { name: bank.origin, keyId: bank.vkey.keyId, sign: () => new Uint8Array(64).fill(9) };
const other = ed25519Signer('somebody.else', seedOf('else'));
/** A line that says it is the witness's own. */
const impostor: Signer = { name: WITNESS.name, keyId: 0x01020304, sign: () => new Uint8Array(72).fill(7) };

test('the matrix of add-checkpoint, status by status', async (t) => {
  const { witness, cosigners } = await openTestWitness({ listed: [bank.listed()] });
  const port = await serveWitness(t, { witness });
  const post = posting(port);
  const add = (oldSize: number, size: number, options?: BodyOptions): Promise<RawResponse> =>
    post(bank.body(oldSize, size, options));
  const refused = async (response: Promise<RawResponse>, status: number): Promise<void> => {
    const { headers, body } = await response;
    assert.equal((await response).status, status);
    assert.equal(headers.get('content-type'), TEXT);
    assert.match(Buffer.from(body).toString(), /^[^\n]+\n$/);
  };
  const conflict = async (response: Promise<RawResponse>, size: number): Promise<void> => {
    const { status, headers, body } = await response;
    assert.deepEqual([status, headers.get('content-type')], [409, SIZE_TYPE]);
    assert.equal(Buffer.from(body).toString(), `${size}\n`);
  };
  const cosigned = async (response: Promise<RawResponse>, size: number): Promise<void> => {
    assert.equal((await response).status, 200, textOf(await response));
    assert.equal((await response).headers.get('content-type'), TEXT);
    for (const line of verifiedLines(textOf(await response), bank.text(size), cosigners)) {
      assert.equal(timeOf(line), START_MS / 1000);
    }
  };

  // 404 before anything was cosigned, and for what is not listed.
  assert.equal(
    (await sendToPort(port)({ method: 'GET', target: pathOf(bank.origin), headers: [] })).status,
    404,
  );
  await refused(post(stranger.body(0, 5)), 404);
  // 400: the form, before the origin is looked at.
  for (const body of [
    '',
    'old 0\n',
    'old 0\n\nx',
    `old 0\n\n${bank.text(5)}`,
    `old 0\n\n${bank.text(5)}\n`,
  ]) {
    await refused(post(encodeUtf8(body)), 400);
  }
  const longer = '— log.example/bank AAAAAA==\n';
  await refused(post(encodeUtf8(`old 0\n\n${bank.text(5)}\n${longer}`)), 400);
  await refused(post(encodeUtf8(`old 0\n\n${decodeUtf8(bank.note(5)).replace('\n5\n', '\n05\n')}`)), 400);
  await refused(post(Uint8Array.from([...encodeUtf8('old 0\n\n'), 0xff, ...bank.note(5)])), 400);
  await refused(add(0, 5, { proof: Array.from({ length: 63 }, () => EMPTY_ROOT) }), 422);
  // 403: no signature by a trusted key, a false one, a false one beside a true one.
  await refused(add(0, 5, { signers: [other] }), 403);
  await refused(add(0, 5, { signers: [forger] }), 403);
  const doubled = [
    ...parseNote(bank.note(5)).signatures,
    ...parseNote(bank.note(5, { signers: [forger] })).signatures,
  ];
  const both = formatNote({ text: bank.text(5), signatures: doubled });
  await refused(post(Buffer.concat([encodeUtf8('old 0\n\n'), both])), 403);
  const renamed = decodeUtf8(bank.note(5)).replace(/^5$/m, '6');
  await refused(post(encodeUtf8(`old 0\n\n${renamed}`)), 403);
  // 400 old size larger than the checkpoint's; 403 goes before it.
  await refused(add(6, 5), 400);
  await refused(add(6, 5, { signers: [other] }), 403);
  // 409 where nothing was cosigned yet.
  await conflict(add(3, 5), 0);
  // 422 size 0 with another root; the empty tree itself is cosigned, and again.
  await refused(add(0, 0, { root: bank.root(1) }), 422);
  await cosigned(add(0, 0), 0);
  await cosigned(add(0, 0), 0);
  // 422 a proof from old size 0.
  await refused(add(0, 5, { proof: [bank.root(1)] }), 422);
  await cosigned(add(0, 5), 5);
  // 409: smaller, larger, and the same request again; before 422.
  await conflict(add(0, 5), 5);
  await conflict(add(4, 8), 5);
  await conflict(add(6, 8), 5);
  await conflict(add(0, 8, { proof: [bank.root(1)] }), 5);
  await conflict(add(0, 0), 5);
  // 422: a proof of another tree, none, one too long, one of a fork; equal sizes of other roots, or with a proof.
  await refused(add(5, 8, { proof: bank.proof(4, 8) }), 422);
  await refused(add(5, 8, { proof: [] }), 422);
  await refused(add(5, 8, { proof: [...bank.proof(5, 8), EMPTY_ROOT] }), 422);
  await refused(add(5, 8, { root: EMPTY_ROOT }), 422);
  await refused(add(5, 5, { root: bank.root(4) }), 422);
  await refused(add(5, 5, { proof: [EMPTY_ROOT] }), 422);
  // 200: the same tree, a larger one, and 2^53 − 1 leaves are refused for their proof alone.
  await cosigned(add(5, 5), 5);
  await cosigned(add(5, 300), 300);
  await refused(add(300, Number.MAX_SAFE_INTEGER, { root: EMPTY_ROOT, proof: [EMPTY_ROOT] }), 422);
  // A fork behind what was cosigned.
  await refused(add(300, 301, { isForked: true }), 422);
  await conflict(add(5, 400), 300);

  const { status, headers, body } = await sendToPort(port)({
    method: 'GET',
    target: pathOf(bank.origin),
    headers: [],
  });
  assert.deepEqual([status, headers.get('content-type')], [200, TEXT]);
  assert.equal(headers.get('access-control-allow-origin'), '*');
  const opened = openNote(body, [...verifiersOf(cosigners), bankVerifier()]);
  assert.deepEqual([opened.text, opened.verified.length, opened.unverified.length], [bank.text(300), 3, 0]);
});

function bankVerifier(): { name: string; keyId: number; verify: (m: Uint8Array, s: Uint8Array) => boolean } {
  const line = (message: Uint8Array): Uint8Array => bank.signer.sign(message);
  const { name, keyId } = bank.signer;
  return { name, keyId, verify: (message, signature) => Buffer.from(line(message)).equals(signature) };
}

test('lines of strangers are neither stored nor answered, and a later false one harms nothing', async (t) => {
  const { witness, cosigners } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const port = await serveWitness(t, { witness });
  const post = posting(port);
  const added = await post(bank.body(0, 5, { signers: [other, bank.signer, impostor] }));
  assert.equal(added.status, 200);
  assert.deepEqual(
    parseSignatureLines(textOf(added)).map(({ name, keyId }) => [name, keyId]),
    cosigners.map(({ vkey }) => [vkey.name, vkey.keyId]),
  );
  const served = async (): Promise<string> =>
    textOf(await sendToPort(port)({ method: 'GET', target: pathOf(bank.origin), headers: [] }));
  const note = await served();
  assert.equal(note.split('\n').filter((line) => line.startsWith('— ')).length, 2);
  assert.ok(!note.includes('somebody.else'));
  for (const signers of [[forger], [impostor], [other], [bank.signer, forger]]) {
    const flawed = formatNote({
      text: bank.text(9),
      signatures: signers.map((signer) => ({
        name: signer.name,
        keyId: signer.keyId,
        signature: signer.sign(encodeUtf8(bank.text(9))),
      })),
    });
    const head = Buffer.from(
      `old 5\n${bank
        .proof(5, 9)
        .map((hash) => `${Buffer.from(hash).toString('base64')}\n`)
        .join('')}\n`,
    );
    assert.equal((await post(Buffer.concat([head, flawed]))).status, 403);
    assert.equal(await served(), note);
  }
});

test('extension lines of another log are cosigned as they stand', async (t) => {
  const { witness, cosigners } = await openTestWitness({ listed: [bank.listed()] });
  const post = posting(await serveWitness(t, { witness }));
  const extensions = 'Timestamp: 1679315147\nanother — with what it likes\n';
  const response = await post(bank.body(0, 7, { extensions }));
  assert.equal(response.status, 200, textOf(response));
  verifiedLines(textOf(response), bank.text(7, { extensions }), cosigners);
  const long = await post(bank.body(7, 7, { extensions: `${'x'.repeat(17 * 1024)}\n` }));
  assert.equal(long.status, 413);
});

test('a log may sign with ML-DSA-44, alone or beside Ed25519', async (t) => {
  const seed = seedOf('pq');
  const vkey = newVkey(bank.origin, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seed));
  const cosigner = mldsa44Cosigner(vkey, (message) => nobleMldsa44.sign(seed, message));
  const listed = [`vkey ${formatVkey(vkey)}\n`, bank.listed()];
  const { witness, cosigners } = await openTestWitness({ listed, isQuick: true });
  const post = posting(await serveWitness(t, { witness }));
  const line = await cosigner.cosign(bank.text(4), 1_700_000_000);
  const pqAlone = formatNote({ text: bank.text(4), signatures: [line] });
  const first = await post(Buffer.concat([encodeUtf8('old 0\n\n'), pqAlone]));
  assert.equal(first.status, 200, textOf(first));
  verifiedLines(textOf(first), bank.text(4), cosigners);
  const moved = formatNote({ text: bank.text(9), signatures: [...parseNote(bank.note(9)).signatures, line] });
  assert.equal(
    (await post(Buffer.concat([encodeUtf8('old 4\n\n'), moved]))).status,
    403,
    'its line over another tree',
  );
});

test('the matrix of sign-subtree', async (t) => {
  const { witness, cosigners } = await openTestWitness({ listed: [bank.listed()] });
  const port = await serveWitness(t, { witness });
  const post = posting(port);
  assert.equal((await post(bank.body(0, 14))).status, 200);
  const reference = (await sendToPort(port)({ method: 'GET', target: pathOf(bank.origin), headers: [] }))
    .body;
  const ask = async (
    start: number,
    end: number,
    {
      note = reference,
      hash = bank.tree.range(start, end),
      proof,
    }: { note?: Uint8Array; hash?: Uint8Array; proof?: Uint8Array[] } = {},
  ): Promise<RawResponse> => {
    const path = proof ?? (await proveSubtreeConsistency(start, end, 14, bank.tree.read));
    return post(formatSignSubtree({ start, end, hash, proof: path, checkpoint: note }), '/sign-subtree');
  };
  const [ed25519, mldsa] = cosigners;
  assert.ok(ed25519 && mldsa);
  for (const [start, end] of [
    [8, 13],
    [0, 14],
    [12, 14],
    [3, 4],
    [0, 8],
  ] as const) {
    const response = await ask(start, end);
    assert.equal(response.status, 200, textOf(response));
    const [line, ...rest] = parseSignatureLines(textOf(response));
    assert.ok(line && rest.length === 0);
    assert.deepEqual([line.name, line.keyId, timeOf(line)], [WITNESS.name, mldsa.vkey.keyId, 0]);
    const statement = {
      cosigner: WITNESS.name,
      timestampS: 0,
      origin: bank.origin,
      start,
      end,
      hash: bank.tree.range(start, end),
    };
    assert.ok(
      nobleMldsa44.verify(mldsa.vkey.publicKey, subtreeMessage(statement), line.signature.subarray(8)),
    );
  }
  const none = { proof: [] as Uint8Array[], hash: EMPTY_ROOT };
  // 400: no subtree, empty, behind the tree, no body at all.
  for (const [start, end] of [
    [1, 3],
    [4, 4],
    [6, 9],
    [8, 7],
  ] as const)
    assert.equal((await ask(start, end, none)).status, 400, `${start} ${end}`);
  assert.equal((await ask(8, 16, none)).status, 400);
  assert.equal((await post(encodeUtf8('subtree 8 13\n'), '/sign-subtree')).status, 400);
  // 422: another root, another proof; before 404 and 403.
  assert.equal((await ask(8, 13, { hash: bank.tree.range(8, 12) })).status, 422);
  assert.equal((await ask(8, 13, { proof: [] })).status, 422);
  // 403: the log's line alone, a false line in our name, none of ours that has a time.
  assert.equal((await ask(8, 13, { note: bank.note(14) })).status, 403);
  const lines = parseNote(reference).signatures;
  const ours = lines.filter(({ name }) => name === WITNESS.name);
  const tampered = ours.map((line) => ({
    ...line,
    signature: line.signature.map((b, i) => (i === 20 ? b ^ 1 : b)),
  }));
  const falseNote = formatNote({ text: bank.text(14), signatures: [ours[0]!, tampered[1]!] });
  assert.equal((await ask(8, 13, { note: falseNote })).status, 403);
  const [whole] = parseSignatureLines(textOf(await ask(0, 14)));
  assert.equal(
    (await ask(8, 13, { note: formatNote({ text: bank.text(14), signatures: [whole!] }) })).status,
    403,
  );
  // Either of our lines is enough.
  for (const line of ours) {
    const note = formatNote({ text: bank.text(14), signatures: [line] });
    assert.equal((await ask(8, 13, { note })).status, 200);
  }
  // 404: our own cosignature, and the log is listed no more.
  const { witness: forgetful } = await openTestWitness({ listed: [] });
  const later = posting(await serveWitness(t, { witness: forgetful }));
  const body = formatSignSubtree({
    start: 0,
    end: 14,
    hash: bank.root(14),
    proof: [],
    checkpoint: reference,
  });
  assert.equal((await later(body, '/sign-subtree')).status, 404);
});

test('a witness without ML-DSA-44 signs no subtrees', async (t) => {
  const { witness } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const post = posting(await serveWitness(t, { witness }));
  assert.equal((await post(encodeUtf8('x'), '/sign-subtree')).status, 404);
});

test('what is not there, methods that are not taken, queries', async (t) => {
  const { witness } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const port = await serveWitness(t, { witness });
  const ask = (method: string, target: string): Promise<RawResponse> =>
    sendToPort(port)({ method, target, headers: [] });
  for (const [method, target, status] of [
    ['GET', '/', 404],
    ['GET', '/add-checkpoint', 405],
    ['PUT', '/add-checkpoint', 405],
    ['POST', pathOf(bank.origin), 405],
    ['GET', pathOf(bank.origin).toUpperCase().replace('CHECKPOINT', 'checkpoint'), 404],
    ['GET', '/0/checkpoint', 404],
    ['GET', `${pathOf(bank.origin)}?x=1`, 400],
    ['POST', '/add-checkpoint?x', 400],
    ['GET', '/healthz', 200],
    ['GET', '/readyz', 200],
    ['HEAD', '/readyz', 200],
  ] as const) {
    assert.equal((await ask(method, target)).status, status, `${method} ${target}`);
  }
  assert.equal((await ask('GET', '/add-checkpoint')).headers.get('allow'), 'POST');
});

test('bodies are capped as they are said and as they arrive, and the room for them is given back', async (t) => {
  const { witness } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const port = await serveWitness(t, { witness, maxRequests: 2, maxBytes: 400_000 });
  const send = sendToPort(port);
  const post = (body: Uint8Array, headers: [string, string][] = []): Promise<RawResponse> =>
    send({ method: 'POST', target: '/add-checkpoint', headers, body });
  const head = 'POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n';
  const said = await exchange(
    port,
    Buffer.from(`${head}Connection: close\r\nContent-Length: 266241\r\n\r\n`),
  );
  assert.equal(parseResponse(said, 'POST').status, 413);
  assert.equal((await post(new Uint8Array(266_241), [['Transfer-Encoding', 'chunked']])).status, 413);
  assert.equal((await post(new Uint8Array(266_240))).status, 400);

  // Those that say nothing more hold no place, however many they are, nor do bytes of what does not end.
  const idle = await Promise.all(
    Array.from({ length: 60 }, () => openSocket(port, `${head}Content-Length: 10\r\n\r\nold`)),
  );
  const large = await Promise.all(
    Array.from({ length: 3 }, () =>
      openSocket(port, `${head}Content-Length: 266240\r\n\r\n${'x'.repeat(266_000)}`),
    ),
  );
  const { status } = await post(bank.body(0, 5));
  assert.equal(status, 200);
  assert.equal((await post(new Uint8Array(200_000))).status, 400);
  for (const socket of [...idle, ...large]) socket.destroy();
});

test('who begins many bodies and ends none is cut off, the oldest first, with words', async (t) => {
  const { witness } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const port = await serveWitness(t, { witness, maxWaiting: 2 });
  const begin = (): Promise<RawResponse> =>
    exchange(
      port,
      Buffer.from('POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nold'),
    ).then((bytes) => parseResponse(bytes, 'POST'));
  const first = begin();
  const others = [begin(), begin()];
  const cut = await Promise.race([first, ...others]);
  assert.deepEqual([cut.status, cut.headers.get('retry-after')], [503, '1']);
  assert.equal((await posting(port)(bank.body(0, 5))).status, 200);
});

test('a network has its share of the bodies that are waited for, and those of others stay', async () => {
  const { witness } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const app = createWitnessApp({ witness, maxWaitingEach: 3, maxWaiting: 5, maxBytes: 300_000 });
  const from = (address: string): PlayedRequest => requestFrom(app, address, '/add-checkpoint');
  const honest = from('198.51.100.1');
  honest.incoming.write('old ');
  const crowd = Array.from({ length: 20 }, (_, i) => from(`203.0.113.${i}`));
  const gone = await Promise.all(crowd.slice(0, 17).map(({ response }) => response));
  assert.deepEqual(new Set(gone.map(({ status }) => status)), new Set([503]));
  // One more network fills the room, and the next takes the place of the crowd's oldest; the same of bytes.
  const fifth = from('192.0.2.1');
  const sixth = from('192.0.2.2');
  assert.equal((await crowd[17]!.response).status, 503);
  crowd[18]!.incoming.write(Buffer.alloc(150_000));
  crowd[19]!.incoming.write(Buffer.alloc(140_000));
  await setImmediate();
  fifth.incoming.end(Buffer.alloc(100_000));
  assert.equal((await fifth.response).status, 400);
  assert.equal((await crowd[18]!.response).status, 503);
  honest.incoming.end(bank.body(0, 5).subarray(4));
  assert.equal((await honest.response).status, 200);
  crowd[19]!.incoming.end('x');
  assert.equal((await crowd[19]!.response).status, 400);
  sixth.incoming.destroy();
  assert.equal((await sixth.response).status, 400);
  for (const { incoming } of crowd) incoming.destroy();
});

test('how often a body is looked at: so often from one network, so often from all, and where it is not known which', async () => {
  const { witness } = await openTestWitness({ listed: [bank.listed()] });
  const rates = { checkpoints: { each: 2, all: 5 }, subtrees: { each: 1, all: 2 } };
  const app = createWitnessApp({ witness, ...rates });
  const ask = async (address: string, path = '/add-checkpoint'): Promise<Response> => {
    const { incoming, response } = requestFrom(app, address, path);
    incoming.end('x');
    return response;
  };
  const askAll = async (count: number, address: string, path?: string): Promise<string> => {
    const statuses: number[] = [];
    for (let i = 0; i < count; i++) statuses.push((await ask(address, path)).status);
    return statuses.join(' ');
  };
  assert.equal(await askAll(5, '203.0.113.1'), '400 400 400 400 429');
  const refused = await ask('::ffff:203.0.113.9');
  assert.equal(refused.status, 429, 'the same network');
  assert.deepEqual([refused.headers.get('retry-after'), refused.headers.get('content-type')], ['1', TEXT]);
  assert.match(await refused.text(), /^[^\n]+\n$/);
  assert.equal(await askAll(5, '2001:db8:1::1'), '400 400 400 400 429');
  // Two are left to all, and a proxy's address is no share of one.
  assert.equal(await askAll(3, '127.0.0.1'), '400 400 429');
  assert.equal((await ask('198.51.100.1')).status, 429);
  assert.equal(await askAll(3, '203.0.113.1', '/sign-subtree'), '400 400 429', 'calls are counted apart');
  assert.equal(await askAll(3, '10.0.0.1', '/sign-subtree'), '400 400 429');
});

test('one connection carries many requests, refused ones too', async (t) => {
  const { witness } = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const port = await serveWitness(t, { witness });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const ports = new Set<number>();
  const statuses: number[] = [];
  const bodies = [
    bank.body(0, 3),
    bank.body(0, 4),
    bank.body(3, 9),
    bank.body(9, 8),
    bank.body(9, 9),
    encodeUtf8('?'),
  ];
  for (const body of bodies) {
    statuses.push(
      await new Promise<number>((resolve, reject) => {
        const sent = httpRequest(
          { host: '127.0.0.1', port, agent, method: 'POST', path: '/add-checkpoint' },
          (response) => {
            ports.add(sent.socket!.localPort!);
            response.resume().on('end', () => resolve(response.statusCode!));
          },
        );
        sent.on('error', reject).end(body);
      }),
    );
  }
  assert.deepEqual(statuses, [200, 409, 200, 400, 200, 400]);
  assert.equal(ports.size, 1);
});

test('routes may be added beside those of the witness', async (t) => {
  const { witness } = await openTestWitness({ listed: [], isQuick: true });
  const port = await serveWitness(t, {
    witness,
    addRoutes: (app) => void app.get('/v1/more', (c) => c.text('more')),
  });
  assert.equal(textOf(await sendToPort(port)({ method: 'GET', target: '/v1/more', headers: [] })), 'more');
  const wrong = await sendToPort(port)({ method: 'POST', target: '/v1/more', headers: [] });
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, HEAD']);
  await until(() => witness.ready);
});
