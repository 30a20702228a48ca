import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parsePolicy } from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { intersectsEveryQuorum } from '../../src/witness/agreement.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import {
  type Agreement,
  type HeadToCosign,
  type ReadSignedSizes,
  type WitnessConflict,
  Witnesses,
  type WitnessesParts,
} from '../../src/witness/ask.ts';
import type { AskingSignal } from '../../src/witness/signals-asking.ts';
import {
  answers,
  answersLate,
  type Behaviour,
  breaks,
  breaksAfterwards,
  FAKE_ORIGIN,
  FakeWitness,
  GrowingTree,
  inTime,
  pass,
  recordsLate,
  starting,
} from '../support/fake-witness.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SLOW } from '../support/slow.ts';

const NAME = 'w.example';
/** Of the pauses after failures. */
const HALF = (): number => 0.5;

interface Asked extends Agreement {
  readonly sizes: ReadonlyMap<string, number>;
}

/** What a log tells of the sizes that it has signed, which are these. */
function signed(sizes: () => readonly number[]): ReadSignedSizes {
  return async (since, limit) => {
    const recent = sizes().filter((size) => size >= since);
    return { sizes: recent.slice(0, limit), isComplete: recent.length <= limit };
  };
}

const upTo = (size: number): readonly number[] => Array.from({ length: size + 1 }, (_, i) => size - i);

/** What the start of a log that holds `tree` comes to, with one witness. It has signed every size, unless `parts` say. */
async function agree(
  fake: FakeWitness,
  tree: GrowingTree,
  parts: Partial<WitnessesParts> = {},
  ignore: ReadonlySet<string> = new Set(),
): Promise<Asked> {
  const clock = new ManualClock(0);
  const witnesses = new Witnesses({
    random: HALF,
    origin: FAKE_ORIGIN,
    witnesses: [fake.asked],
    proveConsistency: tree.proofs,
    rootOf: tree.rootOf,
    sizes: new Map(),
    recentSizes: signed(() => upTo(tree.size)),
    clock,
    fetch: fake.fetch(clock),
    ...parts,
  });
  const found = await inTime(clock, witnesses.agree(tree.head(), starting(tree, 3000, ignore)));
  await witnesses.close();
  return { ...found, sizes: witnesses.sizes() };
}

function onlyConflict({ agreed, silent, conflicts }: Agreement): WitnessConflict {
  assert.deepEqual([agreed, silent, conflicts.length], [[], [], 1]);
  return conflicts[0]!;
}

function standingAt(tree: GrowingTree, size: number = tree.size): FakeWitness {
  const fake = new FakeWitness(NAME);
  fake.recorded = tree.head(size);
  return fake;
}

describe('before anything is written', () => {
  test('200 agrees', async () => {
    const fake = new FakeWitness(NAME);
    const { agreed, sizes } = await agree(fake, new GrowingTree(7));
    assert.deepEqual([agreed, sizes.get(NAME), fake.requests.length], [[NAME], 7, 1]);
  });

  test('409 with a size up to ours, and then 200, agrees', async () => {
    for (const size of [3, 7]) {
      const tree = new GrowingTree(7);
      const { agreed, conflicts } = await agree(standingAt(tree, size), tree);
      assert.deepEqual([agreed, conflicts], [[NAME], []]);
    }
  });

  test('409 without a size, and then 200 from one of the sizes that we may have sent, agrees', async () => {
    const tree = new GrowingTree(40);
    for (const [size, parts] of [
      [40, {}],
      [33, { sizes: new Map([[NAME, 33]]) }],
      [21, { sizes: new Map([[NAME, 5]]), recentSizes: signed(() => [30, 25, 21]) }],
      [0, { sizes: new Map([[NAME, 35]]) }],
    ] as const) {
      const fake = size === 0 ? new FakeWitness(NAME) : standingAt(tree, size);
      fake.isSizeless = true;
      const { agreed, conflicts } = await agree(fake, tree, parts);
      assert.deepEqual([agreed, conflicts], [[NAME], []], `${size}`);
      assert.ok(fake.requests.length < 12);
    }
  });

  test('409 with a larger size is a conflict, whatever was remembered', async () => {
    const tree = new GrowingTree(9);
    for (const remembered of [0, 5, 9]) {
      const found = await agree(standingAt(tree), tree.copy(5, ''), { sizes: new Map([[NAME, remembered]]) });
      const { kind, ours, theirs, message } = onlyConflict(found);
      assert.deepEqual([kind, ours, theirs], ['larger', 5, 9]);
      const root = Buffer.from(tree.head(5).root).toString('base64');
      for (const part of [
        NAME,
        '9 leaves',
        '5 leaves',
        root,
        'older copy',
        FAKE_ORIGIN,
        'find the other copy',
      ])
        assert.ok(message.includes(part), part);
    }
  });

  test('409 without a size, from all sizes that we may have sent, is a conflict', async () => {
    const tree = new GrowingTree(90);
    const fake = standingAt(tree);
    fake.isSizeless = true;
    const found = await agree(fake, tree.copy(60, ''));
    const { kind, ours, theirs, root } = onlyConflict(found);
    assert.deepEqual([kind, ours, theirs, root], ['sizeless', 60, undefined, tree.head(60).root]);
    const tried = new Set(fake.requests.map(({ old }) => old));
    assert.deepEqual([tried.size, fake.requests.length <= 64], [61, true], 'all sizes up to ours');
  });

  test('409 without a size is no answer where one that we may have sent was not tried', async () => {
    const tree = new GrowingTree(400);
    const older = tree.copy(300, '');
    const all = signed(() => upTo(300));
    for (const [remembered, recentSizes, isConflict] of [
      [44, all, false],
      [45, all, true],
      [0, undefined, false],
      [299, undefined, false],
    ] as const) {
      const fake = standingAt(tree);
      fake.isSizeless = true;
      const found = await agree(fake, older, { sizes: new Map([[NAME, remembered]]), recentSizes });
      const whys = ['does not say its size (409), and may have cosigned a head of ours that was not tried'];
      assert.deepEqual(
        [found.agreed, found.silent.map(({ why }) => why), found.conflicts.length],
        isConflict ? [[], [], 1] : [[], whys, 0],
        `${remembered}`,
      );
      assert.ok(fake.requests.length <= 256 + 32 + 8);
    }
  });

  test('where requests are counted, fewer sizes are tried', async () => {
    const tree = new GrowingTree(40);
    for (const [requestsPerDay, limits] of [
      [undefined, [32, 256]],
      [1000, [32, 32]],
    ] as const) {
      const fake = standingAt(tree, 37);
      fake.isSizeless = true;
      const asked: number[] = [];
      const recentSizes: ReadSignedSizes = async (since, limit) => {
        assert.equal(since, 36);
        asked.push(limit);
        return { sizes: [37, 36], isComplete: true };
      };
      const parts = {
        witnesses: [{ ...fake.asked, requestsPerDay }],
        sizes: new Map([[NAME, 36]]),
        recentSizes,
      };
      const { agreed } = await agree(fake, tree, parts);
      assert.deepEqual([agreed, asked], [[NAME], limits]);
    }
  });

  test('a size is one only as the spec has it; from what is none, no number is read', async () => {
    const tree = new GrowingTree(9);
    const TYPE = 'text/x.tlog.size';
    const CASES: readonly [type: string, body: string, kind: string][] = [
      [TYPE, '9\n', 'larger'],
      ['Text/X.TLOG.Size; charset=utf-8', '9\n', 'larger'],
      ['text/plain', '9\n', 'sizeless'],
      ['', '9\n', 'sizeless'],
      [`${TYPE}s`, '9\n', 'sizeless'],
      ...[
        '',
        '\n',
        '9',
        '9\r\n',
        '9\n\n',
        '09\n',
        '+9\n',
        ' 9\n',
        '9.0\n',
        '9007199254740992\n',
        '\u0669\n',
      ].map((body): [string, string, string] => [TYPE, body, 'sizeless']),
    ];
    for (const [type, body, kind] of CASES) {
      const fake = new FakeWitness(NAME);
      fake.always = answers({ status: 409, type, body });
      assert.equal(
        onlyConflict(await agree(fake, tree.copy(5, ''))).kind,
        kind,
        JSON.stringify([type, body]),
      );
    }
  });

  test('422 to a proof that our own verifier accepts is a conflict, at the same size and from a smaller one', async () => {
    const tree = new GrowingTree(20);
    for (const [grown, kind] of [
      [8, 'rejected'],
      [11, 'rejected'],
    ] as const) {
      const copy = tree.copy(6, 'other');
      copy.grow(grown - 6);
      for (const isSizeless of [false, true]) {
        const fake = standingAt(tree, 8);
        fake.isSizeless = isSizeless;
        const found = onlyConflict(await agree(fake, copy, { sizes: new Map([[NAME, 8]]) }));
        assert.deepEqual([found.kind, found.ours, found.theirs], [kind, grown, 8]);
        assert.ok(found.message.includes('another tree of 8 leaves'));
      }
    }
  });

  test('422 to a proof of ours that does not verify is a bug of ours, not a conflict', async () => {
    const tree = new GrowingTree(20);
    const parts = { proveConsistency: async () => [new Uint8Array(32)] };
    await assert.rejects(
      agree(standingAt(tree, 6), tree, parts),
      /^Error: bug: our proof from 6 to 20 leaves/,
    );
    const rootOf = async (): Promise<Uint8Array> => new Uint8Array(32);
    const copy = tree.copy(4, 'other');
    copy.grow(16);
    await assert.rejects(agree(standingAt(tree, 6), copy, { rootOf }), /^Error: bug/);
  });

  test('whatever else is no answer', async () => {
    const tree = new GrowingTree(4);
    for (const behaviour of [
      answersLate(4000),
      breaks,
      ...[400, 403, 404, 422, 500].map((status) => answers({ status })),
    ]) {
      const fake = new FakeWitness(NAME);
      fake.always = behaviour;
      const { agreed, conflicts, silent } = await agree(fake, tree);
      assert.deepEqual([agreed, conflicts, silent.length], [[], [], 1]);
      assert.ok(silent[0]!.why.length > 5);
    }
  });

  test('who has failed is asked again when the log asks again, and who is ignored is not asked', async () => {
    const clock = new ManualClock(0);
    const fake = new FakeWitness(NAME);
    const tree = new GrowingTree(4);
    const witnesses = new Witnesses({
      random: HALF,
      origin: FAKE_ORIGIN,
      witnesses: [fake.asked],
      proveConsistency: tree.proofs,
      rootOf: tree.rootOf,
      sizes: new Map(),
      clock,
      fetch: fake.fetch(clock),
    });
    const once = (ignore: string[] = []): Promise<Agreement> =>
      inTime(clock, witnesses.agree(tree.head(), starting(tree, 1000, ignore)), 0);
    fake.isDown = true;
    for (let i = 0; i < 8; i++)
      assert.deepEqual((await once()).silent, [{ name: NAME, why: 'refuses connections' }]);
    await pass(clock, 60_000);
    assert.equal(witnesses.states[0]!.state, 'open');
    fake.isDown = false;
    assert.deepEqual(await once([NAME]), { agreed: [], conflicts: [], silent: [] });
    assert.equal(fake.requests.length, 0, 'a start is over with its answer');
    assert.deepEqual((await once()).agreed, [NAME]);
  });

  test('of a tree without leaves they are asked too: who knows a larger one contradicts it', async () => {
    const fake = new FakeWitness(NAME);
    const { agreed } = await agree(fake, new GrowingTree(0));
    assert.deepEqual([agreed, fake.requests.length], [[NAME], 1]);

    const conflict = onlyConflict(await agree(standingAt(new GrowingTree(3)), new GrowingTree(0)));
    assert.deepEqual([conflict.kind, conflict.ours, conflict.theirs], ['larger', 0, 3]);
  });

  test('who says late what this log has signed meanwhile contradicts nothing', async () => {
    const clock = new ManualClock(0);
    const tree = new GrowingTree(0);
    const grown = new GrowingTree(8);
    const fake = standingAt(grown);
    fake.next.push(answersLate(2000));
    const witnesses = new Witnesses({
      random: HALF,
      origin: FAKE_ORIGIN,
      witnesses: [fake.asked],
      proveConsistency: tree.proofs,
      rootOf: tree.rootOf,
      sizes: new Map(),
      clock,
      fetch: fake.fetch(clock),
    });
    let largest = 0;
    const options = { ...starting(tree, 1000), largestSize: () => largest };
    assert.equal((await inTime(clock, witnesses.agree(tree.head(), options))).silent.length, 1);
    largest = 8;
    // `starting` throws where it is told of a conflict, which would be a fault.
    await pass(clock, 5000);
    assert.equal(witnesses.states[0]!.state, 'ok');
    await witnesses.close();
  });

  test('who contradicts when the time is over is heard all the same', async () => {
    const clock = new ManualClock(0);
    const fake = standingAt(new GrowingTree(9));
    fake.next.push(answersLate(2000));
    const tree = new GrowingTree(7);
    const witnesses = new Witnesses({
      random: HALF,
      origin: FAKE_ORIGIN,
      witnesses: [fake.asked],
      proveConsistency: tree.proofs,
      rootOf: tree.rootOf,
      sizes: new Map(),
      clock,
      fetch: fake.fetch(clock),
    });
    const late: WitnessConflict[] = [];
    const onLateConflict = (conflict: WitnessConflict): void => void late.push(conflict);
    const asked = { ...starting(tree, 1000), onLateConflict };
    const { silent, conflicts } = await inTime(clock, witnesses.agree(tree.head(), asked));
    assert.deepEqual([silent.length, conflicts], [1, []]);
    await pass(clock, 5000);
    assert.deepEqual(
      late.map(({ kind, theirs }) => [kind, theirs]),
      [['larger', 9]],
    );
    await witnesses.close();
  });
});

test('the witnesses that agreed are enough where the others alone meet no quorum', () => {
  const vkeys = [0, 1, 2].map((i) => {
    const publicKey = nodeEd25519.publicKey(new Uint8Array(32).fill(i + 1));
    return formatVkey(newVkey(`w${i}.example`, KEY_TYPE.cosignatureEd25519, publicKey));
  });
  const policy = (quorum: string, group: string) =>
    parsePolicy(
      Buffer.from(
        `${vkeys.map((vkey, i) => `witness w${i} ${vkey}\n`).join('')}${group}\nquorum ${quorum}\n`,
      ),
    );
  const two = (...agreed: string[]): boolean =>
    intersectsEveryQuorum(policy('g', 'group g 2 w0 w1 w2'), new Set(agreed));
  const any = (...agreed: string[]): boolean =>
    intersectsEveryQuorum(policy('g', 'group g any w0 w1'), new Set(agreed));
  const single = (...agreed: string[]): boolean => intersectsEveryQuorum(policy('w1', ''), new Set(agreed));
  assert.deepEqual([two(), two('w0'), two('w0', 'w2')], [false, false, true]);
  assert.deepEqual([any('w0', 'w2'), any('w0', 'w1')], [false, true]);
  assert.deepEqual([single('w0', 'w2'), single('w1')], [false, true]);
  assert.ok(intersectsEveryQuorum(policy('none', 'group g any w0 w1'), new Set()));
});

test('a witness that was down at the start may stand where it stood before, however much is written since', async () => {
  const clock = new ManualClock(0);
  const tree = new GrowingTree(20);
  const fake = standingAt(tree, 17);
  fake.isSizeless = true;
  fake.isDown = true;
  let recent: readonly number[] = [20, 17];
  const witnesses = new Witnesses({
    random: HALF,
    origin: FAKE_ORIGIN,
    witnesses: [fake.asked],
    proveConsistency: tree.proofs,
    rootOf: tree.rootOf,
    sizes: new Map([[NAME, 4]]),
    recentSizes: async () => ({ sizes: recent, isComplete: false }),
    clock,
    fetch: fake.fetch(clock),
  });
  const { silent } = await inTime(clock, witnesses.agree(tree.head(), starting(tree, 500)));
  assert.equal(silent.length, 1);
  fake.isDown = false;
  tree.grow(100);
  recent = Array.from({ length: 40 }, (_, i) => tree.size - i);
  await pass(clock, 1000);
  let lines = 0;
  const over = witnesses.ask([NAME], tree.head(), {
    deadlineMs: 500,
    enough: () => false,
    largestSize: () => tree.size,
    onLines: () => lines++,
    onConflict: assert.fail,
  });
  await inTime(clock, over);
  assert.equal(lines, 1);
  await witnesses.close();
});

test('a log that remembers a witness at more than it ever signed asks it, rather than grow until it has as much', async () => {
  const clock = new ManualClock(0);
  const tree = new GrowingTree(30);
  const fake = standingAt(tree);
  const older = tree.copy(12, '');
  const witnesses = new Witnesses({
    random: HALF,
    origin: FAKE_ORIGIN,
    witnesses: [fake.asked],
    proveConsistency: older.proofs,
    rootOf: older.rootOf,
    sizes: new Map([[NAME, 30]]),
    clock,
    fetch: fake.fetch(clock),
  });
  const kinds: string[] = [];
  const over = witnesses.ask([NAME], older.head(), {
    deadlineMs: 500,
    enough: () => false,
    largestSize: () => older.size,
    onLines: assert.fail,
    onConflict: ({ kind }) => kinds.push(kind),
  });
  await inTime(clock, over);
  assert.deepEqual(kinds, ['larger']);
  await witnesses.close();
});

describe('a stranger brings published heads of an honest log to a witness that tells no size', () => {
  interface Lured {
    readonly fake: FakeWitness;
    readonly tree: GrowingTree;
    readonly witnesses: Witnesses;
    readonly kinds: string[];
    readonly lines: number[];
    /** Asks, and waits for what comes late. */
    ask(head?: HeadToCosign): Promise<void>;
    /** The witness cosigns that head, and the log hears nothing of it. */
    lure(size: number): void;
  }

  async function lured(signedSize: (size: number) => boolean = () => true): Promise<Lured> {
    const clock = new ManualClock(0);
    const tree = new GrowingTree(10);
    const fake = new FakeWitness(NAME);
    fake.isSizeless = true;
    const witnesses = new Witnesses({
      origin: FAKE_ORIGIN,
      witnesses: [fake.asked],
      proveConsistency: tree.proofs,
      rootOf: tree.rootOf,
      sizes: new Map(),
      recentSizes: signed(() => upTo(tree.size).filter(signedSize)),
      // The longest pauses: it is not left alone before it is asked for another head.
      random: () => 0.999,
      clock,
      fetch: fake.fetch(clock),
    });
    const kinds: string[] = [];
    const lines: number[] = [];
    const scene: Lured = {
      fake,
      tree,
      witnesses,
      kinds,
      lines,
      async ask(head = tree.head()) {
        const options = {
          deadlineMs: 5000,
          enough: () => false,
          largestSize: () => tree.size,
          onLines: () => lines.push(head.size),
          onConflict: ({ kind }: WitnessConflict) => kinds.push(kind),
        };
        await inTime(clock, witnesses.ask([NAME], head, options));
        await pass(clock, 1000);
      },
      lure(size) {
        assert.ok(size > fake.recorded.size);
        fake.recorded = tree.head(size);
      },
    };
    await scene.ask();
    assert.deepEqual(lines, [10]);
    return scene;
  }

  test('one that is much older than the newest ones is found', async () => {
    const scene = await lured();
    scene.tree.grow(200);
    scene.lure(12);
    await scene.ask();
    assert.deepEqual([scene.kinds, scene.lines], [[], [10, 210]]);
    await scene.witnesses.close();
  });

  test('where there are more of them than are tried, it has not answered, and is asked again', async () => {
    const scene = await lured();
    scene.tree.grow(300);
    scene.lure(20);
    await scene.ask();
    assert.deepEqual([scene.kinds, scene.lines], [[], [10]]);
    const { state, why } = scene.witnesses.states[0]!;
    assert.equal(state, 'failing');
    assert.match(why!, /does not say its size/);
    await scene.witnesses.close();
  });

  test('a larger head, signed since the one that is asked for, is no contradiction', async () => {
    const scene = await lured();
    scene.tree.grow(5);
    const head = scene.tree.head();
    scene.tree.grow(1);
    scene.lure(16);
    await scene.ask(head);
    assert.deepEqual([scene.kinds, scene.lines], [[], [10]]);
    await scene.ask();
    assert.deepEqual([scene.kinds, scene.lines], [[], [10, 16]]);
    await scene.witnesses.close();
  });

  test('while sizes are tried, it is brought further up, and is found there', async () => {
    const scene = await lured();
    scene.tree.grow(40);
    scene.lure(20);
    let asked = 0;
    scene.fake.always = (honest) => {
      asked += 1;
      if (asked === 8) scene.lure(45);
      return honest();
    };
    await scene.ask();
    assert.deepEqual([scene.kinds, scene.lines, asked > 30], [[], [10, 50], true]);
    await scene.witnesses.close();
  });

  test('a head that is none of ours is a contradiction all the same', async () => {
    const scene = await lured((size) => size % 2 === 0);
    scene.tree.grow(40);
    scene.lure(21);
    await scene.ask();
    assert.deepEqual([scene.kinds, scene.lines], [['sizeless'], [10]]);
    await scene.witnesses.close();
  });
});

/** One log through a history of growth, restarts, and a witness that misbehaves without lying about what is in the tree. */
class History {
  readonly clock = new ManualClock(1_795_176_000_000);
  readonly fake = new FakeWitness(NAME);
  readonly tree = new GrowingTree(1);
  readonly conflicts: WitnessConflict[] = [];
  readonly faults: unknown[] = [];
  /** Sizes of heads that were brought to the witness, newest first. */
  readonly asked: number[] = [];
  lines = 0;
  witnesses: Witnesses;

  constructor(isSizeless: boolean) {
    this.fake.isSizeless = isSizeless;
    this.witnesses = this.#open(new Map());
  }

  #open(sizes: ReadonlyMap<string, number>): Witnesses {
    return new Witnesses({
      random: HALF,
      origin: FAKE_ORIGIN,
      witnesses: [this.fake.asked],
      proveConsistency: this.tree.proofs,
      rootOf: this.tree.rootOf,
      sizes,
      recentSizes: signed(() => this.asked),
      clock: this.clock,
      fetch: this.fake.fetch(this.clock),
      requestTimeoutMs: 1000,
      onSignal: (signal: AskingSignal) => {
        if (signal.event === 'fault') this.faults.push(signal.error);
      },
    });
  }

  async ask(): Promise<void> {
    const head = this.tree.head();
    if (this.asked[0] !== head.size) this.asked.unshift(head.size);
    const over = this.witnesses.ask([NAME], head, {
      deadlineMs: 500,
      enough: () => false,
      largestSize: () => this.tree.size,
      onLines: () => this.lines++,
      onConflict: (conflict) => this.conflicts.push(conflict),
    });
    await inTime(this.clock, over);
  }

  /** Dies, with what it remembered at `sizes`, and starts again. */
  async restart(sizes: ReadonlyMap<string, number>): Promise<void> {
    await this.witnesses.close();
    this.witnesses = this.#open(sizes);
    const onLateConflict = (conflict: WitnessConflict): void => void this.conflicts.push(conflict);
    const options = { ...starting(this.tree, 800), onLateConflict };
    const { conflicts } = await inTime(this.clock, this.witnesses.agree(this.tree.head(), options));
    this.conflicts.push(...conflicts);
  }
}

interface Step {
  readonly grow: number;
  readonly met: readonly Behaviour[];
  readonly passMs: number;
  readonly restarts: 'not' | 'remembering' | 'forgetting';
}

const OTHER = new FakeWitness('other.example', 99);
const anyReply = fc.constantFrom(
  ...[201, 204, 302, 400, 403, 404, 429, 500, 502, 503].map((status) => answers({ status })),
  answers({ status: 200 }),
  answers({ status: 200, body: 'x\n' }),
  answers({ status: 200, body: OTHER.lineOver('x\n1\n') }),
  answers({
    status: 200,
    body: OTHER.lineOver('x\n', { name: NAME, keyId: new FakeWitness(NAME).verifier.keyId }),
  }),
);
const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Behaviour>((honest) => honest()) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 3000 }).map(answersLate) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 6000 }).map(recordsLate) },
  { weight: 2, arbitrary: fc.constantFrom(breaks, breaksAfterwards) },
  { weight: 2, arbitrary: anyReply },
  // It does what it should, and says something else.
  {
    weight: 1,
    arbitrary: anyReply.map(
      (reply): Behaviour =>
        (honest, wait) => (honest(), reply(honest, wait)),
    ),
  },
  // A size that the tree had once.
  {
    weight: 2,
    arbitrary: fc
      .integer({ min: 0, max: 1 })
      .map((size) => answers({ status: 409, type: 'text/x.tlog.size', body: `${size}\n` })),
  },
);
const step: fc.Arbitrary<Step> = fc.record({
  grow: fc.integer({ min: 0, max: 4 }),
  met: fc.array(behaviour, { maxLength: 4 }),
  passMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3000 }), fc.constant(20_000)),
  restarts: fc.constantFrom('not', 'not', 'not', 'not', 'remembering', 'forgetting'),
});

const numRuns = SLOW ? 500 : 40;

async function live(history: History, steps: readonly Step[]): Promise<void> {
  let remembered = history.witnesses.sizes();
  for (const { grow, met, passMs, restarts } of steps) {
    history.tree.grow(grow);
    history.fake.next.push(...met);
    if (restarts !== 'not') {
      await history.restart(restarts === 'remembering' ? history.witnesses.sizes() : remembered);
    }
    await history.ask();
    if (passMs > 1000) remembered = history.witnesses.sizes();
    await pass(history.clock, passMs);
  }
}

test('one log has no conflict with a witness that is late, broken or confused, and has its lines in the end', async () => {
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.array(step, { minLength: 1, maxLength: 12 }),
    async (isSizeless, steps) => {
      const history = new History(isSizeless);
      await live(history, steps);
      history.fake.next.length = 0;
      await pass(history.clock, 25_000);
      history.tree.grow(1);
      const { lines } = history;
      await history.ask();
      await pass(history.clock, 25_000);
      assert.deepEqual([history.conflicts, history.faults], [[], []]);
      assert.ok(history.lines > lines, 'it recovers by itself');
      await history.witnesses.close();
    },
  );
  await fc.assert(property, { numRuns });
});

test('a copy that went another way, or is older, is always a conflict once the witness answers', async () => {
  const property = fc.asyncProperty(
    fc.boolean(),
    fc.array(step, { minLength: 1, maxLength: 8 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.integer({ min: 0, max: 12 }),
    fc.constantFrom('forgetting', 'remembering', 'asking'),
    async (isSizeless, steps, where, grown, how) => {
      const history = new History(isSizeless);
      history.tree.grow(2);
      await live(history, steps);
      history.fake.next.length = 0;
      await pass(history.clock, 25_000);
      await history.ask();
      await history.witnesses.close();
      const { size } = history.fake.recorded;
      assert.ok(size >= 3);
      const kept = 1 + Math.floor(where * (size - 2));
      const copy = history.tree.copy(kept, 'other');
      copy.grow(grown);
      const { fake } = history;
      const parts: Partial<WitnessesParts> = {
        sizes:
          how === 'forgetting' ? new Map() : new Map([[NAME, history.asked.find((one) => one <= kept) ?? 0]]),
        recentSizes: signed(() => upTo(copy.size)),
      };
      if (how !== 'asking') return void onlyConflict(await agree(fake, copy, parts));
      // It runs already, and does not ask whether it may start.
      const clock = new ManualClock(0);
      const witnesses = new Witnesses({
        random: HALF,
        origin: FAKE_ORIGIN,
        witnesses: [fake.asked],
        proveConsistency: copy.proofs,
        rootOf: copy.rootOf,
        sizes: new Map(),
        clock,
        fetch: fake.fetch(clock),
        ...parts,
      });
      const conflicts: WitnessConflict[] = [];
      const over = witnesses.ask([NAME], copy.head(), {
        deadlineMs: 500,
        enough: () => false,
        largestSize: () => copy.size,
        onLines: assert.fail,
        onConflict: (conflict) => conflicts.push(conflict),
      });
      await inTime(clock, over);
      assert.equal(conflicts.length, 1);
      assert.equal(fake.recorded.size, size, 'nothing of it was cosigned');
      await witnesses.close();
    },
  );
  await fc.assert(property, { numRuns });
});
