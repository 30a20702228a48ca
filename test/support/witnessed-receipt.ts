/**
 * Receipts with lines of witnesses, as real cosigners make them, the trust files that they hold under, and a server that
 * hands them out with the tiles of their tree.
 *
 *   const trust = witnessedTrust('group q 2 a b c\nquorum q\n');
 *   const receipt = await cosign(makeTestReceipt(), [[WITNESSES.a, timeS], [WITNESSES.b, timeS]]);
 */

import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { formatReceipt, type Receipt } from '../../src/client/receipt.ts';
import { type Cosigner, ed25519Cosigner, mldsa44Cosigner } from '../../src/formats/cosignature.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { formatNote, type NoteSignature, parseNote } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatTlogProof, parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { makeTestReceipt, RECEIVED_TIME_MS, seedOf, type TestReceipt } from './test-receipt.ts';

/** When the log received the event of a test receipt, in seconds. */
export const RECEIVED_TIME_S: number = Math.floor(RECEIVED_TIME_MS / 1000);

function witness(name: string): Cosigner {
  return ed25519Cosigner(`witness.example/${name}`, seedOf(`witness ${name}`), nodeEd25519);
}

/** Four witnesses with keys of Ed25519, and one, `pq`, with a key of ML-DSA-44. */
export const WITNESSES: Readonly<Record<'a' | 'b' | 'c' | 'd' | 'pq', Cosigner>> = {
  a: witness('a'),
  b: witness('b'),
  c: witness('c'),
  d: witness('d'),
  pq: mldsa44Cosigner(
    newVkey('witness.example/pq', KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seedOf('witness pq'))),
    (message) => nobleMldsa44.sign(seedOf('witness pq'), message),
  ),
};

export type WitnessName = keyof typeof WITNESSES;

/** A policy of the log of test receipts: a line for each of `names`, and then `rest`. */
export function policyText(rest: string, names: readonly WitnessName[] = ['a', 'b', 'c']): string {
  const lines = names.map((name) => `witness ${name} ${formatVkey(WITNESSES[name].vkey)}\n`);
  return `log ${makeTestReceipt().vkey}\n${lines.join('')}${rest}`;
}

export const TWO_OF_THREE = 'group q 2 a b c\nquorum q\n';

/** The trust file of test receipts, with such a policy; by default two of three. */
export function witnessedTrust(rest: string = TWO_OF_THREE, names?: readonly WitnessName[]): JsonObject {
  return { ...makeTestReceipt().trustFile, policy: policyText(rest, names) };
}

export type Cosigned = readonly (readonly [cosigner: Cosigner, timeS: number])[];

/** The receipt with the lines of these, each at its time. */
export async function cosign(
  { receipt }: Pick<TestReceipt, 'receipt'>,
  cosigned: Cosigned,
): Promise<Receipt> {
  const proof = parseTlogProof(encodeUtf8(receipt.proof));
  const note = parseNote(proof.checkpoint);
  const lines: NoteSignature[] = [];
  for (const [cosigner, timeS] of cosigned) lines.push(await cosigner.cosign(note.text, timeS));
  const checkpoint = formatNote({ ...note, signatures: [...note.signatures, ...lines] });
  return { ...receipt, proof: formatTlogProof({ ...proof, checkpoint }) };
}

export interface FakeRequest {
  readonly method: string;
  /** With its query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface FakeLog {
  readonly url: string;
  /** What it was asked, but for tiles. */
  readonly asked: readonly FakeRequest[];
  /** Paths of the tiles that were asked for. */
  readonly tiles: readonly string[];
}

/** Status and body of an answer, a receipt or any text; `count` is that of the request, from 1. */
export type FakeAnswer = (request: FakeRequest, count: number) => readonly [number, Receipt | string];

/** A server on a free port that serves the tiles of one tree of less than 256 leaves, and answers the rest as it is told. */
export async function serveFakeLog(
  t: Pick<TestContext, 'after'>,
  leafHashes: readonly Uint8Array[],
  answer: FakeAnswer,
): Promise<FakeLog> {
  const asked: FakeRequest[] = [];
  const tiles: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request;
      if (url.startsWith('/tile/')) {
        tiles.push(url);
        const width = Number(/^\/tile\/0\/000\.p\/([0-9]+)$/.exec(url)?.[1] ?? Number.NaN);
        const hashes = width <= leafHashes.length ? leafHashes.slice(0, width) : undefined;
        return hashes ? response.end(Buffer.concat(hashes)) : response.writeHead(404).end();
      }
      const seen = { method, url, headers, body };
      asked.push(seen);
      const [status, answered] = answer(seen, asked.length);
      return response
        .writeHead(status)
        .end(typeof answered === 'string' ? answered : formatReceipt(answered));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, asked, tiles };
}
