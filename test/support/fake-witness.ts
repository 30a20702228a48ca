/**
 * A witness that keeps to C2SP tlog-witness unless it is told how to misbehave, and shares no code with what asks it but
 * the verification of proofs: it reads requests and makes cosignatures by hand. It answers over a socket (`listen`), or in
 * the process and in a test's own time (`fetch`).
 *
 *   const witness = new FakeWitness('w1.example');
 *   witness.next.push(answersLate(6000));                for its next request
 *   new Witnesses({ witnesses: [witness.asked], fetch: witness.fetch(clock), … })
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { verifyConsistency } from '../../src/core/proof.ts';
import { parseCheckpoint } from '../../src/formats/checkpoint.ts';
import { cosignatureVerifier } from '../../src/formats/cosignature.ts';
import { ed25519Signer, formatNote, parseNote, signNote, type Verifier } from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import type { AgreeOptions, AskedWitness, HeadToCosign } from '../../src/witness/ask.ts';
import type { AskingClock } from '../../src/witness/asking-clock.ts';
import { ReferenceTree, referenceLeafHash } from './reference-tree.ts';

export interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly body?: string;
}

/**
 * How one request is met: `honest` judges it, and records the head, when it is called. `undefined`: the connection breaks.
 */
export type Behaviour = (
  honest: () => Reply,
  wait: (ms: number) => Promise<void>,
) => Promise<Reply | undefined> | Reply | undefined;

/** What a start waits for; nobody contradicts when that is over. */
export function starting(tree: GrowingTree, timeoutMs: number, ignore: Iterable<string> = []): AgreeOptions {
  const onLateConflict = (): void => {
    throw new Error('a witness contradicted late');
  };
  return { timeoutMs, ignore: new Set(ignore), largestSize: () => tree.size, onLateConflict };
}

/** Records at once; the answer comes after `ms`. */
export const answersLate =
  (ms: number): Behaviour =>
  async (honest, wait) => {
    const reply = honest();
    await wait(ms);
    return reply;
  };

/** Records, and answers, after `ms`. */
export const recordsLate =
  (ms: number): Behaviour =>
  async (honest, wait) => {
    await wait(ms);
    return honest();
  };

/** Records, and breaks the connection. */
export const breaksAfterwards: Behaviour = (honest) => void honest();
/** Breaks the connection. */
export const breaks: Behaviour = () => undefined;
/** Answers this, whatever was asked. */
export const answers =
  (reply: Reply): Behaviour =>
  () =>
    reply;

export class FakeWitness {
  readonly name: string;
  url: string;
  readonly verifier: Verifier;
  /** What it has cosigned last. */
  recorded: { size: number; root: Uint8Array } = { size: 0, root: new Uint8Array(32) };
  /** Leaves the size out of a 409. */
  isSizeless = false;
  /** Of the next requests, one each; then `always`. */
  readonly next: Behaviour[] = [];
  always: Behaviour = (honest) => honest();
  /** Whether the connection is refused. */
  isDown = false;
  readonly requests: { readonly old: number; readonly size: number; readonly checkpoint: string }[] = [];
  readonly sockets: Set<Socket> = new Set();
  timeS = 1_795_176_000;
  readonly #seed: Uint8Array;
  #server: Server | undefined;

  constructor(name: string, seedByte = 7) {
    this.name = name;
    this.url = `http://${name}/prefix`;
    this.#seed = new Uint8Array(32).fill(seedByte);
    const vkey = newVkey(name, KEY_TYPE.cosignatureEd25519, nodeEd25519.publicKey(this.#seed));
    this.verifier = cosignatureVerifier(vkey, { ed25519: nodeEd25519 });
  }

  get asked(): AskedWitness {
    return { name: this.name, url: this.url, verifiers: [this.verifier] };
  }

  /** The line that it would give for a note text, by `key` where that is another's. */
  lineOver(
    text: string,
    { name = this.name, keyId = this.verifier.keyId }: { name?: string; keyId?: number } = {},
  ): string {
    const message = encodeUtf8(`cosignature/v1\ntime ${this.timeS}\n${text}`);
    const signature = new Uint8Array(8 + 64);
    new DataView(signature.buffer).setBigUint64(0, BigInt(this.timeS++));
    signature.set(nodeEd25519.sign(this.#seed, message), 8);
    const note = decodeUtf8(formatNote({ text: 'x\n', signatures: [{ name, keyId, signature }] }));
    return note.slice('x\n\n'.length);
  }

  /** Answers in the process, in the time of `clock`, as the witness of any URL that begins with its own. */
  fetch(clock: AskingClock): typeof fetch {
    return (_input, init) =>
      new Promise((resolve, reject) => {
        const broken = (code: string): void => reject(new TypeError('fetch failed', { cause: { code } }));
        init!.signal!.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
        if (this.isDown) return broken('ECONNREFUSED');
        const wait = (ms: number): Promise<void> => new Promise((done) => void clock.after(ms, done));
        void this.#meet(init!.body as Uint8Array, wait).then((reply) => {
          if (!reply) return broken('ECONNRESET');
          const { status, type, body } = reply;
          const isEmpty = status === 204 || status === 304;
          resolve(
            new Response(isEmpty ? null : (body ?? ''), {
              status,
              headers: type ? { 'Content-Type': type } : {},
            }),
          );
        });
      });
  }

  /** Answers on a loopback socket; `raw` takes an answer in its own hands. */
  async listen(raw?: (req: IncomingMessage, res: ServerResponse) => boolean): Promise<void> {
    const server = createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        if (raw?.(req, res)) return;
        if (req.method !== 'POST' || req.url !== '/prefix/add-checkpoint')
          return void res.writeHead(404).end();
        const wait = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms));
        void this.#meet(Buffer.concat(chunks), wait).then((reply) => {
          if (!reply) return void res.destroy();
          res.writeHead(reply.status, reply.type ? { 'Content-Type': reply.type } : {}).end(reply.body ?? '');
        });
      });
    });
    server.on('connection', (socket) => this.sockets.add(socket));
    await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`;
    this.#server = server;
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    server.closeAllConnections();
    await new Promise((done) => void server.close(done));
  }

  async #meet(body: Uint8Array, wait: (ms: number) => Promise<void>): Promise<Reply | undefined> {
    const text = decodeUtf8(body);
    const blank = text.indexOf('\n\n');
    const [first = '', ...proof] = text.slice(0, blank).split('\n');
    const checkpoint = text.slice(blank + 2);
    const head = parseCheckpoint(parseNote(encodeUtf8(checkpoint)).text);
    const old = Number(/^old (0|[1-9][0-9]*)$/.exec(first)![1]);
    this.requests.push({ old, size: head.size, checkpoint });
    const hashes = proof.map((line) => new Uint8Array(Buffer.from(line, 'base64')));
    const behaviour = this.next.shift() ?? this.always;
    return behaviour(() => this.#judge(old, hashes, head, parseNote(encodeUtf8(checkpoint)).text), wait);
  }

  #judge(
    old: number,
    proof: readonly Uint8Array[],
    head: { size: number; root: Uint8Array },
    text: string,
  ): Reply {
    const { size, root } = this.recorded;
    if (old > head.size) return { status: 400 };
    if (old !== size) {
      if (this.isSizeless) return { status: 409, type: 'text/plain', body: 'conflict\n' };
      return { status: 409, type: 'text/x.tlog.size', body: `${size}\n` };
    }
    try {
      if (old > 0) verifyConsistency(old, head.size, root, head.root, proof);
      else if (proof.length > 0) return { status: 422 };
    } catch {
      return { status: 422 };
    }
    this.recorded = { size: head.size, root: head.root };
    return { status: 200, type: 'text/plain; charset=utf-8', body: this.lineOver(text) };
  }
}

export const FAKE_ORIGIN = 'log.example/asking';

/** A tree that grows, and its signed heads. */
export class GrowingTree {
  readonly #leaves: Uint8Array[] = [];
  readonly #salt: string;
  readonly #signer = ed25519Signer(FAKE_ORIGIN, new Uint8Array(32).fill(1), nodeEd25519);
  #tree: ReferenceTree = ReferenceTree.ofLeafHashes([]);

  /** Leaves of trees of another `salt` are others. */
  constructor(size = 0, salt = '') {
    this.#salt = salt;
    this.grow(size);
  }

  get size(): number {
    return this.#leaves.length;
  }

  grow(count: number): void {
    for (let i = 0; i < count; i++)
      this.#leaves.push(referenceLeafHash(encodeUtf8(`${this.#salt}${this.size}`)));
    this.#tree = ReferenceTree.ofLeafHashes(this.#leaves);
  }

  /** A tree with the first `size` leaves of this one, that will grow otherwise. */
  copy(size: number, salt: string): GrowingTree {
    const copy = new GrowingTree(0, salt);
    copy.#leaves.push(...this.#leaves.slice(0, size));
    copy.grow(0);
    return copy;
  }

  head(size: number = this.size): HeadToCosign {
    const root = this.#tree.root(size);
    const text = `${FAKE_ORIGIN}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
    return { size, root, text, checkpoint: signNote(text, [this.#signer]) };
  }

  proofs = async (old: number, size: number): Promise<readonly Uint8Array[]> => {
    await Promise.resolve();
    return this.#tree.proof(old, size);
  };

  rootOf = async (size: number): Promise<Uint8Array> => {
    await Promise.resolve();
    return this.#tree.root(size);
  };
}

/** Lets time pass in small steps until the promise is settled. */
export async function inTime<T>(
  clock: { advance(ms: number): void },
  promise: Promise<T>,
  limitMs = 120_000,
): Promise<T> {
  let isSettled = false;
  const settled = promise.finally(() => (isSettled = true));
  settled.catch(() => {});
  for (let ms = 0; ms <= limitMs; ms += 50) {
    await turns();
    if (isSettled) break;
    clock.advance(50);
  }
  if (!isSettled) throw new Error(`nothing came of it within ${limitMs} ms`);
  return settled;
}

/** Lets a time pass, in steps, and what it brings happen. */
export async function pass(
  clock: { advance(ms: number): void },
  durationMs: number,
  stepMs = 50,
): Promise<void> {
  for (let ms = 0; ms < durationMs; ms += stepMs) {
    await turns();
    clock.advance(Math.min(stepMs, durationMs - ms));
  }
  await turns();
}

/** Lets the promises of the process go on. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve));
}
