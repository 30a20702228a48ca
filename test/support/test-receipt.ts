/**
 * Receipts made by hand, and the trust file that they hold under: no server, no vault, only the code that gives a
 * receipt its bytes. The same options make the same receipt.
 *
 *   const { receipt, trustFile } = makeTestReceipt();
 *   const { event } = await verifyReceipt(receipt, { trust: trustFile });
 */

import { createHash } from 'node:crypto';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { Receipt } from '../../src/client/receipt.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { commitmentOf, formatEventLeaf } from '../../src/event/leaf.ts';
import type { EventMembers } from '../../src/event/schema.ts';
import { encodeStatement, STATEMENT_RANDOM_BYTES } from '../../src/event/statement.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import { formatBase64Url } from '../../src/formats/base64url.ts';
import { formatCheckpoint } from '../../src/formats/checkpoint.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatJwk, thumbprintOf } from '../../src/formats/jwk.ts';
import { ed25519Signer, signNote, type Signer } from '../../src/formats/note.ts';
import { encodeDisclosure, formatSdJwt, signingInputOf } from '../../src/formats/sd-jwt.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatTlogProof } from '../../src/formats/tlog-proof.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { ReferenceTree } from './reference-tree.ts';

export const RECEIPT_ORIGIN = 'log.example/bank';
/** 2026-11-20T12:00:08.123Z */
export const RECEIVED_TIME_MS: number = Date.UTC(2026, 10, 20, 12, 0, 8, 123);
const LOG_SEED: Uint8Array = seedOf('log');
const STATEMENT_SEED: Uint8Array = seedOf('statement');

/** A completed step-up, with members of every kind that a statement has. */
export const TEST_EVENT: EventMembers = {
  schema: 'stepup/1',
  id: '01JD4XB0000000000000000001',
  source: 'https://bank.example/payments',
  type: 'stepup.completed',
  time: '2026-11-20T12:00:08.100Z',
  txn: '5b1d7a3e-2f44-4c39-8a0e-0d9f3c6e7b21',
  subject: { sub_id: { format: 'opaque', id: 'u-8841' }, actor_type: 'user' },
  src: { ip: '192.0.2.10', asn: 64500, location: { country: 'FR', city: 'Paris' }, is_proxy: false },
  trigger: { reason: 'high_value_transaction', risk: { score: 71, reasons: ['new_payee'] } },
  challenge: { id: 'ch-1', method: 'webauthn_platform', amr: ['hwk', 'user'], duration_ms: 8123 },
  outcome: 'success',
};

export interface TestReceiptOptions {
  readonly event?: EventMembers;
  readonly origin?: string;
  readonly issuer?: string;
  /** Where in the tree it is, and how large that is; 41 of 42 by default. */
  readonly index?: number;
  readonly size?: number;
  readonly alg?: 'Ed25519' | 'EdDSA';
  readonly holder?: JsonObject;
  readonly statementSeed?: Uint8Array;
  /** Who signs the checkpoint beside the log. */
  readonly cosigners?: readonly Signer[];
  /** What the other leaves of the tree are of: of another word the tree is another one. */
  readonly others?: string;
  /** Whatever a server is not to write. */
  readonly editHeader?: (header: JsonObject) => JsonObject;
  readonly editPayload?: (payload: string) => string;
}

export interface TestReceipt {
  readonly receipt: Receipt;
  /** The answer of `GET /v1/log`. */
  readonly trustFile: JsonObject & { readonly vkeys: string[] };
  readonly vkey: string;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  /** Of the whole tree. */
  readonly leafHashes: readonly Uint8Array[];
}

export function makeTestReceipt(options: TestReceiptOptions = {}): TestReceipt {
  const { event = TEST_EVENT, origin = RECEIPT_ORIGIN, index = 41, size = 42, others = 'leaf' } = options;
  const issuer = options.issuer ?? `https://${origin}`;
  const eventId = `evt_${digest(event.id).subarray(0, 16).toString('base64url')}`;
  const { statement, encodedPayload } = makeStatement(event, eventId, issuer, origin, options);
  const leaf = formatEventLeaf(commitmentOf(encodedPayload));

  const leafHash = hashLeaf(leaf);
  const leafHashes = Array.from({ length: size }, (_, i) =>
    i === index ? leafHash : hashLeaf(encodeUtf8(`${others} ${i}`)),
  );
  const tree = ReferenceTree.ofLeafHashes(leafHashes);
  const root = tree.root(size);
  const signers = [ed25519Signer(origin, LOG_SEED, nodeEd25519), ...(options.cosigners ?? [])];
  const checkpoint = signNote(formatCheckpoint({ origin, size, root }), signers);
  const receipt: Receipt = {
    event_id: eventId,
    id: event.id,
    source: event.source,
    log: origin,
    leaf_index: index,
    leaf_hash: formatBase64(leafHash),
    tree_size: size,
    level: 'signed',
    received_time: new Date(RECEIVED_TIME_MS).toISOString(),
    proof_url: `https://${origin}/v1/leaves/${index}/proof`,
    statement,
    proof: formatTlogProof({ index, path: tree.path(index, size), checkpoint }),
  };
  const vkey = formatVkey(newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(LOG_SEED)));
  return { receipt, trustFile: trustFileOf(origin, issuer, vkey), vkey, leaf, root, leafHashes };
}

function makeStatement(
  event: EventMembers,
  eventId: string,
  issuer: string,
  origin: string,
  { alg = 'Ed25519', holder, statementSeed = STATEMENT_SEED, ...edit }: TestReceiptOptions,
): { statement: string; encodedPayload: string } {
  const open = {
    iss: issuer,
    log: origin,
    iat: Math.floor(RECEIVED_TIME_MS / 1000),
    jti: eventId,
    schema: 'stepup/1' as const,
    ...(holder && { cnf: { jwk: holder } }),
  };
  const { payload, disclosures } = encodeStatement(open, event, randomOf(event.id));
  const kid = thumbprintOf(nodeEd25519.publicKey(statementSeed));
  const header = (edit.editHeader ?? same)({ alg, kid, typ: 'stepup-event+sd-jwt' });
  const encodedHeader = formatBase64Url(encodeUtf8(JSON.stringify(header)));
  const encodedPayload = formatBase64Url(encodeUtf8((edit.editPayload ?? same)(payload)));
  const signature = nodeEd25519.sign(statementSeed, signingInputOf({ encodedHeader, encodedPayload }));
  const encoded = disclosures.map(({ json }) => ({ encoded: encodeDisclosure(json) }));
  return {
    statement: formatSdJwt({ encodedHeader, encodedPayload, signature, disclosures: encoded }),
    encodedPayload,
  };
}

function trustFileOf(origin: string, issuer: string, vkey: string): TestReceipt['trustFile'] {
  const { kty, crv, x, kid = '' } = formatJwk(nodeEd25519.publicKey(STATEMENT_SEED));
  return {
    origin,
    kind: 'events',
    url: `https://${origin}`,
    vkeys: [vkey],
    policy: `log ${vkey}\nquorum none\n`,
    issuer,
    jwks: { keys: [{ kty, crv, x, kid }] },
    schemas: ['stepup/1'],
    limits: { max_publish_delay: 60 },
    software: { name: 'newel', version: '0' },
  };
}

/** Salts and decoys: of no use to anybody, and the same in every run. */
function randomOf(id: string): Uint8Array {
  const out = new Uint8Array(STATEMENT_RANDOM_BYTES);
  for (let at = 0; at < out.length; at += 32) {
    out.set(digest(`${id} ${at}`).subarray(0, Math.min(32, out.length - at)), at);
  }
  return out;
}

export function seedOf(name: string): Uint8Array {
  return new Uint8Array(digest(`seed of ${name}`));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function same<T>(value: T): T {
  return value;
}
