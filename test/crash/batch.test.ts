/**
 * kill -9 in the middle of a batch of 10,000 lines, three times, each time with the same batch sent again from its first
 * line. Every line that was ever acknowledged is in the log once, as it was acknowledged; no record is half readable
 * (`fsck --data` after each kill); the last sending completes the batch without a duplicate.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { BATCH_LIMITS } from '../../src/http/batch-limits.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { flat } from '../support/batch-requests.ts';
import { runCli, startServe } from '../support/cli.ts';
import { FULL } from '../support/event-requests.ts';
import { newDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const LINES = BATCH_LIMITS.maxEvents;
/** Acknowledged in a run before the process is killed, and how long after that: in the middle of groups and rounds. */
const KILLS: readonly { readonly afterItems: number; readonly afterMs: number }[] = [
  { afterItems: 1, afterMs: 0 },
  { afterItems: 2500, afterMs: 37 },
  { afterItems: 6000, afterMs: 5 },
];

/** Mostly small events; each has an id of its own, and few subjects share keys. */
function lineOf(n: number): string {
  const event: JsonObject =
    n % 50 === 0
      ? {
          ...FULL,
          id: `e-${n}`,
          // None is missing: of a gap the log would say so, some time later, in an event of its own.
          seq: n / 50,
          txn: `t-${n}`,
          subject: { sub_id: { format: 'opaque', id: `u-${n % 7}` } },
        }
      : flat(`e-${n}`, { user_id: `u-${n % 100}` });
  return JSON.stringify(event);
}

const BODY = Array.from({ length: LINES }, (_, n) => lineOf(n)).join('\n');

/** What an item says of the event at its number. */
interface Acknowledged {
  readonly eventId: string;
  readonly leafIndex: number;
  readonly leafHash: string;
  readonly receivedTime: string;
}

interface Item {
  readonly n: number;
  readonly status: number;
  readonly id: string;
  readonly event_id: string;
  readonly leaf_index: number;
  readonly leaf_hash: string;
  readonly received_time: string;
}

class Oracle {
  readonly known = new Map<number, Acknowledged>();
  created = 0;

  /** Throws where an item contradicts an earlier one. */
  keep(line: string): void {
    const item = JSON.parse(line) as Item;
    const { n, status, id, event_id, leaf_index, leaf_hash, received_time } = item;
    assert.ok(status === 201 || status === 200, line);
    assert.equal(id, `e-${n}`);
    const now = {
      eventId: event_id,
      leafIndex: leaf_index,
      leafHash: leaf_hash,
      receivedTime: received_time,
    };
    const first = this.known.get(n);
    if (first) {
      assert.deepEqual(now, first, `two answers about line ${n}`);
      assert.equal(status, 200, `line ${n} was acknowledged before and is created again`);
    }
    this.known.set(n, now);
    if (status === 201) this.created++;
  }
}

/** Sends the whole batch; `kill` ends it early. How many items came. */
async function send(
  url: string,
  token: string,
  oracle: Oracle,
  kill?: { readonly afterItems: number; readonly now: () => Promise<void> },
): Promise<number> {
  let items = 0;
  let rest = '';
  let killed: Promise<void> | undefined;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => (killed ? resolve() : reject(error));
    const headers = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/x-ndjson',
      'Content-Length': Buffer.byteLength(BODY),
    };
    const sent = request(`${url}/v1/events`, { method: 'POST', headers }, (response) => {
      assert.equal(response.statusCode, 200);
      response.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        // A line that is cut off by the kill acknowledges nothing.
        rest = lines.pop()!;
        for (const line of lines) {
          oracle.keep(line);
          if (++items === kill?.afterItems) killed = kill.now();
        }
      });
      response.on('error', failed).on('end', resolve).on('close', resolve);
    });
    sent.on('error', failed);
    sent.end(BODY);
  });
  await killed;
  return items;
}

async function fsck(dir: string, cwd: string): Promise<JsonObject> {
  const { code, out, err } = await runCli(['fsck', '--data', dir, '--json'], { cwd });
  assert.equal(code, 0, err + out);
  const report = JSON.parse(out) as JsonObject;
  assert.equal(report['ok'], true);
  return report;
}

async function leavesOf(url: string): Promise<string[]> {
  const hashes: string[] = [];
  for (let start: number | null = 0; start !== null;) {
    const response: Response = await fetch(`${url}/v1/leaves?start=${start}&limit=1000`);
    const { items, next } = (await response.json()) as {
      items: { leaf_hash: string }[];
      next: number | null;
    };
    hashes.push(...items.map(({ leaf_hash: hash }) => hash));
    start = next;
  }
  return hashes;
}

function serve(t: TestContext, dir: string): ReturnType<typeof startServe> {
  return startServe(t, dir, ['--publish-interval-ms', '20']);
}

test(`a batch of ${LINES} lines and ${KILLS.length} kills: each line is logged once`, async (t) => {
  const parent = await tempFolder(t);
  const { dir, token } = await newDiskLog(parent, 'log', { kind: 'events' });
  const oracle = new Oracle();
  const said: string[] = [];
  for (const { afterItems, afterMs } of KILLS) {
    const { child, url } = await serve(t, dir);
    const gone = once(child, 'close');
    const now = async (): Promise<void> => {
      await pause(afterMs);
      child.kill('SIGKILL');
      await gone;
    };
    const items = await send(url, token, oracle, { afterItems, now });
    assert.ok(items >= afterItems && items < LINES, `${items} of ${LINES} were answered before the kill`);
    const size = Number((await fsck(dir, parent))['signed_size']);
    assert.ok(size >= 1 + oracle.known.size, 'more is acknowledged than is there');
    said.push(`${items} answered, ${size} leaves`);
  }

  const acknowledged = oracle.known.size;
  assert.ok(acknowledged >= KILLS.at(-1)!.afterItems);
  const created = oracle.created;
  const { child, url } = await serve(t, dir);
  assert.equal(await send(url, token, oracle), LINES);
  assert.equal(oracle.known.size, LINES);
  const indexes = [...oracle.known.values()].map(({ leafIndex }) => leafIndex);
  assert.equal(new Set(indexes).size, LINES, 'two events are one leaf');
  assert.ok(oracle.created < LINES, 'no kill came between an event and its answer');

  let leaves = await leavesOf(url);
  for (const endMs = performance.now() + 10_000; leaves.length <= LINES; leaves = await leavesOf(url)) {
    assert.ok(performance.now() < endMs, 'the last leaves are not published');
    await pause(50);
  }
  assert.equal(leaves.length, LINES + 1, 'leaves: one a line, and the log statement');
  for (const { leafIndex, leafHash } of oracle.known.values()) assert.equal(leaves[leafIndex], leafHash);

  child.kill('SIGTERM');
  await once(child, 'close');
  assert.equal(child.exitCode, 0);
  assert.equal((await fsck(dir, parent))['tree_size'], LINES + 1);
  t.diagnostic(`${said.join('; ')}; ${created} created before the last sending, ${oracle.created} with it`);
});
