/**
 * What `newel serve` is measured against: `node:http` and nothing else, in a process of its own.
 *
 *   POST <any path>      answers the body
 *   GET  /bytes/8192     answers so many bytes, always the same ones
 *
 * Prints the port that it listens on, and a newline.
 */

import { randomFillSync } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const TYPE = 'application/octet-stream';
const bodies = new Map<string, Buffer>();

const server = createServer((request, response) => {
  if (request.method === 'POST') echo(request, response);
  else respond(response, bodyOf(request.url ?? ''));
});

function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => respond(response, chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
}

function respond(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, { 'Content-Type': TYPE, 'Content-Length': body.length });
  response.end(body);
}

function bodyOf(target: string): Buffer {
  let body = bodies.get(target);
  if (!body) {
    body = randomFillSync(Buffer.alloc(Number(target.slice('/bytes/'.length))));
    bodies.set(target, body);
  }
  return body;
}

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
