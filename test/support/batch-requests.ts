/** Batches of events to `/v1/events` of an app without a socket, and their answers. */

import assert from 'node:assert/strict';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { createApp, type WriteSite } from '../../src/http/app.ts';
import { FLAT, openEvents } from './event-requests.ts';
import { described } from './openapi.ts';
import type { TestLogOptions } from './test-log.ts';
import { bearer, type TestSite } from './test-site.ts';

export type Item = Record<string, JsonValue>;

export interface BatchReply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** What stands in the answer, checkpoints too. */
  readonly items: readonly Item[];
  /** Of an answer that is no batch's. */
  readonly problem: Item;
}

export interface BatchSite extends TestSite {
  readonly send: (body: BodyInit | readonly JsonValue[], sent?: BatchSent) => Promise<BatchReply>;
}

export interface BatchSent {
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly as?: Parameters<typeof bearer>[0];
  /** As an array rather than as lines. */
  readonly isArray?: boolean;
}

/** A log of events whose routes are given `write` beside what they have. */
export async function openBatches(
  write: Partial<WriteSite> = {},
  options: TestLogOptions = {},
): Promise<BatchSite> {
  const site = await openEvents(options);
  const app = described(createApp(site.site, { ...site.write, ...write }));
  return { ...site, app, send: (body, sent) => sendBatch(app, body, sent) };
}

async function sendBatch(
  app: TestSite['app'],
  body: BodyInit | readonly JsonValue[],
  { query = '', headers, as = 'submit', isArray = false }: BatchSent = {},
): Promise<BatchReply> {
  const init: RequestInit & { duplex?: 'half' } = {
    method: 'POST',
    headers: {
      ...bearer(as),
      'Content-Type': isArray ? 'application/json' : 'application/x-ndjson',
      ...headers,
    },
    body: isEvents(body) ? textOf(body, isArray) : body,
    duplex: 'half',
  };
  return readReply(await app.request(`/v1/events${query}`, init));
}

function isEvents(body: BodyInit | readonly JsonValue[]): body is readonly JsonValue[] {
  return Array.isArray(body);
}

function textOf(events: readonly JsonValue[], isArray: boolean): string {
  return isArray ? JSON.stringify(events) : events.map((event) => `${JSON.stringify(event)}\n`).join('');
}

export async function readReply(response: Response): Promise<BatchReply> {
  const { status, headers } = response;
  const text = await response.text();
  const type = headers.get('Content-Type');
  if (status === 200 && type === 'application/x-ndjson') {
    assert.ok(text.endsWith('\n'));
    const items = text.split('\n').slice(0, -1);
    return { status, headers, text, items: items.map((line) => JSON.parse(line) as Item), problem: {} };
  }
  const json = JSON.parse(text) as Item;
  const { items = [] } = json;
  return { status, headers, text, items: (status === 200 ? items : []) as Item[], problem: json };
}

/** A flat event with an id, and whatever else. */
export function flat(id: string, members: JsonObject = {}): JsonObject {
  return { ...FLAT, id, ...members };
}

/** The statuses of the items, by their numbers, which have to be in order. */
export function statusesOf({ items }: BatchReply): JsonValue[] {
  const events = items.filter((item) => 'n' in item);
  assert.deepEqual(
    events.map(({ n }) => n),
    events.map((_, i) => i),
    'an item for each event, in order',
  );
  return events.map(({ status }) => status!);
}

/** A body that the test sends piece by piece. */
export function openBody(): {
  readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly write: (text: string) => void;
  readonly end: () => void;
} {
  let controller!: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({ start: (own) => void (controller = own) });
  return {
    stream,
    write: (text) => controller.enqueue(Uint8Array.from(Buffer.from(text))),
    end: () => controller.close(),
  };
}
