/**
 * The private zone at its size: `--leaves` events of a fiftieth as many subjects, sent in batches. How fast a page of a
 * hundred is found, what it takes to erase a thousand subjects and a thousand single events, and whether they are gone:
 * their bytes are looked for in the files, and all keys that are left are tried on them.
 */

import { createDecipheriv } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createToken } from '../src/access/token-list.ts';
import { verifyReceipt } from '../src/client/index.ts';
import { type Folder, folderPaths, readFolder } from '../src/cli/folder.ts';
import { readVaultKeys } from '../src/cli/vault-keys.ts';
import { openLevelStore } from '../src/storage/level.ts';
import {
  dataKeyKey,
  eventKey,
  keyEventKey,
  parseDataKeyRow,
  parseIndex,
  parseRecordRow,
  rangeOf,
  recordKey,
  type RecordRow,
} from '../src/vault/rows.ts';
import type { JsonObject } from '../src/formats/json.ts';
import type { Store } from '../src/storage/store.ts';
import { Keyring } from '../src/vault/keyring.ts';
import { parseEventId } from '../src/vault/event-id.ts';
import { databaseBytes } from './support/build-log.ts';
import { findInFiles } from './support/file-search.ts';
import { formatFloor, formatMiB, formatSeconds, grouped, say } from './support/report.ts';
import { type DataFolder, initFolder, newel, type NewelServer, serve, sleep } from './support/server.ts';
import type { Workbench } from './support/workbench.ts';

const SOURCE = 'https://bank.example/payments';
const EVENTS_A_SUBJECT = 50;
const BATCH_EVENTS = 10_000;
const ERASED_SUBJECTS = 1000;
const ERASED_EVENTS = 1000;
const KEPT_RECEIPTS = 1000;
/** Events whose bytes are looked for. */
const CAPTURED = 100;
const PATTERN_BYTES = 11;
const PAGE_FLOOR_MS = 20;
const PAGES = 200;

interface Tokens {
  readonly submit: string;
  readonly audit: string;
  readonly admin: string;
}

/** What is to be erased, by number of the event. */
interface Victims {
  readonly subjects: readonly number[];
  readonly events: readonly number[];
}

export async function privateZone(bench: Workbench): Promise<boolean> {
  const count = bench.options.leaves;
  const subjects = Math.max(2, Math.floor(count / EVENTS_A_SUBJECT));
  const made = await initFolder(bench.newDir(), 'events');
  const tokens = await makeTokens(made);
  const victims = victimsOf(count, subjects);
  let server = await serve(made);
  const ids = await submitAll(server, tokens, count, subjects);
  await sayPages(server, tokens, subjects);
  const receipts = await readReceipts(
    server,
    tokens,
    receiptNumbers(count, victims).map((n) => ids.get(n)!),
  );
  const trust = await getJson<JsonObject>(server, '/v1/log');
  await server.child.stop();

  const folder = await readFolder(made.dir);
  const eventIds = capturedNumbers(count, subjects, victims).map((n) => ids.get(n)!);
  const captured = await capture(folder, eventIds);
  const before = await findInFiles(join(made.dir, 'db'), captured.patterns, PATTERN_BYTES);
  say(
    `of ${grouped(captured.patterns.size)} captured byte strings of ${CAPTURED} events ${grouped(before.size)} are in the files before`,
  );
  say(`disk: ${formatMiB(await databaseBytes(made.dir))}`);
  const opensBefore = await countOpened(folder, captured.rows);

  server = await serve(made);
  await erase(server, tokens, victims, ids);
  await server.child.stop();
  const after = await findInFiles(join(made.dir, 'db'), captured.patterns, PATTERN_BYTES);
  say(`after: ${grouped(after.size)} of them; disk ${formatMiB(await databaseBytes(made.dir))}`);

  await rotate(made);
  const opensAfter = await countOpened(folder, captured.rows);
  say(
    `captured rows that open with the keys of the folder: ${opensBefore} of ${captured.rows.length} before, ${opensAfter} after the next epoch`,
  );
  const startedMs = performance.now();
  await newel(['fsck', '--data', made.dir]);
  say(`fsck --data: green, ${formatSeconds(performance.now() - startedMs)}`);
  for (const receipt of receipts) await verifyReceipt(receipt, { trust });
  say(`${grouped(receipts.length)} receipts of before verify, those of erased events among them`);
  return (
    before.size === captured.patterns.size &&
    after.size === 0 &&
    opensBefore === captured.rows.length &&
    opensAfter === 0
  );
}

async function makeTokens({ dir }: DataFolder): Promise<Tokens> {
  const { tokens } = folderPaths(dir);
  const nowMs = Date.now();
  return {
    submit: await createToken(tokens, { name: 'bench-submit', role: 'submit', sources: [SOURCE], nowMs }),
    audit: await createToken(tokens, { name: 'bench-audit', role: 'audit', sources: [], nowMs }),
    admin: await createToken(tokens, { name: 'bench-admin', role: 'admin', sources: [], nowMs }),
  };
}

/** Spread over all of the log; no event is erased twice. */
function victimsOf(count: number, subjects: number): Victims {
  const step = Math.max(1, Math.floor(subjects / ERASED_SUBJECTS));
  const erased = Array.from(
    { length: Math.min(ERASED_SUBJECTS, Math.floor(subjects / 2)) },
    (_, i) => i * step,
  );
  const gone = new Set(erased);
  const events: number[] = [];
  const stride = Math.max(1, Math.floor(count / ERASED_EVENTS / 2));
  for (let n = 1; n < count && events.length < ERASED_EVENTS; n += stride)
    if (!gone.has(n % subjects)) events.push(n);
  return { subjects: erased, events };
}

function receiptNumbers(count: number, { subjects, events }: Victims): number[] {
  const quarter = Math.min(KEPT_RECEIPTS / 4, subjects.length, events.length);
  const others = Array.from({ length: 2 * quarter }, (_, i) => Math.floor((i * count) / (2 * quarter)));
  return [...subjects.slice(0, quarter), ...events.slice(0, quarter), ...others];
}

/** Half of them of erased subjects, half single. */
function capturedNumbers(count: number, subjects: number, victims: Victims): number[] {
  const half = CAPTURED / 2;
  const later = Math.floor(count / subjects / 2) * subjects;
  return [...victims.subjects.slice(0, half).map((n) => n + later), ...victims.events.slice(-half)];
}

function subIdOf(n: number): { format: string; id: string } {
  return { format: 'opaque', id: `user-${n}` };
}

function eventOf(n: number, subjects: number): string {
  const time = new Date(Date.now()).toISOString();
  const failed = n % 10 === 0;
  return JSON.stringify({
    schema: 'stepup/1',
    id: `bench-${n}`,
    source: SOURCE,
    type: 'stepup.completed',
    time,
    txn: `txn-${n}`,
    subject: { sub_id: subIdOf(n % subjects), actor_type: 'user' },
    src: { ip: `192.0.${n % 4}.${n % 250}`, location: { country: 'FR' } },
    device: { fingerprint: `fp-${n % subjects}`, known: true },
    challenge: { method: n % 3 === 0 ? 'totp' : 'webauthn_platform', duration_ms: 1000 + (n % 9000) },
    outcome: failed ? 'failure' : 'success',
    ...(failed ? { outcome_reason: 'user_denied' } : {}),
  });
}

/** Sends them, and returns the ids of all. */
async function submitAll(
  server: NewelServer,
  { submit }: Tokens,
  count: number,
  subjects: number,
): Promise<ReadonlyMap<number, string>> {
  const ids = new Map<number, string>();
  const startedMs = performance.now();
  for (let first = 0; first < count; first += BATCH_EVENTS) {
    const length = Math.min(BATCH_EVENTS, count - first);
    const body = Array.from({ length }, (_, i) => eventOf(first + i, subjects)).join('\n');
    const answer = await post(server, submit, '/v1/events', body, 'application/x-ndjson');
    for (const line of (await answer.text()).split('\n')) {
      if (line === '') continue;
      const {
        n,
        status,
        event_id: eventId,
      } = JSON.parse(line) as { n: number; status: number; event_id: string };
      if (status !== 201) throw new Error(`event ${first + n} was answered ${status}`);
      ids.set(first + n, eventId);
    }
  }
  const durationMs = performance.now() - startedMs;
  say(
    `${grouped(count)} events of ${grouped(subjects)} subjects in batches of ${grouped(BATCH_EVENTS)}: ${grouped((count / durationMs) * 1000)} a second`,
  );
  return ids;
}

async function sayPages(server: NewelServer, { audit }: Tokens, subjects: number): Promise<void> {
  const list = (query: string) => async (): Promise<number> =>
    (await getJson<Page>(server, `/v1/events?limit=100${query}`, audit)).items.length;
  const search =
    (members: (i: number) => object) =>
    async (i: number): Promise<number> => {
      const body = JSON.stringify({ limit: 100, ...members(i) });
      return ((await (await post(server, audit, '/v1/events/search', body)).json()) as Page).items.length;
    };
  const queries: Readonly<Record<string, (i: number) => Promise<number>>> = {
    'the newest': list(''),
    'of a type': list('&type=stepup.completed'),
    'of a type and an outcome (1 of 10)': list('&type=stepup.completed&outcome=failure'),
    'of an outcome and a method (1 of 30)': list('&outcome=failure&method=totp'),
    'of one subject': search((i) => ({ subject: subIdOf((i * 37) % subjects) })),
    'of one address': search((i) => ({ ip: `192.0.${i % 4}.${(i * 7) % 250}` })),
  };
  for (const [name, query] of Object.entries(queries)) {
    await query(0);
    const timesMs: number[] = [];
    let items = 0;
    for (let i = 0; i < PAGES; i++) {
      const startedMs = performance.now();
      items = await query(i);
      timesMs.push(performance.now() - startedMs);
    }
    timesMs.sort((a, b) => a - b);
    const median = timesMs[Math.floor(PAGES / 2)]!;
    say(
      `a page ${name}: ${items} events, ${formatFloor(`${median.toFixed(1)} ms (median of ${PAGES}), p95 ${timesMs[Math.floor(PAGES * 0.95)]!.toFixed(1)} ms`, median <= PAGE_FLOOR_MS)}`,
    );
  }
}

interface Page {
  readonly items: readonly unknown[];
}

async function readReceipts(
  server: NewelServer,
  { audit }: Tokens,
  eventIds: readonly string[],
): Promise<string[]> {
  const receipts: string[] = [];
  for (const id of eventIds)
    receipts.push(await (await get(server, `/v1/events/${id}/receipt`, audit)).text());
  return receipts;
}

async function erase(
  server: NewelServer,
  { admin }: Tokens,
  { subjects, events }: Victims,
  ids: ReadonlyMap<number, string>,
): Promise<void> {
  const startedMs = performance.now();
  const waiting: string[] = [];
  const ask = async (target: object): Promise<void> => {
    const answer = await post(
      server,
      admin,
      '/v1/erasures',
      JSON.stringify({ ...target, reason: 'subject_request' }),
    );
    if (answer.status !== 202)
      throw new Error(`an erasure was answered ${answer.status}: ${await answer.text()}`);
    waiting.push(((await answer.json()) as { erasure_id: string }).erasure_id);
  };
  for (const n of subjects) await ask({ subject: subIdOf(n) });
  await ask({ event_ids: events.map((n) => ids.get(n)!) });
  say(
    `${grouped(subjects.length)} subjects and ${grouped(events.length)} events: accepted in ${formatSeconds(performance.now() - startedMs)}`,
  );
  let erased = 0;
  for (const id of waiting) {
    for (;;) {
      const found = await getJson<{ state: string; erased: number; failure?: string }>(
        server,
        `/v1/erasures/${id}`,
        admin,
      );
      if (found.state === 'failed') throw new Error(`an erasure failed: ${found.failure}`);
      if (found.state === 'done') {
        erased += found.erased;
        break;
      }
      await sleep(500);
    }
  }
  say(
    `erased ${grouped(erased)} events, cleared from the files: ${formatSeconds(performance.now() - startedMs)}`,
  );
}

interface Captured {
  readonly patterns: ReadonlyMap<string, Uint8Array>;
  readonly rows: readonly { readonly row: RecordRow; readonly keyRow: Uint8Array }[];
}

/** Parts of what is stored of the events: ciphertext, sealed seed, sealed data key, and keys of the index. */
async function capture(folder: Folder, eventIds: readonly string[]): Promise<Captured> {
  const store = await openLevelStore(folder.paths.db, { create: false });
  try {
    const patterns = new Map<string, Uint8Array>();
    const rows: Captured['rows'][number][] = [];
    const terms = await termsOfFew(store);
    for (const [i, eventId] of eventIds.entries()) {
      const index = parseIndex((await store.getMany([eventKey(parseEventId(eventId)!)]))[0]!);
      const row = parseRecordRow((await store.getMany([recordKey(index)]))[0]!);
      if (!('keyId' in row)) throw new Error('an event is erased before it should be');
      const [keyRow] = await store.getMany([dataKeyKey(row.keyId)]);
      rows.push({ row, keyRow: keyRow! });
      const part = (bytes: Uint8Array, at: number): Uint8Array => bytes.slice(at, at + PATTERN_BYTES);
      patterns.set(`${eventId} ciphertext`, part(row.sealedRecord, 40));
      patterns.set(`${eventId} sealed seed`, part(row.sealedSeed, 16));
      // A subject's key goes with the subject only.
      if (i < eventIds.length / 2) {
        patterns.set(`${eventId} sealed key`, part(parseDataKeyRow(keyRow!).sealedKey, 16));
        patterns.set(`${eventId} key in index`, part(keyEventKey(row.keyId, index), 5));
      }
      // The term of its transaction is of no other event.
      patterns.set(`${eventId} term`, part(terms.get(index)!, 5));
    }
    return { patterns, rows };
  } finally {
    await store.close();
  }
}

/** By leaf, the key of a term that no other event has. */
async function termsOfFew(store: Store): Promise<ReadonlyMap<number, Uint8Array>> {
  const rare = new Map<number, Uint8Array>();
  const range = rangeOf(0x88);
  let last: { term: string; index: number; key: Uint8Array; isAlone: boolean } | undefined;
  for (let { from } = range; ;) {
    const rows = await store.scan({ ...range, from, limit: 50_000 });
    for (const { key } of rows) {
      const term = Buffer.from(key.subarray(1, 17)).toString('latin1');
      if (last?.term === term) last.isAlone = false;
      else {
        if (last?.isAlone) rare.set(last.index, last.key);
        last = { term, index: parseIndex(key.subarray(17)), key, isAlone: true };
      }
    }
    if (rows.length < 50_000) break;
    from = Buffer.concat([rows.at(-1)!.key, Uint8Array.of(0)]);
  }
  if (last?.isAlone) rare.set(last.index, last.key);
  return rare;
}

/** How many captured seeds open with the keys that the folder has now, through their captured data keys. */
async function countOpened(folder: Folder, rows: Captured['rows']): Promise<number> {
  const { master, epochs } = await readVaultKeys(folder, {});
  const known = [master, ...(await epochs.read()).map(({ key }) => key), await indexKeyOf(folder)];
  let opened = 0;
  for (const { row, keyRow } of rows) {
    const { ownerTag, sealedKey } = parseDataKeyRow(keyRow);
    const context = Buffer.concat([Buffer.from('newel/data-key/v1'), row.keyId, ownerTag]);
    const seedContext = Buffer.concat([Buffer.from('newel/seed/v1'), row.eventId]);
    const dataKeys = known.flatMap((key) => tryOpen(key, sealedKey, context) ?? []);
    if ([...known, ...dataKeys].some((key) => tryOpen(key, row.sealedSeed, seedContext))) opened += 1;
  }
  return opened;
}

async function indexKeyOf(folder: Folder): Promise<Uint8Array> {
  const { master, epochs } = await readVaultKeys(folder, {});
  const store = await openLevelStore(folder.paths.db, { create: false });
  try {
    return (await Keyring.open(store, master, await epochs.read())).indexKey;
  } finally {
    await store.close();
  }
}

function tryOpen(key: Uint8Array, sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
      .setAAD(context)
      .setAuthTag(sealed.subarray(-16));
    return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Serves the log with an epoch that is over, until it has begun the next. */
async function rotate(made: DataFolder): Promise<void> {
  const path = folderPaths(made.dir).epochs;
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/"created": "[^"]+"/, '"created": "2020-01-01T00:00:00.000Z"'));
  const startedMs = performance.now();
  const server = await serve(made);
  while (/"epoch": 1,/.test(await readFile(path, 'utf8'))) await sleep(100);
  say(`the next epoch: ${formatSeconds(performance.now() - startedMs)} from the start`);
  await server.child.stop();
}

function post(
  { port }: NewelServer,
  token: string,
  path: string,
  body: string,
  type = 'application/json',
): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': type },
    body,
  });
}

async function get({ port }: NewelServer, path: string, token?: string): Promise<Response> {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  if (answer.status !== 200) throw new Error(`${path.split('?')[0]} was answered ${answer.status}`);
  return answer;
}

async function getJson<T = unknown>(server: NewelServer, path: string, token?: string): Promise<T> {
  return (await (await get(server, path, token)).json()) as T;
}
