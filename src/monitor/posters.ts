/**
 * Who posts heads. Nobody says who they are, so that an address stands for a poster, and of an address only what a network
 * is given as a whole: whoever has one address of it has the others.
 *
 *   203.0.113.7   → 203.0.113.0/24         2001:db8:1:2::3 → 2001:db8:1::/48
 *
 * Each class has a rate of its own, and all together have one, since verifying signatures costs this machine and
 * comparing costs the log whose tiles are read.
 */

import { isIPv4, isIPv6 } from 'node:net';
import { type BucketRate, TokenBucket } from '../client/token-bucket.ts';
import { RateLimitedError } from '../errors.ts';

export interface PostLimits {
  /** Heads a second of one class, and how many at once. */
  readonly perClass: number;
  readonly burstPerClass: number;
  /** The same of all together. */
  readonly overall: number;
  readonly burst: number;
}

const LIMITS: PostLimits = { perClass: 16, burstPerClass: 64, overall: 64, burst: 256 };
/** Classes that are remembered. Who was forgotten has a full bucket again: those that have been still longest. */
const MAX_CLASSES = 4096;

export class Posters {
  readonly #limits: PostLimits;
  readonly #elapsed: () => number;
  readonly #overall: TokenBucket;
  /** The one used last is last. */
  readonly #classes = new Map<string, TokenBucket>();

  constructor(elapsed: () => number, limits: Partial<PostLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    this.#elapsed = elapsed;
    const { overall, burst } = this.#limits;
    this.#overall = new TokenBucket(rateOf(overall, burst));
  }

  /** The class of an address, once it may post. Throws `rate_limited`. */
  admit(address: string | undefined): string {
    const name = addressClassOf(address);
    const { perClass, burstPerClass, overall } = this.#limits;
    const bucket = this.#classes.get(name) ?? new TokenBucket(rateOf(perClass, burstPerClass));
    this.#classes.delete(name);
    this.#classes.set(name, bucket);
    if (this.#classes.size > MAX_CLASSES) this.#classes.delete(this.#classes.keys().next().value!);
    // Who has used up their own takes nothing from the others.
    this.#take(bucket, perClass);
    this.#take(this.#overall, overall);
    return name;
  }

  #take(bucket: TokenBucket, perS: number): void {
    const waitMs = bucket.take(this.#elapsed());
    if (waitMs > 0) throw new RateLimitedError(perS, 'heads', Math.ceil(waitMs / 1000));
  }
}

function rateOf(perS: number, burst: number): BucketRate {
  return { burst, everyMs: 1000 / perS };
}

/** The network that an address is of. Whatever is no address is one class together. */
export function addressClassOf(address: string | undefined): string {
  const text = (address ?? '').replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');
  if (isIPv4(text)) return `${text.split('.').slice(0, 3).join('.')}.0/24`;
  if (!isIPv6(text)) return 'unknown';
  const [left = '', right] = text.toLowerCase().split('::');
  const groups = left === '' ? [] : left.split(':');
  // What `::` leaves out is zeros; groups behind it matter only where it leaves out fewer than all before them.
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const missing = Math.max(0, 8 - groups.length - tail.length);
  const all = [...groups, ...Array.from({ length: missing }, () => '0'), ...tail];
  const prefix = all.slice(0, 3).map((group) => Number.parseInt(group, 16).toString(16));
  return `${prefix.join(':')}::/48`;
}
