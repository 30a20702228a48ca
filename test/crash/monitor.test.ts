/**
 * kill -9 on a monitor that catches up, again and again, while the log grows, shows older heads, and serves changed
 * entries. After each kill its database is opened and held against the log: what it believes never goes back, is of the
 * log's one tree, and never reaches beyond an entry that was served changed. In the end it has caught up, and says so.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { equalBytes } from '../../src/core/bytes.ts';
import { TILE_WIDTH } from '../../src/core/tile.ts';
import { formatTilePath } from '../../src/formats/tile-path.ts';
import { formatVkey } from '../../src/formats/vkey.ts';
import { followedLog } from '../../src/monitor/followed-log.ts';
import { type FollowedState, readState } from '../../src/monitor/followed-state.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import { startCli } from '../support/cli.ts';
import { FollowedTestLog, followedVkey, trustOfFollowed } from '../support/followed-log.ts';
import { serveLoopback } from '../support/loopback-server.ts';
import { SLOW } from '../support/slow.ts';
import { tempFolder } from '../support/temp-folder.ts';

const ROUNDS = SLOW ? 200 : 8;
/** A bundle takes so long that a kill meets the middle of a catch-up. */
const BUNDLE_MS = 50;

test(`kill -9 on a monitor, ${ROUNDS} times: nothing passed over, nothing taken back`, async (t) => {
  const cwd = await tempFolder(t);
  const log = new FollowedTestLog(6000);
  await log.publish();
  const url = await serveLoopback(t, (request, response) => {
    void (async () => {
      const path = request.url!.slice(1);
      if (path.startsWith('tile/entries/')) await pause(BUNDLE_MS);
      const bytes = await log.read(path);
      response.writeHead(bytes ? 200 : 404).end(bytes);
    })();
  });
  const args = ['monitor', '--data', 'm', '--log', url, '--vkey', formatVkey(followedVkey())];

  const read = async (): Promise<FollowedState | undefined> => {
    const db = await openLevelStore(join(cwd, 'm/db'), { create: false });
    try {
      return await readState(db, followedLog(trustOfFollowed({ isUntimed: true }), { url, source: log }));
    } finally {
      await db.close();
    }
  };
  let before = { head: 0, entries: 0 };
  let midway = 0;
  for (let round = 0; round < ROUNDS; round++) {
    log.grow(900);
    log.faults.clear();
    let limit = Number.POSITIVE_INFINITY;
    await log.publish(round % 4 === 3 ? Math.max(1, before.head - 50) : log.size);
    if (round % 2 === 1) {
      const index = Math.floor((before.entries + 1200) / TILE_WIDTH);
      if ((index + 1) * TILE_WIDTH <= log.size) {
        limit = index * TILE_WIDTH;
        log.faults.set(formatTilePath({ kind: 'entries', index, width: TILE_WIDTH }), (bytes) => {
          const changed = bytes!.slice();
          changed[100]! ^= 1;
          return changed;
        });
      }
    }
    const monitor = startCli(t, [...args, '--interval', '100ms'], { cwd });
    await monitor.waitFor('err', /^following/m);
    await pause((round * 137) % 700);
    monitor.child.kill('SIGKILL');
    await once(monitor.child, 'close');

    const state = await read();
    if (!state) continue;
    const { head, range } = state;
    assert.ok(head.size >= before.head && range.size >= before.entries, 'what was verified is forgotten');
    assert.ok(range.size <= limit, 'an entry that was changed is passed over');
    assert.ok(equalBytes(head.root, log.root(head.size)), 'a head of another tree is believed');
    assert.ok(equalBytes(range.root(), log.root(range.size)), 'entries of another tree are believed');
    if (range.size > before.entries && range.size < head.size) midway += 1;
    before = { head: head.size, entries: range.size };
  }
  log.faults.clear();
  await log.publish();
  const last = startCli(t, [...args, '--once', '--json'], { cwd });
  const { code, out } = await last.ended;
  assert.equal(code, 0, out);
  const state = await read();
  assert.deepEqual([state?.head.size, state?.range.size], [log.size, log.size]);
  assert.ok(midway > 0, 'no kill met the middle of a catch-up');
  t.diagnostic(`${midway} of ${ROUNDS} kills met the middle of a catch-up of ${log.size} entries`);
});
