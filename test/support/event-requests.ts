/** Requests to `/v1/events` of an app without a socket, and their answers. */

import assert from 'node:assert/strict';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import type { TestLogOptions } from './test-log.ts';
import { bearer, openTestSite, type TestSite } from './test-site.ts';
import { exampleEvents } from './test-vault.ts';

export const FLAT: JsonObject = exampleEvents('flat.json')[0] as JsonObject;
export const FULL: JsonObject = exampleEvents('full.json')[0] as JsonObject;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, JsonValue>;
}

export function openEvents(options: TestLogOptions = {}): Promise<TestSite> {
  return openTestSite({ ...options, kind: 'events' });
}

/** The answer, read to its end; `json` is empty where it is none. */
export async function answerOf(asked: Response | Promise<Response>): Promise<Answer> {
  const response = await asked;
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('Content-Type') ?? '') && text !== '';
  const json = isJson ? (JSON.parse(text) as Record<string, JsonValue>) : {};
  return { status: response.status, headers: response.headers, text, json };
}

export interface Sent {
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly as?: Parameters<typeof bearer>[0];
}

/** Submits an event as JSON, or as the bytes given. */
export function post({ app }: TestSite, body: JsonValue | Uint8Array, sent: Sent = {}): Promise<Answer> {
  const { query = '', headers, as = 'submit' } = sent;
  return answerOf(
    app.request(`/v1/events${query}`, {
      method: 'POST',
      headers: { ...bearer(as), 'Content-Type': 'application/json', ...headers },
      body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
    }),
  );
}

export function get(
  { app }: TestSite,
  path: string,
  as: Parameters<typeof bearer>[0] = 'submit',
): Promise<Answer> {
  return answerOf(app.request(path, { headers: bearer(as) }));
}

/** The trust file. */
export async function trustOf(site: TestSite): Promise<JsonObject> {
  return (await answerOf(site.app.request('/v1/log'))).json;
}

/** A member that is a text. */
export function textOf(json: Record<string, JsonValue>, member: string): string {
  const value = json[member];
  assert.ok(typeof value === 'string', `${member} is a text`);
  return value;
}
