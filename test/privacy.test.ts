/**
 * Nothing of an event is public, logged, echoed or stored in clear. Events of every type go in with a canary in every text
 * that the schema lists, and so do requests that are wrong in every place where a value could stand. Then all that the
 * process has shown to strangers, said, answered as a problem and written to disk is searched for every canary, for its
 * SHA-256, and for both in hex and base64. What the bearer of a token is given shows that the search finds them.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { createToken } from '../src/access/token-list.ts';
import { hashLeaf } from '../src/core/hash.ts';
import { formatHex } from '../src/formats/hex.ts';
import type { JsonObject } from '../src/formats/json.ts';
import { PROBLEMS } from '../src/http/problems.ts';
import { openLevelStore } from '../src/storage/level.ts';
import { createLines } from '../src/telemetry/lines.ts';
import {
  type Canary,
  type CanaryEvent,
  canaryEvent,
  canaryFlatEvent,
  CanaryMaker,
  canaryPlaces,
  EVENT_TYPES,
  EXEMPT_FORMS,
  EXEMPT_KINDS,
  MIN_CANARY_CHARS,
} from './support/canary-events.ts';
import { CanaryScanner } from './support/canary-scanner.ts';
import { startServe } from './support/cli.ts';
import { exchange, type RawRequest, type RawResponse, sendToPort } from './support/http-target.ts';
import { fetchDescribed, OPENAPI } from './support/openapi.ts';
import { newDiskLog, serveDiskLog } from './support/served-log.ts';
import { tempFolder } from './support/temp-folder.ts';
import {
  bearer,
  brokenRequests,
  type Headers,
  otherRequests,
  submission,
  WRONG_NAMES,
  wrongSubmission,
} from './support/wrong-requests.ts';

const SLOW = process.env['SLOW'] !== undefined;
/** Events of each type: one with every member, the others with some. */
const EVENTS_PER_TYPE = SLOW ? 30 : 6;
const FLAT_EVENTS = SLOW ? 400 : 50;
/** Wrong requests that are made of each event. */
const WRONG_PER_EVENT = SLOW ? 12 : 4;
const CONNECTIONS = 8;

/** Bytes that somebody may get to see, and where they are from. */
interface Evidence {
  readonly where: string;
  readonly bytes: Uint8Array;
}

/** All that was found where nothing may be. */
function leaksIn(scanner: CanaryScanner, evidence: readonly Evidence[]): string[] {
  return evidence.flatMap(({ where, bytes }) =>
    scanner
      .find(bytes)
      .map(({ canary, spelling, at }) => `${where}, byte ${at}: ${spelling} of ${canary.place}`),
  );
}

function evidenceOf(where: string, { status, headers, body }: RawResponse): Evidence {
  const head = [...headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  return { where, bytes: Buffer.concat([Buffer.from(`${status}\n${head}\n\n`), body]) };
}

async function inParallel<T>(
  items: readonly T[],
  run: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await run(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

/** What is public, of a tree of `size`, by the routes of the OpenAPI document that have a parameter or need a query. */
const PUBLIC_TARGETS: Readonly<Record<string, (size: number, hashes: readonly string[]) => string[]>> = {
  '/tile/{path}': (size) => {
    const targets: string[] = [];
    for (const level of ['0', '1', 'entries']) {
      const width = level === '1' ? Math.floor(size / 256) : size;
      for (let n = 0; n * 256 < width; n++) {
        const index = String(n).padStart(3, '0');
        const last = Math.min(256, width - n * 256);
        if (last === 256) targets.push(`/tile/${level}/${index}`);
        for (const partial of new Set([1, Math.ceil(last / 2), last])) {
          if (partial < 256) targets.push(`/tile/${level}/${index}.p/${partial}`);
        }
      }
    }
    return targets;
  },
  '/v1/checkpoint': () => ['/v1/checkpoint?policy=none'],
  '/v1/leaves': (size) => [
    '/v1/leaves',
    ...Array.from({ length: Math.ceil(size / 1000) }, (_, i) => `/v1/leaves?start=${1000 * i}&limit=1000`),
  ],
  '/v1/leaves/{leaf}': (size, hashes) => [...numbers(size), ...hashes].map((leaf) => `/v1/leaves/${leaf}`),
  '/v1/leaves/{leaf}/proof': (size, hashes) =>
    [...numbers(size), ...hashes.slice(0, 8)].map((leaf) => `/v1/leaves/${leaf}/proof`),
  '/v1/proofs/inclusion': (size, hashes) => [
    ...numbers(size).map((index) => `/v1/proofs/inclusion?leaf_index=${index}&tree_size=${size}`),
    ...hashes.slice(0, 8).map((hash) => `/v1/proofs/inclusion?hash=${hash}&tree_size=${size}`),
  ],
  '/v1/proofs/consistency': (size) =>
    numbers(size).map((first) => `/v1/proofs/consistency?first=${first}&second=${size}`),
  '/problems/{code}': () => Object.keys(PROBLEMS).map((code) => `/problems/${code}`),
};

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** The public GET routes of the document, as it writes them. */
function publicPaths(): string[] {
  const paths = OPENAPI['paths'] as unknown as Record<string, Record<string, { security?: object[] }>>;
  return Object.keys(paths).filter((path) => {
    const { get } = paths[path]!;
    return get !== undefined && !get.security?.some((way) => Object.keys(way).length > 0);
  });
}

/** Everything that a stranger can read of a log whose published tree has `size` leaves, as bytes. */
async function readPublic(port: number, size: number, except: readonly string[] = []): Promise<Evidence[]> {
  const send = sendToPort(port);
  const evidence: Evidence[] = [];
  const get = async (target: string): Promise<Uint8Array> => {
    const response = await send({ method: 'GET', target, headers: [] });
    assert.equal(response.status, 200, target);
    evidence.push(evidenceOf(`GET ${target}`, response));
    return response.body;
  };
  const { items } = JSON.parse(Buffer.from(await get('/v1/leaves?start=0&limit=1000')).toString()) as {
    items: { leaf_input: string }[];
  };
  const hashes = items.map(({ leaf_input }) => formatHex(hashLeaf(Buffer.from(leaf_input, 'base64'))));
  const paths = publicPaths().filter((path) => !except.includes(path));
  const targets = paths.flatMap((path) => {
    const targetsOf = PUBLIC_TARGETS[path];
    assert.ok(targetsOf || !path.includes('{'), `${path} is a public route that this test does not know`);
    return targetsOf ? targetsOf(size, hashes) : [path];
  });
  await inParallel(targets, async (target) => void (await get(target)));
  return evidence;
}

/** Every file below a folder. */
async function readFolder(folder: string): Promise<Evidence[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (file) => ({ where: `file ${relative(folder, file)}`, bytes: await readFile(file) })),
  );
}

/** Every row of a database, key and value: its files have them compressed. */
async function readRows(folder: string): Promise<Evidence[]> {
  const store = await openLevelStore(folder, { create: false });
  try {
    const range = { from: new Uint8Array(), to: new Uint8Array(128).fill(0xff), limit: 1_000_000 };
    const rows = await store.scan(range);
    return rows.map(({ key, value }) => ({
      where: `row ${Buffer.from(key).toString('hex')}`,
      bytes: Buffer.concat([key, value]),
    }));
  } finally {
    await store.close();
  }
}

/** A log of events that is served by a process of its own, and what it showed. */
interface Stage {
  readonly maker: CanaryMaker;
  readonly port: number;
  readonly tokens: Readonly<Record<'submit' | 'other' | 'audit' | 'admin', string>>;
  /** Answers that are not for the bearer of a token alone, problems first of all. */
  readonly shown: Evidence[];
  /** How often each code of a problem was met. */
  readonly codes: Map<string, number>;
  readonly send: (request: RawRequest) => Promise<RawResponse>;
}

/** Sends a request, and keeps of its answer what nothing may be in: of what is for its bearer alone, the headers. */
async function ask({ shown, codes, send }: Stage, request: RawRequest): Promise<RawResponse> {
  const response = await send(request);
  const where = `${request.method} ${request.target.slice(0, 60)} → ${response.status}`;
  const isPrivate = request.target.startsWith('/v1/events') && response.status < 300;
  shown.push(evidenceOf(where, isPrivate ? { ...response, body: new Uint8Array() } : response));
  if (response.headers.get('content-type') === 'application/problem+json') {
    const { code } = JSON.parse(Buffer.from(response.body).toString()) as { code: string };
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  return response;
}

/** An event that was taken, and all that its submitter and an auditor were given. */
interface Taken {
  readonly canaries: readonly Canary[];
  readonly given: Uint8Array;
  /** How many leaves it has: without any id, each copy of it is an event. */
  readonly leaves: number;
}

/** Submits an event, whole and minimal, several times at once and after one another, with other content, and reads it. */
async function submitAndRead(stage: Stage, { event, canaries }: CanaryEvent, index: number): Promise<Taken> {
  const { maker, tokens } = stage;
  const all = [...canaries];
  // A flat event may have its id in a header, or none.
  const key: Headers =
    event['id'] === undefined && index % 2 === 0
      ? [['Idempotency-Key', added(maker.plain('stepup/1 id'))]]
      : [];
  const minimal: Headers = [['Prefer', 'return=minimal']];
  const post = (body: JsonObject, headers: Headers = []): Promise<RawResponse> =>
    ask(stage, submission(tokens.submit, body, [...key, ...headers]));

  const copies = await Promise.all([post(event), post(event, minimal)]);
  const created = copies.filter(({ status }) => status === 201).length;
  const hasId = event['id'] !== undefined || key.length > 0;
  const [first] = copies;
  assert.equal(created, hasId ? 1 : 2, textOf(first));
  if (hasId) {
    assert.equal((await post(event)).status, 200);
    const other = 'event_type' in event ? 'action' : 'tenant';
    assert.equal((await post({ ...event, [other]: maker.plain(`conflict ${other}`) })).status, 409);
  }

  const { event_id } = JSON.parse(textOf(first)) as { event_id: string };
  const path = `/v1/events/${event_id}`;
  const read = (target: string, headers: Headers): Promise<RawResponse> =>
    ask(stage, { method: 'GET', target, headers });
  const shown = await read(path, [bearer(tokens.audit)]);
  const receipt = await read(`${path}/receipt`, [bearer(tokens.submit)]);
  assert.deepEqual([shown.status, receipt.status], [200, 200]);
  for (const target of [path, `${path}/receipt`]) {
    assert.equal((await read(target, [bearer(tokens.other)])).status, 404);
    assert.equal((await read(target, [bearer(tokens.admin)])).status, 403);
    assert.equal((await read(target, [])).status, 401);
  }
  return { canaries: all, given: Buffer.concat([first.body, shown.body, receipt.body]), leaves: created };

  function added(value: string): string {
    all.push(maker.made.at(-1)!);
    return value;
  }
}

function textOf({ body }: RawResponse): string {
  return Buffer.from(body).toString();
}

/** Tokens of every role; those that submit are of sources that are canaries. */
async function createTokens(
  path: string,
  sources: Record<'submit' | 'other', readonly Canary[]>,
): Promise<Stage['tokens']> {
  const create = (
    name: string,
    role: 'submit' | 'audit' | 'admin',
    own: readonly Canary[] = [],
  ): Promise<string> =>
    createToken(path, { name, role, sources: own.map(({ value }) => value), nowMs: Date.now() });
  return {
    submit: await create('submitter', 'submit', sources.submit),
    other: await create('another', 'submit', sources.other),
    audit: await create('auditor', 'audit', sources.other),
    admin: await create('operator', 'admin', sources.other),
  };
}

function newSources(maker: CanaryMaker, count: number): Canary[] {
  return Array.from({ length: count }, () => {
    const random = maker.plain('stepup/1 source');
    maker.keep('stepup/1 source', `https://canary.example/${random}`, random);
    return maker.made.at(-1)!;
  });
}

/** Resolves when the published tree has `size` leaves. */
async function published(port: number, size: number): Promise<void> {
  for (const endMs = performance.now() + 10_000; performance.now() < endMs;) {
    const { body } = await sendToPort(port)({ method: 'GET', target: '/checkpoint', headers: [] });
    if (Number(Buffer.from(body).toString().split('\n')[1]) === size) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`${size} leaves are not published`);
}

/** Sends all that is right and all that is wrong, and returns the events that were taken. */
async function play(stage: Stage, sources: readonly Canary[]): Promise<Taken[]> {
  const { maker, tokens } = stage;
  const types = EVENT_TYPES.flatMap((type) =>
    Array.from({ length: EVENTS_PER_TYPE }, (_, i) => ({ type, isWhole: i === 0 })),
  );
  const events = [
    ...types.map((options) => canaryEvent(maker, { ...options, source: maker.one(sources) })),
    // A flat event is of the first source of its token.
    ...Array.from({ length: FLAT_EVENTS }, (_, i) =>
      canaryFlatEvent(maker, { isWhole: i % 2 === 0, source: sources[0]! }),
    ),
  ];
  const taken: Taken[] = [];
  let wrong = 0;
  await inParallel(events, async (made, index) => {
    for (let i = 0; i < WRONG_PER_EVENT; i++) {
      const what = WRONG_NAMES[wrong++ % WRONG_NAMES.length]!;
      const { request, status } = wrongSubmission(what, made.event, maker, tokens.submit);
      const response = await ask(stage, request);
      assert.equal(response.status, status, `${what}: ${textOf(response)}`);
    }
    taken.push(await submitAndRead(stage, made, index));
  });
  for (const { request, status } of otherRequests(maker, tokens, events[0]!.event)) {
    const response = await ask(stage, request);
    assert.equal(response.status, status, `${request.method} ${request.target}: ${textOf(response)}`);
  }
  for (const request of brokenRequests(maker)) {
    const answer = await exchange(stage.port, Buffer.from(request, 'latin1'));
    assert.match(answer.toString('latin1'), /^HTTP\/1\.1 [24]/);
    stage.shown.push({ where: `answer to ${request.slice(0, 20)}`, bytes: answer });
  }
  return taken;
}

test('nothing of an event is public, logged, echoed or stored in clear', async (t) => {
  const parent = await tempFolder(t);
  const { dir, folder } = await newDiskLog(parent, 'log', { kind: 'events' });
  const maker = new CanaryMaker(1);
  const sources = { submit: newSources(maker, 8), other: newSources(maker, 1) };
  const tokens = await createTokens(folder.paths.tokens, sources);
  const served = await startServe(t, dir, ['--log-level', 'debug', '--publish-interval-ms', '20']);
  const port = Number(new URL(served.url).port);
  const stage: Stage = { maker, port, tokens, shown: [], codes: new Map(), send: sendToPort(port) };

  const taken = await play(stage, sources.submit);
  const size = taken.reduce((sum, { leaves }) => sum + leaves, 1);
  await published(port, size);
  const open = await readPublic(port, size);
  served.child.kill('SIGTERM');
  const { code, out, err } = await served.ended;
  assert.equal(code, 0, err);
  const files = [...(await readFolder(dir)), { where: 'guard', bytes: await readFile(folder.paths.guard) }];
  const rows = await readRows(folder.paths.db);
  const scanner = new CanaryScanner(maker.made);
  t.diagnostic(
    `${taken.length} events, ${maker.made.length} canaries, ${stage.shown.length} answers, ${open.length} public files, ${rows.length} rows`,
  );

  await t.test('every text that the schema lists had one, in an event that was taken', () => {
    const { places, kinds, forms } = canaryPlaces();
    const held = new Set(taken.flatMap(({ canaries }) => canaries.map(({ place }) => place)));
    assert.deepEqual(
      [...places].filter((place) => !held.has(place)),
      [],
    );
    assert.ok(maker.made.every(({ random }) => random.length >= MIN_CANARY_CHARS));
    const filled = ['text', 'subject_identifier', 'holder', 'labels', 'extension'];
    assert.deepEqual([...kinds].sort(), [...EXEMPT_KINDS, ...filled].sort());
    assert.deepEqual(EXEMPT_KINDS, ['constant', 'choice', 'integer', 'number', 'boolean']);
    assert.deepEqual(EXEMPT_FORMS, ['time', 'country']);
    assert.ok(EXEMPT_FORMS.every((form) => forms.has(form)));
  });

  await t.test('control: who may read an event is given every one of them', () => {
    for (const { canaries, given } of taken) {
      const seen = new Set(scanner.find(given).map(({ canary }) => canary.random));
      const missing = canaries.filter(({ random }) => !seen.has(random));
      assert.deepEqual(missing, []);
    }
  });

  await t.test('no public route shows any', () => assert.deepEqual(leaksIn(scanner, open), []));

  await t.test('no problem and no header of an answer repeats any', () => {
    assert.deepEqual(leaksIn(scanner, stage.shown), []);
    const met = [...stage.codes.keys()].sort();
    const unmet = Object.keys(PROBLEMS).filter((name) => !met.includes(name));
    assert.deepEqual(unmet, ['queue_full', 'storage_failed', 'internal'], 'problems that were not met');
  });

  await t.test('no log line has any', () => {
    assert.deepEqual(leaksIn(scanner, [{ where: 'log lines', bytes: Buffer.from(out + err) }]), []);
    const requests = err.split('\n').filter((line) => line.includes('"msg":"request"')).length;
    assert.ok(requests > stage.shown.length, 'a line for each request');
  });

  await t.test('no file has any; the token list names the sources of its tokens', () => {
    const found = files.flatMap(({ where, bytes }) =>
      scanner.find(bytes).map(({ canary }) => ({ where, canary })),
    );
    const names = [...sources.submit, ...sources.other].map(({ random }) => random);
    const leaks = found.filter(
      ({ where, canary }) => where !== 'file tokens.json' || !names.includes(canary.random),
    );
    assert.deepEqual(
      leaks.map(({ where, canary }) => `${where}: ${canary.place}`),
      [],
    );
    assert.equal(new Set(found.map(({ canary }) => canary.random)).size, names.length);
    assert.ok(files.some(({ where }) => /^file db\/.*\.(log|ldb)$/.test(where)));
  });

  await t.test('no row of the database has any', () => {
    assert.deepEqual(leaksIn(scanner, rows), []);
    const records = rows.filter(({ where }) => where.startsWith('row 83')).length;
    assert.equal(records, size - 1);
  });
});

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

test('control: what is planted is found', async (t) => {
  const parent = await tempFolder(t);
  const { dir, folder, token } = await newDiskLog(parent, 'opaque');
  const maker = new CanaryMaker(1);
  for (const place of ['leaf', 'hash', 'hash as text', 'row', 'line', 'absent']) maker.plain(place);
  const [leaf, hashed, spelled, row, line] = maker.made.map(({ value }) => value);
  const scanner = new CanaryScanner(maker.made);
  const placesIn = (evidence: readonly Evidence[]): string[] =>
    [
      ...new Set(evidence.flatMap(({ bytes }) => scanner.find(bytes).map(({ canary }) => canary.place))),
    ].sort();

  const served = await serveDiskLog(t, dir);
  await served.add(`{"ip":"${leaf}"}`, token);
  await served.add(hashOf(spelled!).toString('base64url'), token);
  const { status } = await fetchDescribed(`${served.url}/add`, {
    method: 'POST',
    body: new Uint8Array(hashOf(hashed!)),
    headers: Object.fromEntries([bearer(token)]),
  });
  assert.equal(status, 200);
  await served.published(3);
  const open = await readPublic(Number(new URL(served.url).port), 3, ['/.well-known/jwks.json']);
  const all = ['hash', 'hash as text', 'leaf'];
  assert.deepEqual(placesIn(open), all);
  assert.deepEqual(placesIn(open.filter(({ where }) => where === 'GET /tile/entries/000.p/3')), all);
  // In base64, so that what is text in base64url by itself is beyond recognition.
  assert.deepEqual(placesIn(open.filter(({ where }) => where === 'GET /v1/leaves')), ['hash', 'leaf']);
  await served.service.stop();

  const store = await openLevelStore(folder.paths.db, { create: false });
  const value = Buffer.concat([Buffer.alloc(1000), hashOf(row!), Buffer.alloc(1000)]);
  await store.commit({ puts: [{ key: Uint8Array.of(0xff, 0xff), value }] });
  await store.close();
  assert.deepEqual(placesIn(await readFolder(folder.paths.db)), [...all, 'row']);
  assert.deepEqual(placesIn((await readRows(folder.paths.db)).filter(({ where }) => where === 'row ffff')), [
    'row',
  ]);

  const said: string[] = [];
  const lines = createLines({ level: 'debug', write: (text) => void said.push(text) });
  lines.say('info', `nothing of ${line} is said`);
  assert.deepEqual(placesIn([{ where: 'log lines', bytes: Buffer.from(said.join('')) }]), ['line']);
});
