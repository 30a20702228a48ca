/**
 * Who posts heads. Nobody says who they are, so that the network of an address stands for a poster (`ip-network.ts`).
 *
 * Each network has a rate of its own, and all together have one, since verifying signatures costs this machine and
 * comparing costs the log whose tiles are read. Whoever comes through a proxy is of no known network, and has the rate of
 * all alone.
 */

import { type BucketRate, TokenBucket } from '../client/token-bucket.ts';
import { RateLimitedError } from '../errors.ts';

export interface PostLimits {
  /** Heads a second of one network, and how many at once. */
  readonly perNetwork: number;
  readonly burstPerNetwork: number;
  /** The same of all together. */
  readonly overall: number;
  readonly burst: number;
}

const LIMITS: PostLimits = { perNetwork: 16, burstPerNetwork: 64, overall: 64, burst: 256 };
/** Networks that are remembered. Who was forgotten has a full bucket again: those that have been still longest. */
const MAX_NETWORKS = 4096;
/** Whoever posts from a network that is not known. */
export const UNKNOWN_POSTER = '';

export class Posters {
  readonly #limits: PostLimits;
  readonly #elapsed: () => number;
  readonly #overall: TokenBucket;
  /** The one used last is last. */
  readonly #networks = new Map<string, TokenBucket>();

  constructor(elapsed: () => number, limits: Partial<PostLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#elapsed = elapsed;
    const { overall, burst } = this.#limits;
    this.#overall = new TokenBucket(rateOf(overall, burst));
  }

  /** What to post a network's heads under, once it may post; `undefined` is one that is not known. Throws `rate_limited`. */
  admit(network: string | undefined): string {
    const { perNetwork, overall } = this.#limits;
    // Who has used up their own takes nothing from the others.
    if (network !== undefined) this.#take(this.#bucketOf(network), perNetwork);
    this.#take(this.#overall, overall);
    return network ?? UNKNOWN_POSTER;
  }

  #bucketOf(network: string): TokenBucket {
    const { perNetwork, burstPerNetwork } = this.#limits;
    const bucket = this.#networks.get(network) ?? new TokenBucket(rateOf(perNetwork, burstPerNetwork));
    this.#networks.delete(network);
    this.#networks.set(network, bucket);
    if (this.#networks.size > MAX_NETWORKS) this.#networks.delete(this.#networks.keys().next().value!);
    return bucket;
  }

  #take(bucket: TokenBucket, perS: number): void {
    const waitMs = bucket.take(this.#elapsed());
    if (waitMs > 0) throw new RateLimitedError(perS, 'heads', Math.ceil(waitMs / 1000));
  }
}

function rateOf(perS: number, burst: number): BucketRate {
  return { burst, everyMs: 1000 / perS };
}
