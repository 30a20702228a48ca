/**
 * Batches with canaries: right and wrong events side by side, as lines and as an array, and all or nothing. What is said
 * of those that are wrong has none.
 */

import assert from 'node:assert/strict';
import { type Canary, canaryEvent } from './canary-events.ts';
import { ask, askFor, itemsOf, posting, type Stage } from './canary-stage.ts';
import type { RawResponse } from './http-target.ts';
import { submission, WRONG_NAMES, wrongSubmission } from './wrong-requests.ts';

const LINES = 'application/x-ndjson';
const PATH = '/v1/events';

/** An event of a batch, as it is sent, and the status of its item. */
interface Element {
  readonly body: Uint8Array;
  readonly status: number;
}

/** Sends batches of all that can be wrong about one event. */
export async function playBatches(stage: Stage, source: Canary): Promise<void> {
  const good = (): Element => ({ body: newBody(stage, source), status: 201 });
  const elements = [good(), ...wrongElements(stage, source), good()];
  await assertItems(stage, elements, LINES);
  // What is no JSON ends an array where it stands.
  const whole = [good(), ...wrongElements(stage, source).filter(({ status }) => status === 422), good()];
  await assertItems(stage, whole, 'application/json');

  const repeated = whole.map((element) => ({ ...element, status: element.status === 201 ? 200 : 422 }));
  const refused = await sendBatch(stage, repeated, 'application/json', '?atomic=true');
  assert.equal(refused.status, 422);
  assert.equal(itemsOf(refused).length, repeated.filter(({ status }) => status === 422).length);
  assert.equal((await sendBatch(stage, elements, LINES, '?atomic=true')).status, 422);

  const body = Buffer.from(good().body).toString();
  const { maker, tokens } = stage;
  for (const [text, items] of [
    [`[${body},{"${maker.plain('a name')}":"${maker.plain('a value')}`, 2],
    [`[${body}] ${maker.plain('a rest')}`, 2],
    [`[${body},,"${maker.plain('an element')}"]`, 2],
    [`[${body},${maker.plain('a word')}]`, 2],
  ] as const) {
    const response = await ask(stage, posting(PATH, tokens.submit, Buffer.from(text)));
    assert.equal(response.status, 200);
    assert.equal(itemsOf(response).length, items);
  }
  const before = [
    { text: `[${maker.plain('a word')}]`, type: 'application/json', target: PATH, status: 400 },
    { text: `["${maker.plain('an element')}`, type: 'application/json', target: PATH, status: 400 },
    { text: body, type: LINES, target: `${PATH}?atomic=${maker.plain('atomic')}`, status: 400 },
    { text: body, type: LINES, target: `${PATH}?${maker.plain('a key')}=1`, status: 400 },
  ];
  for (const { text, type, target, status } of before) {
    await askFor(stage, { request: posting(target, tokens.submit, Buffer.from(text), type), status });
  }
  const keyed = posting(PATH, tokens.submit, Buffer.from(body), LINES);
  const key = ['Idempotency-Key', maker.plain('Idempotency-Key')] as const;
  await askFor(stage, { request: { ...keyed, headers: [...keyed.headers, key] }, status: 400 });
}

/** An event without a number, so that numbers are for those that are about them. */
function newBody({ maker }: Stage, source: Canary): Uint8Array {
  const { event } = canaryEvent(maker, { type: 'login.failed', isWhole: true, source });
  const { seq: _seq, ...rest } = event;
  return Buffer.from(JSON.stringify(rest));
}

/** The bodies that the single route refuses, each in the place of an event. */
function wrongElements({ maker, tokens }: Stage, source: Canary): Element[] {
  const plainHeaders = submission(tokens.submit, {}).headers;
  return WRONG_NAMES.flatMap((what) => {
    const { event } = canaryEvent(maker, { type: 'login.failed', isWhole: true, source });
    const { request, status } = wrongSubmission(what, event, maker, tokens.submit);
    const isAboutBody =
      request.target === PATH &&
      request.method === 'POST' &&
      JSON.stringify(request.headers) === JSON.stringify(plainHeaders);
    return isAboutBody ? [{ body: request.body!, status }] : [];
  });
}

async function assertItems(stage: Stage, elements: readonly Element[], type: string): Promise<void> {
  const response = await sendBatch(stage, elements, type);
  assert.equal(response.status, 200);
  assert.deepEqual(
    itemsOf(response).map(({ n, status }) => ({ n, status })),
    elements.map(({ status }, n) => ({ n, status })),
  );
}

/** Sends bodies as one batch, by whom may submit them. */
export function sendBatch(
  stage: Stage,
  elements: readonly Pick<Element, 'body'>[],
  type: string,
  query = '',
  token: string = stage.tokens.submit,
): Promise<RawResponse> {
  const text = (bytes: string): Buffer => Buffer.from(bytes);
  const between = text(type === LINES ? '\n' : ',');
  const joined = elements.flatMap(({ body }, i) => (i === 0 ? [body] : [between, body]));
  const parts = type === LINES ? joined : [text('['), ...joined, text(']')];
  return ask(stage, posting(`${PATH}${query}`, token, Buffer.concat(parts), type));
}
