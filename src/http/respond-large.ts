/** Answers that take room: entry bundles, and leaves with their entries. */

import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Context } from 'hono';
import { AnswerRoom, type Client } from './answer-room.ts';
import { onceAnswered } from './answered.ts';
import { type Init, respond } from './respond.ts';
import type { Site } from './site.ts';
import { incomingOf } from './target.ts';

const ROOM_OF_PROCESS: AnswerRoom = new AnswerRoom();

/** Makes an answer of at most `maxBytes` when there is room for it, and keeps the room until the client has it. */
export async function respondLarge(
  c: Context,
  site: Site,
  maxBytes: number,
  make: () => Promise<{ readonly body: string | Uint8Array; readonly init: Init }>,
): Promise<Response> {
  const client = clientOf(c.env);
  if (client) await previousAnswered(client);
  const lease = await (site.answerRoom ?? ROOM_OF_PROCESS).take(maxBytes, client);
  try {
    const { body, init } = await make();
    lease.shrink(c.req.method === 'HEAD' ? 0 : body.length);
    // Without a socket there is no client that could be slow.
    if (!client) lease.release();
    return respond(c, body, init);
  } catch (error) {
    lease.release();
    throw error;
  }
}

/** The last large answer of each connection. */
const lastOf = new WeakMap<Socket, Promise<void>>();

/** Answers of a connection leave one after the other, so they are made one after the other; none stands in line twice. */
function previousAnswered(client: Client): Promise<void> | undefined {
  const { socket } = client.incoming;
  const previous = lastOf.get(socket);
  lastOf.set(socket, new Promise((resolve) => onceAnswered(client, resolve)));
  return previous;
}

function clientOf(env: unknown): Client | undefined {
  const incoming = incomingOf(env);
  const { outgoing } = (env ?? {}) as { outgoing?: ServerResponse };
  return incoming && outgoing && { incoming, outgoing };
}
