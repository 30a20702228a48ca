/** Many logs, their witnesses and peers: what they show is held together, and what fails of ours ends all of it. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import type { LogSource } from '../../src/client/source.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { NewelError } from '../../src/errors.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { Alerts } from '../../src/monitor/alerts.ts';
import { EvidenceFolder, type KeptEvidence } from '../../src/monitor/evidence-folder.ts';
import { followedLog } from '../../src/monitor/followed-log.ts';
import { gossipedLog } from '../../src/monitor/gossiped-log.ts';
import { Monitor, type MonitorOptions } from '../../src/monitor/monitor.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import {
  FOLLOWED_ORIGIN,
  FOLLOWED_URL,
  FollowedTestLog,
  originHashOf,
  OTHER_SEED,
  trustOfFollowed,
} from '../support/followed-log.ts';
import { playTime } from '../support/played-time.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { testCosigners } from '../support/witnessed-log.ts';

const NOW_S = 1_800_000_000;
const WITNESS_URL = 'https://witness.example/monitoring';
const W1 = testCosigners('witness.example/w1', { isQuick: true })[0]!;

interface Watch {
  readonly monitor: Monitor;
  readonly kept: KeptEvidence[];
  readonly told: string[];
  readonly clock: { nowMs: number };
  readonly folder: string;
  readonly options: MonitorOptions;
}

interface WatchOptions extends Partial<MonitorOptions> {
  /** What the witness serves of the log; without it there is no witness. */
  readonly witness?: () => Uint8Array | undefined;
  readonly folder?: string;
}

async function open(t: TestContext, log: LogSource, options: WatchOptions = {}): Promise<Watch> {
  const { witness, folder = await tempFolder(t), ...rest } = options;
  const clock = { nowMs: NOW_S * 1000 };
  const now = (): number => clock.nowMs;
  const kept: KeptEvidence[] = [];
  const told: string[] = [];
  const name = ({ code, source }: { code: string; source: string | undefined }): string =>
    source === undefined ? code : `${code} ${source}`;
  const witnesses = witness && [
    {
      name: 'w1',
      url: WITNESS_URL,
      source: {
        async read(path: string) {
          assert.equal(path, `${originHashOf(FOLLOWED_ORIGIN)}/checkpoint`);
          return witness();
        },
      },
    },
  ];
  const full: MonitorOptions = {
    logs: [followedLog(trustOfFollowed({ witnesses: [W1] }), { url: FOLLOWED_URL, source: log })],
    store: new MemoryStore(),
    evidence: await EvidenceFolder.open(join(folder, 'evidence')),
    alerts: new Alerts({
      now,
      onRaised: (alert) => told.push(`+${name(alert)}`),
      onCleared: (alert) => told.push(`-${name(alert)}`),
    }),
    intervalMs: 10,
    signal: new AbortController().signal,
    now,
    onEvidence: (_log, found) => kept.push(found),
    ...(witnesses && { witnesses }),
    ...rest,
  };
  return { monitor: await Monitor.open(full), kept, told, clock, folder, options: full };
}

test('a witness that has cosigned the same tree agrees, whether it is behind or has never heard of it', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish();
  let shown: Uint8Array | undefined;
  const { monitor, kept, told } = await open(t, log, { witness: () => shown });
  await monitor.runOnce();
  for (const size of [100, 300]) {
    shown = await log.head(size, { witnesses: [[W1, NOW_S - 300 + size]] });
    await monitor.runOnce();
  }
  assert.deepEqual([kept, told], [[], []]);
});

test('a witness that has cosigned another tree: the log is convicted', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish();
  const other = log.fork(50).grow(150, 'other');
  const shown = await other.head(200, { witnesses: [[W1, NOW_S]] });
  const { monitor, kept, told, folder } = await open(t, log, { witness: () => shown });
  await monitor.runOnce();
  assert.deepEqual(
    kept.map(({ proves: { kind, sizes } }) => [kind, sizes]),
    [['fork', [200, 300]]],
  );
  assert.deepEqual(told, []);
  assert.equal((await readdir(join(folder, 'evidence'))).length, 1);
  await monitor.runOnce();
  assert.equal(kept.length, 1, 'it is told once');
});

test('a witness that contradicts itself is convicted, and the log is not blamed in words', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish();
  let shown = await log.head(250, { witnesses: [[W1, NOW_S - 100]] });
  const { monitor, kept } = await open(t, log, { witness: () => shown });
  await monitor.runOnce();
  shown = await log.head(200, { witnesses: [[W1, NOW_S - 50]] });
  await monitor.runOnce();
  assert.deepEqual(
    kept.map(({ proves: { kind, sizes } }) => [kind, sizes]),
    [['rollback', [250, 200]]],
  );
  assert.match(kept[0]!.proves.words.join(' '), /shows nothing against log\.example\/followed/);
});

test('a fork is kept beside all that its witnesses have proven of themselves, and what is not kept is an alert', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish(300, { witnesses: [[W1, NOW_S - 200]] });
  let shown: Uint8Array | undefined;
  const { monitor, kept, told } = await open(t, log, { witness: () => shown });
  await monitor.runOnce();
  for (let i = 0; i < 17; i++) {
    shown = await log.head(100 + i, { witnesses: [[W1, NOW_S - 100 + i]] });
    await monitor.runOnce();
  }
  assert.deepEqual([kept.length, told.filter((alert) => alert === '+evidence_full').length], [16, 1]);
  shown = await log.fork(270).grow(30, 'other').head(300);
  await monitor.runOnce();
  assert.deepEqual([kept.length, kept.at(-1)?.proves.kind], [17, 'fork']);
});

test('a witness that has shown no head is told once, and one that shows none any more has forgotten it', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish();
  let answer: () => Uint8Array | undefined = () => undefined;
  const silent: string[] = [];
  const options: WatchOptions = {
    witness: () => answer(),
    onNoneShown: ({ origin }, { name, url }) => silent.push(`${origin} ${name} ${url}`),
  };
  const shows = ({ positions }: Monitor): boolean[] =>
    positions.flatMap(({ witnesses }) => witnesses.map(({ hasShown }) => hasShown));
  const first = await open(t, log, options);
  const { monitor, told } = first;
  for (let pass = 0; pass < 2; pass++) await monitor.runOnce();
  assert.deepEqual(silent, [`${FOLLOWED_ORIGIN} w1 ${WITNESS_URL}`]);
  assert.deepEqual([shows(monitor), told], [[false], []]);

  // What is no head of the log shows none.
  const foreign = await log.head(300, { seed: OTHER_SEED });
  answer = (): Uint8Array => foreign;
  await monitor.runOnce();
  assert.deepEqual([shows(monitor), told.splice(0)], [[false], [`+checkpoint_invalid ${WITNESS_URL}`]]);

  const head = await log.head(200, { witnesses: [[W1, NOW_S]] });
  answer = (): Uint8Array => head;
  await monitor.runOnce();
  assert.deepEqual([shows(monitor), told.splice(0)], [[true], [`-checkpoint_invalid ${WITNESS_URL}`]]);
  answer = (): undefined => undefined;
  await monitor.runOnce();
  assert.deepEqual([shows(monitor), told.splice(0)], [[true], [`+forgotten ${WITNESS_URL}`]]);
  // Whether it has a head cannot be told while it does not answer.
  answer = (): never => {
    throw new NewelError('unreachable', 'it does not answer');
  };
  await monitor.runOnce();
  assert.deepEqual(told.splice(0), [`+unreadable ${WITNESS_URL}`]);

  const { store } = first.options;
  answer = (): undefined => undefined;
  const second = await open(t, log, { ...options, store });
  await second.monitor.runOnce();
  assert.deepEqual([shows(second.monitor), second.told], [[true], [`+forgotten ${WITNESS_URL}`]]);
  answer = (): Uint8Array => head;
  await second.monitor.runOnce();
  assert.deepEqual(second.told.splice(1), [`-forgotten ${WITNESS_URL}`]);
  assert.equal(silent.length, 1);
});

test('a head that the log has shown at the URL of a witness is none that the witness has shown', async (t) => {
  const log = new FollowedTestLog(30);
  await log.publish();
  const store = new MemoryStore();
  for (let process = 0; process < 2; process++) {
    const { monitor, told } = await open(t, log, {
      store,
      logs: [followedLog(trustOfFollowed(), { url: WITNESS_URL, source: log })],
      witness: () => undefined,
    });
    await monitor.runOnce();
    const [position] = monitor.positions;
    assert.deepEqual([position?.witnesses.map(({ hasShown }) => hasShown), told], [[false], []]);
  }
});

test('a larger head that the log does not serve here is waited for, said, and over when it is served', async (t) => {
  const time = playTime(t);
  // The tiles of the larger tree are there, or not: either way the log has shown others more than us.
  for (const hasTiles of [true, false]) {
    const log = new FollowedTestLog(300);
    await log.publish(200);
    const shown = await log.head(300, { witnesses: [[W1, NOW_S]] });
    if (!hasTiles) log.faults.set('tile/0/001.p/44', () => undefined);
    const watch: Watch = await open(t, log, {
      witness() {
        // Of one pass it is waited for; time passes meanwhile.
        watch.clock.nowMs += 20_000;
        return shown;
      },
    });
    const { monitor, told, kept } = watch;
    assert.equal(await time.during(monitor.runOnce()), true);
    assert.deepEqual([told, kept], [[`+withheld ${WITNESS_URL}`], []]);
    log.faults.clear();
    await log.publish(300);
    await time.during(monitor.runOnce());
    assert.deepEqual([told, kept], [[`+withheld ${WITNESS_URL}`, `-withheld ${WITNESS_URL}`], []]);
  }
});

test('one pass over a busy log waits for what it saw at first, and not for what comes meanwhile', async (t) => {
  const time = playTime(t);
  const log = new FollowedTestLog(300);
  await log.publish();
  // Whoever asks the witness is told of more than the log has just shown, each time.
  let asked = 0;
  const busy: LogSource = {
    async read(path) {
      if (path === 'checkpoint' && asked > 0) await log.grow(10).publish();
      return log.read(path);
    },
  };
  const watch: Watch = await open(t, busy, { witness: () => shown[asked++] });
  const shown: Uint8Array[] = [];
  for (let size = 310; size < 350; size += 10) {
    shown.push(
      await log
        .fork(300)
        .grow(size - 300)
        .head(size, { witnesses: [[W1, NOW_S]] }),
    );
  }
  assert.equal(await time.during(watch.monitor.runOnce()), true);
  assert.equal(asked, 2, 'one round more, for what the first one has seen');
  assert.equal(watch.monitor.followers[0]?.state?.head.size, 310);
  assert.deepEqual([watch.told, watch.kept], [[], []]);
});

test('one pass ends, also where the clock stands still by which a head is withheld', async (t) => {
  const time = playTime(t);
  const log = new FollowedTestLog(300);
  await log.publish(200);
  const shown = await log.head(300, { witnesses: [[W1, NOW_S]] });
  const { monitor } = await open(t, log, { witness: () => shown });
  let isOver = false;
  const pass = monitor.runOnce().finally(() => (isOver = true));
  await time.pass(600_000);
  assert.ok(!isOver);
  await time.pass(120_000);
  assert.equal(await time.during(pass), true);
});

test('a log does not say for how long nobody is told that it withholds a head', async () => {
  const { origin, url, vkeys } = trustOfFollowed();
  for (const [saidS, waitedMs] of [
    [60, 60_000],
    [1e9, 600_000],
  ] as const) {
    const file = {
      origin,
      kind: 'opaque',
      url,
      vkeys: [...vkeys],
      policy: `log ${vkeys[0]!}\nquorum none\n`,
    };
    const trust = parseTrust({ ...file, limits: { max_publish_delay: saidS } }, { mldsa44: nobleMldsa44 });
    const { limits } = followedLog(trust, { url: FOLLOWED_URL, source: new FollowedTestLog(1) });
    assert.equal(limits.maxWithheldMs, waitedMs);
    assert.equal(gossipedLog(trust).graceMs, waitedMs);
  }
});

test('a URL of any length keeps nothing from being proven', async (t) => {
  const log = new FollowedTestLog(300);
  const other = log.fork(100).grow(200, 'other');
  for (const tree of [log, other]) await tree.publish();
  let shown = log;
  const source: LogSource = { read: (path) => shown.read(path) };
  const url = `https://log.example/${'a'.repeat(1100)}`;
  const { monitor, kept } = await open(t, log, {
    logs: [followedLog(trustOfFollowed(), { url, source })],
  });
  await monitor.runOnce();
  shown = other;
  await monitor.runOnce();
  assert.deepEqual(
    kept.map(({ proves }) => proves.kind),
    ['fork'],
  );
});

test('what a witness answers wrongly is an alert about it, and about nothing else', async (t) => {
  const log = new FollowedTestLog(30);
  await log.publish();
  const answers: (() => Uint8Array)[] = [
    () => encodeUtf8('no checkpoint\n'),
    () => {
      throw new NewelError('unreachable', 'it does not answer');
    },
  ];
  const stranger = await log.head(30, { seed: OTHER_SEED });
  answers.push(() => stranger);
  let answer = answers[0]!;
  const { monitor, told, kept } = await open(t, log, { witness: () => answer() });
  for (answer of answers) await monitor.runOnce();
  const good = await log.head(30);
  answer = (): Uint8Array => good;
  await monitor.runOnce();
  assert.deepEqual(told, [
    `+checkpoint_invalid ${WITNESS_URL}`,
    `+unreadable ${WITNESS_URL}`,
    `-checkpoint_invalid ${WITNESS_URL}`,
    `-unreadable ${WITNESS_URL}`,
    `+checkpoint_invalid ${WITNESS_URL}`,
    `-checkpoint_invalid ${WITNESS_URL}`,
  ]);
  assert.deepEqual(kept, []);
});

test('a peer is shown what was followed here, also where its head of another tree came first', async (t) => {
  const log = new FollowedTestLog(100);
  await log.publish();
  const theirs = await log.fork(50).grow(90, 'other').head();
  const time = playTime(t);
  const asked: [method: string, body: string][] = [];
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    asked.push([request.method, await request.text()]);
    if (isUp) watch.clock.nowMs += 60_000;
    const isKnown = request.method === 'GET';
    return new Response(isKnown ? (theirs as Uint8Array<ArrayBuffer>) : null, {
      status: isKnown ? 200 : 404,
    });
  };
  let isUp = false;
  const source: LogSource = {
    read: (path) => (isUp ? log.read(path) : Promise.reject(new NewelError('unreachable', 'it is down'))),
  };
  const url = 'http://peer.example';
  const watch: Watch = await open(t, source, { peers: [{ name: url, url }], fetch });
  const { monitor, kept } = watch;
  await time.during(monitor.runOnce());
  assert.deepEqual(asked, [['GET', '']]);
  isUp = true;
  await time.during(monitor.runOnce());
  const own = monitor.followers[0]!.state!.head;
  assert.equal(own.size, 100);
  assert.deepEqual(asked[1], ['POST', decodeUtf8(own.note)]);
  assert.deepEqual(kept, [], 'the tiles of the larger tree are the peer’s');
});

test('evidence that a crash has kept from its file is written at the next start', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish();
  const other = log.fork(50).grow(250, 'other');
  const first = await open(t, log);
  await first.monitor.runOnce();
  // As gossip takes it, with no file written.
  const answer = await first.monitor.heads.take(await other.head(), 'https://peer.example');
  assert.equal(answer.kind, 'conflict');
  assert.deepEqual(await readdir(join(first.folder, 'evidence')), []);
  const again = await open(t, log, { store: first.options.store, folder: first.folder });
  await again.monitor.runOnce();
  const [file] = await readdir(join(first.folder, 'evidence'));
  assert.ok(file);
  const bundle = parseEvidenceBundle(await readFile(join(first.folder, 'evidence', file)));
  assert.equal(bundle.evidence, 'newel.fork/1');
});

test('it follows until it is told to stop, and a database that fails ends it', async (t) => {
  const time = playTime(t);
  const log = new FollowedTestLog(10);
  await log.publish();
  const stop = new AbortController();
  const { monitor, told } = await open(t, log, { signal: stop.signal });
  const running = monitor.run();
  for (let size = 11; size < 20; size++) {
    log.grow(1);
    await log.publish();
    await time.until(() => hasFollowed(monitor, size), `${size} leaves are verified`);
  }
  stop.abort(new Error('told to stop'));
  await time.during(running);
  assert.deepEqual(told, []);

  const store = new FaultyStore(new MemoryStore());
  const failing = await open(t, log, { store });
  const ending = failing.monitor.run();
  await time.until(() => hasFollowed(failing.monitor, 19), 'it has begun');
  store.failNext('not persisted');
  log.grow(1);
  await log.publish();
  await assert.rejects(time.during(ending), { code: 'storage_failed' });
  const { commits } = store;
  await time.pass(1000);
  assert.equal(store.commits, commits, 'nothing is written after a write that failed');
});

test('of one pass it says whether it came to its end, and where each log is', async (t) => {
  const time = playTime(t);
  const log = new FollowedTestLog(300);
  await log.publish(200);
  const shown = await log.head(300, { witnesses: [[W1, NOW_S]] });
  const stop = new AbortController();
  const { monitor } = await open(t, log, { witness: () => shown, signal: stop.signal });
  assert.deepEqual(positionsOf(monitor), [[undefined, undefined, []]]);
  const running = monitor.runOnce();
  assert.deepEqual(positionsOf(monitor), [['head', undefined, []]]);
  await time.until(() => hasFollowed(monitor, 200), 'all entries are verified');
  await time.pass(100);
  assert.deepEqual(positionsOf(monitor), [[undefined, 200, [[WITNESS_URL, 300]]]]);
  stop.abort(new Error('told to stop'));
  assert.equal(await time.during(running), false);
  assert.deepEqual(positionsOf(monitor), [[undefined, 200, [[WITNESS_URL, 300]]]]);
});

function hasFollowed({ followers: [follower] }: Monitor, size: number): boolean {
  const { head, range } = follower!.state ?? {};
  return head?.size === size && range?.size === size;
}

function positionsOf({ positions }: Monitor): unknown[] {
  return positions.map(({ follower, step, awaited }) => [
    step,
    follower.state?.range.size,
    awaited.map(({ source, size }) => [source, size]),
  ]);
}

test('one pass waits for what a peer has shown to be compared, however slowly the log answers', async (t) => {
  const log = new FollowedTestLog(300);
  await log.publish();
  const theirs = await log.fork(50).grow(150, 'other').head();
  let isSlow = false;
  const source: LogSource = {
    async read(path) {
      if (isSlow && path.startsWith('tile/')) await new Promise((resolve) => setTimeout(resolve, 2500));
      return log.read(path);
    },
  };
  const fetch = async (): Promise<Response> =>
    isSlow ? new Response(theirs as Uint8Array<ArrayBuffer>) : new Response(null, { status: 404 });
  const url = 'http://peer.example';
  const { monitor, kept } = await open(t, source, { peers: [{ name: url, url }], fetch });
  assert.equal(await monitor.runOnce(), true);
  isSlow = true;
  const time = playTime(t);
  assert.equal(await time.during(monitor.runOnce()), true);
  assert.deepEqual(
    kept.map(({ proves: { kind, sizes } }) => [kind, sizes]),
    [['fork', [200, 300]]],
  );
});
