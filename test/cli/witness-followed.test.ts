import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FollowedLogs } from '../../src/cli/witness-followed.ts';
import { gossipedLog, MAX_ORIGINS } from '../../src/monitor/heads.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import type { KnownLogs } from '../../src/witness/known-logs.ts';
import { logsOf } from '../support/test-witness.ts';
import { WitnessedLog } from '../support/witnessed-log.ts';

/** Whose list is whatever a test says, and who writes down what it is told to follow. */
function open(logs: readonly WitnessedLog[]): {
  followed: FollowedLogs;
  said: string[];
  list: (logs: readonly WitnessedLog[]) => void;
  hold: { unfollow: Promise<void>; follow: Promise<void> };
} {
  let listed: KnownLogs = logsOf(...logs.map((log) => log.listed()));
  const said: string[] = [];
  const hold = { unfollow: Promise.resolve(), follow: Promise.resolve() };
  const followed = new FollowedLogs({
    logs: { find: (origin) => listed.find(origin), all: () => listed.all(), close: () => {} },
    heads: {
      async follow({ origin }) {
        await hold.follow;
        said.push(`follow ${origin}`);
      },
      async unfollow(origin) {
        await hold.unfollow;
        said.push(`unfollow ${origin}`);
      },
    },
    vkeys: [],
    urlOf: (origin) => `https://${origin}`,
    gossiped: (trust) => gossipedLog(trust),
    lines: createLines({ level: 'error', write: () => {} }),
    onFollowed: () => {},
  });
  const list = (next: readonly WitnessedLog[]): void => {
    listed = logsOf(...next.map((log) => log.listed()));
  };
  return { followed, said, list, hold };
}

const [a, b] = [
  new WitnessedLog('log.example/a', { leaves: 8 }),
  new WitnessedLog('log.example/b', { leaves: 8 }),
];

test('a log that is put back while it is being left is followed', async () => {
  const { followed, said, list, hold } = open([a, b]);
  assert.deepEqual(await followed.followListed(), [a.origin, b.origin]);
  assert.deepEqual(await followed.followListed(), [], 'nothing has changed');
  const held = withResolvers();
  hold.unfollow = held.promise;
  list([]);
  const leaving = followed.followListed();
  await new Promise((resolve) => setImmediate(resolve));
  list([a, b]);
  held.resolve();
  await leaving;
  await followed.followListed();
  assert.deepEqual([...followed.trusts.keys()].toSorted(), [a.origin, b.origin]);
  assert.deepEqual(await Promise.all([followed.follow(a.origin), followed.follow(b.origin)]), [true, true]);
  assert.ok(said.includes(`unfollow ${a.origin}`));
});

test('one that could not be followed is tried again', async () => {
  const { followed, hold } = open([a]);
  hold.follow = Promise.reject(new Error('the disk'));
  await assert.rejects(followed.followListed(), /the disk/);
  assert.equal(followed.trusts.size, 0);
  hold.follow = Promise.resolve();
  assert.deepEqual(await followed.followListed(), [a.origin]);
});

test('of many logs those for which there is no room are counted, and followed when there is', async () => {
  const { followed, said, list } = open([]);
  const many = Array.from({ length: 70 }, (_, i) => new WitnessedLog(`log.example/${i}`, { leaves: 1 }));
  list(many);
  assert.equal((await followed.followListed()).length, MAX_ORIGINS);
  assert.deepEqual([followed.crowded, followed.trusts.size], [6, MAX_ORIGINS]);
  assert.equal(await followed.follow(many[69]!.origin), false);
  list(many.slice(4));
  assert.deepEqual(
    await followed.followListed(),
    many.slice(64, 68).map(({ origin }) => origin),
  );
  assert.deepEqual([followed.crowded, followed.trusts.size], [2, MAX_ORIGINS]);
  assert.equal(said.filter((line) => line.startsWith('unfollow')).length, 4);
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
