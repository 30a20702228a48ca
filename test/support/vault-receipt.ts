/** Receipts of a vault under test, as its server hands them out, and the trust file that they hold under. */

import type { Receipt } from '../../src/client/receipt.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { proveInclusion } from '../../src/core/proof.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatTlogProof } from '../../src/formats/tlog-proof.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import { type TestVault, TEST_ISSUER } from './test-vault.ts';

/** The receipt on the newest signed head. */
export async function receiptOf({ test }: TestVault, event: StoredEvent): Promise<Receipt> {
  const { size, checkpoint } = test.log.revealed;
  const { leafIndex } = event;
  const path = await proveInclusion(leafIndex, size, test.log.hashes(size));
  return {
    event_id: event.eventId,
    id: event.id,
    source: event.source,
    log: test.origin,
    leaf_index: leafIndex,
    leaf_hash: formatBase64(hashLeaf(event.leaf)),
    tree_size: size,
    level: 'signed',
    received_time: new Date(event.receivedTimeMs).toISOString(),
    proof_url: `https://${test.origin}/v1/leaves/${leafIndex}/proof`,
    statement: await event.statement('Ed25519'),
    proof: formatTlogProof({ index: leafIndex, path, checkpoint }),
  };
}

export function trustFileOf({ test, vault }: TestVault): JsonObject {
  return {
    origin: test.origin,
    kind: 'events',
    url: `https://${test.origin}`,
    vkeys: [test.vkey],
    policy: `log ${test.vkey}\nquorum none\n`,
    issuer: TEST_ISSUER,
    jwks: { keys: vault.jwks.keys.map((key) => ({ ...key })) },
    schemas: ['stepup/1'],
    limits: { max_publish_delay: 60 },
    software: { name: 'newel', version: '0' },
  };
}
