import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayState } from '../../src/cli/monitor-findings.ts';
import type { Terminal } from '../../src/cli/terminal.ts';
import { Alerts } from '../../src/monitor/alerts.ts';
import { followedLog } from '../../src/monitor/followed-log.ts';
import { Follower } from '../../src/monitor/follower.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { FOLLOWED_URL, FollowedTestLog, trustOfFollowed } from '../support/followed-log.ts';

const NOTHING = { path: 'DIR/evidence', count: () => 0 };

test('a time that no calendar has is said as it is', async () => {
  for (const [timeS, json, words] of [
    [1_800_000_000, '2027-01-15T08:00:00.000Z', '2027-01-15 08:00:00 UTC'],
    [Number.MAX_SAFE_INTEGER, null, 'second 9007199254740991 after 1970'],
  ] as const) {
    const log = new FollowedTestLog(5);
    await log.publish(5, { timeS });
    const follower = await Follower.open({
      log: followedLog(trustOfFollowed(), { url: FOLLOWED_URL, source: log }),
      store: new MemoryStore(),
      alerts: new Alerts({ now: Date.now, onRaised: () => {}, onCleared: () => {} }),
      now: Date.now,
      convict: () => Promise.reject(new Error('nothing is proven')),
    });
    await follower.poll();
    await follower.catchUp();
    let said = '';
    const terminal = { env: { NO_COLOR: '1' }, out: { write: (text: string) => (said += text) } };
    sayState(terminal as unknown as Terminal, true, { follower, witnesses: [] }, NOTHING);
    assert.equal((JSON.parse(said) as { head_time: unknown }).head_time, json);
    said = '';
    sayState(terminal as unknown as Terminal, false, { follower, witnesses: [] }, NOTHING);
    assert.ok(said.includes(`5 leaves, signed ${words}; every entry is verified`), said);
  }
});

test('what earlier processes have proven is said, in words and in JSON', async () => {
  const log = new FollowedTestLog(5);
  await log.publish(5);
  const follower = await Follower.open({
    log: followedLog(trustOfFollowed(), { url: FOLLOWED_URL, source: log }),
    store: new MemoryStore(),
    alerts: new Alerts({ now: Date.now, onRaised: () => {}, onCleared: () => {} }),
    now: Date.now,
    convict: () => Promise.reject(new Error('nothing is proven')),
  });
  let said = '';
  const terminal = {
    env: { NO_COLOR: '1' },
    out: { write: (text: string) => (said += text) },
  } as unknown as Terminal;
  const evidence = { path: 'DIR/evidence', count: () => 2 };
  for (const step of ['', 'polled']) {
    if (step !== '') await follower.poll();
    said = '';
    sayState(terminal, false, { follower, witnesses: [] }, evidence);
    assert.ok(said.startsWith('✘ log.example/followed  proof: 2 bundles in DIR/evidence\n'), said);
    said = '';
    sayState(terminal, true, { follower, witnesses: [] }, evidence);
    assert.equal((JSON.parse(said) as { evidence: unknown }).evidence, 2);
  }
});
