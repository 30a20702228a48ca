/** The real issuer of `oidc-issuer-process.ts`, started for one test and asked for tokens as its clients ask it. */

import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Clients } from './oidc-issuer-process.ts';

export interface TestIssuer {
  readonly issuer: string;
  /** An access token of the client `name` for the API `resource`. */
  readonly token: (name: string, resource: string) => Promise<string>;
  /** From now on it signs with another key, and shows that one alone. */
  readonly rotate: () => Promise<void>;
  /** Ends it, and waits until it has ended. */
  readonly stop: () => Promise<void>;
}

export async function startIssuer(t: TestContext, clients: Clients): Promise<TestIssuer> {
  const script = join(import.meta.dirname, 'oidc-issuer-process.ts');
  const child = fork(script, { execArgv: ['--import', 'tsx'], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  t.after(() => stop(child));
  const tell = async (message: object): Promise<string> => {
    child.send(message);
    const answer: unknown[] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
    const [told] = answer;
    assert.ok(typeof told === 'object' && told !== null && 'issuer' in told, `the issuer has ended: ${said}`);
    return String(told.issuer);
  };
  const issuer = await tell({ clients });
  return {
    issuer,
    async token(name, resource) {
      const credentials = Buffer.from(`${name}:${name}-secret`).toString('base64');
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${credentials}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'log', resource }),
      });
      const body = (await response.json()) as { access_token?: unknown };
      assert.equal(typeof body.access_token, 'string', JSON.stringify(body));
      return String(body.access_token);
    },
    rotate: async () => void (await tell({ clients })),
    stop: () => stop(child),
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.disconnect();
  await exited;
}
