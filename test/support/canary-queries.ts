/**
 * Requests with canaries to the routes that take no events: finding, disclosing, erasing. In every member of a query and a
 * body there is one, in a form that is refused and in one that finds nothing. Their answers have none of it.
 */

import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import type { CanaryMaker } from './canary-events.ts';
import { getting, posting } from './canary-stage.ts';
import type { Expected } from './wrong-requests.ts';

/** Members that a URL and a body take, with the status for a canary that is a text there. */
const OPEN_MEMBERS: Readonly<Record<string, number>> = {
  source: 200,
  id: 400,
  type: 400,
  outcome: 400,
  system_action: 400,
  reason: 400,
  method: 400,
  after: 400,
  before: 400,
  limit: 400,
  cursor: 400,
};
/** Members that a body alone takes. */
const BODY_MEMBERS: Readonly<Record<string, number>> = {
  session: 200,
  txn: 200,
  ip: 200,
  device: 200,
  action_id: 200,
  corrects: 200,
  subject: 400,
  time_after: 400,
  time_before: 400,
};

type Tokens = Readonly<Record<'submit' | 'audit' | 'admin', string>>;

/** `GET /v1/events` and `POST /v1/events/search`. */
export function findingRequests(maker: CanaryMaker, { audit, submit, admin }: Tokens): Expected[] {
  const inUrl = (status: number, query: string): Expected => ({
    request: getting(`/v1/events?${query}`, audit),
    status,
  });
  const inBody = (status: number, body: JsonValue | Uint8Array, target = SEARCH): Expected => ({
    request: posting(target, audit, body),
    status,
  });
  const plain = (name: string): string => maker.plain(`asked for ${name}`);
  const person = { format: 'opaque', id: plain('subject') };
  return [
    ...Object.entries(OPEN_MEMBERS).map(([name, status]) => inUrl(status, `${name}=${plain(name)}`)),
    ...Object.keys(BODY_MEMBERS).map((name) => inUrl(400, `${name}=${plain(name)}`)),
    inUrl(200, `source=${plain('source')}&id=${plain('id')}`),
    inUrl(400, `source=%zz${plain('source')}`),
    inUrl(400, `${plain('a key')}=1`),
    inUrl(400, `limit=1&limit=${plain('limit')}`),
    ...Object.entries({ ...OPEN_MEMBERS, ...BODY_MEMBERS }).flatMap(([name, status]) => [
      inBody(status, { [name]: plain(name) }),
      inBody(name === 'subject' ? 422 : 400, { [name]: { [plain(name)]: plain(name) } }),
      inBody(400, { [name]: [plain(name)] }),
    ]),
    inBody(200, { source: plain('source'), id: plain('id') }),
    inBody(200, { subject: person }),
    inBody(422, { subject: { format: plain('format'), id: plain('subject') } }),
    ...wrongBodies(plain).map(({ status, body }) => inBody(status, body)),
    inBody(400, {}, `${SEARCH}?${plain('a key')}`),
    { request: posting(SEARCH, audit, {}, `application/${plain('a type')}`), status: 415 },
    { request: posting(SEARCH, submit, { txn: plain('txn') }), status: 403 },
    { request: posting(SEARCH, admin, { txn: plain('txn') }), status: 403 },
    { request: posting(SEARCH, `newel_${plain('a token')}`, { txn: plain('txn') }), status: 401 },
  ];
}

const SEARCH = '/v1/events/search';

/** Bodies that no route takes. */
function wrongBodies(plain: (name: string) => string): { status: number; body: JsonValue | Uint8Array }[] {
  const text = (body: string): Uint8Array => Buffer.from(body);
  return [
    { status: 400, body: { [plain('a name')]: plain('a value') } },
    { status: 400, body: [plain('an item')] },
    { status: 400, body: plain('a text') },
    { status: 400, body: text(`{"${plain('a name')}":"${plain('a value')}`) },
    { status: 400, body: text(`{"txn":"x"} ${plain('a rest')}`) },
    { status: 400, body: text(`{"txn":"${plain('txn')}","txn":"${plain('txn')}"}`) },
    {
      status: 400,
      body: Buffer.concat([text(`{"txn":"${plain('txn')}`), Uint8Array.of(0xff), text('"}')]),
    },
    { status: 413, body: { txn: `${plain('txn')} `.repeat(4000) } },
  ];
}

/** `POST /v1/disclosures`; `eventId` is an event of the submitter, `erasedId` one that was erased. */
export function disclosureRequests(
  maker: CanaryMaker,
  { submit, audit, admin }: Tokens,
  { eventId, erasedId }: { readonly eventId: string; readonly erasedId: string },
): Expected[] {
  const plain = (name: string): string => maker.plain(`disclosure’s ${name}`);
  const asked = (members: JsonObject = {}): JsonObject => ({
    event_ids: [eventId],
    claims: ['type'],
    audience: plain('audience'),
    nonce: plain('nonce'),
    ...members,
  });
  const at = (status: number, body: JsonValue | Uint8Array, token = submit): Expected => ({
    request: posting('/v1/disclosures', token, body),
    status,
  });
  const { claims: _claims, ...unchosen } = asked();
  return [
    at(200, asked()),
    at(200, asked({ dry_run: true })),
    at(400, asked({ event_ids: [plain('event_ids')] })),
    at(400, asked({ event_ids: plain('event_ids') })),
    at(404, asked({ event_ids: [unknownEventId(maker)] })),
    at(404, asked({ event_ids: [eventId, unknownEventId(maker)] }), audit),
    at(410, asked({ event_ids: [erasedId] })),
    at(410, asked({ event_ids: [eventId, erasedId], dry_run: true })),
    at(400, asked({ claims: [plain('claims')] })),
    at(400, asked({ claims: [`trigger.${plain('claims')}`] })),
    at(400, asked({ claims: plain('claims') })),
    at(400, asked({ claims: { [plain('claims')]: 1 } })),
    at(400, { ...unchosen, preset: plain('preset') }),
    at(400, { ...unchosen, preset: [plain('preset')] }),
    at(400, asked({ preset: plain('preset') })),
    at(400, asked({ audience: `${plain('audience')} é` })),
    at(400, asked({ audience: [plain('audience')] })),
    at(400, asked({ nonce: `${plain('nonce')} ` })),
    at(400, asked({ nonce: { [plain('nonce')]: 1 } })),
    at(400, asked({ dry_run: plain('dry_run') })),
    ...wrongBodies(plain).map(({ status, body }) => at(status, body)),
    at(403, asked(), admin),
    at(401, asked(), `newel_${plain('token')}`),
  ];
}

/** `/v1/erasures`, of nothing that there is; `erasedId` is an event that was erased. */
export function erasureRequests(
  maker: CanaryMaker,
  { submit, audit, admin }: Tokens,
  erasedId: string,
): Expected[] {
  const plain = (name: string): string => maker.plain(`erasure’s ${name}`);
  const at = (status: number, body: JsonValue | Uint8Array, token = admin): Expected => ({
    request: posting('/v1/erasures', token, body),
    status,
  });
  const get = (status: number, target: string): Expected => ({ request: getting(target, admin), status });
  const because = { reason: 'subject_request' };
  const subject = (): JsonObject => ({ format: 'opaque', id: plain('subject') });
  return [
    ...[{}, { dry_run: true }].flatMap((members) => [
      at(404, { ...because, ...members, subject: subject() }),
      at(404, { ...because, ...members, event_ids: [unknownEventId(maker)] }),
      at(410, { ...because, ...members, event_ids: [erasedId] }),
      at(422, { ...because, ...members, subject: { format: plain('format'), id: plain('subject') } }),
    ]),
    at(422, { ...because, subject: { [plain('subject')]: 1 } }),
    at(400, { ...because, subject: plain('subject') }),
    at(400, { ...because, event_ids: [plain('event_ids')] }),
    at(400, { ...because, event_ids: plain('event_ids') }),
    at(400, { ...because, retention: { [plain('retention')]: '90d' }, dry_run: true }),
    at(400, { ...because, retention: { [plain('retention')]: '90d' } }),
    at(400, { ...because, retention: { 'login.failed': plain('retention') }, dry_run: true }),
    at(400, { ...because, retention: plain('retention') }),
    at(200, { ...because, retention: { 'login.failed': '90d' }, dry_run: true }),
    at(400, { reason: plain('reason'), subject: subject() }),
    at(400, { ...because, subject: subject(), dry_run: plain('dry_run') }),
    at(400, { ...because, subject: subject(), event_ids: [plain('event_ids')] }),
    ...wrongBodies(plain).map(({ status, body }) => at(status, body)),
    at(403, { ...because, subject: subject() }, audit),
    at(403, { ...because, subject: subject() }, submit),
    at(401, { ...because, subject: subject() }, `newel_${plain('token')}`),
    get(400, `/v1/erasures?limit=${plain('limit')}`),
    get(400, `/v1/erasures?cursor=${plain('cursor')}`),
    get(400, `/v1/erasures?${plain('a key')}=1`),
    get(404, `/v1/erasures/${plain('erasure_id')}`),
    get(404, `/v1/erasures/era_${plain('erasure_id').slice(0, 21)}A`),
    get(400, `/v1/erasures/${plain('erasure_id')}?receipts=${plain('receipts')}`),
    get(400, `/v1/erasures/${plain('erasure_id')}?receipts=true&start=${plain('start')}`),
    get(400, `/v1/erasures/${plain('erasure_id')}?${plain('a key')}`),
  ];
}

/** Of the right form. */
function unknownEventId(maker: CanaryMaker): string {
  const random = `${maker.plain('event_id').slice(0, 21)}A`;
  return maker.keep('event_id', `evt_${random}`, random);
}
