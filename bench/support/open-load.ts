/**
 * An open loop: requests are due at moments that are fixed beforehand, evenly spaced, and are sent whether or not the ones
 * before are answered. Latency counts from the moment that a request was due, so a server that stalls is charged with
 * everything that it kept waiting, and so is a load generator that is late.
 */

import { connect, type Socket } from 'node:net';
import { AnswerReader } from './answer-reader.ts';

export interface OpenLoadOptions {
  readonly port: number;
  readonly perSecond: number;
  /** How long requests are sent; answers are waited for after that. */
  readonly durationMs: number;
  /** The bytes to send on a connection, which is asked for the next ones only after the answer. */
  readonly request: (connection: number) => Buffer;
  readonly onAnswer: (answer: OpenAnswer) => void;
  /** Asked before each request: `true` ends the load. */
  readonly isOver?: () => boolean;
}

export interface OpenAnswer {
  readonly status: number;
  /** Valid during the call. */
  readonly body: Buffer;
  /** From when the request was due to the whole answer. */
  readonly latencyMs: number;
  /** When the answer was there, as `performance.now()` tells. */
  readonly atMs: number;
}

export interface OpenLoadResult {
  /** How long after they were due requests were sent: what the generator itself adds to latency. */
  readonly lateMs: readonly number[];
  /** Most requests under way at once. */
  readonly connections: number;
}

interface Connection {
  readonly number: number;
  readonly socket: Socket;
  dueMs: number;
}

const MAX_CONNECTIONS = 2000;

/** Rejects when a connection ends or breaks, and where more requests are under way than there is room for. */
export async function runOpenLoad(options: OpenLoadOptions): Promise<OpenLoadResult> {
  const { port, perSecond, durationMs, request, onAnswer, isOver = () => false } = options;
  const lateMs: number[] = [];
  const idle: Connection[] = [];
  const sockets: Socket[] = [];
  let underWay = 0;
  let isSending = true;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const endIfDone = (): void => {
        if (!isSending && underWay === 0) resolve();
      };
      const open = (): Connection => {
        if (sockets.length >= MAX_CONNECTIONS)
          throw new Error(`over ${MAX_CONNECTIONS} requests are under way`);
        const socket = connect({ host: '127.0.0.1', port, noDelay: true });
        const connection = { number: sockets.length, socket, dueMs: 0 };
        const reader = new AnswerReader();
        sockets.push(socket);
        socket.on('data', (chunk: Buffer) => {
          try {
            const answer = reader.take(chunk);
            if (!answer) return;
            const atMs = performance.now();
            onAnswer({ ...answer, latencyMs: atMs - connection.dueMs, atMs });
            underWay -= 1;
            idle.push(connection);
            endIfDone();
          } catch (error) {
            reject(
              error instanceof Error ? error : new Error('an answer could not be read', { cause: error }),
            );
          }
        });
        socket.once('error', reject);
        socket.once('close', () => reject(new Error('the server ended a connection')));
        return connection;
      };
      const startMs = performance.now();
      const count = Math.ceil((durationMs / 1000) * perSecond);
      let sent = 0;
      const sendDue = (): void => {
        try {
          for (; sent < count && !isOver(); sent++) {
            const dueMs = startMs + (sent * 1000) / perSecond;
            const nowMs = performance.now();
            if (dueMs > nowMs) {
              timer = setTimeout(sendDue, Math.max(1, Math.floor(dueMs - nowMs)));
              return;
            }
            const connection = idle.pop() ?? open();
            connection.dueMs = dueMs;
            underWay += 1;
            lateMs.push(nowMs - dueMs);
            connection.socket.write(request(connection.number));
          }
          isSending = false;
          endIfDone();
        } catch (error) {
          reject(error instanceof Error ? error : new Error('a request could not be sent', { cause: error }));
        }
      };
      sendDue();
    });
  } finally {
    clearTimeout(timer);
    for (const socket of sockets) {
      socket.removeAllListeners();
      socket.on('error', () => {});
      socket.destroy();
    }
  }
  return { lateMs, connections: sockets.length };
}
