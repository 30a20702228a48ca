/**
 * The app over a test log (`test-log.ts`), with a token of each role: `newel_submit`, `newel_audit`, `newel_admin`. The
 * bearer of any of them may read what is revealed. Time is the test log's.
 */

import type { Hono } from 'hono';
import type { Principal } from '../../src/access/principal.ts';
import { NewelError } from '../../src/errors.ts';
import { createApp } from '../../src/http/app.ts';
import type { WriteSite } from '../../src/http/add.ts';
import type { AnsweredRequest } from '../../src/http/signals.ts';
import type { Site } from '../../src/http/site.ts';
import { openTestLog, type TestLog, type TestLogOptions } from './test-log.ts';

export const TEST_URL = 'https://log.example/test';

export interface TestSite {
  readonly test: TestLog;
  readonly site: Site;
  readonly write: WriteSite;
  /** Every route. */
  readonly app: Hono;
  readonly requests: AnsweredRequest[];
  readonly errors: unknown[];
}

export async function openTestSite(options: TestLogOptions = {}): Promise<TestSite> {
  const test = await openTestLog(options);
  const requests: AnsweredRequest[] = [];
  const errors: unknown[] = [];
  const site: Site = {
    log: test.log,
    url: TEST_URL,
    vkeys: [test.vkey],
    verifier: test.verifier,
    policy: `log ${test.vkey}\nquorum none\n`,
    software: { name: 'newel', version: '1.2.3' },
    now: () => test.clock.now(),
    mayReadRevealed: (authorization) => principalOf(authorization) !== undefined,
    onRequest: (request) => requests.push(request),
    onError: (error) => errors.push(error),
  };
  const write: WriteSite = {
    authenticate(authorization) {
      const principal = principalOf(authorization);
      if (!principal) throw new NewelError('unauthenticated', 'this needs a token');
      return principal;
    },
  };
  return { test, site, write, app: createApp(site, write), requests, errors };
}

export function bearer(role: Principal['role']): { readonly Authorization: string } {
  return { Authorization: `Bearer newel_${role}` };
}

function principalOf(authorization: string | undefined): Principal | undefined {
  const role = /^Bearer newel_(submit|audit|admin)$/.exec(authorization ?? '')?.[1];
  if (role !== 'submit' && role !== 'audit' && role !== 'admin') return undefined;
  return { name: `test ${role}`, role, sources: ['test'] };
}
