import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { equalBytes } from '../../src/core/bytes.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parsePolicy, type Policy } from '../../src/formats/tlog-policy.ts';
import { formatVkey } from '../../src/formats/vkey.ts';
import { parseNote } from '../../src/formats/note.ts';
import type { Publication } from '../../src/log/kept.ts';
import type { OpenOptions } from '../../src/log/open.ts';
import type { Batch, Store } from '../../src/storage/store.ts';
import { slotKey } from '../../src/storage/keys.ts';
import { COSIGNERS, FakeAsking, policyOf, WITNESS_VERIFIERS } from '../support/fake-asking.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SLOW } from '../support/slow.ts';
import { openTestLog, type TestLog, testEntry } from '../support/test-log.ts';

const INTERVAL_MS = 50;
const ALL = allOf([0, 1, 2]);

/** Of the witnesses with these numbers, all; of none, nobody. */
function allOf(numbers: readonly number[]): Policy {
  const names = numbers.map((i) => `w${i + 1}`);
  const witnesses = numbers.map((i) => `witness w${i + 1} ${formatVkey(COSIGNERS[i]!.vkey)}\n`).join('');
  const quorum =
    names.length > 0 ? `group all ${names.length} ${names.join(' ')}\nquorum all\n` : 'quorum none\n';
  return parsePolicy(encodeUtf8(`${witnesses}${quorum}`));
}

async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

function optionsOf(policy: Policy, asking: FakeAsking | undefined): Partial<OpenOptions> {
  return {
    publishIntervalMs: INTERVAL_MS,
    slots: { fast: { policy, deadlineMs: 500, intervalMs: INTERVAL_MS } },
    ...(asking && { asking }),
    witnessVerifiers: WITNESS_VERIFIERS,
  };
}

type Slots = Readonly<Partial<Record<'fast' | 'public', readonly number[] | undefined>>>;

/** Of each slot, the witnesses that all have to cosign. Nobody is asked. */
function optionsFor({ fast, public: slow }: Slots): Partial<OpenOptions> {
  const rhythm = { deadlineMs: 500, intervalMs: INTERVAL_MS };
  return {
    publishIntervalMs: INTERVAL_MS,
    witnessVerifiers: WITNESS_VERIFIERS,
    slots: {
      ...(fast && { fast: { policy: allOf(fast), ...rhythm } }),
      ...(slow && { public: { policy: allOf(slow), ...rhythm } }),
    },
  };
}

/** Of the slots `fast` and `public`, and of what is shown. */
function sizesIn({ log }: TestLog): unknown[] {
  return [log.publication('fast'), log.publication('public'), log.checkpoint].map((one) => one?.size);
}

async function grow(t: TestLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await t.append(testEntry(t.log.revealed.size));
    t.clock.advance(INTERVAL_MS);
    await settle();
  }
}

/** What a witness that is not asked hands in. */
async function handIn(
  { log }: TestLog,
  size: number,
  cosigners = COSIGNERS,
  timeS = 1_795_176_100,
): Promise<void> {
  const { text } = parseNote((await log.keptCheckpoint(size))!.checkpoint);
  await log.addLines(size, await Promise.all(cosigners.map((one) => one.cosign(text, timeS))));
}

/** A disk whose machine may die between two commits, and that tells of each moment before and after one. */
class Disk {
  /** Commits until the machine dies. */
  commitsLeft: number = Infinity;
  onMoment: () => void = () => {};
  /** Where set, each commit waits in it until it is let through. */
  gates: (() => void)[] | undefined;

  wrap(store: Store): Store {
    return {
      getMany: (keys) => store.getMany(keys),
      scan: (range) => store.scan(range),
      compact: (from, to) => store.compact(from, to),
      close: () => store.close(),
      commit: (batch) => this.#commit(store, batch),
    };
  }

  async #commit(store: Store, batch: Batch): Promise<void> {
    this.onMoment();
    const { gates } = this;
    if (gates) await new Promise<void>((resolve) => gates.push(resolve));
    // Nobody is told of the last one: it is on disk, and that is all.
    if (this.commitsLeft > 0) await store.commit(batch);
    this.commitsLeft -= 1;
    if (this.commitsLeft <= 0) await new Promise<never>(() => {});
    this.onMoment();
  }
}

describe('/checkpoint and the slots never go back', () => {
  test('under another policy, lines for what is smaller than what the slot held fill it no more', async () => {
    const asking = new FakeAsking();
    asking.down.add('w3');
    const first = await openTestLog({ open: optionsOf(policyOf('two'), asking) });
    await grow(first, 10);
    assert.deepEqual([first.log.publication('fast')?.size, first.log.checkpoint.size], [10, 10]);
    await first.log.close();

    const { clock } = first;
    const second = await openTestLog({ existing: first, clock, open: optionsOf(ALL, undefined) });
    assert.equal(second.log.publication('fast'), undefined, 'what two had cosigned is not met by all');
    await handIn(second, 2);
    assert.equal(second.log.publication('fast'), undefined);
    assert.equal(second.log.checkpoint.size, 10);
    await handIn(second, 10);
    assert.equal(second.log.publication('fast')?.size, 10);
    await second.log.close();

    const third = await openTestLog({ existing: second, clock, open: optionsOf(ALL, undefined) });
    assert.deepEqual([third.log.publication('fast')?.size, third.log.checkpoint.size], [10, 10]);
    await third.log.close();
  });

  test('where a slot is filled for the first time with less than was shown, that goes on being shown, after restarts too', async () => {
    const policy = policyOf('two');
    const first = await openTestLog({ open: optionsOf(policy, undefined) });
    await grow(first, 5);
    assert.equal(first.log.checkpoint.size, 5, 'nobody has cosigned anything');
    await handIn(first, 3);
    assert.deepEqual([first.log.publication('fast')?.size, first.log.checkpoint.size], [3, 5]);
    await first.log.close();

    const { clock } = first;
    const second = await openTestLog({ existing: first, clock, open: optionsOf(policy, undefined) });
    assert.deepEqual([second.log.publication('fast')?.size, second.log.checkpoint.size], [3, 5]);
    await grow(second, 2);
    await handIn(second, 4);
    assert.equal(second.log.checkpoint.size, 5, 'neither less, nor what nobody has cosigned');
    await handIn(second, 6);
    assert.equal(second.log.checkpoint.size, 6);
    await second.log.close();

    const third = await openTestLog({ existing: second, clock, open: optionsOf(policy, undefined) });
    assert.equal(third.log.checkpoint.size, 6);
    await third.log.close();
  });

  test('what is shown while the slot is being filled for the first time is no more than what is kept of it', async () => {
    const disk = new Disk();
    const t = await openTestLog({
      wrapStore: (store) => disk.wrap(store),
      open: optionsOf(policyOf('two'), undefined),
    });
    await grow(t, 5);
    await t.append(testEntry(5));
    assert.deepEqual([t.log.revealed.size, t.log.checkpoint.size], [6, 5]);
    const gates: (() => void)[] = (disk.gates = []);
    t.clock.advance(INTERVAL_MS);
    await settle();
    const handing = handIn(t, 3);
    await settle();
    // The publication of 6 is durable, and the slot is not yet.
    gates.shift()!();
    await settle();
    assert.deepEqual(
      [t.log.published.size, t.log.publication('fast'), t.log.checkpoint.size],
      [6, undefined, 5],
    );
    disk.gates = undefined;
    gates.shift()!();
    await handing;
    assert.deepEqual([t.log.publication('fast')?.size, t.log.checkpoint.size], [3, 5]);
    const again = await t.reopen();
    assert.deepEqual([again.log.published.size, again.log.checkpoint.size], [6, 5], 'what was shown');
    await again.log.close();
  });

  test('a policy that is changed and changed back shows no less than was shown meanwhile', async () => {
    const two = policyOf('two');
    for (const meanwhile of [undefined, ALL]) {
      const asking = new FakeAsking();
      asking.down.add('w3');
      const first = await openTestLog({ open: optionsOf(two, asking) });
      await grow(first, 10);
      assert.deepEqual([first.log.publication('fast')?.size, first.log.checkpoint.size], [10, 10]);
      await first.log.close();

      const { clock } = first;
      const open = meanwhile
        ? optionsOf(meanwhile, undefined)
        : { publishIntervalMs: INTERVAL_MS, witnessVerifiers: WITNESS_VERIFIERS };
      const second = await openTestLog({ existing: first, clock, open });
      await grow(second, 5);
      assert.equal(second.log.checkpoint.size, 15);
      await second.log.close();

      const third = await openTestLog({ existing: second, clock, open: optionsOf(two, undefined) });
      assert.deepEqual([third.log.publication('fast')?.size, third.log.checkpoint.size], [10, 15]);
      await grow(third, 2);
      assert.equal(third.log.checkpoint.size, 15, 'nobody has cosigned more');
      await handIn(third, 16);
      assert.equal(third.log.checkpoint.size, 16);
      await third.log.close();

      const fourth = await openTestLog({ existing: third, clock, open: optionsOf(two, undefined) });
      assert.deepEqual([fourth.log.publication('fast')?.size, fourth.log.checkpoint.size], [16, 16]);
      await fourth.log.close();
    }
  });

  test('under another policy, a start that only reads shows no more than slots held, until it begins', async () => {
    const asking = new FakeAsking();
    asking.down.add('w3');
    const first = await openTestLog({ open: optionsOf(policyOf('two'), asking) });
    await grow(first, 10);
    asking.down.add('w1').add('w2');
    await grow(first, 2);
    assert.deepEqual([first.log.published.size, first.log.checkpoint.size], [12, 10]);
    await first.log.close();
    const { clock } = first;
    const second = await openTestLog({
      existing: first,
      clock,
      open: { ...optionsOf(ALL, undefined), isHeld: true },
    });
    assert.equal(second.log.checkpoint.size, 10);
    await second.log.begin();
    assert.equal(second.log.checkpoint.size, 12);
    await second.log.close();
    const third = await openTestLog({ existing: second, clock, open: optionsOf(policyOf('two'), undefined) });
    assert.deepEqual([third.log.publication('fast')?.size, third.log.checkpoint.size], [10, 12]);
    await third.log.close();
  });

  test('a slot that is no longer configured leaves what it showed', async () => {
    const asking = new FakeAsking();
    const policy = policyOf('two');
    const slot = { policy, deadlineMs: 500, intervalMs: INTERVAL_MS };
    const both = { ...optionsOf(ALL, asking), slots: { fast: { ...slot, policy: ALL }, public: slot } };
    const first = await openTestLog({ open: both });
    await grow(first, 2);
    await handIn(first, 2);
    asking.down.add('w3');
    await grow(first, 3);
    const sizes = ({ log }: TestLog): unknown[] =>
      [log.publication('fast'), log.publication('public'), log.checkpoint].map((one) => one?.size);
    assert.deepEqual(sizes(first), [2, 5, 5]);
    await first.log.close();
    const { clock } = first;
    const second = await openTestLog({ existing: first, clock, open: optionsOf(ALL, undefined) });
    assert.deepEqual(sizes(second), [2, undefined, 5]);
    await second.log.close();
  });

  test('a restart shows the strongest slot again, though a weaker one holds more', async () => {
    const open = optionsFor({ fast: [0, 1], public: [2] });
    const first = await openTestLog({ open });
    await grow(first, 5);
    await handIn(first, 5);
    await grow(first, 5);
    await handIn(first, 10, COSIGNERS.slice(0, 2));
    assert.deepEqual(sizesIn(first), [10, 5, 5]);
    await first.log.close();

    const held = await openTestLog({ existing: first, open: { ...open, isHeld: true } });
    assert.deepEqual(held.log.checkpoint.checkpoint, first.log.checkpoint.checkpoint);
    await held.log.begin();
    assert.deepEqual(held.log.checkpoint.checkpoint, first.log.checkpoint.checkpoint);
    assert.equal(await held.store.getMany([slotKey('shown')]).then(([row]) => row), undefined);
    await handIn(held, 6, COSIGNERS.slice(2));
    assert.deepEqual(sizesIn(held), [10, 6, 6]);
    await held.log.close();
  });

  test('where the strongest slot counts no more, the next one is shown, and no less when that one counts again', async () => {
    const both = optionsFor({ fast: [0, 1], public: [2] });
    const first = await openTestLog({ open: both });
    await grow(first, 5);
    await handIn(first, 5);
    await grow(first, 5);
    await handIn(first, 10, COSIGNERS.slice(0, 2));
    await first.log.close();

    const begun = await openTestLog({ existing: first, open: optionsFor({ fast: [0, 1] }) });
    assert.deepEqual(sizesIn(begun), [10, undefined, 10]);
    await begun.log.close();
    const back = await openTestLog({ existing: begun, open: both });
    assert.deepEqual(sizesIn(back), [10, 5, 10], 'nothing but the start itself has told of it');
    await back.log.close();

    const second = await openTestLog({ existing: back, open: optionsFor({ fast: [0, 1] }) });
    assert.deepEqual(sizesIn(second), [10, undefined, 10]);
    await grow(second, 4);
    await handIn(second, 12, COSIGNERS.slice(0, 2));
    assert.deepEqual(sizesIn(second), [12, undefined, 12]);
    await second.log.close();

    const third = await openTestLog({ existing: second, open: both });
    assert.deepEqual(sizesIn(third), [12, 5, 12], 'not 14, which is published');
    assert.deepEqual(third.log.checkpoint.checkpoint, second.log.checkpoint.checkpoint);
    await handIn(third, 14, COSIGNERS.slice(0, 2));
    assert.deepEqual(sizesIn(third), [14, 5, 12]);
    await third.log.close();

    const fourth = await openTestLog({ existing: third, open: both });
    assert.deepEqual(sizesIn(fourth), [14, 5, 12], 'what was shown, after one more restart too');
    await handIn(fourth, 13, COSIGNERS.slice(2));
    assert.deepEqual(sizesIn(fourth), [14, 13, 13]);
    await fourth.log.close();
  });

  test('of two publications of one size, the one that was shown is shown again', async () => {
    const first = await openTestLog({ open: optionsFor({ fast: [0], public: [1] }) });
    await grow(first, 3);
    await handIn(first, 3, COSIGNERS.slice(0, 1));
    await handIn(first, 3, COSIGNERS.slice(1, 2));
    await handIn(first, 3, COSIGNERS.slice(0, 1), 1_795_176_101);
    await first.log.close();

    const second = await openTestLog({ existing: first, open: optionsFor({ fast: [0] }) });
    await handIn(second, 3, COSIGNERS.slice(0, 1), 1_795_176_102);
    const { checkpoint } = second.log.checkpoint;
    assert.deepEqual(checkpoint, second.log.publication('fast')!.checkpoint);
    await second.log.close();

    const third = await openTestLog({
      existing: second,
      open: { ...optionsFor({ fast: [0] }), isHeld: true },
    });
    assert.deepEqual(third.log.checkpoint.checkpoint, checkpoint);
    await third.log.close();
  });

  test('while a slot is being filled, it is shown as it is, though nobody has looked before', async () => {
    const disk = new Disk();
    const open = optionsFor({ fast: [0] });
    const t = await openTestLog({ open, wrapStore: (store) => disk.wrap(store) });
    await grow(t, 3);
    await handIn(t, 1);
    assert.deepEqual(sizesIn(t), [1, undefined, 1]);
    await handIn(t, 2);
    const gates: (() => void)[] = (disk.gates = []);
    const handing = handIn(t, 3);
    await settle();
    assert.deepEqual(sizesIn(t), [2, undefined, 2]);
    disk.gates = undefined;
    gates.shift()!();
    await handing;
    assert.deepEqual(sizesIn(t), [3, undefined, 3]);
    await t.log.close();
  });

  test('lines that are handed in while a start begins do not have more shown than what is kept of it', async () => {
    const first = await openTestLog({ open: optionsFor({ fast: [0, 1] }) });
    await grow(first, 12);
    await handIn(first, 10, COSIGNERS.slice(0, 2));
    await handIn(first, 12, COSIGNERS.slice(0, 1));
    await first.log.close();

    const disk = new Disk();
    const second = await openTestLog({
      existing: first,
      open: { ...optionsFor({ fast: [0, 1, 2] }), isHeld: true },
      wrapStore: (store) => disk.wrap(store),
    });
    assert.deepEqual([second.log.published.size, ...sizesIn(second)], [12, undefined, undefined, 10]);
    const gates: (() => void)[] = (disk.gates = []);
    const beginning = second.log.begin();
    await settle();
    const handing = handIn(second, 10);
    await settle();
    gates.shift()!();
    await beginning;
    await settle();
    assert.deepEqual(sizesIn(second), [undefined, undefined, 10], 'the start is durable, the slot is not');
    disk.gates = undefined;
    gates.shift()!();
    await handing;
    assert.deepEqual(sizesIn(second), [10, undefined, 10]);
    await second.log.close();

    const third = await openTestLog({ existing: second, open: optionsFor({ fast: [0, 1, 2] }) });
    assert.deepEqual(sizesIn(third), [10, undefined, 10]);
    await third.log.close();
  });
});

const NUM_RUNS = SLOW ? 1000 : 40;

type Step =
  | { readonly kind: 'grow'; readonly count: number }
  /** Lines of these witnesses, for the head so many leaves before the newest. */
  | { readonly kind: 'hand in'; readonly back: number; readonly numbers: readonly number[] };

interface Run {
  readonly slots: Slots;
  readonly steps: readonly Step[];
  /** Where it dies, these steps are taken at once, and so many commits happen; before it begins, where nothing is said. */
  readonly end: { readonly together: readonly Step[]; readonly commits: number } | 'closed' | 'begin';
}

const numbersOfWitnesses = fc.oneof(fc.subarray([0, 1, 2]), fc.constantFrom([0, 1], [2]));
const someSteps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('grow' as const), count: fc.integer({ min: 1, max: 3 }) }),
    fc.record({
      kind: fc.constant('hand in' as const),
      back: fc.integer({ min: 0, max: 4 }),
      numbers: numbersOfWitnesses,
    }),
  ),
  { maxLength: 6 },
);
const someRuns: fc.Arbitrary<Run[]> = fc.array(
  fc.record({
    slots: fc.oneof(
      fc.constantFrom({ fast: [0, 1], public: [2] }, { fast: [0, 1] }),
      fc
        .record({ fast: fc.option(numbersOfWitnesses), public: fc.option(numbersOfWitnesses) })
        .map(({ fast, public: slow }) => ({ ...(fast && { fast }), ...(slow && { public: slow }) })),
    ),
    steps: someSteps,
    end: fc.oneof(
      fc.constantFrom('closed' as const, 'closed' as const, 'begin' as const),
      fc.record({ together: someSteps, commits: fc.integer({ min: 0, max: 4 }) }),
    ),
  }),
  { minLength: 2, maxLength: 7 },
);

/** What `/checkpoint` has to show after it has shown `before`. */
function toBeShown({ log }: TestLog, before: Publication): Publication {
  const strongest = log.publication('public') ?? log.publication('fast') ?? log.published;
  return strongest.size >= before.size ? strongest : before;
}

async function play(runs: readonly Run[]): Promise<void> {
  let t = await openTestLog({ open: { ...optionsFor({}), isHeld: true } });
  let before = t.log.checkpoint;
  let isKnown = true;
  let timeS = 1_795_176_000;
  const assertShows = (publication: Publication, what: string): void => {
    const { size, checkpoint } = t.log.checkpoint;
    assert.equal(size, publication.size, what);
    assert.ok(equalBytes(checkpoint, publication.checkpoint), `${what}: the lines too`);
  };
  const take = async (step: Step): Promise<void> => {
    if (step.kind === 'grow') return grow(t, step.count);
    const size = t.log.published.size - step.back;
    if (size < 1 || !(await t.log.keptCheckpoint(size))) return;
    timeS += 1;
    await handIn(t, size, step.numbers.map((i) => COSIGNERS[i]!), timeS); // prettier-ignore
  };

  for (const { slots, steps, end } of runs) {
    const disk = new Disk();
    t = await openTestLog({
      existing: { ...t, clock: new ManualClock(t.clock.now()) },
      open: { ...optionsFor(slots), isHeld: true },
      wrapStore: (store) => disk.wrap(store),
    });
    // Whatever the policies are now: until something is written, it is what it was.
    if (isKnown) assertShows(before, 'a start shows what was shown');
    const watched = t.log;
    let { size } = before;
    disk.onMoment = () => {
      assert.ok(watched.checkpoint.size >= size, `${watched.checkpoint.size} is shown after ${size}`);
      ({ size } = watched.checkpoint);
    };
    disk.onMoment();
    before = t.log.checkpoint;
    isKnown = end === 'closed' || (end !== 'begin' && end.together.length === 0);
    if (end === 'begin') {
      disk.commitsLeft = 1;
      void t.log.begin();
      await settle();
      disk.onMoment();
      before = t.log.checkpoint;
      continue;
    }
    await t.log.begin();
    before = toBeShown(t, before);
    assertShows(before, 'a start that has begun');
    for (const step of steps) {
      await take(step);
      before = toBeShown(t, before);
      assertShows(before, step.kind);
    }
    if (end === 'closed') {
      await t.log.close();
      before = toBeShown(t, before);
      assertShows(before, 'the end');
      continue;
    }
    disk.commitsLeft = end.commits;
    for (const step of end.together) {
      void take(step);
      await new Promise((resolve) => setImmediate(resolve));
      disk.onMoment();
    }
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      disk.onMoment();
    }
    disk.commitsLeft = 0;
    before = t.log.checkpoint;
  }
}

test('what is shown never goes back, whatever the policies of each start are, and wherever it ends', async () => {
  await fc.assert(fc.asyncProperty(someRuns, play), { numRuns: NUM_RUNS });
});
