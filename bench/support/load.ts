/**
 * The load generator: a number of keep-alive connections, each with one request on its way at a time (a closed loop).
 * It has to be cheaper than the server that it measures, so requests are bytes made beforehand, all connections read
 * into one buffer, and no HTTP client is between.
 */

import { connect, type Socket } from 'node:net';
import { type Answer, AnswerReader } from './answer-reader.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  /** The bytes to send next. Another call for the same connection comes only after the answer, so they may be reused. */
  readonly request: (connection: number) => Buffer;
  /** That of every answer; 200 where it is not given. */
  readonly status?: number | undefined;
  /** Told of each answer. */
  readonly onAnswer?: ((body: Buffer, connection: number) => void) | undefined;
  /** When to send no more: after so long, or so many. */
  readonly until: { readonly durationMs: number } | { readonly requests: number };
}

export interface LoadResult {
  /** Answered requests. */
  readonly requests: number;
  /** From the first request to the last answer. */
  readonly durationMs: number;
  /** From sending to the whole answer, in the order of the answers. */
  readonly latenciesMs: readonly number[];
  /** What this process spent on it. */
  readonly ownCpuUs: number;
}

const READ_BYTES = 256 * 1024;

/** Rejects at the first answer of another status, and when a connection ends or breaks. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { port, connections, request, status = 200, onAnswer, until } = options;
  const cpuBefore = process.cpuUsage();
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const latenciesMs: number[] = [];
  const sentMs = new Float64Array(connections);
  const maxRequests = 'requests' in until ? until.requests : Number.POSITIVE_INFINITY;
  let deadlineMs = Number.POSITIVE_INFINITY;
  let sent = 0;
  let underWay = 0;
  let done: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const finished = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = reject;
  });
  // Awaited below; a connection that breaks before that is nobody's rejection.
  finished.catch(() => {});

  const sockets: Socket[] = [];
  const send = (connection: number, nowMs: number): void => {
    if (sent >= maxRequests || nowMs >= deadlineMs) {
      if (underWay === 0) done();
      return;
    }
    sent += 1;
    underWay += 1;
    sentMs[connection] = nowMs;
    sockets[connection]!.write(request(connection));
  };
  const onChunk = (connection: number, answer: Answer | undefined): void => {
    if (!answer) return;
    const nowMs = performance.now();
    if (answer.status !== status)
      throw new Error(`status ${answer.status}: ${answer.body.toString('latin1')}`);
    latenciesMs.push(nowMs - sentMs[connection]!);
    onAnswer?.(answer.body, connection);
    underWay -= 1;
    send(connection, nowMs);
  };

  try {
    await Promise.all(
      Array.from({ length: connections }, (_, connection) => {
        const reader = new AnswerReader();
        const onread = (length: number): boolean => {
          try {
            onChunk(connection, reader.take(buffer.subarray(0, length)));
          } catch (error) {
            fail(error);
          }
          return true;
        };
        return new Promise<void>((resolve, reject) => {
          const socket = connect({
            host: '127.0.0.1',
            port,
            noDelay: true,
            onread: { buffer, callback: onread },
          });
          sockets.push(socket);
          socket.once('connect', resolve);
          socket.once('error', (error) => {
            reject(error);
            fail(error);
          });
          socket.once('close', () => fail(new Error('the server ended a connection')));
        });
      }),
    );
    const startMs = performance.now();
    if ('durationMs' in until) deadlineMs = startMs + until.durationMs;
    for (let connection = 0; connection < connections; connection++) send(connection, performance.now());
    await finished;
    const durationMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpuBefore);
    return { requests: latenciesMs.length, durationMs, latenciesMs, ownCpuUs: user + system };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** A request without a body. */
export function getRequest(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, 'latin1');
}
