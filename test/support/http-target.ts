/** Two ways to send a request: into the app without a socket, and over TCP with the bytes of the request as given. */

import { connect, type Socket } from 'node:net';
import type { Hono } from 'hono';

export interface RawRequest {
  readonly method: string;
  /** As it goes over the wire, whatever it is. */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array;
}

export interface RawResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export type Send = (request: RawRequest) => Promise<RawResponse>;

/** `app.request()`. URL parsing has normalised the target by then: dot segments and fragments never arrive. */
export function sendToApp(app: Hono): Send {
  return async ({ method, target, headers, body }) => {
    const sent: RequestInit & { duplex?: 'half' } = { method, headers: headers.map(([k, v]) => [k, v]) };
    // A stream has no length of its own, like a chunked body on the wire.
    if (body) sent.body = new Blob([Uint8Array.from(body)]).stream();
    if (body) sent.duplex = 'half';
    const response = await app.request(`http://test.invalid${target}`, sent);
    return {
      status: response.status,
      headers: new Map(response.headers),
      body: new Uint8Array(await response.arrayBuffer()),
    };
  };
}

/** A connection of its own for each request. */
export function sendToPort(port: number): Send {
  return async (request) => {
    const head = [`${request.method} ${request.target} HTTP/1.1`, 'Host: 127.0.0.1', 'Connection: close'];
    const isChunked = request.headers.some(([name]) => name.toLowerCase() === 'transfer-encoding');
    const hasLength = request.headers.some(([name]) => name.toLowerCase() === 'content-length');
    for (const [name, value] of request.headers) head.push(`${name}: ${value}`);
    const { body } = request;
    if (body && !isChunked && !hasLength) head.push(`Content-Length: ${body.length}`);
    const parts: Buffer[] = [Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1')];
    if (body) parts.push(isChunked ? chunked(body) : Buffer.from(body));
    return parseResponse(await exchange(port, Buffer.concat(parts)), request.method);
  };
}

/** Sends bytes and returns all that comes back until the server closes. */
export function exchange(port: number, bytes: Uint8Array, host = '127.0.0.1'): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    const socket = connect(port, host, () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    // A server that refuses a body may reset the connection after its answer.
    socket.on('error', (error) => (received.length > 0 ? resolve(Buffer.concat(received)) : reject(error)));
    socket.on('close', () => resolve(Buffer.concat(received)));
  });
}

/** A connection on which nothing is sent but `first`, and what the test sends. */
export async function openSocket(
  port: number,
  first: string,
): Promise<Socket & { readonly received: () => string }> {
  const socket = connect(port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.write(first);
  return Object.assign(socket, { received: () => Buffer.concat(chunks).toString('latin1') });
}

/** The first response in `bytes`. */
export function parseResponse(bytes: Buffer, method: string): RawResponse {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) throw new Error(`no response in ${bytes.length} bytes`);
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(statusLine)?.[1]);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (headers.has(name)) throw new Error(`header ${name} is there twice`);
    headers.set(name, line.slice(colon + 1).trim());
  }
  const rest = bytes.subarray(end + 4);
  const length = headers.get('content-length');
  if (method === 'HEAD' || status === 204 || status === 304) return { status, headers, body: rest };
  if (headers.get('transfer-encoding') === 'chunked') return { status, headers, body: dechunked(rest) };
  if (length === undefined) return { status, headers, body: rest };
  if (rest.length < Number(length)) throw new Error(`the body has ${rest.length} bytes, not ${length}`);
  return { status, headers, body: rest.subarray(0, Number(length)) };
}

/** In pieces of 1,000 bytes. */
function chunked(body: Uint8Array): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += 1000) {
    const piece = body.subarray(at, at + 1000);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), Buffer.from(piece), Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function dechunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (length === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
}
