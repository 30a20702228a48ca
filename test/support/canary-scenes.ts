/**
 * What is done with a log before it is searched for canaries: events that are taken, secrets that are not, numbers that
 * are missing, transactions that do not fit, callers with JWTs, floods, erasures.
 */

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { JWTPayload } from 'jose';
import type { JsonObject } from '../../src/formats/json.ts';
import { sendBatch } from './canary-batches.ts';
import { canaryEvent, type CanaryEvent } from './canary-events.ts';
import { disclosureRequests, erasureRequests } from './canary-queries.ts';
import { type SecretEvent, secretEvents, secretNameEvent } from './canary-secrets.ts';
import {
  ask,
  askFor,
  askUntil,
  bodyOf,
  eventIdOf,
  getting,
  itemsOf,
  posting,
  type Stage,
  submitAndRead,
  type Taken,
  textOf,
} from './canary-stage.ts';
import type { RawResponse } from './http-target.ts';
import { AUDIENCE, FakeIssuer, oidcConfig } from './issuer.ts';
import { submission } from './wrong-requests.ts';

const LINES = 'application/x-ndjson';

/** Secrets where they are refused: one by one, and in batches; and a header that is one. */
export async function playRefusedSecrets(stage: Stage): Promise<void> {
  const { maker, sources, tokens } = stage;
  const events = secretEvents(maker, sources.submit[0]!);
  for (const { rule, event } of events) {
    const refused = await askFor(stage, { request: submission(tokens.submit, event), status: 422 });
    assert.deepEqual(rulesOf(bodyOf(refused)), [rule]);
  }
  const elements = events.map(({ event }) => ({ body: Buffer.from(JSON.stringify(event)) }));
  for (const [type, query] of [
    [LINES, ''],
    ['application/json', ''],
    [LINES, '?atomic=true'],
  ] as const) {
    const response = await sendBatch(stage, elements, type, query);
    assert.deepEqual(
      itemsOf(response).map((item) => [item['code'], rulesOf(item)]),
      events.map(({ rule }) => ['secret_found', [rule]]),
    );
  }
  const { event } = canaryEvent(maker, { type: 'logout', isWhole: false, source: sources.submit[0]! });
  const { id: _id, ...unnamed } = event;
  const headers = [['Idempotency-Key', tokens.other]] as const;
  const keyed = await askFor(stage, { request: submission(tokens.submit, unnamed, headers), status: 422 });
  assert.equal(bodyOf(keyed)['code'], 'secret_found');
}

function rulesOf({ errors }: JsonObject): unknown[] {
  assert.ok(Array.isArray(errors));
  return [...new Set(errors.map((error) => (error as JsonObject)['rule']))];
}

/** Secrets where they are replaced. Returns what was given out: nothing of them is in that either. */
export async function playRedactedSecrets(stage: Stage): Promise<Taken[]> {
  const { maker, sources, tokens } = stage;
  const [source] = sources.redact;
  const taken: Taken[] = [];
  for (const [index, { rule, event }] of secretEvents(maker, source!).entries()) {
    const one = await submitAndRead(stage, { event, canaries: [] }, { index: 2 * index, as: 'redact' });
    assert.ok(noticesOf(one).some(({ code, rule: found }) => code === 'secret_redacted' && found === rule));
    const body = { event_ids: [one.eventId], claims: ['*'], audience: 'canary.example', nonce: 'n-1' };
    const request = posting('/v1/disclosures', tokens.redact, body);
    const disclosed = await askFor(stage, { request, status: 200 });
    taken.push({ ...one, given: Buffer.concat([one.given, disclosed.body]) });
  }
  const named: SecretEvent = secretNameEvent(maker, source!);
  await askFor(stage, { request: submission(tokens.redact, named.event), status: 422 });
  return taken;
}

function noticesOf({ given }: Taken): JsonObject[] {
  const [line = ''] = Buffer.from(given).toString().split('\n');
  return ((JSON.parse(line) as JsonObject)['notices'] ?? []) as JsonObject[];
}

/** Numbers of a source that may miss none, and of one that passes some over and uses one again. */
export async function playSequences(stage: Stage): Promise<Taken[]> {
  const { maker, sources } = stage;
  const numbered = (as: 'strict' | 'other', seq: number): CanaryEvent => {
    const made = canaryEvent(maker, { type: 'login.failed', isWhole: true, source: sources[as][0]! });
    return { ...made, event: { ...made.event, seq } };
  };
  const taken = [await submitAndRead(stage, numbered('strict', 7), { as: 'strict' })];
  const wrong = [numbered('strict', 7), numbered('strict', 9), numbered('strict', 6)];
  for (const { event } of wrong) {
    const request = submission(stage.tokens.strict, event);
    const { expected, code } = bodyOf(await askFor(stage, { request, status: 409 }));
    assert.deepEqual([code, expected], ['sequence_conflict', 8]);
  }
  const elements = wrong.map(({ event }) => ({ body: Buffer.from(JSON.stringify(event)) }));
  for (const query of ['', '?atomic=true']) {
    const items = itemsOf(await sendBatch(stage, elements, LINES, query, stage.tokens.strict));
    assert.deepEqual(new Set(items.map(({ code }) => code)), new Set(['sequence_conflict']));
  }
  for (const seq of [100, 105, 105]) {
    const request = submission(stage.tokens.other, numbered('other', seq).event);
    await askFor(stage, { request, status: 201 });
  }
  return taken;
}

/** An authentication and an action of one transaction that has another hash. */
export async function playMismatch(stage: Stage): Promise<Taken[]> {
  const { maker, sources } = stage;
  const [source] = sources.submit;
  const completed = canaryEvent(maker, { type: 'stepup.completed', isWhole: true, source: source! });
  const executed = canaryEvent(maker, { type: 'action.executed', isWhole: true, source: source! });
  const { seq: _seq, ...unnumbered } = executed.event;
  const event: JsonObject = { ...unnumbered, txn: completed.event['txn']! };
  const text = JSON.stringify(event);
  const canaries = executed.canaries.filter(({ random }) => text.includes(random));
  const [first, second] = [
    await submitAndRead(stage, completed),
    await submitAndRead(stage, { event, canaries }),
  ];
  assert.ok(noticesOf(second).some(({ code }) => code === 'link_mismatch'));
  return [first, second];
}

/** A caller who may send one event a second, and sends many. */
export async function playFlood(stage: Stage): Promise<void> {
  const { maker, sources, tokens } = stage;
  const events = Array.from({ length: 6 }, () =>
    canaryEvent(maker, { type: 'logout', isWhole: true, source: sources.slow[0]! }),
  );
  const elements = events.map(({ event }) => ({ body: Buffer.from(JSON.stringify(event)) }));
  const id = maker.plain('event_id');
  const asked: (() => Promise<RawResponse>)[] = [
    ...events.map(
      ({ event }) =>
        () =>
          ask(stage, submission(tokens.slow, event)),
    ),
    () => ask(stage, getting(`/v1/events/${id}`, tokens.slow)),
    () => ask(stage, posting('/v1/disclosures', tokens.slow, { event_ids: [id] })),
    () => sendBatch(stage, elements, LINES, '', tokens.slow),
    () => sendBatch(stage, elements, 'application/json', '?atomic=true', tokens.slow),
  ];
  const limited = await Promise.all(asked.map(askUntilLimited));
  assert.ok(limited.every((isLimited) => isLimited));
}

/** What passes has used up what there was, so that one of the next few does not. */
async function askUntilLimited(send: () => Promise<RawResponse>): Promise<boolean> {
  for (let tries = 0; tries < 20; tries++) {
    const answer = await send();
    if ([...itemsOf(answer), bodyOf(answer)].some(({ code }) => code === 'rate_limited')) return true;
  }
  return false;
}

/** An issuer of JWTs, which answers when it is told to. */
export interface CanaryIssuer {
  readonly url: string;
  readonly config: ReturnType<typeof oidcConfig>;
  readonly answer: () => void;
  readonly sign: (claims: JWTPayload, header?: Readonly<Record<string, unknown>>) => Promise<string>;
  readonly close: () => void;
}

export async function openIssuer(): Promise<CanaryIssuer> {
  const issuer = await FakeIssuer.open();
  issuer.nowMs = Date.now();
  let isAnswering = false;
  const server: Server = createServer((_request, response) => {
    response.writeHead(isAnswering ? 200 : 500, { 'Content-Type': 'application/json' });
    response.end(isAnswering ? JSON.stringify({ keys: issuer.keys }) : '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${address.port}`;
  return {
    url,
    config: oidcConfig({ issuer: url, jwks_uri: `${url}/keys` }),
    answer: () => (isAnswering = true),
    sign(claims, header = {}) {
      issuer.nowMs = Date.now();
      return issuer.sign({ claims: { iss: url, aud: AUDIENCE, ...claims }, header });
    },
    close: () => server.close(),
  };
}

/** What callers by a JWT are called in their claims, and the place of canaries that they are. */
export const CALLER_PLACE = 'sub of a JWT';

/** JWTs with canaries in every claim: while the issuer is silent, then such as are taken, and such as are not. */
export async function playCallers(stage: Stage, issuer: CanaryIssuer): Promise<Taken[]> {
  const { maker, sources } = stage;
  const [source] = sources.submit;
  const caller = (): string => maker.plain(CALLER_PLACE);
  const sign = async (claims: JWTPayload, header?: Readonly<Record<string, unknown>>): Promise<string> => {
    const jwt = await issuer.sign({ jti: maker.plain('jti'), name: maker.plain('name'), ...claims }, header);
    return maker.keep('JWT', jwt, jwt.split('.')[2]);
  };
  const writer = await sign({ sub: caller(), roles: ['log-writer'], log_sources: [source!.value] });
  const reader = await sign({ sub: caller(), roles: ['log-auditor'] });
  const operator = await sign({ sub: caller(), roles: ['log-admin'] });
  const { canaries, event } = canaryEvent(maker, { type: 'logout', isWhole: true, source: source! });
  const { seq: _seq, ...unnumbered } = event;
  await askFor(stage, { request: submission(writer, unnumbered), status: 503 });
  issuer.answer();
  const post = submission(writer, unnumbered);
  const first = await askUntil(stage, post, ({ status }) => status === 201);
  const eventId = eventIdOf(first);
  const path = `/v1/events/${eventId}`;
  const shown = await askFor(stage, { request: getting(path, reader), status: 200 });
  const receipt = await askFor(stage, { request: getting(`${path}/receipt`, writer), status: 200 });
  const because = { reason: 'subject_request', dry_run: true, event_ids: [eventId] };
  await askFor(stage, { request: posting('/v1/erasures', operator, because), status: 200 });
  for (const [status, jwt] of [
    [401, await sign({ sub: caller(), exp: 1, roles: ['log-auditor'] })],
    [401, await sign({ sub: caller(), aud: maker.plain('aud'), roles: ['log-auditor'] })],
    [401, await sign({ sub: caller(), iss: maker.plain('iss'), roles: ['log-auditor'] })],
    [401, await sign({ sub: `${caller()} é`, roles: ['log-auditor'] })],
    [401, await sign({ sub: caller(), roles: ['log-auditor'] }, { kid: maker.plain('kid') })],
    [401, await sign({ sub: caller(), roles: ['log-auditor'] }, { typ: maker.plain('typ') })],
    [401, `${reader.slice(0, -8)}AAAAAAAA`],
    [403, await sign({ sub: caller(), roles: [maker.plain('role')] })],
    [403, await sign({ sub: caller(), roles: ['log-writer'], log_sources: [`${maker.plain('source')} x`] })],
  ] as const) {
    await askFor(stage, { request: getting(path, jwt), status });
  }
  const given = Buffer.concat([first.body, shown.body, receipt.body]);
  return [{ event: unnumbered, canaries, eventId, given }];
}

/** An erasure of people and one of single events, to their end; and what is answered of them afterwards. */
export async function playErasures(
  stage: Stage,
  { people, single, kept }: { readonly people: readonly Taken[]; single: readonly Taken[]; kept: Taken },
): Promise<void> {
  const { maker, tokens } = stage;
  const erased = [...people, ...single];
  const because = { reason: 'subject_request' };
  const asked: JsonObject[] = [
    ...people.map(({ event }) => ({ ...because, subject: subjectOf(event)! })),
    { ...because, event_ids: single.map(({ eventId }) => eventId) },
  ];
  const targets: string[] = [];
  for (const body of asked) {
    const plan = await askFor(stage, {
      request: posting('/v1/erasures', tokens.admin, { ...body, dry_run: true }),
      status: 200,
    });
    assert.ok(Number(bodyOf(plan)['events']) > 0, textOf(plan));
    const accepted = await askFor(stage, {
      request: posting('/v1/erasures', tokens.admin, body),
      status: 202,
    });
    targets.push(accepted.headers.get('location')!);
  }
  for (const target of targets) {
    const request = getting(`${target}?receipts=true`, tokens.admin);
    await askUntil(stage, request, (answer) => bodyOf(answer)['state'] === 'done');
  }
  await askFor(stage, { request: getting('/v1/erasures', tokens.admin), status: 200 });

  for (const { eventId, event } of erased) {
    const path = `/v1/events/${eventId}`;
    await askFor(stage, { request: getting(path, tokens.audit), status: 410 });
    await askFor(stage, { request: getting(`${path}/receipt`, tokens.submit), status: 410 });
    if (event['id'] === undefined) continue;
    await askFor(stage, { request: submission(tokens.submit, event), status: 410 });
  }
  const named = erased.filter(({ event }) => event['id'] !== undefined);
  const elements = named.map(({ event }) => ({ body: Buffer.from(JSON.stringify(event)) }));
  for (const query of ['', '?atomic=true']) {
    const items = itemsOf(await sendBatch(stage, elements, LINES, query));
    assert.ok(items.length === named.length && items.every(({ code }) => code === 'event_erased'));
  }
  for (const subject of people.map(({ event }) => subjectOf(event)!)) {
    const search = posting('/v1/events/search', tokens.audit, { subject });
    assert.deepEqual(itemsOf(await askFor(stage, { request: search, status: 200 })), []);
  }
  const [{ eventId: erasedId } = kept] = erased;
  for (const one of disclosureRequests(maker, tokens, { eventId: kept.eventId, erasedId })) {
    await askFor(stage, one);
  }
  for (const one of erasureRequests(maker, tokens, erasedId)) await askFor(stage, one);
}

/** Whose event it is, where somebody's. */
export function subjectOf({ subject }: JsonObject): JsonObject | undefined {
  return (subject as JsonObject | undefined)?.['sub_id'] as JsonObject | undefined;
}

/** The log's own events, each as whoever may read it is shown it. */
export async function readOwnEvents(stage: Stage): Promise<JsonObject[]> {
  const found: JsonObject[] = [];
  const { audit } = stage.tokens;
  for (let cursor = ''; ;) {
    const query = `source=newel:log&limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`;
    const page = await askFor(stage, { request: getting(`/v1/events?${query}`, audit), status: 200 });
    found.push(...itemsOf(page));
    const { next } = bodyOf(page);
    if (typeof next !== 'string') return found;
    cursor = next;
  }
}
