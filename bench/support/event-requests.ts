/** Requests of `POST /v1/events`, every one with an event of its own, which is one and the same but for id and transaction. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomFillSync } from 'node:crypto';

const EXAMPLES = join(import.meta.dirname, '..', '..', 'spec', 'examples');
const ID_CHARS = 26;
const ID_PLACE = '0'.repeat(ID_CHARS);

/** Of the examples: what a token must be allowed to submit. */
export const EVENT_SOURCE = 'https://bank.example/payments';

/** A step-up that was completed, with places for id and transaction. */
export function completedEvent(): string {
  return templateOf(readFileSync(join(EXAMPLES, 'wire-transfer.ndjson'), 'utf8').split('\n')[4]!);
}

/** The fullest example, with places for id and transaction. */
export function fullestEvent(): string {
  return templateOf(JSON.stringify(JSON.parse(readFileSync(join(EXAMPLES, 'full.json'), 'utf8'))));
}

export interface EventRequestOptions {
  /** With places for id and transaction. */
  readonly template: string;
  readonly token: string;
  /** `?level=witnessed`, or nothing. */
  readonly query?: string;
  /** Of the header `Prefer`. */
  readonly prefer?: string;
}

/** What a load generator asks for the next request. One buffer a connection is written over and over. */
export function eventRequests(options: EventRequestOptions): (connection: number) => Buffer {
  const { template, token, query = '', prefer } = options;
  const head =
    `POST /v1/events${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
    (prefer === undefined ? '' : `Prefer: ${prefer}\r\n`) +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(template)}\r\n\r\n`;
  const run = randomFillSync(Buffer.alloc(4)).toString('hex');
  const first = Buffer.from(head + template).indexOf(ID_PLACE);
  const second = Buffer.from(head + template).indexOf(ID_PLACE, first + 1);
  if (second < 0) throw new Error('the event has no id and transaction to be written over');
  const requests: Buffer[] = [];
  let number = 0;
  return (connection) => {
    const request = (requests[connection] ??= Buffer.from(head + template));
    const id = `${run}-${String(number++).padStart(ID_CHARS - run.length - 1, '0')}`;
    for (const at of [first, second]) request.write(id, at, 'latin1');
    return request;
  };
}

/**
 * An event with places for id and transaction. It has no number of its source: what many connections send arrives in any
 * order, and each would open or close a gap.
 */
function templateOf(event: string): string {
  return event
    .replace(/"id":"01JD4X[0-9A-Z]{20}"/, `"id":"${ID_PLACE}"`)
    .replace(/"txn":"[^"]+"/, `"txn":"${ID_PLACE}"`)
    .replace(/"seq":[0-9]+,/, '');
}
