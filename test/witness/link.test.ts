import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type HeadToCosign,
  type WitnessConflict,
  Witnesses,
  type WitnessesParts,
} from '../../src/witness/ask.ts';
import { Breaker, OPEN_MS, OPENS_AT } from '../../src/witness/breaker.ts';
import { SharedProofs } from '../../src/witness/shared-proofs.ts';
import type { AskingSignal } from '../../src/witness/signals-asking.ts';
import { Standing } from '../../src/witness/standing.ts';
import {
  answers,
  answersLate,
  FAKE_ORIGIN,
  FakeWitness,
  GrowingTree,
  inTime,
  pass,
  recordsLate,
  turns,
  starting,
} from '../support/fake-witness.ts';
import { ManualClock } from '../support/manual-clock.ts';

const NAME = 'w.example';

/** One witness, in a time that the test lets pass. */
class Scene {
  readonly clock = new ManualClock(1_795_176_000_000);
  readonly fake = new FakeWitness(NAME);
  readonly tree = new GrowingTree(10);
  readonly signals: AskingSignal[] = [];
  /** Sizes of heads that lines came for, in order. */
  readonly lines: number[] = [];
  readonly conflicts: WitnessConflict[] = [];
  readonly witnesses: Witnesses;

  constructor(parts: Partial<WitnessesParts> & { requestsPerDay?: number } = {}) {
    const { requestsPerDay, ...others } = parts;
    this.witnesses = new Witnesses({
      origin: FAKE_ORIGIN,
      witnesses: [{ ...this.fake.asked, requestsPerDay }],
      proveConsistency: this.tree.proofs,
      rootOf: this.tree.rootOf,
      sizes: new Map(),
      clock: this.clock,
      fetch: this.fake.fetch(this.clock),
      onSignal: (signal) => this.signals.push(signal),
      random: () => 1,
      ...others,
    });
  }

  /** Resolves when the asking is over. */
  ask(head: HeadToCosign = this.tree.head(), deadlineMs = 500): Promise<void> {
    return this.witnesses.ask([NAME], head, {
      deadlineMs,
      enough: () => false,
      largestSize: () => this.tree.size,
      onLines: () => this.lines.push(head.size),
      onConflict: (conflict) => this.conflicts.push(conflict),
    });
  }

  get state() {
    return this.witnesses.states[0]!;
  }

  get olds(): number[] {
    return this.fake.requests.map(({ old }) => old);
  }

  told(event: AskingSignal['event']): number {
    return this.signals.filter((signal) => signal.event === event).length;
  }
}

describe('one request at a time', () => {
  test('the newest head that is wanted takes the place of those that wait', async () => {
    const scene = new Scene();
    scene.fake.next.push(answersLate(1000));
    const over = [scene.ask()];
    for (let i = 0; i < 5; i++) {
      scene.tree.grow(1);
      over.push(scene.ask());
    }
    await pass(scene.clock, 400);
    assert.equal(scene.fake.requests.length, 1);
    await inTime(scene.clock, Promise.all(over));
    await pass(scene.clock, 1000);
    assert.deepEqual(
      scene.fake.requests.map(({ size }) => size),
      [10, 15],
    );
    assert.deepEqual(scene.lines, [10, 15]);
  });

  test('two that want the same head share a request, and its lines', async () => {
    const scene = new Scene();
    scene.fake.next.push(answersLate(100));
    await inTime(scene.clock, Promise.all([scene.ask(), scene.ask()]));
    assert.deepEqual(scene.lines, [10, 10]);
    assert.equal(scene.fake.requests.length, 1);
  });

  test('lines are given again for a minute; then the witness is asked for fresh ones', async () => {
    const scene = new Scene();
    await inTime(scene.clock, scene.ask());
    await pass(scene.clock, 58_000);
    await inTime(scene.clock, scene.ask());
    assert.equal(scene.fake.requests.length, 1);
    await pass(scene.clock, 3000);
    await inTime(scene.clock, scene.ask());
    assert.deepEqual(scene.lines, [10, 10, 10]);
    assert.deepEqual(scene.olds, [0, 10]);
  });

  test('for a smaller head than it has cosigned, a witness is not asked', async () => {
    const scene = new Scene();
    const small = scene.tree.head();
    scene.tree.grow(5);
    await inTime(scene.clock, scene.ask());
    await inTime(scene.clock, scene.ask(small));
    assert.equal(scene.fake.requests.length, 1);
    assert.deepEqual(scene.lines, [15]);
  });

  test('a witness that has cosigned a larger head of ours is ahead, which is neither failure nor conflict', async () => {
    const scene = new Scene();
    const small = scene.tree.head();
    scene.tree.grow(5);
    scene.fake.recorded = scene.tree.head();
    await inTime(scene.clock, scene.ask(small));
    assert.deepEqual([scene.lines, scene.conflicts, scene.state.state, scene.state.size], [[], [], 'ok', 15]);
    await inTime(scene.clock, scene.ask());
    assert.deepEqual(scene.lines, [15]);
  });
});

describe('a witness that fails', () => {
  test('is asked again by itself, less and less often, until it answers', async () => {
    const scene = new Scene();
    scene.fake.always = answers({ status: 500 });
    await inTime(scene.clock, scene.ask());
    assert.equal(scene.fake.requests.length, 1);
    await pass(scene.clock, 3500);
    assert.equal(scene.fake.requests.length, OPENS_AT, 'after 200, 400, 800 and 1,600 ms');
    assert.equal(scene.state.state, 'open');
    assert.equal(scene.told('opened'), 1);
    await pass(scene.clock, OPEN_MS - 1000);
    assert.equal(scene.fake.requests.length, OPENS_AT);
    await pass(scene.clock, 2000);
    assert.equal(scene.fake.requests.length, OPENS_AT + 1, 'one trial, and open again');
    scene.fake.always = (honest) => honest();
    await pass(scene.clock, OPEN_MS);
    assert.deepEqual(scene.lines, [10]);
    assert.deepEqual([scene.state.state, scene.state.why], ['ok', undefined]);
    assert.deepEqual(
      [scene.told('recovered'), scene.told('late'), scene.told('failed')],
      [1, 1, OPENS_AT + 1],
    );
  });

  test('while it is left alone, an asking is over at once', async () => {
    const scene = new Scene();
    scene.fake.isDown = true;
    await inTime(scene.clock, scene.ask());
    await pass(scene.clock, 4000);
    const { length } = scene.fake.requests;
    scene.tree.grow(1);
    let isOver = false;
    void scene.ask().then(() => (isOver = true));
    await turns();
    assert.ok(isOver);
    assert.equal(scene.fake.requests.length, length);
    scene.fake.isDown = false;
    await pass(scene.clock, OPEN_MS);
    assert.deepEqual(scene.lines, [11], 'the newest head that is wanted');
  });

  test('the wait doubles, with some chance in it, and is long once it has failed often', () => {
    const [longest, shortest] = [new Breaker(() => 1), new Breaker(() => 0)];
    const waits = Array.from({ length: 6 }, () => longest.fail(1000));
    assert.deepEqual(waits, [200, 400, 800, 1600, OPEN_MS, OPEN_MS]);
    assert.deepEqual(
      Array.from({ length: 6 }, () => shortest.fail(0)),
      waits.map((ms) => ms / 2),
    );
    assert.equal(longest.waitMs(1000), OPEN_MS);
    assert.equal(longest.waitMs(1000 + OPEN_MS), 0);
    longest.succeed();
    assert.deepEqual([longest.failures, longest.isOpen, longest.waitMs(0)], [0, false, 0]);
  });

  test('sizes that go round in circles come to an end, and are no conflict', async () => {
    const scene = new Scene();
    let size = 0;
    scene.fake.always = () => ({ status: 409, type: 'text/x.tlog.size', body: `${++size % 9}\n` });
    await inTime(scene.clock, scene.ask());
    assert.ok(scene.fake.requests.length < 10);
    assert.match(scene.state.why ?? '', /another size/);
    assert.deepEqual(scene.conflicts, []);
  });
});

describe('a witness with a budget', () => {
  test('is held back when it is used up, retries counted; the newest head goes when there is more', async () => {
    const scene = new Scene({ requestsPerDay: 24 });
    scene.fake.next.push(answers({ status: 500 }));
    await inTime(scene.clock, scene.ask());
    assert.equal(scene.state.state, 'over_budget');
    assert.match(scene.state.why ?? '', /grants/);
    for (let i = 0; i < 3; i++) {
      scene.tree.grow(1);
      await inTime(scene.clock, scene.ask());
    }
    await pass(scene.clock, 3_500_000, 20_000);
    assert.equal(scene.fake.requests.length, 1);
    await pass(scene.clock, 200_000, 20_000);
    assert.deepEqual(
      scene.fake.requests.map(({ size }) => size),
      [10, 13],
    );
    assert.deepEqual([scene.lines, scene.state.state], [[13], 'ok']);
  });

  test('a 409 costs a request of it too, and its size is not forgotten', async () => {
    const scene = new Scene({ requestsPerDay: 24 });
    scene.fake.recorded = scene.tree.head(4);
    await inTime(scene.clock, scene.ask());
    assert.deepEqual(scene.olds, [0]);
    scene.tree.grow(1);
    await inTime(scene.clock, scene.ask());
    await pass(scene.clock, 3_700_000, 20_000);
    assert.deepEqual(scene.olds, [0, 4]);
    assert.deepEqual(scene.lines, [11]);
  });
});

describe('our own requests of before, seen late, are no conflict', () => {
  for (const isSizeless of [false, true]) {
    test(`where the answer was lost${isSizeless ? ', and no size is told' : ''}`, async () => {
      const scene = new Scene({ requestTimeoutMs: 300 });
      scene.fake.isSizeless = isSizeless;
      await inTime(scene.clock, scene.ask());
      scene.fake.next.push(answersLate(60_000), answersLate(60_000));
      for (let i = 0; i < 4; i++) {
        scene.tree.grow(3);
        await inTime(scene.clock, scene.ask());
        await pass(scene.clock, 400);
      }
      await pass(scene.clock, 5000);
      assert.deepEqual(scene.conflicts, []);
      assert.equal(scene.lines.at(-1), 22);
      assert.equal(scene.told('fault'), 0);
    });

    test(`where it is recorded only after it was given up${isSizeless ? ', and no size is told' : ''}`, async () => {
      const scene = new Scene({ requestTimeoutMs: 300 });
      scene.fake.isSizeless = isSizeless;
      await inTime(scene.clock, scene.ask());
      scene.fake.next.push(recordsLate(700), recordsLate(450), recordsLate(2000));
      for (let i = 0; i < 6; i++) {
        scene.tree.grow(2);
        await inTime(scene.clock, scene.ask());
        await pass(scene.clock, 250);
      }
      await pass(scene.clock, 20_000);
      assert.deepEqual(scene.conflicts, []);
      assert.equal(scene.lines.at(-1), 22);
    });
  }

  test('sizes at which a witness may stand are tried upwards, so that none that is recorded meanwhile is missed', () => {
    const standing = new Standing(100);
    standing.unanswered(100, 110);
    standing.unanswered(110, 120);
    assert.deepEqual(standing.candidates(130, [90, 125, 131]), [130, 120, 0, 90, 100, 110, 120, 125, 130]);
    assert.ok(standing.isOneOfCandidates(130));
    assert.ok(!standing.isOneOfCandidates(115), 'one of ours that is larger may be recorded');
    standing.is(110);
    assert.deepEqual(
      standing.candidates(130, []),
      [130, 120, 0, 110, 120, 130],
      'from 110 one may still come',
    );
    standing.is(120);
    assert.deepEqual(standing.candidates(130, []), [130, 0, 120, 130]);
    for (let size = 200; size < 300; size++) standing.unanswered(120, size);
    assert.ok(!standing.isOneOfCandidates(1000), 'more than are remembered');
    assert.ok(standing.candidates(1000, []).length < 80);
  });
});

test('proofs are made once, while they are made too, and not kept where they fail', async () => {
  const made: string[] = [];
  const proofs = new SharedProofs(async (old, size) => {
    made.push(`${old}:${size}`);
    if (old === 3) throw new Error('disk');
    return [Uint8Array.of(old)];
  });
  const [a, b] = await Promise.all([proofs.of(1, 9), proofs.of(1, 9)]);
  assert.equal(a, b);
  assert.equal(await proofs.of(1, 9), a);
  assert.deepEqual([await proofs.of(0, 9), await proofs.of(9, 9)], [[], []]);
  await assert.rejects(proofs.of(3, 9));
  await assert.rejects(proofs.of(3, 9));
  assert.deepEqual(made, ['1:9', '3:9', '3:9']);
  for (let size = 10; size < 80; size++) await proofs.of(1, size);
  await proofs.of(1, 9);
  assert.equal(made.at(-1), '1:9', 'the one used longest ago makes room');
});

test('what is under way is called off by close, and whoever waits is told', async () => {
  const scene = new Scene();
  scene.fake.next.push(answersLate(4000));
  const over = scene.ask();
  await turns();
  scene.tree.grow(1);
  const second = scene.ask();
  await scene.witnesses.close();
  await Promise.all([over, second]);
  await scene.ask();
  assert.deepEqual([scene.fake.requests.length, scene.lines, scene.conflicts], [1, [], []]);
  assert.equal(scene.told('failed'), 0);
});

test('a listener that throws hurts nobody', async () => {
  const scene = new Scene();
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  const witnesses = new Witnesses({
    origin: FAKE_ORIGIN,
    witnesses: [scene.fake.asked],
    proveConsistency: scene.tree.proofs,
    rootOf: scene.tree.rootOf,
    sizes: new Map(),
    clock: scene.clock,
    fetch: scene.fake.fetch(scene.clock),
    onSignal: () => {
      throw new Error('a log line that could not be written');
    },
  });
  const { agreed } = await inTime(
    scene.clock,
    witnesses.agree(scene.tree.head(), starting(scene.tree, 1000)),
  );
  assert.deepEqual(agreed, [NAME]);
  assert.match((await warned).message, /log line/);
});
