/** The trust of a test vault's log, as a client would have it from `GET /v1/log`. */

import { parseTrust, type Trust } from '../../src/client/trust.ts';
import type { TestVault } from './test-vault.ts';

export function trustOfVault({ test, vault }: TestVault): Trust {
  return parseTrust({
    origin: test.origin,
    kind: 'events',
    url: 'https://log.example/test',
    vkeys: [test.vkey],
    policy: `log ${test.vkey}\nquorum none\n`,
    issuer: vault.issuer,
    jwks: { keys: vault.jwks.keys.map((key) => ({ ...key })) },
    schemas: [...vault.schemas],
  });
}
