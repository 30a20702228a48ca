/** A log on disk, made and served in this process as `newel init` and `newel serve` do it, for tests of commands. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createToken } from '../../src/access/token-list.ts';
import { createFolder } from '../../src/cli/create-folder.ts';
import { type Folder, readFolder } from '../../src/cli/folder.ts';
import { type Service, startService } from '../../src/cli/service.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import type { Clock } from '../../src/log/clock.ts';
import type { Kind } from '../../src/log/identity.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import { fetchDescribed } from './openapi.ts';

export const DISK_ORIGIN = 'log.example/disk';

/** A new log in the folder `name` of `parent`, of opaque entries by default, with a token that may submit. */
export async function newDiskLog(
  parent: string,
  name = 'log',
  options: { readonly kind?: Kind; readonly clock?: Clock; readonly origin?: string } = {},
): Promise<{ folder: Folder; dir: string; token: string }> {
  const { kind = 'opaque', origin = DISK_ORIGIN, clock } = options;
  const dir = join(parent, name);
  const { folder } = await createFolder({
    dir,
    origin,
    kind,
    env: {},
    guard: undefined,
    url: undefined,
    ...(clock ? { clock } : {}),
  });
  const input = {
    name: 'app',
    role: 'submit',
    sources: kind === 'opaque' ? ['s'] : ['s', 'https://bank.example/payments'],
    nowMs: Date.now(),
  } as const;
  return { folder, dir, token: await createToken(folder.paths.tokens, input) };
}

export interface ServedLog {
  readonly service: Service;
  readonly url: string;
  /** What it said so far, as lines of JSON. */
  readonly said: string[];
  /** Adds an entry over HTTP and returns its index. */
  readonly add: (entry: string, token: string) => Promise<number>;
  /** Resolves when the published tree has at least `size` leaves. */
  readonly published: (size: number) => Promise<void>;
}

/** Serves the log in `dir` on a free port; it is stopped when the test is over. Publishes every 20 ms. */
export async function serveDiskLog(
  t: TestContext,
  dir: string,
  options: { readonly acceptClock?: boolean; readonly flags?: Readonly<Record<string, string>> } = {},
): Promise<ServedLog> {
  const flags: Record<string, string> = {
    listen: '127.0.0.1:0',
    'publish-interval-ms': '20',
    'log-level': 'debug',
    ...options.flags,
  };
  const folder = await readFolder(dir);
  const { settings } = resolveSettings({ folder, flag: (name) => flags[name], env: {}, cwd: dir });
  const said: string[] = [];
  const lines = createLines({ level: settings.logLevel, write: (line) => void said.push(line) });
  const { acceptClock = false } = options;
  const service = await startService({ folder, settings, lines, env: {}, acceptClock });
  t.after(() => service.stop());
  const { url } = service.listening;
  return {
    service,
    url,
    said,
    async add(entry, token) {
      const response = await fetchDescribed(`${url}/add`, {
        method: 'POST',
        body: entry,
        headers: { Authorization: `Bearer ${token}` },
      });
      assert.equal(response.status, 200, await response.clone().text());
      return Number(await response.text());
    },
    async published(size) {
      const endMs = performance.now() + 5000;
      for (;;) {
        const checkpoint = await (await fetchDescribed(`${url}/checkpoint`)).text();
        if (Number(checkpoint.split('\n')[1]) >= size) return;
        assert.ok(performance.now() < endMs, `${size} leaves are not published`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
}
