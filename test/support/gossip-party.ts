/** Parties that gossip: each with heads in memory and the routes of `http/monitor.ts`, reached by a `fetch` that needs no socket. */

import { Hono } from 'hono';
import { fetchCheckpoint } from '../../src/client/tree.ts';
import type { LogSource } from '../../src/client/source.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { addGossipRoutes } from '../../src/http/monitor.ts';
import { Gossip, type GossipOptions, type GossipSignal } from '../../src/monitor/gossip-peers.ts';
import { gossipedLog } from '../../src/monitor/gossiped-log.ts';
import { type HeadAnswer, type Heads, type HeadsSignal, openHeads } from '../../src/monitor/heads.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Cosigner } from '../../src/formats/cosignature.ts';
import type { PlayedLog } from './played-log.ts';

export interface GossipParty {
  readonly url: string;
  readonly heads: Heads;
  readonly gossip: Gossip;
  readonly app: Hono;
  readonly trust: Trust;
  readonly signals: (HeadsSignal | GossipSignal)[];
  readonly errors: unknown[];
  /** Reads the newest head of the log that this party sees. */
  poll(): Promise<HeadAnswer>;
}

/** Requests by host: a host that is not there does not answer. */
export type Network = Map<string, (request: Request) => Response | Promise<Response>>;

export function fetchOf(network: Network): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const answer = network.get(new URL(request.url).origin);
    if (!answer) throw new TypeError('fetch failed');
    const signal = init?.signal;
    signal?.throwIfAborted();
    // Ends when it is aborted, whatever whoever answers makes of it.
    const aborted = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return Promise.race([answer(request), aborted]);
  };
}

/** A party that sees one server of a log, and nobody else but its peers. */
export async function openGossipParty(
  network: Network,
  name: string,
  server: PlayedLog,
  peers: readonly string[],
  options: Partial<GossipOptions> & {
    readonly witnesses?: readonly Cosigner[];
    readonly tiles?: LogSource;
  } = {},
): Promise<GossipParty> {
  const { witnesses = [], tiles = server, ...rest } = options;
  const trust = parseTrust(server.trustFile(witnesses), { mldsa44: nobleMldsa44 });
  const signals: (HeadsSignal | GossipSignal)[] = [];
  const onSignal = (signal: HeadsSignal | GossipSignal): void => void signals.push(signal);
  const logs = [{ ...gossipedLog(trust, tiles), own: trust.url }];
  const heads = await openHeads({ store: new MemoryStore(), logs, onSignal });
  const url = `http://${name}.example`;
  const app = new Hono();
  const errors: unknown[] = [];
  addGossipRoutes(app, { heads, onError: (error) => void errors.push(error) });
  network.set(url, (request) => app.fetch(request));
  const gossip = new Gossip({
    heads,
    peers: peers.map((peer) => ({ name: `http://${peer}.example`, url: `http://${peer}.example/` })),
    fetch: fetchOf(network),
    onSignal,
    ...rest,
  });
  return {
    url,
    heads,
    gossip,
    app,
    trust,
    signals,
    errors,
    async poll() {
      const { note } = await fetchCheckpoint(tiles, trust.verifiers, trust.origin);
      return heads.take(note, trust.url);
    },
  };
}
