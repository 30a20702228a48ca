/**
 * Runs the scripts of `spec/http/*.txt`; `spec/http/README.md` says how they read. Every GET is sent as HEAD too, which
 * must answer alike, with the length and without the body. All that is answered is held against the OpenAPI document.
 */

import assert from 'node:assert/strict';
import type { RawRequest, RawResponse, Send } from './http-target.ts';
import { assertDescribed } from './openapi.ts';

export interface Exchange {
  readonly kind: 'exchange';
  readonly title: string;
  /** Only over a socket: `app.request()` cannot carry such a target. */
  readonly socketOnly: boolean;
  readonly line: number;
  readonly request: readonly string[];
  readonly body: readonly string[];
  readonly response: readonly string[];
  readonly checks: readonly string[];
}

export interface Action {
  readonly kind: 'action';
  readonly name: string;
  readonly argument: string;
  readonly line: number;
}

/** The log behind the routes, as scripts move it. */
export interface Stage {
  /** Starts over with a published log of so many entries; returns how to reach it. */
  open(entries: number): Promise<Send>;
  /** Starts over with a published log of events, without one. */
  openEvents(): Promise<Send>;
  append(text: string): Promise<void>;
  publish(): Promise<void>;
  /** Waits until all erasures that were accepted are done. */
  erased(): Promise<void>;
}

/** Throws for a line that is none of the script's. */
export function parseScript(text: string): (Exchange | Action)[] {
  const steps: (Exchange | Action)[] = [];
  let lists: Record<'>' | '>>' | '<' | '<<', string[]> | undefined;
  text.split('\n').forEach((line, i) => {
    if (line.trim() === '' || line.startsWith('#')) return;
    const [, mark, rest = ''] = /^(==|@|>>|<<|>|<) ?(.*)$/.exec(line) ?? [];
    if (mark === '@') {
      const [name = '', ...words] = rest.split(' ');
      steps.push({ kind: 'action', name, argument: words.join(' '), line: i + 1 });
      lists = undefined;
    } else if (mark === '==') {
      lists = { '>': [], '>>': [], '<': [], '<<': [] };
      const socketOnly = rest.startsWith('[socket] ');
      const title = socketOnly ? rest.slice('[socket] '.length) : rest;
      const { '>': request, '>>': body, '<': response, '<<': checks } = lists;
      steps.push({ kind: 'exchange', title, socketOnly, line: i + 1, request, body, response, checks });
    } else if (lists && (mark === '>' || mark === '>>' || mark === '<' || mark === '<<')) {
      lists[mark].push(rest);
    } else {
      throw new Error(`line ${i + 1} is not part of a script`);
    }
  });
  return steps;
}

/** Runs a script from its first step. `describe` runs each exchange, as a subtest for instance. */
export async function runScript(
  text: string,
  stage: Stage,
  options: { socket: boolean; describe: (title: string, run: () => Promise<void>) => Promise<void> },
): Promise<void> {
  let send: Send | undefined;
  const kept = new Map<string, string>();
  const steps = parseScript(text);
  assert.ok(
    steps.some((step) => step.kind === 'exchange'),
    'the script has no exchange',
  );
  for (const step of steps) {
    if (step.kind === 'action') {
      if (step.name === 'log') send = await stage.open(Number(step.argument));
      else if (step.name === 'events') send = await stage.openEvents();
      else if (step.name === 'append') await stage.append(step.argument);
      else if (step.name === 'publish') await stage.publish();
      else if (step.name === 'erased') await stage.erased();
      else throw new Error(`line ${step.line}: there is no action ${step.name}`);
    } else if (!step.socketOnly || options.socket) {
      const to = send;
      if (!to) throw new Error(`line ${step.line}: the script has not opened a log yet`);
      await options.describe(`${step.line}: ${step.title}`, () => runExchange(step, to, kept));
    }
  }
}

async function runExchange(step: Exchange, sendRaw: Send, kept: Map<string, string>): Promise<void> {
  const send: Send = async (asked) => {
    const answer = await sendRaw(asked);
    assertDescribed(asked, answer);
    return answer;
  };
  const request = requestOf(step, kept);
  const response = await send(request);
  const [status = '', ...headers] = step.response.map((line) => filled(line, kept));
  const text = new TextDecoder().decode(response.body);
  assert.equal(String(response.status), status, text.slice(0, 500));
  assert.ok(step.checks.length > 0 || headers.length > 0, 'an exchange checks more than its status');
  for (const line of headers) checkHeader(line, response);
  for (const line of step.checks) checkBody(line, response, text, kept);
  if (request.method === 'GET') checkHead(response, await send({ ...request, method: 'HEAD' }));
}

function requestOf(step: Exchange, kept: Map<string, string>): RawRequest {
  const [requestLine = '', ...lines] = step.request.map((line) => filled(line, kept));
  const space = requestLine.indexOf(' ');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(': ');
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
  const request = { method: requestLine.slice(0, space), target: requestLine.slice(space + 1), headers };
  return step.body.length === 0
    ? request
    : { ...request, body: Buffer.concat(step.body.map((line) => bodyPart(filled(line, kept)))) };
}

function bodyPart(line: string): Uint8Array {
  const [, kind, rest = ''] = /^(text|json|repeat) (.*)$/.exec(line) ?? [];
  if (kind === 'text') return Buffer.from(JSON.parse(rest) as string);
  if (kind === 'json') return Buffer.from(rest);
  if (kind === 'repeat') {
    const [count, character = ''] = rest.split(' ');
    return Buffer.from(character.repeat(Number(count)));
  }
  throw new Error(`there is no body part ${line}`);
}

function checkHeader(line: string, { headers }: RawResponse): void {
  const colon = line.indexOf(': ');
  const name = line.slice(0, colon);
  const wanted = line.slice(colon + 2);
  const value = headers.get(name.toLowerCase());
  if (wanted === '-') assert.equal(value, undefined, name);
  else if (wanted === '*') assert.ok(value, `${name} is missing`);
  else assert.equal(value, wanted, name);
}

function checkBody(line: string, response: RawResponse, text: string, kept: Map<string, string>): void {
  const [, check = '', rest = ''] = /^([a-z]+)(?: (.*))?$/.exec(filled(line, kept)) ?? [];
  const [left, right] = splitOnce(rest, ' = ');
  if (check === 'is') assert.equal(text, JSON.parse(rest));
  else if (check === 'contains') assert.ok(text.includes(rest), `body lacks ${rest}: ${text.slice(0, 500)}`);
  else if (check === 'lacks') assert.ok(!text.includes(rest), `body has ${rest}`);
  else if (check === 'bytes') assert.equal(response.body.length, Number(rest));
  else if (check === 'member') assert.deepEqual(memberOf(text, left), JSON.parse(right), left);
  else if (check === 'items') assert.equal((memberOf(text, left) as unknown[]).length, Number(right), left);
  else if (check === 'keep') kept.set(left, keptValue(right, response, text));
  else throw new Error(`there is no check ${line}`);
}

function keptValue(from: string, response: RawResponse, text: string): string {
  const [kind, name] = splitOnce(from, ' ');
  if (kind === 'header') return response.headers.get(name.toLowerCase()) ?? assert.fail(`no header ${name}`);
  if (kind === 'member') return String(memberOf(text, name));
  throw new Error(`nothing is kept from ${from}`);
}

/** `items.0.leaf_index` of a JSON text. */
function memberOf(text: string, path: string): unknown {
  let value: unknown = JSON.parse(text);
  for (const key of path.split('.')) {
    assert.ok(typeof value === 'object' && value !== null && key in value, `no member ${path} in ${text}`);
    value = (value as Record<string, unknown>)[key];
  }
  return value;
}

/** Headers in which HEAD and GET may differ: the moment, the framing, the connection. */
const VARYING = new Set(['date', 'content-length', 'transfer-encoding', 'connection', 'keep-alive']);

function checkHead(get: RawResponse, head: RawResponse): void {
  const steady = ({ headers }: RawResponse): [string, string][] =>
    [...headers].filter(([name]) => !VARYING.has(name)).sort(([a], [b]) => (a < b ? -1 : 1));
  assert.equal(head.status, get.status, 'HEAD has another status');
  assert.deepEqual(steady(head), steady(get), 'HEAD has other headers');
  assert.equal(head.body.length, 0, 'HEAD has a body');
  if (get.status === 304) return;
  assert.equal(head.headers.get('content-length'), String(get.body.length), 'HEAD has another length');
}

function filled(line: string, kept: Map<string, string>): string {
  return line.replace(
    /\{\{([a-z_]+)\}\}/g,
    (_, name: string) => kept.get(name) ?? assert.fail(`nothing is kept as ${name}`),
  );
}

function splitOnce(text: string, at: string): [string, string] {
  const i = text.indexOf(at);
  return i === -1 ? [text, ''] : [text.slice(0, i), text.slice(i + at.length)];
}
