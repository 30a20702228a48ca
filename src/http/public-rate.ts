/**
 * How often a public route that costs something is answered: buckets that two seconds fill, one for each network that asks
 * (/24, /48) and one for all together, so that nobody takes the places of others.
 */

import { BlockList, isIPv4 } from 'node:net';
import type { Context } from 'hono';
import { RateLimitedError } from '../errors.ts';
import { ipNetworkOf } from '../formats/ip-network.ts';
import { incomingOf } from './target.ts';

export interface PerSecond {
  readonly each: number;
  readonly all: number;
}

const BURST_S = 2;
/** Networks that are remembered. Who was forgotten has a full bucket again: those that have been still longest. */
const MAX_NETWORKS = 4096;

interface Bucket {
  level: number;
  atMs: number;
}

export class PublicRate {
  readonly #perSecond: PerSecond;
  readonly #unit: string;
  readonly #all: Bucket;
  readonly #each = new Map<string, Bucket>();

  /** `unit` is what is counted, in the plural. */
  constructor(perSecond: PerSecond, unit: string) {
    this.#perSecond = perSecond;
    this.#unit = unit;
    this.#all = { level: BURST_S * perSecond.all, atMs: performance.now() };
  }

  /**
   * Takes `count` where one is left; what is taken beyond that is waited for afterwards. Without a `network`, whose share
   * cannot be told, what all may take counts alone. Throws `rate_limited`.
   */
  take(network: string | undefined, count = 1): void {
    const { each, all } = this.#perSecond;
    const nowMs = performance.now();
    const bucket = network === undefined ? undefined : this.#bucketOf(network, nowMs);
    fill(this.#all, all, nowMs);
    if (bucket && bucket.level < 1) throw this.#limited(bucket, each);
    if (this.#all.level < 1) throw this.#limited(this.#all, all);
    if (bucket) bucket.level -= count;
    this.#all.level -= count;
  }

  #bucketOf(network: string, nowMs: number): Bucket {
    const { each } = this.#perSecond;
    const bucket = this.#each.get(network) ?? { level: BURST_S * each, atMs: nowMs };
    this.#each.delete(network);
    this.#each.set(network, bucket);
    if (this.#each.size > MAX_NETWORKS) this.#each.delete(this.#each.keys().next().value!);
    fill(bucket, each, nowMs);
    return bucket;
  }

  #limited({ level }: Bucket, perSecond: number): RateLimitedError {
    return new RateLimitedError(perSecond, this.#unit, Math.ceil((1 - level) / perSecond));
  }
}

/**
 * The network of whoever asks, `undefined` where that is not known: without a socket, and behind an address of this machine
 * or of a private network (RFC 1918, RFC 4193), which is a proxy's, for anybody.
 */
export function clientNetworkOf(c: Context): string | undefined {
  const address = (incomingOf(c.env)?.socket.remoteAddress ?? '').replace(/^::ffff:|%.*$/g, '');
  if (address === '' || NEARBY.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')) return undefined;
  return ipNetworkOf(address);
}

const NEARBY = new BlockList();
NEARBY.addSubnet('127.0.0.0', 8);
NEARBY.addSubnet('10.0.0.0', 8);
NEARBY.addSubnet('172.16.0.0', 12);
NEARBY.addSubnet('192.168.0.0', 16);
NEARBY.addAddress('::1', 'ipv6');
NEARBY.addSubnet('fc00::', 7, 'ipv6');

function fill(bucket: Bucket, perSecond: number, nowMs: number): void {
  const gained = ((nowMs - bucket.atMs) / 1000) * perSecond;
  bucket.level = Math.min(BURST_S * perSecond, bucket.level + gained);
  bucket.atMs = nowMs;
}
