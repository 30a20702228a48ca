/**
 * ML-DSA-44 for a server. Verified by `node:crypto` where Node has it (since 24.6), under the very rule of
 * `formats/mldsa.ts`; else, and always to sign, in plain JavaScript: the signatures that Node makes have random bytes in
 * them. Signing takes milliseconds, so there is a thread for it.
 */

import { createHash, createPublicKey, type KeyObject, verify as verifyWith } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { type Mldsa44, MLDSA44_PUBLIC_KEY_BYTES, MLDSA44_SIGNATURE_BYTES } from '../formats/mldsa.ts';
import { nobleMldsa44 } from '../formats/mldsa-noble.ts';

/** DER before the 1,312 bytes of the key: SubjectPublicKeyInfo with the algorithm of RFC 9881. */
const SPKI_PREFIX = Buffer.from('30820532300b06096086480165030403110382052100', 'hex');
/** Keys that are kept ready. A log has one, a policy a few dozen. */
const MAX_CACHED_KEYS = 256;
/** After the thread has died, how long signatures are made here before there is another one. */
const RESTART_MS = 30_000;

const publicKeys = new Map<string, KeyObject>();

/** Whether this Node verifies ML-DSA-44. */
export const isMldsaNative: boolean = tryNative();

export const nodeMldsa44: Mldsa44 = isMldsaNative
  ? { ...nobleMldsa44, verify: verifyNatively }
  : nobleMldsa44;

/** What is asked of the thread; the answer is `{ id, signature }`, or `{ id }` where it failed. */
export interface SigningJob {
  readonly id: number;
  /** A copy, which the thread wipes. */
  readonly seed: Uint8Array;
  readonly message: Uint8Array;
}

export interface SigningAnswer {
  readonly id: number;
  readonly signature?: Uint8Array;
}

interface Waiting {
  readonly seed: Uint8Array;
  readonly message: Uint8Array;
  readonly resolve: (signature: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** Signs in a thread, which starts with the first signature. A process with nothing else to do does not wait for it. */
export class MldsaThread {
  readonly #start: (() => Worker) | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #diedMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #lastId = 0;

  /** `start` begins a thread that runs `mldsa-worker`; by default there is none of a program that runs from its sources. */
  constructor(start: (() => Worker) | undefined = startOfBuild()) {
    this.#start = start;
  }

  /** As `nobleMldsa44.sign`. Rejects after `close`. */
  sign(seed: Uint8Array, message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const waiting = { seed, message, resolve, reject };
      if (this.#isClosed) return reject(new Error('the thread that signs is closed'));
      if (performance.now() >= this.#diedMs + RESTART_MS) this.#worker ??= this.#open();
      if (!this.#worker) return signHere(waiting);
      const job: SigningJob = { id: ++this.#lastId, seed: seed.slice(), message };
      this.#waiting.set(job.id, waiting);
      this.#worker.ref();
      this.#worker.postMessage(job, [job.seed.buffer as ArrayBuffer]);
    });
  }

  /** Ends the thread. What is with it is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #open(): Worker | undefined {
    const worker = this.#start?.();
    worker?.on('message', ({ id, signature }: SigningAnswer) => {
      const waiting = this.#waiting.get(id)!;
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
      // What the thread could not do is done here, to fail here as it would have.
      if (signature) waiting.resolve(signature);
      else signHere(waiting);
    });
    worker?.on('error', () => {});
    worker?.on('exit', () => {
      this.#worker = undefined;
      this.#diedMs = performance.now();
      const left = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const waiting of left) {
        if (this.#isClosed) waiting.reject(new Error('the thread that signs was closed'));
        else signHere(waiting);
      }
    });
    return worker;
  }
}

function signHere({ seed, message, resolve, reject }: Waiting): void {
  try {
    resolve(nobleMldsa44.sign(seed, message));
  } catch (error) {
    reject(error);
  }
}

/** Node does not load TypeScript in a thread. */
function startOfBuild(): (() => Worker) | undefined {
  if (import.meta.url.endsWith('.ts')) return undefined;
  return () => new Worker(new URL('./mldsa-worker.js', import.meta.url), { env: {} });
}

function verifyNatively(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== MLDSA44_PUBLIC_KEY_BYTES || signature.length !== MLDSA44_SIGNATURE_BYTES)
    return false;
  return verifyWith(null, message, publicKeyOf(publicKey), signature);
}

function publicKeyOf(publicKey: Uint8Array): KeyObject {
  const name = createHash('sha256').update(publicKey).digest('latin1');
  const key =
    publicKeys.get(name) ??
    createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  publicKeys.delete(name);
  publicKeys.set(name, key);
  if (publicKeys.size > MAX_CACHED_KEYS) publicKeys.delete(publicKeys.keys().next().value!);
  return key;
}

function tryNative(): boolean {
  try {
    return publicKeyOf(new Uint8Array(MLDSA44_PUBLIC_KEY_BYTES)).asymmetricKeyType === 'ml-dsa-44';
  } catch {
    return false;
  }
}
