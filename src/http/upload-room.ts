/**
 * Room for requests whose senders nobody knows. A request takes a place once its body is whole; until then it waits among
 * those that may be cut off, so that who begins many and ends none takes nobody's place:
 *
 *   more of one network than it may have      its oldest goes
 *   more than there is room for               the oldest of the network that has most of them goes
 *   more bytes than there is room for         the oldest of the network that holds most of them goes
 *
 * A whole body is never cut off: it is answered, or refused where there are more than may be, of its network or of all.
 */

import type { Context } from 'hono';
import { GrowingBytes } from '../core/growing-bytes.ts';
import { NewelError } from '../errors.ts';
import { declaredLength, tooLarge } from './body.ts';
import { type BodyChunks, bodyChunks, cappedChunks } from './body-chunks.ts';
import { clientNetworkOf } from './public-rate.ts';

export interface UploadRoomLimits {
  /** With whole bodies, */
  readonly maxRequests: number;
  /** and those of one network, where it is known; as many as of all unless said. */
  readonly maxRequestsEach?: number;
  /** That are held for bodies, whole or not. */
  readonly maxBytes: number;
  /** Bodies that may be waited for, */
  readonly maxWaiting: number;
  /** and those of one network, where it is known. */
  readonly maxWaitingEach: number;
  /** Of one body. */
  readonly maxBodyBytes: number;
}

/** A body that is waited for. */
interface Upload {
  readonly network: string;
  readonly body: GrowingBytes;
  /** Ends the wait for the next piece. */
  cut: () => void;
}

/** There is no room for the request, or not any more. Try again in a moment. */
export class UploadsFullError extends NewelError {
  override name = 'UploadsFullError';
  readonly limit: number;
  readonly unit = 'requests';

  constructor(limit: number) {
    super('queue_full', `more is under way than the ${limit} requests that are taken at a time`);
    this.limit = limit;
  }
}

const CUT: unique symbol = Symbol('cut');
/** Of all whose own network is not known: they are not told apart. */
const UNKNOWN = '';

export class UploadRoom {
  readonly #limits: UploadRoomLimits;
  /** The oldest first. */
  readonly #waiting = new Set<Upload>();
  /** With whole bodies, by network; no network that has none. */
  readonly #requestsOf = new Map<string, number>();
  #requests = 0;
  #bytes = 0;

  constructor(limits: UploadRoomLimits) {
    this.#limits = limits;
  }

  /**
   * What `call` makes of the body; `undefined` where there is no room for it, or not any more. Throws `too_large` and
   * `malformed` as bodies do, and what `call` throws.
   */
  async run<T>(c: Context, call: (body: Uint8Array) => Promise<T>): Promise<T | undefined> {
    const body = new GrowingBytes(declaredLength(c, this.#limits.maxBodyBytes));
    const upload = this.#enter(clientNetworkOf(c) ?? UNKNOWN, body);
    if (!(await this.#read(c, upload))) return undefined;
    const { heldBytes } = body;
    try {
      if (!this.#hasPlace(upload.network)) return undefined;
      this.#count(upload.network, 1);
      try {
        return await call(body.take());
      } finally {
        this.#count(upload.network, -1);
      }
    } finally {
      this.#bytes -= heldBytes;
    }
  }

  #hasPlace(network: string): boolean {
    const { maxRequests, maxRequestsEach = maxRequests } = this.#limits;
    if (this.#requests >= maxRequests) return false;
    return network === UNKNOWN || (this.#requestsOf.get(network) ?? 0) < maxRequestsEach;
  }

  #count(network: string, more: 1 | -1): void {
    this.#requests += more;
    const requests = (this.#requestsOf.get(network) ?? 0) + more;
    if (requests > 0) this.#requestsOf.set(network, requests);
    else this.#requestsOf.delete(network);
  }

  #enter(network: string, body: GrowingBytes): Upload {
    const { maxWaiting, maxWaitingEach } = this.#limits;
    if (network !== UNKNOWN) {
      const own = [...this.#waiting].filter((upload) => upload.network === network);
      if (own.length >= maxWaitingEach) this.#drop(own[0]!);
    }
    if (this.#waiting.size >= maxWaiting) this.#drop(this.#oldestOfMost(() => 1)!);
    const upload: Upload = { network, body, cut: () => {} };
    this.#waiting.add(upload);
    return upload;
  }

  /** Returns whether the body is there, whole; then it is waited for no more, and cannot be cut off. */
  async #read(c: Context, upload: Upload): Promise<boolean> {
    const { maxBytes, maxBodyBytes } = this.#limits;
    const { body } = upload;
    const chunks = bodyChunks(c);
    const capped = cappedChunks(chunks, maxBodyBytes, () => tooLarge(maxBodyBytes));
    try {
      for (;;) {
        const chunk = await nextUnlessCut(upload, capped);
        if (chunk === CUT || !this.#waiting.has(upload)) return false;
        if (!chunk) return this.#waiting.delete(upload);
        const more = body.heldBytesWith(chunk.length) - body.heldBytes;
        while (this.#bytes + more > maxBytes) {
          const victim = this.#oldestOfMost((other) => other.body.heldBytes);
          if (!victim || victim === upload) return false;
          this.#drop(victim);
        }
        body.add(chunk);
        this.#bytes += more;
      }
    } finally {
      chunks.release();
      this.#drop(upload);
    }
  }

  /** Waits for it no more, if it is still waited for. */
  #drop(upload: Upload): void {
    if (!this.#waiting.delete(upload)) return;
    this.#bytes -= upload.body.heldBytes;
    upload.body.clear();
    upload.cut();
  }

  /** Of the network whose uploads weigh most together, the oldest that weighs anything; `undefined` where none does. */
  #oldestOfMost(weightOf: (upload: Upload) => number): Upload | undefined {
    const networks = new Map<string, { weight: number; readonly oldest: Upload }>();
    for (const upload of this.#waiting) {
      const weight = weightOf(upload);
      if (weight === 0) continue;
      const entry = networks.get(upload.network);
      if (entry) entry.weight += weight;
      else networks.set(upload.network, { weight, oldest: upload });
    }
    let most: { readonly weight: number; readonly oldest: Upload } | undefined;
    for (const entry of networks.values()) if (!most || entry.weight > most.weight) most = entry;
    return most?.oldest;
  }
}

/** The next piece; `CUT` where the upload is cut off before. Each wait is a promise of its own: none outlives its piece. */
function nextUnlessCut(upload: Upload, chunks: BodyChunks): Promise<Uint8Array | undefined | typeof CUT> {
  return new Promise((resolve, reject) => {
    upload.cut = () => resolve(CUT);
    chunks.next().then(resolve, reject);
  });
}
