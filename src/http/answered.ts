/**
 * When the server is done with a request. Node says so of an answer that has been written, and of the one that was being
 * written when its connection broke; not of those that stood in line behind it.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const waitingOf = new WeakMap<Socket, Set<() => void>>();

/** Calls `then` once: when the answer has been handed to the system, or its connection is gone. */
export function onceAnswered(
  {
    incoming: { socket },
    outgoing,
  }: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse },
  then: () => void,
): void {
  let waiting = waitingOf.get(socket);
  if (!waiting) {
    const created = new Set<() => void>();
    waitingOf.set(socket, created);
    socket.once('close', () => {
      for (const call of created) call();
    });
    waiting = created;
  }
  if (socket.destroyed) {
    queueMicrotask(then);
    return;
  }
  const all = waiting;
  const call = (): void => {
    if (all.delete(call)) then();
  };
  all.add(call);
  outgoing.once('close', call);
}
