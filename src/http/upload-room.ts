/**
 * Room for requests whose senders nobody knows. A request takes a place once its body is whole; until then it waits among
 * those that may be cut off, so that who begins many and ends none takes nobody's place:
 *
 *   more of one network than it may have      its oldest goes
 *   more than there is room for               the oldest of the network that has most of them goes
 *   more bytes than there is room for         the oldest of the network that holds most of them goes
 */

import type { Context } from 'hono';
import { concatBytes } from '../core/bytes.ts';
import { declaredLength, tooLarge } from './body.ts';
import { bodyChunks, cappedChunks } from './body-chunks.ts';
import { clientNetworkOf } from './public-rate.ts';

export interface UploadRoomLimits {
  /** With whole bodies. */
  readonly maxRequests: number;
  /** Of bodies, whole or not. */
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
  readonly chunks: Uint8Array[];
  bytes: number;
  readonly cut: () => void;
  /** Resolves when it is cut off. */
  readonly isCut: Promise<typeof CUT>;
}

const CUT: unique symbol = Symbol('cut');
/** Of all whose own network is not known: they are not told apart. */
const UNKNOWN = '';

export class UploadRoom {
  readonly #limits: UploadRoomLimits;
  /** The oldest first. */
  readonly #waiting = new Set<Upload>();
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
    const { maxBodyBytes, maxRequests } = this.#limits;
    declaredLength(c, maxBodyBytes);
    const upload = this.#enter(clientNetworkOf(c) ?? UNKNOWN);
    if (!(await this.#read(c, upload))) return undefined;
    this.#requests += 1;
    try {
      if (this.#requests > maxRequests) return undefined;
      return await call(concatBytes(...upload.chunks));
    } finally {
      this.#requests -= 1;
      this.#bytes -= upload.bytes;
    }
  }

  #enter(network: string): Upload {
    const { maxWaiting, maxWaitingEach } = this.#limits;
    if (network !== UNKNOWN) {
      const own = [...this.#waiting].filter((upload) => upload.network === network);
      if (own.length >= maxWaitingEach) this.#drop(own[0]!);
    }
    if (this.#waiting.size >= maxWaiting) this.#drop(this.#oldestOfMost(() => 1)!);
    let cut = (): void => {};
    const isCut = new Promise<typeof CUT>((resolve) => (cut = () => resolve(CUT)));
    const upload: Upload = { network, chunks: [], bytes: 0, cut, isCut };
    this.#waiting.add(upload);
    return upload;
  }

  /** Returns whether the body is there, whole; then it is waited for no more, and cannot be cut off. */
  async #read(c: Context, upload: Upload): Promise<boolean> {
    const { maxBytes, maxBodyBytes } = this.#limits;
    const body = bodyChunks(c);
    const capped = cappedChunks(body, maxBodyBytes, () => tooLarge(maxBodyBytes));
    try {
      for (;;) {
        const chunk = await Promise.race([upload.isCut, capped.next()]);
        if (chunk === CUT || !this.#waiting.has(upload)) return false;
        if (!chunk) return this.#waiting.delete(upload);
        while (this.#bytes + chunk.length > maxBytes) {
          const victim = this.#oldestOfMost(({ bytes }) => bytes);
          if (!victim || victim === upload) return false;
          this.#drop(victim);
        }
        upload.chunks.push(chunk);
        upload.bytes += chunk.length;
        this.#bytes += chunk.length;
      }
    } finally {
      body.release();
      this.#drop(upload);
    }
  }

  /** Waits for it no more, if it is still waited for. */
  #drop(upload: Upload): void {
    if (!this.#waiting.delete(upload)) return;
    this.#bytes -= upload.bytes;
    upload.chunks.length = 0;
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
