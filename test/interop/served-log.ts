/** A log as its operator has it: made by `newel init`, served by `newel serve` as a process of its own, spoken to over TCP. */

import assert from 'node:assert/strict';
import { Agent, request, type RequestOptions } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { decodeUtf8 } from '../../src/formats/text.ts';
import { runCli, type Started, startServe } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** A log in its folder, which nobody serves. */
export interface MadeLog {
  readonly folder: string;
  /** The log's own folder, in `folder`. */
  readonly dir: string;
  readonly origin: string;
  readonly vkey: string;
  readonly token: string;
}

export interface ServedLog {
  readonly url: string;
  readonly origin: string;
  readonly vkey: string;
  readonly process: Started;
  /** `POST /add`. Returns the index in the answer; rejects for any other answer than 200. */
  add(entry: Uint8Array): Promise<number>;
  /** `GET /checkpoint`. */
  readCheckpoint(): Promise<string>;
  /** The body that answers `GET` of a path, with status 200. */
  read(path: string): Promise<string>;
}

/** Requests under way at once. */
export const CONNECTIONS = 64;
const ORIGIN = 'log.example/interop';
/** Many heads in a short test. */
const PUBLISH_INTERVAL_MS = 100;

/** Makes and serves an empty log, until the test is over. */
export async function serveLog(t: TestContext): Promise<ServedLog> {
  return startLog(t, await makeLog(t));
}

/** Makes an empty log of opaque entries. */
export async function makeLog(t: TestContext): Promise<MadeLog> {
  const folder = await tempFolder(t);
  const dir = join(folder, 'log');
  const made = await runCli(['init', '--data', dir, '--origin', ORIGIN, '--kind', 'opaque', '--json'], {
    cwd: folder,
  });
  assert.equal(made.code, 0, made.err);
  const { vkey, tokens } = JSON.parse(made.out) as { vkey: string; tokens: { submit: string } };
  return { folder, dir, origin: ORIGIN, vkey, token: tokens.submit };
}

/** Serves it, until the test is over or `process` is told to end. */
export async function startLog(t: TestContext, { dir, origin, vkey, token }: MadeLog): Promise<ServedLog> {
  const process = await startServe(t, dir, ['--publish-interval-ms', `${PUBLISH_INTERVAL_MS}`]);
  const { url } = process;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  t.after(() => agent.destroy());
  const read = (path: string): Promise<string> => exchange(`${url}${path}`, { agent });
  return {
    url,
    vkey,
    process,
    origin,
    async add(entry) {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Length': entry.length };
      const answer = await exchange(`${url}/add`, { agent, method: 'POST', headers }, entry);
      assert.match(answer, /^(0|[1-9][0-9]*)\n$/);
      return Number(answer);
    },
    readCheckpoint: () => read('/checkpoint'),
    read,
  };
}

/** The body of an answer of status 200. */
function exchange(url: string, options: RequestOptions, body?: Uint8Array): Promise<string> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('error', reject).on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const text = decodeUtf8(Buffer.concat(chunks));
        if (incoming.statusCode === 200) resolve(text);
        else reject(new Error(`${options.method ?? 'GET'} ${url} answers ${incoming.statusCode}: ${text}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
