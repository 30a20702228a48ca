/**
 * How long a client may take over what may be large: some time to begin with, and then what its bytes are worth at the
 * lowest speed. Only time in which the server waits for it counts.
 *
 * A request that is held to a pace is not held to the time that Node gives to whole requests.
 */

import type { Socket } from 'node:net';

export interface PaceLimits {
  readonly graceMs: number;
  readonly bytesPerS: number;
  /** Without a byte. */
  readonly maxIdleMs: number;
}

/** 64 KiB a second: 16 MiB in 5 minutes. */
export const PACE: PaceLimits = { graceMs: 30_000, bytesPerS: 65_536, maxIdleMs: 30_000 };

export class Pace {
  readonly #limits: PaceLimits;
  #waitedMs = 0;
  #bytes = 0;

  constructor(limits: PaceLimits = PACE) {
    this.#limits = limits;
  }

  /** How long may be waited now. */
  get leftMs(): number {
    const { graceMs, bytesPerS, maxIdleMs } = this.#limits;
    const earnedMs = (1000 * this.#bytes) / bytesPerS;
    return Math.max(0, Math.min(maxIdleMs, graceMs + earnedMs - this.#waitedMs));
  }

  /** So long was waited, and then so many bytes moved. */
  moved(waitedMs: number, bytes: number): void {
    this.#waitedMs += waitedMs;
    this.#bytes += bytes;
  }
}

const paced = new WeakSet<Socket>();

/** Says that the request that this socket is sending is held to a pace; returns how to end that. */
export function keepPace(socket: Socket): () => void {
  paced.add(socket);
  return () => void paced.delete(socket);
}

/** Whether the request that this socket is sending is held to a pace. */
export function isPaced(socket: object): boolean {
  return paced.has(socket as Socket);
}
