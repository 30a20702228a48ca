import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../bench/support/seeded-random.ts';
import type { LogSource } from '../../src/client/source.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { type ErrorCode, NewelError } from '../../src/errors.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { ed25519Signer, formatNote, parseNote, type Signer } from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey, type Vkey } from '../../src/formats/vkey.ts';
import { type HeadAnswer, Heads, type HeadsSignal, MAX_ORIGINS, openHeads } from '../../src/monitor/heads.ts';
import { type GossipedLog, gossipedLog } from '../../src/monitor/gossiped-log.ts';
import { noteWithin } from '../../src/monitor/kept-head.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Store } from '../../src/storage/store.ts';
import { parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { FaultyStore } from '../support/faulty-store.ts';
import { PlayedLog, playedWitness } from '../support/played-log.ts';
import { loopTurns, playTime } from '../support/played-time.ts';
import { SlowStore } from '../support/slow-store.ts';
import { seedOf, WitnessedLog } from '../support/witnessed-log.ts';

const WITNESS = playedWitness('witness.example/w1');
const WITNESS_2 = playedWitness('witness.example/w2');
const STRANGER = playedWitness('witness.example/unknown');
const T = 1_800_000_000;
const ALL_HEADS = { from: Uint8Array.of(0x30), to: Uint8Array.of(0x34), limit: 100 };

interface Party {
  readonly heads: Heads;
  readonly signals: HeadsSignal[];
  readonly events: () => string[];
  readonly clock: { nowMs: number };
  readonly store: Store;
  reopen(): Promise<Party>;
}

async function openParty(
  log: PlayedLog,
  {
    store = new MemoryStore(),
    tiles = log,
    clock = { nowMs: 1_000_000 },
  }: {
    readonly store?: Store;
    readonly tiles?: LogSource;
    readonly clock?: { nowMs: number };
  } = {},
): Promise<Party> {
  const trust = parseTrust(log.trustFile([WITNESS, WITNESS_2]), { mldsa44: nobleMldsa44 });
  const signals: HeadsSignal[] = [];
  const heads = await openHeads({
    store,
    logs: [gossipedLog(trust, tiles)],
    onSignal: (signal) => signals.push(signal),
    now: () => clock.nowMs,
    elapsed: () => clock.nowMs,
  });
  return {
    heads,
    signals,
    clock,
    store,
    events: () => signals.map(({ event }) => event),
    reopen: () => openParty(log, { store, tiles, clock }),
  };
}

function hashOf(origin: string): string {
  return createHash('sha256').update(origin).digest('hex');
}

async function newestSize({ heads }: Party, { origin }: PlayedLog): Promise<number | undefined> {
  const note = await heads.ours(hashOf(origin));
  return note && Number(parseNote(note).text.split('\n')[1]);
}

async function refuses(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof NewelError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

function evidenceOf(answer: HeadAnswer, log: PlayedLog): ReturnType<typeof verifyEvidenceBundle> {
  assert.ok(answer.kind === 'conflict', answer.kind);
  const { evidence } = answer;
  const trust = parseTrust(log.trustFile([WITNESS, WITNESS_2]), { mldsa44: nobleMldsa44 });
  return verifyEvidenceBundle(parseEvidenceBundle(evidence), { trust });
}

describe('heads of one tree', () => {
  test('the newest is the largest, and a smaller one is compared and changes nothing', async () => {
    const log = new PlayedLog(300);
    const party = await openParty(log);
    assert.equal(await newestSize(party, log), undefined);
    for (const [size, newest] of [
      [100, 100],
      [40, 100],
      [299, 299],
      [0, 299],
      [300, 300],
    ] as const) {
      const answer = await party.heads.take(await log.head(size), 'log');
      assert.equal(answer.kind, 'consistent');
      assert.equal(await newestSize(party, log), newest);
    }
    assert.deepEqual(party.events(), ['newest', 'newest', 'newest']);
  });

  test('it is on the disk before it is answered, and is there again', async () => {
    const log = new PlayedLog(50);
    const party = await openParty(log);
    const answer = await party.heads.take(await log.head(50, { timeS: T, witnesses: [[WITNESS, T]] }), 'log');
    const again = await party.reopen();
    assert.deepEqual(await again.heads.ours(hashOf(log.origin)), (answer as { ours: Uint8Array }).ours);
    assert.deepEqual([...again.heads.origins.values()][0]?.shown.get('log')?.size, 50);
    assert.equal((await again.heads.take(await log.head(30), 'log')).kind, 'consistent');
  });

  test('only lines by known keys are kept, and those of one tree are joined', async () => {
    const log = new PlayedLog(20);
    const party = await openParty(log);
    await party.heads.take(await log.head(20, { witnesses: [[STRANGER, T]] }), 'log');
    await party.heads.takePosted(await log.head(20, { timeS: T }), 'x');
    await party.heads.takePosted(await log.head(20, { timeS: T + 9, witnesses: [[WITNESS, T]] }), 'x');
    await party.heads.takePosted(await log.head(20, { timeS: T + 3 }), 'x');
    const newest = (await party.heads.ours(hashOf(log.origin)))!;
    assert.deepEqual(
      newest,
      await log.head(20, { timeS: T + 9, witnesses: [[WITNESS, T]] }),
      'the later time',
    );
  });

  test('racing heads of a growing log: the newest only grows, and is the largest in the end', async () => {
    const log = new PlayedLog(400);
    const random = new SeededRandom(1);
    const slow: LogSource = {
      async read(path) {
        await loopTurns(random.below(12));
        return log.read(path);
      },
    };
    const party = await openParty(log, { tiles: slow });
    await party.heads.take(await log.head(1), 'log');
    const sizes = Array.from({ length: 60 }, () => 1 + random.below(400));
    await Promise.all(
      sizes.map(async (size, i) => party.heads.take(await log.head(size), `source ${i % 7}`)),
    );
    assert.equal(await newestSize(party, log), Math.max(...sizes));
    const grown = party.signals.map((signal) => (signal.event === 'newest' ? signal.size : -1));
    assert.deepEqual(
      grown,
      grown.toSorted((a, b) => a - b),
    );
    assert.ok(!grown.includes(-1));
  });
});

test('what is followed no more is as if it never was, until it is followed again', async () => {
  const log = new PlayedLog(30);
  const party = await openParty(log);
  const { heads } = party;
  await heads.take(await log.head(), 'log');
  const [followed] = heads.origins.values();
  log.grow(5);
  const underWay = heads.take(await log.head(), 'log');
  const leaving = heads.unfollow(log.origin);
  await assert.rejects(underWay, { code: 'not_found' });
  await leaving;
  await heads.unfollow(log.origin);
  await heads.retry();
  assert.equal(heads.origins.size, 0);
  assert.equal(await heads.ours(hashOf(log.origin)), undefined);
  await assert.rejects(heads.take(await log.head(), 'log'), { code: 'not_found' });
  await heads.follow(followed!.log);
  assert.equal(await newestSize(party, log), 30);
  await heads.take(await log.head(), 'log');
  assert.equal(await newestSize(party, log), 35);
  assert.equal(await newestSize(await party.reopen(), log), 35);
});

function otherKeyOf({ origin }: WitnessedLog): { readonly vkey: Vkey; readonly signers: readonly Signer[] } {
  const seed = seedOf('another key');
  return {
    vkey: newVkey(origin, KEY_TYPE.ed25519, nodeEd25519.publicKey(seed)),
    signers: [ed25519Signer(origin, seed, nodeEd25519)],
  };
}

/** The log as a witness follows it by these keys, without tiles: nothing of another size can be compared. */
function witnessedBy(...vkeys: [Vkey, ...Vkey[]]): GossipedLog {
  const origin = vkeys[0].name;
  const texts = vkeys.map(formatVkey);
  const policy = `${texts.map((text) => `log ${text}\n`).join('')}quorum none\n`;
  const file = { origin, kind: 'opaque', url: 'https://log.example', vkeys: texts, policy };
  return { ...gossipedLog(parseTrust(file)), own: 'witness', chain: 'witness' };
}

test('with other keys all that is kept is opened anew, as after a restart', async () => {
  const log = new WitnessedLog();
  const next = otherKeyOf(log);
  const store = new MemoryStore();
  const signals: HeadsSignal[] = [];
  const onSignal = (signal: HeadsSignal): void => void signals.push(signal);
  const heads = await openHeads({ store, logs: [witnessedBy(log.vkey)], onSignal });
  // By a key that was stolen.
  await heads.take(log.note(9, { isForked: true }), 'peer');
  await heads.follow(witnessedBy(next.vkey));
  assert.equal(await heads.ours(hashOf(log.origin)), undefined, 'no key that is listed has signed it');
  const again = await openHeads({ store, logs: [witnessedBy(next.vkey)], onSignal });
  for (const one of [heads, again]) {
    const answer = await one.take(log.note(9, next), 'witness');
    assert.equal(answer.kind, 'consistent');
  }
  assert.ok(!signals.some(({ event }) => event === 'evidence'));
});

test('where the newest is by a key that is none any more, the largest of the others is, and what agreed with it still does', async () => {
  const log = new WitnessedLog();
  const next = otherKeyOf(log);
  const store = new MemoryStore();
  const heads = await openHeads({ store, logs: [witnessedBy(log.vkey, next.vkey)] });
  for (const size of [3, 7, 9]) await heads.take(log.note(size, size === 9 ? next : {}), 'witness');
  await heads.take(log.note(7), 'peer');
  await heads.follow(witnessedBy(log.vkey));
  assert.equal(decodeUtf8((await heads.ours(hashOf(log.origin)))!).split('\n')[1], '7');
  const both = await openHeads({ store, logs: [witnessedBy(log.vkey, next.vkey)] });
  assert.equal((await both.take(log.note(7), 'another')).kind, 'consistent', 'no tile is needed for it');
});

describe('heads by a key that goes and comes back', () => {
  // One key signs the one tree, the other another one: 400 leaves of them are the same.
  for (const [shown, ours] of [
    [1000, 501],
    [450, 501],
  ] as const) {
    test(`are compared again: one of ${shown} leaves beside our own of ${ours}`, async () => {
      const x = new PlayedLog(1000);
      const y = x.fork(400).grow(101, 'other');
      let tiles = x;
      const trust = parseTrust(x.trustFile(), { mldsa44: nobleMldsa44 });
      const source = { read: (path: string) => tiles.read(path) };
      const both = { ...gossipedLog(trust, source), own: 'witness', chain: 'witness' };
      const second = { ...both, keys: both.keys.filter(({ isTimed }) => isTimed) };
      const signals: HeadsSignal[] = [];
      const heads = await openHeads({
        store: new MemoryStore(),
        logs: [both],
        onSignal: (signal) => signals.push(signal),
      });
      await heads.take(await x.head(400, { timeS: T }), 'witness');
      await heads.take(await x.head(shown), 'peer');
      await heads.follow(second);
      tiles = y;
      const own = await y.head(ours, { timeS: T + 1, isUnsigned: true });
      assert.equal((await heads.take(own, 'witness')).kind, 'consistent');
      await heads.follow(both);
      const newest = decodeUtf8((await heads.ours(hashOf(x.origin)))!);
      assert.equal(newest.split('\n')[1], `${ours}`, 'ours is what was followed last');
      tiles = shown > ours ? x : y;
      await heads.retry();
      assert.equal(signals.filter(({ event }) => event === 'evidence').length, 1);
      assert.equal((await heads.take(await x.head(shown), 'another')).kind, 'conflict');
    });
  }
});

test('leaving a log waits for what is being written, and ends what is being tried again quietly', async () => {
  const log = new PlayedLog(30);
  const store = new MemoryStore();
  const slow = new SlowStore(store);
  slow.maxCommitTurns = 1000;
  let hangs = false;
  let release = (): void => {};
  const tiles = {
    async read() {
      if (hangs) await new Promise<void>((resolve) => (release = resolve));
      return undefined;
    },
  };
  const { heads, events } = await openParty(log, { store: slow, tiles });
  const taken = heads.take(await log.head(10), 'log').then(
    () => 'taken',
    () => 'not taken',
  );
  await loopTurns(5);
  assert.deepEqual(await store.scan(ALL_HEADS), [], 'it is being written');
  const [followed] = heads.origins.values();
  await heads.unfollow(log.origin);
  assert.equal((await store.scan(ALL_HEADS)).length, 2);
  assert.equal(await taken, 'taken');

  slow.maxCommitTurns = 0;
  await heads.follow(followed!.log);
  assert.equal((await heads.take(await log.head(20), 'another')).kind, 'undecided');
  hangs = true;
  const retrying = heads.retry();
  await loopTurns(5);
  await heads.unfollow(log.origin);
  release();
  await retrying;
  assert.deepEqual(events(), ['newest']);
});

test('heads of a source that are proven elsewhere need no tiles, as long as it is alone', async () => {
  const log = new PlayedLog(100);
  const none = new PlayedLog();
  const trust = parseTrust(log.trustFile([WITNESS]), { mldsa44: nobleMldsa44 });
  const heads = await openHeads({
    store: new MemoryStore(),
    logs: [{ ...gossipedLog(trust, none), chain: 'witness' }],
  });
  for (const size of [10, 20, 90]) {
    assert.equal((await heads.take(await log.head(size), 'witness')).kind, 'consistent');
  }
  assert.equal((await heads.take(await log.head(95), 'another')).kind, 'undecided');
  assert.equal((await heads.take(await log.head(100), 'witness')).kind, 'consistent');
  const forked = log.fork(95).grow(10, 'other');
  const log2 = await openHeads({
    store: new MemoryStore(),
    logs: [{ ...gossipedLog(trust, log), chain: 'witness' }],
  });
  await log2.take(await log.head(90), 'witness');
  await log2.take(await log.head(98), 'another');
  // Another source has come in between: what the witness knows to extend its own last head need not extend this one.
  assert.equal((await log2.take(await forked.head(105), 'witness')).kind, 'undecided');
});

describe('what is refused', () => {
  test('has its code, and leaves no trace', async () => {
    const log = new PlayedLog(10);
    const party = await openParty(log);
    await party.heads.take(await log.head(5), 'log');
    const good = await log.head(9);
    const { text, signatures } = parseNote(good);
    const refused: [Uint8Array, ErrorCode][] = [
      [await new PlayedLog(3, 'log.example/else').head(), 'not_found'],
      [await log.head(9, { isUnsigned: true, witnesses: [[WITNESS, T]] }), 'signer_unknown'],
      [await log.head(9, { isUnsigned: true, witnesses: [[STRANGER, T]] }), 'signer_unknown'],
      [encodeUtf8(decodeUtf8(good).replace('\n9\n', '\n8\n')), 'signature_invalid'],
      [
        formatNote({
          text,
          signatures: [...signatures, { ...signatures[0]!, signature: new Uint8Array(64) }],
        }),
        'signature_invalid',
      ],
      [await log.head(0, { root: log.root(1) }), 'malformed'],
      [new Uint8Array(0), 'malformed'],
      [good.subarray(0, -1), 'malformed'],
      [new Uint8Array(256 * 1024 + 1), 'too_large'],
    ];
    for (const [note, code] of refused) {
      await refuses(party.heads.take(note, 'log'), code);
      await refuses(party.heads.takePosted(note, 'x'), code);
    }
    assert.equal(await newestSize(party, log), 5);
    assert.deepEqual(party.events(), ['newest']);
  });

  test('a 65th log', async () => {
    const { heads } = await openParty(new PlayedLog());
    const others = Array.from({ length: MAX_ORIGINS - 1 }, (_, i) => new PlayedLog(0, `log.example/${i}`));
    for (const log of others) await heads.follow(gossipedLog(log.trustFile()));
    await heads.follow(gossipedLog(others[0]!.trustFile()));
    await refuses(heads.follow(gossipedLog(new PlayedLog(0, 'log.example/more').trustFile())), 'usage');
  });

  test('everything, after a write has failed', async () => {
    const log = new PlayedLog(10);
    const store = new FaultyStore(new MemoryStore());
    const party = await openParty(log, { store });
    store.failNext('not persisted');
    await refuses(party.heads.take(await log.head(5), 'log'), 'storage_failed');
    await refuses(party.heads.take(await log.head(6), 'log'), 'storage_failed');
    assert.equal(await newestSize(party, log), undefined);
  });
});

describe('a forked log', () => {
  test('two heads of one size are evidence at once, and the first stays', async () => {
    const log = new PlayedLog(100);
    const forked = log.fork(90).grow(10, 'other');
    const party = await openParty(log);
    await party.heads.take(await log.head(100), 'log');
    const answer = await party.heads.takePosted(await forked.head(100), 'x');
    assert.deepEqual(evidenceOf(answer, log).sizes, [100, 100]);
    assert.deepEqual(await party.heads.ours(hashOf(log.origin)), await log.head(100));
    assert.ok(!JSON.stringify(answer).includes('"x"'), 'who posted it is not told');
    await party.heads.takePosted(await forked.head(100), 'x');
    assert.deepEqual(party.events(), ['newest', 'evidence'], 'told once');
    const again = await party.reopen();
    assert.equal([...again.heads.origins.values()][0]?.evidence.length, 1);
    await again.heads.takePosted(await forked.head(100), 'x');
    assert.deepEqual(again.events(), [], 'known');
  });

  test('a smaller head of another tree is evidence, by the tiles of the larger one', async () => {
    const log = new PlayedLog(300);
    const forked = log.fork(90).grow(100, 'other');
    const party = await openParty(log);
    await party.heads.take(await log.head(), 'log');
    assert.deepEqual(
      evidenceOf(await party.heads.takePosted(await forked.head(), 'x'), log).sizes,
      [190, 300],
    );
    assert.equal((await party.heads.takePosted(await forked.head(90), 'x')).kind, 'consistent');
  });

  test('a larger one is undecided until its tiles are there, told after the grace, and then evidence', async () => {
    const log = new PlayedLog(100);
    const forked = log.fork(90).grow(100, 'other');
    let tiles: LogSource = log;
    const party = await openParty(log, { tiles: { read: (path) => tiles.read(path) } });
    await party.heads.take(await log.head(), 'log');
    const answer = await party.heads.takePosted(await forked.head(), 'x');
    assert.equal(answer.kind, 'undecided');
    assert.deepEqual(
      (answer as { ours: Uint8Array }).ours,
      await log.head(),
      'so that the other side can decide',
    );
    assert.equal(await newestSize(party, log), 100);
    await party.heads.retry();
    assert.deepEqual(party.events(), ['newest'], 'within the grace nobody is alarmed');
    party.clock.nowMs += 60_000;
    await party.heads.retry();
    await party.heads.retry();
    assert.deepEqual(party.events(), ['newest', 'undecided']);
    const again = await party.reopen();
    assert.equal([...again.heads.origins.values()][0]?.undecided.length, 1, 'it outlives the process');
    tiles = forked;
    await again.heads.retry();
    assert.deepEqual(again.events(), ['evidence']);
    assert.equal([...again.heads.origins.values()][0]?.undecided.length, 0);
    assert.equal(await newestSize(again, log), 100);
  });

  test('two undecided heads of one size convict each other', async () => {
    const log = new PlayedLog(100);
    const party = await openParty(log);
    await party.heads.take(await log.head(), 'log');
    log.isUp = false;
    const [a, b] = [log.fork(90).grow(20, 'a'), log.fork(90).grow(20, 'b')];
    assert.equal((await party.heads.takePosted(await a.head(), 'x')).kind, 'undecided');
    assert.deepEqual(evidenceOf(await party.heads.takePosted(await b.head(), 'y'), log).sizes, [110, 110]);
  });

  test('heads of both trees that were compared with the same one: who comes second is compared again', async () => {
    const log = new PlayedLog(200);
    const forked = log.fork(50).grow(150, 'other');
    const trust = parseTrust(log.trustFile([WITNESS]), { mldsa44: nobleMldsa44 });
    const tilesOf = (source: string): LogSource => (source === 'a' ? log : forked);
    // With what both begin with, or with nothing.
    for (const first of [40, undefined]) {
      const logs = [{ ...gossipedLog(trust), tilesOf }];
      const heads = await openHeads({ store: new MemoryStore(), logs });
      if (first !== undefined) await heads.take(await log.head(first), 'a');
      const [a, b] = [await log.head(150), await forked.head(160)];
      const answers = await Promise.all([heads.take(a, 'a'), heads.take(b, 'b')]);
      assert.deepEqual(answers.map(({ kind }) => kind).toSorted(), ['conflict', 'consistent']);
      const { newest, shown, evidence } = heads.origins.get(hashOf(log.origin))!;
      assert.equal(evidence.length, 1);
      const taken = answers[0].kind === 'consistent' ? a : b;
      assert.deepEqual(newest!.checkpoint, taken);
      for (const head of shown.values()) assert.ok(head.size === first || head === newest, 'one tree');
    }
  });

  test('racing heads of both trees: never is one in the place of the other', async () => {
    const log = new PlayedLog(200);
    const forked = log.fork(50).grow(150, 'other');
    const random = new SeededRandom(2);
    const both: LogSource = {
      async read(path) {
        await loopTurns(random.below(12));
        return (random.below(2) === 0 ? log : forked).read(path);
      },
    };
    const party = await openParty(log, { tiles: both });
    await party.heads.take(await log.head(60), 'log');
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const tree = i % 2 === 0 ? log : forked;
        return party.heads.take(await tree.head(51 + random.below(149)), `source ${i}`);
      }),
    );
    const heads = [...party.heads.origins.values()][0]!;
    const isOfLog = (size: number, root: Uint8Array): boolean => Buffer.from(root).equals(log.root(size));
    assert.ok(isOfLog(heads.newest!.size, heads.newest!.root));
    for (const { size, root } of heads.shown.values()) assert.ok(isOfLog(size, root), 'one tree');
    assert.ok(heads.evidence.length > 0);
  });

  test('evidence of others is judged before it is kept', async () => {
    const log = new PlayedLog(100);
    const forked = log.fork(90).grow(10, 'other');
    const finder = await openParty(log);
    await finder.heads.take(await log.head(), 'log');
    const answer = await finder.heads.takePosted(await forked.head(), 'x');
    const text = encodeUtf8((answer as { evidence: string }).evidence);
    const party = await openParty(log);
    await party.heads.takeEvidence(text);
    await party.heads.takeEvidence(text);
    assert.deepEqual(party.events(), ['evidence']);
    const false_ = parseEvidenceBundle(text);
    await refuses(
      party.heads.takeEvidence({ ...false_, heads: [false_.heads[0], false_.heads[0]] }),
      'proof_invalid',
    );
    await refuses(party.heads.takeEvidence({ ...false_, origin: 'log.example/else' }), 'not_found');
    await refuses(party.heads.takeEvidence(encodeUtf8('{}')), 'malformed');
  });
});

test('a witness that has gone back is told, and the head is taken all the same', async () => {
  const log = new PlayedLog(100);
  const party = await openParty(log);
  await party.heads.take(await log.head(90, { witnesses: [[WITNESS, T]] }), 'log');
  const answer = await party.heads.take(await log.head(80, { witnesses: [[WITNESS, T + 1]] }), 'witness');
  assert.equal(evidenceOf(answer, log).kind, 'rollback');
  assert.deepEqual(party.events(), ['newest', 'evidence']);
  assert.equal(
    (await party.heads.take(await log.head(100), 'log')).kind,
    'consistent',
    'others are not guilty of it',
  );
  assert.equal(await newestSize(party, log), 100);
});

test('what a witness proves of itself takes no room of what the log does', async () => {
  const log = new PlayedLog(200);
  const party = await openParty(log);
  await party.heads.take(await log.head(200, { witnesses: [[WITNESS, T]] }), 'log');
  for (let i = 0; i < 17; i++) {
    await party.heads.take(await log.head(100 + i, { witnesses: [[WITNESS, T + 10 + i]] }), 'witness');
  }
  assert.deepEqual(party.events().slice(1), [...Array.from({ length: 16 }, () => 'evidence'), 'unkept']);
  const fork = log.fork(50).grow(150, 'other');
  assert.equal(evidenceOf(await party.heads.take(await fork.head(200), 'other'), log).kind, 'fork');
  assert.equal(party.events().at(-1), 'evidence');
  const again = await party.reopen();
  assert.equal([...again.heads.origins.values()][0]?.evidence.length, 17);
});

/** Of all evidence that was told: its kind, whose keys by name, and the sizes. */
function convictedBy({ signals }: Party): string[] {
  return signals
    .flatMap((signal) => (signal.event === 'evidence' ? [signal.verified] : []))
    .map(
      ({ kind, keys, sizes }) =>
        `${kind} ${sizes.join(' ')} ${keys.map((key) => key.split('+')[0]).join(' ')}`,
    )
    .sort();
}

/** The last line is made false. */
function falsified(note: Uint8Array): Uint8Array {
  const { text, signatures } = parseNote(note);
  const last = signatures.at(-1)!;
  const signature = last.signature.map((byte, i) => (i === last.signature.length - 1 ? byte ^ 1 : byte));
  return formatNote({ text, signatures: [...signatures.slice(0, -1), { ...last, signature }] });
}

describe('a head that proves several things', () => {
  const log = new PlayedLog(300);
  const other = log.fork(50).grow(250, 'other');
  const FORK_AND_ROLLBACK = [`fork 200 300 ${log.origin}`, 'rollback 300 200 witness.example/w1'];

  test('convicts of all of them, and is answered with the fork', async () => {
    const party = await openParty(log);
    await party.heads.take(await log.head(300, { witnesses: [[WITNESS, T]] }), 'log');
    const head = await other.head(200, { witnesses: [[WITNESS, T + 9]] });
    assert.equal(evidenceOf(await party.heads.takePosted(head, 'x'), log).kind, 'fork');
    assert.deepEqual(convictedBy(party), FORK_AND_ROLLBACK);
  });

  test('does so too where it is refused for a false line', async () => {
    for (const isPosted of [true, false]) {
      const party = await openParty(log);
      await party.heads.take(await log.head(300, { witnesses: [[WITNESS, T]] }), 'log');
      const lines = [
        [WITNESS, T + 9],
        [WITNESS_2, T],
      ] as const;
      const head = falsified(await other.head(200, { witnesses: lines }));
      const answer = await (isPosted ? party.heads.takePosted(head, 'x') : party.heads.take(head, 'w'));
      assert.equal(evidenceOf(answer, log).kind, 'fork');
      assert.deepEqual(convictedBy(party), FORK_AND_ROLLBACK);
    }
  });

  test('convicts each witness that has gone back, whichever head it had signed, in few bundles', async () => {
    const party = await openParty(log);
    await party.heads.take(await log.head(250, { witnesses: [[WITNESS_2, T]] }), 'a peer');
    await party.heads.take(await log.head(240, { witnesses: [[WITNESS_2, T]] }), 'another');
    await party.heads.take(await log.head(300, { witnesses: [[WITNESS, T]] }), 'log');
    const lines = [
      [WITNESS, T + 9],
      [WITNESS_2, T + 9],
    ] as const;
    await party.heads.takePosted(await log.head(200, { witnesses: lines }), 'x');
    assert.deepEqual(convictedBy(party), [
      'rollback 250 200 witness.example/w2',
      'rollback 300 200 witness.example/w1',
    ]);
  });
});

test('heads that wait undecided are held against later ones, with all lines that heads of their tree had', async () => {
  const log = new PlayedLog(300);
  const published = new PlayedLog(220);
  let party = await openParty(log, { tiles: published });
  await party.heads.take(await log.head(200), 'log');
  for (const witness of [WITNESS, WITNESS_2]) {
    const { kind } = await party.heads.takePosted(await log.head(300, { witnesses: [[witness, T]] }), 'x');
    assert.equal(kind, 'undecided');
  }
  for (const isReopened of [false, true]) {
    if (isReopened) party = await party.reopen();
    const [waiting, ...others] = [...party.heads.origins.values()][0]!.undecided;
    assert.deepEqual([waiting!.lines.length, waiting!.source, others], [3, 'posted', []]);
  }
  await party.heads.take(await log.head(220, { witnesses: [[WITNESS, T + 9]] }), 'log');
  assert.deepEqual(convictedBy(party), ['rollback 300 220 witness.example/w1']);
  await party.heads.take(await log.head(210, { witnesses: [[WITNESS_2, T + 9]] }), 'a peer');
  assert.deepEqual(convictedBy(party), [
    'rollback 300 210 witness.example/w2',
    'rollback 300 220 witness.example/w1',
  ]);
  published.grow(80);
  await party.heads.take(await log.head(300), 'log');
  const { newest, undecided } = [...party.heads.origins.values()][0]!;
  assert.deepEqual([newest!.size, newest!.lines.length, undecided], [300, 3, []], 'no line is lost');
});

test('a false line that somebody adds saves neither a fork nor a rollback, and is refused otherwise', async () => {
  const log = new PlayedLog(200);
  const fork = log.fork(50).grow(150, 'other');
  const salted = (note: Uint8Array): Uint8Array => {
    const { text, signatures } = parseNote(note);
    const { name, keyId } = WITNESS.vkey;
    const junk = { name, keyId, signature: new Uint8Array(72).fill(1) };
    return formatNote({ text, signatures: [...signatures, junk] });
  };
  const trees: LogSource = {
    read: async (path) => (await log.read(path)) ?? fork.read(path),
  };
  for (const size of [200, 120]) {
    for (const isPosted of [false, true]) {
      const party = await openParty(log, { tiles: trees });
      await party.heads.take(await log.head(200, { timeS: T }), 'log');
      const take = (note: Uint8Array): Promise<HeadAnswer> =>
        isPosted ? party.heads.takePosted(note, 'x') : party.heads.take(note, 'w');
      await refuses(take(salted(await log.head(size))), 'signature_invalid');
      assert.equal(evidenceOf(await take(salted(await fork.head(size))), log).kind, 'fork');
      assert.deepEqual(await party.heads.ours(hashOf(log.origin)), await log.head(200, { timeS: T }));
      const back = await take(salted(await log.head(60, { timeS: T + 9, isUnsigned: true })));
      assert.equal(evidenceOf(back, log).kind, 'rollback');
      assert.deepEqual(party.events(), ['newest', 'evidence', 'evidence']);
    }
  }
});

test('a log whose tiles hang keeps nobody from deciding about another', async (t) => {
  const time = playTime(t);
  const [slow, quick] = [new PlayedLog(300, 'log.example/slow'), new PlayedLog(300)];
  const never: LogSource = { read: () => new Promise(() => {}) };
  const heads = await openHeads({
    store: new MemoryStore(),
    logs: [slow, quick].map((log) => gossipedLog(parseTrust(log.trustFile()), log === slow ? never : log)),
    decideMs: 20,
  });
  for (const log of [slow, quick]) await heads.take(await log.head(200), 'log');
  quick.isUp = false;
  for (const log of [slow, quick]) {
    const answer = await time.during(heads.takePosted(await log.head(300), 'x'));
    assert.deepEqual([answer.kind, (answer as { ours: unknown }).ours], ['undecided', await log.head(200)]);
  }
  quick.isUp = true;
  const retrying = heads.retry();
  const newest = (): number | undefined => heads.origins.get(hashOf(quick.origin))?.newest?.size;
  await time.until(() => newest() === 300, 'the other log is decided about', 1000);
  await time.during(retrying);
});

test('a head with more lines than may be posted is posted with those that fit, the log first', async () => {
  const witnesses = Array.from({ length: 6 }, (_, i) => playedWitness(`witness.example/${i}`));
  const log = new PlayedLog(20);
  const lines = witnesses.map((witness) => [witness, T] as const);
  const heads = await openHeads({
    store: new MemoryStore(),
    logs: [gossipedLog(parseTrust(log.trustFile(witnesses)), log)],
  });
  await heads.take(await log.head(20, { witnesses: lines }), 'log');
  const { newest } = [...heads.origins.values()][0]!;
  assert.deepEqual(noteWithin(newest!, newest!.checkpoint.length), newest!.checkpoint);
  const short = await log.head(20, { witnesses: lines.slice(0, 3) });
  assert.deepEqual(noteWithin(newest!, short.length), short);
  assert.deepEqual(noteWithin(newest!, 1), await log.head(20), 'never without the log');
});

describe('strangers', () => {
  test('begin nothing: what is followed begins at a source that is configured', async () => {
    const log = new PlayedLog(100);
    const party = await openParty(log);
    const answer = await party.heads.takePosted(await log.head(50), 'x');
    assert.deepEqual([answer.kind, (answer as { ours: unknown }).ours], ['undecided', undefined]);
    await party.heads.retry();
    assert.equal(await newestSize(party, log), undefined);
    await party.heads.take(await log.head(60), 'log');
    await party.heads.retry();
    assert.equal([...party.heads.origins.values()][0]?.undecided.length, 0);
  });

  test('keep no true head from its place, also where theirs conflicts with it', async () => {
    const log = new PlayedLog(100);
    const forked = log.fork(50).grow(50, 'other');
    const party = await openParty(log);
    assert.equal((await party.heads.takePosted(await forked.head(), 'x')).kind, 'undecided');
    assert.equal(evidenceOf(await party.heads.take(await log.head(), 'log'), log).kind, 'fork');
    assert.deepEqual(await party.heads.ours(hashOf(log.origin)), await log.head());
    await party.heads.retry();
    assert.equal([...party.heads.origins.values()][0]?.undecided.length, 0);
    assert.deepEqual(party.events(), ['newest', 'evidence']);
  });

  test('may let a bounded number of heads wait, and push none out', async () => {
    const log = new PlayedLog(100);
    const party = await openParty(log);
    await party.heads.take(await log.head(10), 'log');
    log.isUp = false;
    party.clock.nowMs += 60_000;
    const post = async (size: number, poster: string): Promise<HeadAnswer> => {
      party.clock.nowMs += 1000;
      return party.heads.takePosted(await log.head(size), poster);
    };
    for (const size of [20, 21, 22, 23]) assert.equal((await post(size, 'a')).kind, 'undecided');
    const beyond = await post(24, 'a');
    assert.deepEqual([beyond.kind, (beyond as { ours: Uint8Array }).ours], ['undecided', await log.head(10)]);
    for (const [i, size] of [30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41].entries()) {
      assert.equal((await post(size, `class ${i % 3}`)).kind, 'undecided');
    }
    assert.equal((await post(50, 'another')).kind, 'undecided', 'answered, and not kept');
    assert.equal(
      (await party.heads.take(await log.head(60), 'a peer')).kind,
      'undecided',
      'a peer has its own place',
    );
    const { undecided } = [...party.heads.origins.values()][0]!;
    assert.equal(undecided.length, 17);
    assert.deepEqual(
      undecided.slice(0, 4).map(({ size }) => size),
      [20, 21, 22, 23],
    );
    log.isUp = true;
    await party.heads.retry();
    assert.equal(await newestSize(party, log), 60);
    assert.equal([...party.heads.origins.values()][0]?.undecided.length, 0);
    assert.ok(!party.events().includes('evidence'));
  });

  test('of whom no network is known have no share of one among the places', async () => {
    const log = new PlayedLog(100);
    const party = await openParty(log);
    await party.heads.take(await log.head(10), 'log');
    log.isUp = false;
    for (let size = 20; size < 40; size++) {
      party.clock.nowMs += 1000;
      await party.heads.takePosted(await log.head(size), party.heads.admit(undefined));
    }
    assert.equal([...party.heads.origins.values()][0]?.undecided.length, 16);
  });

  test('cost the log a bounded number of readings', async () => {
    const log = new PlayedLog(3000);
    const party = await openParty(log);
    await party.heads.take(await log.head(), 'log');
    const before = log.reads.length;
    let undecided = 0;
    for (let size = 1; size <= 40; size++) {
      const { kind } = await party.heads.takePosted(await log.head(size), 'x');
      if (kind === 'undecided') undecided++;
      assert.equal((await party.heads.takePosted(await log.head(1), 'x')).kind, 'consistent', 'it is known');
    }
    assert.equal(undecided, 24, 'sixteen at once');
    assert.ok(log.reads.length - before < 16 * 20);
    await party.heads.retry();
    assert.equal([...party.heads.origins.values()][0]?.undecided.length, 0, 'a few waited');
  });

  test('have a rate by the network that they are in', async () => {
    const { heads, clock } = await openParty(new PlayedLog());
    const network = '203.0.113.0/24';
    for (let i = 0; i < 64; i++) assert.equal(heads.admit(network), network);
    await refuses((async () => heads.admit(network))(), 'rate_limited');
    assert.equal(heads.admit('203.0.114.0/24'), '203.0.114.0/24');
    clock.nowMs += 1000;
    for (let i = 0; i < 16; i++) heads.admit(network);
    await refuses((async () => heads.admit(network))(), 'rate_limited');
    // Whose network is not known has what all together have.
    for (const networkOf of [(i: number) => `10.0.${i}.0/24`, () => undefined]) {
      clock.nowMs += 10_000;
      let admitted = 0;
      for (let i = 0; i < 400; i++) {
        try {
          heads.admit(networkOf(i));
          admitted++;
        } catch {
          // All together have a rate too.
        }
      }
      assert.equal(admitted, 256);
    }
  });
});

test('what does not verify any more is passed over, and told', async () => {
  const log = new PlayedLog(50);
  const party = await openParty(log);
  await party.heads.take(await log.head(50), 'log');
  const rows = await party.store.scan({ from: Uint8Array.of(0x30), to: Uint8Array.of(0x40), limit: 10 });
  assert.equal(rows.length, 2);
  for (const { key, value } of rows) {
    const damaged = value.slice();
    damaged[damaged.length - 5]! ^= 1;
    await party.store.commit({ puts: [{ key, value: damaged }] });
  }
  const again = await party.reopen();
  assert.deepEqual(again.events(), ['unreadable', 'unreadable']);
  assert.equal(await newestSize(again, log), undefined);
});
