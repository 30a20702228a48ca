import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../bench/support/seeded-random.ts';
import { formatEvidenceBundle, parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { decodeUtf8 } from '../../src/formats/text.ts';
import { Gossip } from '../../src/monitor/gossip-peers.ts';
import { gossipedLog, openHeads, originHashOf } from '../../src/monitor/heads.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import { type GossipParty, type Network, openGossipParty } from '../support/gossip-party.ts';
import { type HeadOptions, PlayedLog, playedWitness } from '../support/played-log.ts';
import { playTime } from '../support/played-time.ts';
import { SLOW } from '../support/slow.ts';

const WITNESS = playedWitness('witness.example/w1');

async function publish(
  log: PlayedLog,
  grow: number,
  options: HeadOptions = {},
  salt = 'entry',
): Promise<void> {
  log.grow(grow, salt);
  log.checkpoint = await log.head(log.size, options);
}

function evidenceTexts(party: GossipParty): string[] {
  return party.signals.flatMap((signal) =>
    signal.event === 'evidence' ? [formatEvidenceBundle(signal.bundle)] : [],
  );
}

function sizesOf({ heads }: GossipParty): (number | undefined)[] {
  return [...heads.origins.values()].map(({ newest }) => newest?.size);
}

function hashOf({ origin }: PlayedLog): string {
  return originHashOf(origin);
}

describe('a forked log, and two parties who see only their own server and each other', () => {
  // [leaves of the one server, of the other, where they part]
  for (const [ofA, ofB, parting] of [
    [200, 200, 150],
    [200, 310, 150],
    [310, 200, 199],
    [2, 1, 0],
    [256, 257, 255],
  ] as const) {
    test(`is caught within two polls of both: ${ofA} and ${ofB} leaves that part at ${parting}`, async () => {
      const a = new PlayedLog();
      await publish(a, ofA);
      const b = a.fork(parting);
      await publish(b, ofB - parting, {}, 'other');
      const network: Network = new Map();
      const one = await openGossipParty(network, 'one', a, ['two']);
      const two = await openGossipParty(network, 'two', b, ['one']);
      for (let poll = 1; poll <= 2; poll++) {
        for (const party of [one, two]) {
          await party.poll();
          await party.gossip.exchange();
        }
      }
      const pinned = parseTrust(a.trustFile());
      for (const party of [one, two]) {
        const [text, ...more] = evidenceTexts(party);
        assert.ok(text, 'both have it');
        assert.deepEqual(more, []);
        const { kind, sizes } = verifyEvidenceBundle(parseEvidenceBundle(text), { trust: pinned });
        assert.equal(kind, 'fork');
        assert.deepEqual(
          [...sizes],
          [ofA, ofB].sort((x, y) => x - y),
        );
      }
      assert.deepEqual([sizesOf(one), sizesOf(two)], [[ofA], [ofB]], 'each keeps to what it has seen');
      assert.deepEqual([...one.errors, ...two.errors], []);
    });
  }

  test('is caught by whichever of the two asks the other', async () => {
    for (const asks of [0, 1]) {
      const a = new PlayedLog();
      await publish(a, 100);
      const b = a.fork(70);
      await publish(b, 70, {}, 'other');
      const network: Network = new Map();
      const parties = [
        await openGossipParty(network, 'one', a, asks === 0 ? ['two'] : []),
        await openGossipParty(network, 'two', b, asks === 1 ? ['one'] : []),
      ];
      for (const party of parties) await party.poll();
      for (const party of parties) await party.gossip.exchange();
      assert.equal(evidenceTexts(parties[1]!).length, 1, 'who has the tiles of the larger tree decides');
      // Where that one has asked, the other learns it when it asks next, or is posted the next head.
      assert.equal(evidenceTexts(parties[0]!).length, asks === 0 ? 1 : 0);
    }
  });

  test('is caught where one of them began after the fork, and learnt of the log from the other', async () => {
    const a = new PlayedLog();
    await publish(a, 100);
    const b = a.fork(70);
    await publish(b, 70, {}, 'other');
    const network: Network = new Map();
    const one = await openGossipParty(network, 'one', a, ['two']);
    const two = await openGossipParty(network, 'two', b, ['one']);
    await two.poll();
    await one.gossip.exchange();
    assert.deepEqual(sizesOf(one), [140], 'it was asked for, from a peer that is configured');
    assert.equal((await one.poll()).kind, 'undecided', 'the log that it sees has not these tiles');
    assert.deepEqual(await one.heads.ours(hashOf(a)), a.checkpoint, 'what it shows is its own all the same');
    await one.gossip.exchange();
    for (const party of [one, two]) assert.equal(evidenceTexts(party).length, 1);
    assert.deepEqual(sizesOf(one), [140], 'what is the newest is decided by proof alone');
  });

  // Who comes first and hears of the log from the other has the other's tree as its newest.
  for (const [ofA, ofB] of [
    [100, 140],
    [140, 100],
    [120, 120],
  ] as const) {
    for (const down of ['neither', 'a', 'b', 'both'] as const) {
      for (const isAFirst of [true, false]) {
        const what = `${ofA} and ${ofB} leaves, ${isAFirst ? 'A' : 'B'} first, ${down} down at the start`;
        test(`is caught within two polls of both, whatever the order: ${what}`, async () => {
          const a = new PlayedLog();
          await publish(a, ofA);
          const b = a.fork(70);
          await publish(b, ofB - 70, {}, 'other');
          a.isUp = down !== 'a' && down !== 'both';
          b.isUp = down !== 'b' && down !== 'both';
          const network: Network = new Map();
          const open = {
            one: () => openGossipParty(network, 'one', a, ['two']),
            two: () => openGossipParty(network, 'two', b, ['one']),
          };
          const parties: GossipParty[] = [];
          const round = async (): Promise<void> => {
            for (const party of parties) {
              await party
                .poll()
                .catch((error: unknown) => assert.equal((error as { code?: string }).code, 'unreachable'));
              await party.gossip.exchange();
            }
          };
          // The first of them runs for a while before the other is there.
          for (const name of isAFirst ? (['one', 'two'] as const) : (['two', 'one'] as const)) {
            parties.push(await open[name]());
            await round();
          }
          a.isUp = true;
          b.isUp = true;
          for (let poll = 1; poll <= 2; poll++) {
            await round();
            // The log goes on, on both sides.
            await publish(a, 1);
            await publish(b, 1, {}, 'other');
          }
          const pinned = parseTrust(a.trustFile());
          for (const party of parties) {
            const texts = evidenceTexts(party);
            assert.notEqual(texts.length, 0, `${party.url} has it`);
            for (const text of texts)
              assert.equal(verifyEvidenceBundle(parseEvidenceBundle(text), { trust: pinned }).kind, 'fork');
            assert.deepEqual(party.errors, []);
          }
        });
      }
    }
  }

  test('a party that is behind the newest head shows that again once it is proven', async () => {
    const log = new PlayedLog();
    await publish(log, 140);
    const ahead = log.checkpoint!;
    const behind = log.fork(100);
    behind.checkpoint = await behind.head();
    const one = await openGossipParty(new Map(), 'one', behind, []);
    await one.heads.take(ahead, 'http://two.example');
    assert.equal((await one.poll()).kind, 'undecided');
    assert.deepEqual(await one.heads.ours(hashOf(log)), behind.checkpoint);
    assert.equal((await one.heads.takePosted(ahead, 'x')).kind, 'undecided', 'ours may be of another tree');
    // An earlier one of our own waits, and keeps the later one from waiting.
    behind.grow(10);
    behind.checkpoint = await behind.head();
    assert.equal((await one.poll()).kind, 'undecided');
    behind.grow(30);
    await one.heads.retry();
    assert.deepEqual(await one.heads.ours(hashOf(log)), ahead);
    assert.equal((await one.heads.takePosted(ahead, 'x')).kind, 'consistent');
    assert.deepEqual(
      one.signals.map(({ event }) => event),
      ['newest', 'apart', 'apart'],
    );
  });

  test('peers hear at once of our own head that is apart', async (t) => {
    const a = new PlayedLog();
    await publish(a, 100);
    const b = a.fork(70);
    await publish(b, 70, {}, 'other');
    const network: Network = new Map();
    const one = await openGossipParty(network, 'one', a, ['two'], { intervalMs: 60_000, gapMs: 1 });
    const two = await openGossipParty(network, 'two', b, []);
    await two.poll();
    t.after(() => one.gossip.close());
    const time = playTime(t);
    one.gossip.start();
    await time.until(() => sizesOf(one)[0] === 140, 'it has learnt of the log from its peer');
    // Until the loop has come to wait for what is new.
    await time.pass(250);
    await one.poll();
    await time.until(() => evidenceTexts(one).length === 1, 'its peer has decided');
  });
});

test('a witness that went back is evidence for both', async () => {
  const log = new PlayedLog();
  const network: Network = new Map();
  const options = { witnesses: [WITNESS] };
  const one = await openGossipParty(network, 'one', log, ['two'], options);
  const two = await openGossipParty(network, 'two', log, ['one'], options);
  await publish(log, 10, { witnesses: [[WITNESS, 1_800_000_000]] });
  await one.poll();
  log.checkpoint = await log.head(9, { witnesses: [[WITNESS, 1_800_000_060]] });
  await two.poll();
  await two.gossip.exchange();
  await one.gossip.exchange();
  for (const party of [one, two]) {
    const [text] = evidenceTexts(party);
    assert.equal(verifyEvidenceBundle(parseEvidenceBundle(text!), { trust: party.trust }).kind, 'rollback');
  }
});

test('an honest log under load raises nothing, however it is read', async (t) => {
  const random = new SeededRandom(3);
  const time = playTime(t);
  const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const log = new PlayedLog();
  const network: Network = new Map();
  // Whoever asks meets a log that is slow, or has not yet what another has seen.
  const tiles = {
    async read(path: string): Promise<Uint8Array | undefined> {
      await wait(random.below(5));
      return random.below(50) === 0 ? undefined : log.read(path);
    },
  };
  const options = { witnesses: [WITNESS], tiles, intervalMs: 50, gapMs: 5, retryMs: 20 };
  const parties = await Promise.all(
    ['one', 'two', 'three'].map((name) =>
      openGossipParty(
        network,
        name,
        log,
        ['one', 'two', 'three'].filter((peer) => peer !== name),
        options,
      ),
    ),
  );
  let timeS = 1_800_000_000;
  await publish(log, 1);
  for (const party of parties) party.gossip.start();
  let isOver = false;
  const polling = parties.map(async (party) => {
    while (!isOver) {
      await party
        .poll()
        .catch((error: unknown) => assert.equal((error as { code?: string }).code, 'unreachable'));
      await wait(random.below(30));
    }
  });
  const heads = SLOW ? 1500 : 120;
  for (let published = 0; published < heads; published++) {
    const witnesses = random.below(2) === 0 ? [[WITNESS, timeS] as const] : [];
    timeS += random.below(3);
    await publish(log, random.below(40), { witnesses, ...(published % 8 === 0 && { timeS }) });
    // A cache that is behind.
    if (random.below(5) === 0) log.checkpoint = await log.head(Math.max(1, log.size - 20));
    await time.pass(10);
  }
  isOver = true;
  await time.during(Promise.all(polling));
  log.checkpoint = await log.head();
  await time.during(parties[0]!.heads.take(log.checkpoint, 'https://log.example/played'));
  await time.until(() => parties.every((party) => sizesOf(party)[0] === log.size), 'all have the newest');
  await time.until(
    () =>
      parties.every((party) =>
        [...party.heads.origins.values()].every(({ undecided }) => undecided.length === 0),
      ),
    'nothing is left undecided',
  );
  await Promise.all(parties.map(({ gossip }) => gossip.close()));
  const told = parties.flatMap(({ signals }) =>
    signals.filter(({ event }) => event !== 'newest' && event !== 'apart'),
  );
  assert.deepEqual(told, []);
  assert.deepEqual(
    parties.flatMap(({ errors }) => errors),
    [],
  );
  for (const { signals } of parties) assert.ok(signals.length > heads / 10, 'it has followed');
  t.diagnostic(`${heads} heads up to ${log.size} leaves`);
});

describe('peers', () => {
  async function asking(answer: (request: Request) => Response | Promise<Response>): Promise<GossipParty> {
    const log = new PlayedLog();
    await publish(log, 20);
    const network: Network = new Map([['http://peer.example', answer]]);
    const party = await openGossipParty(network, 'one', log, ['peer'], { timeoutMs: 1000 });
    await party.poll();
    await party.gossip.exchange();
    return party;
  }
  const eventsOf = ({ signals }: GossipParty): string[] => signals.map(({ event }) => event);

  test('are posted our newest head as it is', async () => {
    const asked: [string, string, string][] = [];
    const party = await asking(async (request) => {
      asked.push([request.method, request.url, await request.text()]);
      return new Response(null, { status: 404 });
    });
    const newest = await party.heads.ours([...party.heads.origins.keys()][0]!);
    assert.deepEqual(asked, [['POST', 'http://peer.example/v1/heads', decodeUtf8(newest!)]]);
    assert.deepEqual(eventsOf(party), ['newest'], 'not to follow a log is no fault');
  });

  test('that answer with what is false change nothing, and are told once', async () => {
    const log = new PlayedLog(30);
    const foreign = await new PlayedLog(9, 'log.example/else').head();
    const [good, late] = [await log.head(10), await log.head(21)];
    const bundle = {
      evidence: 'newel.fork/1',
      origin: log.origin,
      heads: [decodeUtf8(good), decodeUtf8(late)],
      seen: [],
    };
    const cases: [string, () => Response][] = [
      ['garbage', () => new Response('garbage')],
      ['another log’s head', () => new Response(foreign as Uint8Array<ArrayBuffer>)],
      ['a tampered head', () => new Response(decodeUtf8(late).replace('\n21\n', '\n22\n'))],
      ['evidence of nothing', () => Response.json(bundle, { status: 409 })],
      ['no evidence', () => new Response('no', { status: 409 })],
      ['a status that means nothing', () => new Response(null, { status: 418 })],
      ['it knows no key of this log', () => new Response(null, { status: 403 })],
    ];
    for (const [what, answer] of cases) {
      const party = await asking(answer);
      await party.gossip.exchange();
      assert.deepEqual(eventsOf(party), ['newest', 'peer_false'], what);
      assert.deepEqual(sizesOf(party), [20], what);
    }
  });

  test('that fail are told once, and told again when they answer', async () => {
    let isUp = false;
    const failures: (() => Response | Promise<Response>)[] = [
      () => new Response(null, { status: 500 }),
      () => new Response(null, { status: 503, headers: { 'Retry-After': '7' } }),
      () => new Response(null, { status: 429 }),
      () => Promise.reject(new TypeError('refused')),
      () => new Response('x'.repeat(300 * 1024)),
      () => new Response(new ReadableStream({ start: (stream) => stream.error(new Error('cut')) })),
    ];
    for (const fail of failures) {
      isUp = false;
      const party = await asking(() => (isUp ? new Response(null, { status: 202 }) : fail()));
      await party.gossip.exchange();
      assert.deepEqual(eventsOf(party), ['newest', 'peer_fails'], fail.toString());
      isUp = true;
      await party.gossip.exchange();
      assert.deepEqual(eventsOf(party), ['newest', 'peer_fails', 'peer_answers']);
    }
  });

  test('that do not answer in time are given up', async (t) => {
    const time = playTime(t);
    const party = await time.during(asking(() => new Promise(() => {})));
    assert.deepEqual(eventsOf(party), ['newest', 'peer_fails']);
  });

  test('that fail are left alone for pauses that grow, and those that answer hear of every new head', async (t) => {
    const time = playTime(t);
    const log = new PlayedLog();
    await publish(log, 5);
    let asked = 0;
    const network: Network = new Map();
    network.set('http://failing.example', () => {
      asked++;
      return new Response(null, { status: 500 });
    });
    const options = { intervalMs: 60_000, gapMs: 1, retryMs: 10 };
    const one = await openGossipParty(network, 'one', log, ['failing', 'two'], options);
    const two = await openGossipParty(network, 'two', log, [], options);
    await one.poll();
    await two.poll();
    one.gossip.start();
    for (let i = 0; i < 20; i++) {
      await publish(log, 3);
      await one.poll();
      await time.until(() => sizesOf(two)[0] === log.size, 'the peer has the new head', 1000);
    }
    assert.ok(asked >= 2 && asked <= 3, `${asked} requests to a peer that fails`);
    await one.gossip.close();
    const before = asked;
    await time.pass(60_000);
    assert.equal(asked, before, 'closed is closed');
  });

  for (const how of ['no more', 'by other keys'] as const) {
    test(`are called nothing for a log that is followed ${how} since they were asked`, async () => {
      const log = new PlayedLog(20);
      const network: Network = new Map();
      const party = await openGossipParty(network, 'one', log, ['peer']);
      await publish(log, 10);
      await party.poll();
      const followed = [...party.heads.origins.values()][0]!.log;
      network.set('http://peer.example', async () => {
        // While the answer is taken.
        setImmediate(() => {
          if (how === 'no more') void party.heads.unfollow(log.origin);
          else void party.heads.follow({ ...followed, keys: followed.keys.slice(0, 1) });
        });
        log.read = async () => {
          await new Promise((resolve) => setTimeout(resolve, 50));
          return undefined;
        };
        return new Response((await log.head(25)) as Uint8Array<ArrayBuffer>);
      });
      await party.gossip.exchange();
      await party.gossip.settled();
      assert.deepEqual(eventsOf(party), ['newest']);
    });
  }

  test('hear of the other logs while what they said of one is still compared, and are not asked about that one', async (t) => {
    const time = playTime(t);
    const [slow, quick] = [new PlayedLog(20, 'log.example/slow'), new PlayedLog(7, 'log.example/quick')];
    const hangs = { read: () => new Promise<undefined>(() => {}) };
    const heads = await openHeads({
      store: new MemoryStore(),
      logs: [gossipedLog(parseTrust(slow.trustFile()), hangs), gossipedLog(parseTrust(quick.trustFile()))],
    });
    for (const log of [slow, quick]) await heads.take(await log.head(5), 'log');
    const asked: string[] = [];
    const gossip = new Gossip({
      heads,
      peers: [{ name: 'peer', url: 'http://peer.example' }],
      async fetch(input, init) {
        const [origin] = (await new Request(input, init).text()).split('\n');
        asked.push(origin!);
        const log = origin === slow.origin ? slow : quick;
        return new Response((await log.head(log === slow ? 20 : 5)) as Uint8Array<ArrayBuffer>);
      },
    });
    for (let round = 0; round < 2; round++) await time.during(gossip.exchange());
    assert.deepEqual(asked, [slow.origin, quick.origin, quick.origin]);
    await time.during(gossip.close());
    assert.deepEqual(
      [...heads.origins.values()][0]!.undecided.map(({ size }) => size),
      [20],
    );
  });
});
