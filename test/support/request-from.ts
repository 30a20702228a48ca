/** A request of any address, as far as Node has one: its body is what is written to it, when it is written. */

import { PassThrough } from 'node:stream';
import type { Hono } from 'hono';

export interface PlayedRequest {
  readonly incoming: PassThrough;
  readonly response: Promise<Response>;
}

export function requestFrom(app: Hono, address: string, path: string): PlayedRequest {
  const socket = { remoteAddress: address };
  const incoming = Object.assign(new PassThrough(), { socket, headers: {}, url: path, method: 'POST' });
  return { incoming, response: Promise.resolve(app.request(path, { method: 'POST' }, { incoming })) };
}
