/**
 * Requests that are wrong, each with a canary (`canary-events.ts`) where no value of an event is taken: in a member that
 * takes something else, in the name of one, in JSON that is none, in a header, a query, a path, and in what is no HTTP.
 */

import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import type { CanaryMaker } from './canary-events.ts';
import type { RawRequest } from './http-target.ts';

/** A request and what it is answered with. */
export interface Expected {
  readonly request: RawRequest;
  readonly status: number;
}

export type Headers = readonly (readonly [name: string, value: string])[];

const JSON_HEADERS: Headers = [['Content-Type', 'application/json']];

/** The header that shows a token. */
export function bearer(token: string): readonly [string, string] {
  return ['Authorization', `Bearer ${token}`];
}

/** A POST of an event, or of bytes in the place of one. */
export function submission(token: string, body: JsonValue | Uint8Array, headers: Headers = []): RawRequest {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  return {
    method: 'POST',
    target: '/v1/events',
    headers: [bearer(token), ...JSON_HEADERS, ...headers],
    body: bytes,
  };
}

/** What makes a wrong request of an event: the status, and the body or what else is sent. */
interface Wrong {
  readonly status: number;
  readonly body?: JsonValue | Uint8Array;
  readonly text?: string;
  readonly target?: string;
  readonly method?: string;
  /** In the place of those of the same name. */
  readonly headers?: Headers;
}

type MakeWrong = (event: JsonObject, maker: CanaryMaker) => Wrong;

/** Each has a canary where no value of an event is taken, or takes one from where it may stand to where it may not. */
const WRONG: Readonly<Record<string, MakeWrong>> = {
  'an object for a text': (event, maker) => ({
    status: 422,
    body: { ...event, [textMemberOf(event)]: { [maker.plain('name of a value')]: maker.plain('value') } },
  }),
  'a list for a text': (event, maker) => ({
    status: 422,
    body: { ...event, [textMemberOf(event)]: [maker.plain('item'), event[textMemberOf(event)]!] },
  }),
  'a text for an object': (event, maker) => ({
    status: 422,
    body: { ...event, subject: maker.plain('subject'), trigger: maker.plain('trigger') },
  }),
  'members by unlisted names': (event, maker) => ({
    status: 422,
    body: { ...event, [maker.plain('name')]: maker.plain('value'), [`/~1${maker.plain('name')}`]: 1 },
  }),
  'members by unlisted names inside': (event, maker) => ({
    status: 422,
    body: {
      ...event,
      device: { [maker.plain('name')]: 1, type: maker.plain('choice') },
      ip: maker.plain('ip'),
    },
  }),
  'texts for choices': (event, maker) => ({
    status: 422,
    body: {
      ...event,
      ['event_type' in event ? 'status' : 'type']: maker.plain('choice'),
      outcome: maker.plain('choice'),
    },
  }),
  'texts for times and numbers': (event, maker) => ({
    status: 422,
    body: { ...event, time: maker.plain('time'), timestamp: maker.plain('time'), seq: maker.plain('number') },
  }),
  'texts that are too long or have control characters': (event, maker) => ({
    status: 422,
    body: {
      ...event,
      txn: `${maker.plain('txn')} with spaces`,
      tenant: `${maker.plain('tenant')}${'x'.repeat(300)}`,
      device: 'event_type' in event ? `${maker.plain('device')}\u0000` : { os: `${maker.plain('os')}\u0085` },
    },
  }),
  'a lone surrogate': (event, maker) => ({
    status: 422,
    text: JSON.stringify({ ...event, tenant: maker.plain('tenant'), user_id: '?' }).replace(
      '"?"',
      '"\\ud800"',
    ),
  }),
  'names in ext and labels that are none': (event, maker) => ({
    status: 422,
    body: {
      ...event,
      ext: { [maker.plain('ext')]: { _sd: maker.plain('value'), '...': 1 } },
      labels: { [`${maker.plain('label')} `]: maker.plain('value') },
    },
  }),
  'a format of subjects that is none': (event, maker) => ({
    status: 422,
    body: { ...event, subject: { sub_id: { format: maker.plain('format'), id: maker.plain('id') } } },
  }),
  'a private key as holder': (event, maker) => ({
    status: 422,
    body: { ...event, holder: { kty: 'OKP', crv: 'Ed25519', x: maker.plain('x'), d: maker.plain('d') } },
  }),
  'another schema': (event, maker) => ({ status: 422, body: { ...event, schema: maker.plain('schema') } }),
  'another’s source': (event, maker) => ({
    status: 'event_type' in event ? 422 : 403,
    body: { ...event, source: `urn:x:${maker.plain('source')}` },
  }),
  'nothing that is required': (event) => {
    const { type: _type, timestamp: _timestamp, ...rest } = event;
    return { status: 422, body: rest };
  },
  'a text that is cut short': (event, maker) => ({
    status: 400,
    text: JSON.stringify({ ...event, tenant: maker.plain('tenant') }).slice(0, -2),
  }),
  'text after the value': (event, maker) => ({
    status: 400,
    text: `${JSON.stringify(event)} ${maker.plain('rest')}`,
  }),
  'a member twice': (event, maker) => {
    const name = maker.plain('name');
    return {
      status: 400,
      text: `{"${name}":1,"${name}":"${maker.plain('value')}",${JSON.stringify(event).slice(1)}`,
    };
  },
  'an escape that is none': (event, maker) => ({
    status: 400,
    text: `{"tenant":"${maker.plain('value')}\\x",${JSON.stringify(event).slice(1)}`,
  }),
  'a word that is none': (event, maker) => ({
    status: 400,
    text: `{"tenant":${maker.plain('value')},${JSON.stringify(event).slice(1)}`,
  }),
  'a number that no double holds': (event, maker) => ({
    status: 400,
    text: `{"${maker.plain('name')}":9007199254740993,${JSON.stringify(event).slice(1)}`,
  }),
  'bytes that are not UTF-8': (event, maker) => ({
    status: 400,
    body: Buffer.concat([
      Buffer.from(`{"tenant":"${maker.plain('value')}`),
      Uint8Array.of(0xff),
      Buffer.from(JSON.stringify(event)),
    ]),
  }),
  'too many levels': (event, maker) => ({
    status: 400,
    text: `${`{"${maker.plain('name')}":`.repeat(40)}${JSON.stringify(event)}${'}'.repeat(40)}`,
  }),
  'no object': (_event, maker) => ({ status: 422, body: maker.plain('text') }),
  'an array that does not end': (event) => ({ status: 400, text: `[${JSON.stringify(event)}` }),
  'too many bytes': (event, maker) => ({
    status: 413,
    body: { ...event, tenant: `${maker.plain('tenant')}-`.repeat(3000) },
  }),
  'another Idempotency-Key': (event, maker) => ({
    status: 400,
    body: { ...event, id: event['id'] ?? maker.plain('id') },
    headers: [['Idempotency-Key', maker.plain('Idempotency-Key')]],
  }),
  'an Idempotency-Key that is none': (event, maker) => ({
    status: 400,
    body: event,
    headers: [['Idempotency-Key', `${maker.plain('Idempotency-Key')} \xe9`]],
  }),
  'an Idempotency-Key twice': (event, maker) => ({
    status: 400,
    body: event,
    headers: [
      ['Idempotency-Key', maker.plain('Idempotency-Key')],
      ['Idempotency-Key', maker.plain('Idempotency-Key')],
    ],
  }),
  'a Content-Type that is none': (event, maker) => ({
    status: 415,
    body: event,
    headers: [
      ['Content-Type', `application/${maker.plain('Content-Type')}; charset="${maker.plain('charset')}"`],
    ],
  }),
  'a charset': (event, maker) => ({
    status: 415,
    body: event,
    headers: [['Content-Type', `application/json; charset=${maker.plain('charset')}`]],
  }),
  'a Content-Encoding': (event, maker) => ({
    status: 415,
    body: event,
    headers: [['Content-Encoding', maker.plain('Content-Encoding')]],
  }),
  'an Accept that leaves nothing': (event, maker) => ({
    status: 406,
    body: event,
    headers: [['Accept', `application/${maker.plain('Accept')}`]],
  }),
  'a token that is none': (event, maker) => ({
    status: 401,
    body: event,
    headers: [['Authorization', `Bearer newel_${maker.plain('token')}`]],
  }),
  'another scheme of authentication': (event, maker) => ({
    status: 401,
    body: event,
    headers: [['Authorization', `${maker.plain('scheme')} ${maker.plain('credentials')}`]],
  }),
  'an unknown level': (event, maker) => ({
    status: 400,
    body: event,
    target: `/v1/events?level=${maker.plain('level')}`,
  }),
  'an unknown alg': (event, maker) => ({
    status: 400,
    body: event,
    target: `/v1/events?alg=${maker.plain('alg')}`,
  }),
  'an unknown key of the query': (event, maker) => ({
    status: 400,
    body: event,
    target: `/v1/events?${maker.plain('key')}=1`,
  }),
  'a key of the query twice': (event, maker) => ({
    status: 400,
    body: event,
    target: `/v1/events?level=signed&level=${maker.plain('level')}`,
  }),
  'a level that no log has yet': (event) => ({
    status: 422,
    body: event,
    target: '/v1/events?level=witnessed',
  }),
  'a path that is none': (event, maker) => ({
    status: 404,
    body: event,
    target: `/v1/events/${maker.plain('path')}/x/y`,
  }),
  'a method that is not there': (event, maker) => ({
    status: 405,
    method: 'PUT',
    body: event,
    target: `/v1/events/${maker.plain('path')}`,
  }),
};

/** A member of an event that is a text and has a canary. */
function textMemberOf(event: JsonObject): string {
  return 'event_type' in event ? 'user_id' : 'id';
}

/** What can be wrong about a submission. */
export const WRONG_NAMES: readonly string[] = Object.keys(WRONG);

/** A submission of `event` by the bearer of `token`, made wrong in one way. */
export function wrongSubmission(
  what: string,
  event: JsonObject,
  maker: CanaryMaker,
  token: string,
): Expected {
  const {
    status,
    body,
    text,
    target = '/v1/events',
    method = 'POST',
    headers = [],
  } = WRONG[what]!(event, maker);
  const base = submission(token, text === undefined ? body! : Buffer.from(text));
  const replaced = headers.map(([name]) => name);
  const kept = base.headers.filter(([name]) => !replaced.includes(name));
  return { request: { ...base, method, target, headers: [...kept, ...headers] }, status };
}

/** Requests with a canary in what only HTTP itself has; `event` is one that was taken. */
export function otherRequests(
  maker: CanaryMaker,
  tokens: Readonly<Record<'submit' | 'audit' | 'admin', string>>,
  event: JsonObject,
): Expected[] {
  const at = (status: number, target: string, headers: Headers = [], method = 'GET'): Expected => ({
    request: { method, target, headers },
    status,
  });
  const audit = bearer(tokens.audit);
  const id = `evt_${maker.plain('event_id').slice(0, 22)}`;
  maker.keep('event_id', id);
  return [
    at(404, `/v1/events/${maker.plain('event_id')}`, [audit]),
    at(404, `/v1/events/${id}`, [audit]),
    at(404, `/v1/events/${id}/receipt`, [audit]),
    at(404, `/v1/events/%65vt_${maker.plain('event_id')}`, [audit]),
    at(400, `/v1/events/${id}?${maker.plain('key')}`, [audit]),
    at(400, `/v1/events/${id}/receipt?level=${maker.plain('level')}`, [audit]),
    at(400, `/v1/events/${id}/receipt?alg=${maker.plain('alg')}`, [audit]),
    at(404, `/${maker.plain('path')}`),
    at(404, `/v1/${maker.plain('path')}?${maker.plain('query')}`),
    at(404, `/tile/${maker.plain('path')}`),
    at(404, `/tile/0/000?${maker.plain('query')}`),
    at(404, `/tile/entries/${maker.plain('path')}`),
    at(404, `/problems/${maker.plain('path')}`),
    at(400, `/v1/leaves?start=${maker.plain('start')}`),
    at(400, `/v1/leaves?${maker.plain('key')}=1`),
    at(400, `/v1/leaves/${maker.plain('leaf')}`),
    at(400, `/v1/leaves/${maker.plain('leaf')}/proof`),
    at(400, `/v1/proofs/inclusion?hash=${maker.plain('hash')}`),
    at(400, `/v1/proofs/consistency?first=${maker.plain('first')}&second=1`),
    at(400, `/v1/tree-head?${maker.plain('key')}`),
    at(406, '/v1/log', [['Accept', `text/${maker.plain('Accept')}`]]),
    at(200, '/v1/log', [[maker.plain('header'), maker.plain('value')]]),
    at(200, '/checkpoint', [['If-None-Match', `"${maker.plain('If-None-Match')}"`]]),
    at(200, '/', [
      ['User-Agent', maker.plain('User-Agent')],
      ['Referer', `https://canary.example/${maker.plain('Referer')}`],
      ['Cookie', `session=${maker.plain('Cookie')}`],
      ['X-Forwarded-For', maker.plain('X-Forwarded-For')],
      ['X-Forwarded-Host', maker.plain('X-Forwarded-Host')],
      ['Forwarded', `for=${maker.plain('Forwarded')};host=${maker.plain('Forwarded')}`],
    ]),
    at(200, '/v1/tree-head', [['Origin', `https://${maker.plain('Origin')}.example`]]),
    at(
      204,
      '/v1/log',
      [
        ['Origin', `https://${maker.plain('Origin')}.example`],
        ['Access-Control-Request-Headers', maker.plain('Access-Control-Request-Headers')],
      ],
      'OPTIONS',
    ),
    at(405, `/v1/leaves/${maker.plain('leaf')}`, [], 'DELETE'),
    { request: submission(tokens.audit, event), status: 403 },
    { request: submission(tokens.admin, event), status: 403 },
    ...[
      `return=minimal, ${maker.plain('Prefer')}="${maker.plain('Prefer')}", wait=${maker.plain('wait')}`,
      `${maker.plain('Prefer')} ; ; =`,
    ].map((prefer) => ({ request: submission(tokens.submit, event, [['Prefer', prefer]]), status: 200 })),
  ];
}

/** What is no request to any route, as bytes. */
export function brokenRequests(maker: CanaryMaker): string[] {
  return [
    `GET /v1/log HTTP/1.1\r\nHost: ${maker.plain('Host')} x\r\nConnection: close\r\n\r\n`,
    `GET /v1/log HTTP/1.1\r\nHost: ${maker.plain('Host')}/x?y\r\nConnection: close\r\n\r\n`,
    `GET http://${maker.plain('authority')}:x/v1/log HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    `GET ${maker.plain('target')} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    `OPTIONS * HTTP/1.1\r\nHost: ${maker.plain('Host')}, b\r\nConnection: close\r\n\r\n`,
    `${maker.plain('method').toUpperCase()} / HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET / HTTP/${maker.plain('version')}\r\nHost: a\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\n${maker.plain('header')} ${maker.plain('header')}\r\n\r\n`,
    `POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: ${maker.plain('Content-Length')}\r\n\r\n`,
    `POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ${maker.plain('Transfer-Encoding')}\r\n\r\n`,
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${maker.plain('header')}${'x'.repeat(20_000)}\r\n\r\n`,
    `POST /v1/events HTTP/1.1\r\nHost: a\r\nExpect: ${maker.plain('Expect')}\r\nConnection: close\r\n\r\n`,
  ];
}
