/**
 * The socket. It is bound before the log is opened, so that a port that is taken is known at once; until an app is
 * served, every request is told to come back.
 *
 * Nothing here waits for a client for ever: not for its headers, not for its body, not for it to read the answer. Nor
 * does it hold any number of answers for one that does not read them.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { NewelError } from '../errors.ts';
import { isPaced } from './pace.ts';
import { NOSNIFF, PROBLEM } from './respond.ts';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** How many following ports may be tried where one is taken. */
  readonly tryNextPorts?: number;
  /** For the whole of a request that is not held to a pace; 30 s by default. */
  readonly requestTimeoutMs?: number;
  /** What every request is told until an app is served: plain text, instead of the problem of a log. */
  readonly starting?: string;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** To reach it from this machine; no trailing slash. */
  readonly url: string;
  /** Answers with `app` from now on. */
  serve(app: Hono): void;
  /** Stops accepting, lets requests under way finish for at most `graceMs`, then closes every connection. */
  close(graceMs: number): Promise<void>;
}

const HEADERS_TIMEOUT_MS = 10_000;
/** For the whole of a request: the largest body needs 2 kB a second. Batches are held to a pace instead (`pace.ts`). */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the idle time of the usual proxies, so that they close first and never meet a closed connection. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
/** Without a byte in either direction. */
const SOCKET_TIMEOUT_MS = 120_000;
const MAX_HEADER_BYTES = 16 * 1024;
/** Of one connection. Who pipelines more without taking answers is cut off. */
const MAX_UNANSWERED = 64;
const MAX_PORT = 65_535;
/** How often connections that have become idle are looked for while closing. */
const CLOSE_INTERVAL_MS = 20;

/** Throws `usage` where the port is taken, and no next one is free or may be tried, or the address is not ours. */
export async function listen(options: ListenOptions): Promise<Listening> {
  const { host, port: wanted, tryNextPorts = 0, requestTimeoutMs = REQUEST_TIMEOUT_MS, starting } = options;
  let answer: Answer = (_, outgoing) => answerStarting(outgoing, starting);
  const sockets: Sockets = new Map();
  const server = createServer(
    {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: 1000,
      // Two Host or Authorization headers become a value that is neither a host nor a token.
      joinDuplicateHeaders: true,
    },
    (incoming, outgoing) => {
      if (!takes(sockets, incoming, outgoing)) return;
      if (incoming.url === '*' && incoming.method === 'OPTIONS') return answerOptions(incoming, outgoing);
      // The adapter knows an absolute form by its scheme in lower case.
      if (incoming.url?.startsWith('/') === false)
        incoming.url = incoming.url.replace(/^https?:/i, lowerCase);
      void answer(incoming, outgoing);
    },
  );
  server.setTimeout(SOCKET_TIMEOUT_MS);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // A body that is held to a pace of its own may take longer than the time for whole requests.
    if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && isPaced(socket)) return;
    refuse(error, socket as Socket, sockets);
  });
  server.on('connection', (socket) => {
    sockets.set(socket, new Set());
    socket.once('close', () => sockets.delete(socket));
  });
  const port = await bind(server, host, wanted, tryNextPorts);
  // A connection that cannot be accepted (too many open files, say) is no reason to end the process.
  server.on('error', (error) => process.emitWarning(error));
  return {
    host,
    port,
    url: `http://${reachable(host)}:${port}`,
    serve(app) {
      answer = getRequestListener(app.fetch, { hostname: reachable(host), errorHandler: answerFailure });
    },
    close: (graceMs) => close(server, sockets, graceMs),
  };
}

type Answer = (incoming: IncomingMessage, outgoing: ServerResponse) => unknown;

/** Open connections, each with the answers that it has not had yet. */
type Sockets = Map<Socket, Set<ServerResponse>>;

/** Counts a request until it is answered. One too many ends its connection, and no more of them is looked at. */
function takes(sockets: Sockets, incoming: IncomingMessage, outgoing: ServerResponse): boolean {
  const { socket } = incoming;
  const unanswered = sockets.get(socket);
  if (unanswered === undefined || socket.destroyed) return false;
  if (unanswered.size >= MAX_UNANSWERED) {
    socket.destroy();
    return false;
  }
  unanswered.add(outgoing);
  outgoing.once('close', () => unanswered.delete(outgoing));
  return true;
}

/** What is no request, or takes too long to become one, is answered in a line, unless an answer is on its way already. */
function refuse({ code = '' }: NodeJS.ErrnoException, socket: Socket, sockets: Sockets): void {
  const hasBegun = [...(sockets.get(socket) ?? [])].some(({ headersSent }) => headersSent);
  if (socket.writable && !hasBegun) {
    socket.write(`HTTP/1.1 ${NO_REQUEST[code] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
  }
  socket.destroy();
}

/** By the code of what the platform found. */
const NO_REQUEST: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

function lowerCase(text: string): string {
  return text.toLowerCase();
}

async function bind(server: Server, host: string, wanted: number, tryNextPorts: number): Promise<number> {
  for (let port = wanted; ; port++) {
    try {
      return await bindOnce(server, host, port);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'EADDRINUSE' && wanted !== 0 && port < wanted + tryNextPorts && port < MAX_PORT) continue;
      throw new NewelError('usage', whyNotBound(code, host, wanted, port), { cause: error });
    }
  }
}

function whyNotBound(code: unknown, host: string, first: number, last: number): string {
  if (code !== 'EADDRINUSE')
    return `cannot listen on port ${last} of ${host}: choose an address of this machine, and a port that this user may have`;
  return first === last
    ? `port ${first} of ${host} is taken: end what has it, or listen elsewhere`
    : `ports ${first} to ${last} of ${host} are all taken: end what has one, or listen elsewhere`;
}

function bindOnce(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('bug: bound to no port'));
      else resolve(address.port);
    });
  });
}

/** How this machine names the host: a wildcard address is no destination, and IPv6 goes in brackets. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

async function close(server: Server, sockets: Sockets, graceMs: number): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const closeIdle = (): void => {
    server.closeIdleConnections();
    // To Node a connection is idle after a request, not before its first.
    for (const socket of sockets.keys()) if (socket.bytesRead === 0) socket.destroy();
  };
  // A kept-alive connection whose last request was under way at `close` becomes idle later, and would stay open.
  const sweep = setInterval(closeIdle, CLOSE_INTERVAL_MS);
  const force = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(force);
}

const STARTING = problemBody(503, 'Starting', 'the log is being opened and proved', 'storage_failed');
const BAD_TARGET = problemBody(
  400,
  'Malformed request',
  'the request target or the Host header is invalid',
  'malformed',
);

const PROBLEM_HEADERS = { 'Content-Type': PROBLEM, 'Cache-Control': 'no-store', ...NOSNIFF } as const;

/** A problem that no app has answered: its type says nothing more than its status. */
function problemBody(status: number, title: string, detail: string, code: string): string {
  return `${JSON.stringify({ type: 'about:blank', title, status, detail, code })}\n`;
}

function answerStarting(outgoing: ServerResponse, text: string | undefined): void {
  const type = text === undefined ? {} : { 'Content-Type': 'text/plain; charset=utf-8' };
  outgoing.writeHead(503, { ...PROBLEM_HEADERS, ...type, 'Retry-After': '1' });
  outgoing.end(text ?? STARTING);
}

/** `OPTIONS *`: what the server as a whole can do (RFC 9110 §9.3.7). */
function answerOptions({ headers: { host = '' } }: IncomingMessage, outgoing: ServerResponse): void {
  if (host.includes(',')) outgoing.writeHead(400, PROBLEM_HEADERS).end(BAD_TARGET);
  else outgoing.writeHead(204, { Allow: 'GET, HEAD, POST, OPTIONS' }).end();
}

/** What the adapter could not make a request of. The app answers its own failures. */
function answerFailure(): Response {
  return new Response(BAD_TARGET, { status: 400, headers: PROBLEM_HEADERS });
}
