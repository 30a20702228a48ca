/**
 * The app over a test log (`test-log.ts`), or for the kind `events` over a test vault (`test-vault.ts`), with a token of
 * each role: `newel_submit`, `newel_audit`, `newel_admin`, and `newel_other`, which submits for another source. The
 * bearer of any of them may read what is revealed. Time is the test log's.
 */

import type { Hono } from 'hono';
import type { Principal } from '../../src/access/principal.ts';
import { NewelError } from '../../src/errors.ts';
import { createApp, type WriteSite } from '../../src/http/app.ts';
import type { AnsweredRequest } from '../../src/http/signals.ts';
import type { Site, Statements } from '../../src/http/site.ts';
import { described } from './openapi.ts';
import { type FakeAsking, policyOf, policyTextOf, WITNESS_VERIFIERS } from './fake-asking.ts';
import { openTestLog, type TestLog } from './test-log.ts';
import { openTestVault, TEST_SOURCES, type TestVault, type TestVaultOptions } from './test-vault.ts';

export const TEST_URL = 'https://log.example/test';

export interface TestSite {
  readonly test: TestLog;
  /** Of a log of events. */
  readonly vault: TestVault | undefined;
  readonly site: Site;
  readonly write: WriteSite;
  /** Every route. Answers to `app.request()` are held against the OpenAPI document. */
  readonly app: Hono;
  readonly requests: AnsweredRequest[];
  readonly errors: unknown[];
}

export interface TestSiteOptions extends TestVaultOptions {
  /** Witnesses of whom two are wanted; the clock moves by `publishIntervalMs` for them to be asked. */
  readonly asking?: FakeAsking;
}

export async function openTestSite(given: TestSiteOptions = {}): Promise<TestSite> {
  const { asking, ...rest } = given;
  const options = asking ? { ...rest, open: { ...witnessedBy(asking), ...rest.open } } : rest;
  const vault = options.kind === 'events' ? await openTestVault(options) : undefined;
  const test = vault?.test ?? (await openTestLog(options));
  const requests: AnsweredRequest[] = [];
  const errors: unknown[] = [];
  const site: Site = {
    log: test.log,
    url: TEST_URL,
    vkeys: [test.vkey],
    verifier: test.verifier,
    policy: asking ? policyTextOf('two', test.vkey) : `log ${test.vkey}\nquorum none\n`,
    ...(asking && { otherVerifiers: WITNESS_VERIFIERS, witnesses: () => asking.states() }),
    ...(vault && { statements: statementsOf(vault) }),
    software: { name: 'newel', version: '1.2.3' },
    now: () => test.clock.now(),
    mayReadRevealed: (authorization) => principalOf(authorization) !== undefined,
    onRequest: (request) => requests.push(request),
    onError: (error) => errors.push(error),
  };
  const write: WriteSite = {
    ...(vault && { vault: vault.vault }),
    authenticate(authorization) {
      const principal = principalOf(authorization);
      if (!principal) throw new NewelError('unauthenticated', 'this needs a token');
      return principal;
    },
    charge: () => {},
    readMetrics: () => Promise.resolve('# none\n'),
  };
  return { test, vault, site, write, app: described(createApp(site, write)), requests, errors };
}

function witnessedBy(asking: FakeAsking): NonNullable<TestVaultOptions['open']> {
  const slots = { fast: { policy: policyOf('two'), deadlineMs: 500, intervalMs: 10 } };
  return { slots, asking, witnessVerifiers: WITNESS_VERIFIERS };
}

/** Plain data: no public route gets hold of the vault. */
function statementsOf({ vault: { issuer, jwks, schemas, maxEventBytes } }: TestVault): Statements {
  return { issuer, jwks, schemas, maxEventBytes };
}

const PRINCIPALS: Readonly<Record<'submit' | 'audit' | 'admin' | 'other', Principal>> = {
  submit: { name: 'test submit', role: 'submit', sources: TEST_SOURCES },
  audit: { name: 'test audit', role: 'audit', sources: ['test'] },
  admin: { name: 'test admin', role: 'admin', sources: ['test'] },
  other: { name: 'test other', role: 'submit', sources: ['other'] },
};

export function bearer(name: keyof typeof PRINCIPALS): { readonly Authorization: string } {
  return { Authorization: `Bearer newel_${name}` };
}

function principalOf(authorization: string | undefined): Principal | undefined {
  return Object.entries(PRINCIPALS).find(([name]) => authorization === `Bearer newel_${name}`)?.[1];
}
