import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { formatEvidenceBundle, parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import type { LogSource } from '../../src/client/source.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { NewelError } from '../../src/errors.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { compareHeads, type Comparison, findRollback, type HeadSeen } from '../../src/monitor/compare.ts';
import { type HeadOptions, PlayedLog, playedWitness } from '../support/played-log.ts';
import { SLOW } from '../support/slow.ts';

const WITNESS = playedWitness('witness.example/w1');
const trust = parseTrust(new PlayedLog().trustFile([WITNESS]), { mldsa44: nobleMldsa44 });

async function seen(log: PlayedLog, size: number, options: HeadOptions = {}): Promise<HeadSeen> {
  const root = options.root ?? log.root(size);
  return { checkpoint: await log.head(size, options), size, root, source: 'test', timeMs: 0 };
}

/** Both ways around, which have to say the same. */
async function compareBoth(a: HeadSeen, b: HeadSeen, ofA: LogSource, ofB: LogSource): Promise<Comparison> {
  const one = await compareHeads(a, b, { a: ofA, b: ofB });
  assert.deepEqual((await compareHeads(b, a, { a: ofB, b: ofA })).kind, one.kind);
  return one;
}

test('heads of one tree are consistent, whoever has its tiles', async () => {
  const log = new PlayedLog(700);
  const none = new PlayedLog();
  for (const [m, n] of [
    [1, 2],
    [0, 700],
    [255, 256],
    [256, 257],
    [512, 700],
    [699, 700],
    [700, 700],
  ] as const) {
    const heads = [await seen(log, m), await seen(log, n)] as const;
    assert.deepEqual(await compareBoth(...heads, log, log), { kind: 'consistent' });
    assert.deepEqual(await compareBoth(...heads, log, none), { kind: 'consistent' }, 'from the other one');
    assert.deepEqual(await compareBoth(...heads, none, log), { kind: 'consistent' });
  }
});

test('heads of two trees are told apart wherever one has the tiles of the larger, and the evidence verifies', async () => {
  const honest = new PlayedLog(700);
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 600 }),
      fc.integer({ min: 1, max: 700 }),
      fc.integer({ min: 1, max: 700 }),
      async (parting, ofHonest, ofForked) => {
        const forked = honest.fork(parting).grow(700 - parting, 'other');
        const heads = [await seen(honest, ofHonest), await seen(forked, ofForked)] as const;
        const found = await compareBoth(...heads, honest, forked);
        if (Math.min(ofHonest, ofForked) <= parting) {
          assert.deepEqual(found, { kind: 'consistent' });
          return;
        }
        assert.ok(found.kind === 'evidence');
        const bundle = parseEvidenceBundle(formatEvidenceBundle(found.bundle));
        const { kind, sizes } = verifyEvidenceBundle(bundle, { trust });
        assert.equal(kind, 'fork');
        assert.deepEqual(
          [...sizes],
          [ofHonest, ofForked].sort((a, b) => a - b),
        );
      },
    ),
    { numRuns: SLOW ? 1000 : 40 },
  );
});

test('without the tiles of the larger tree nothing is said', async () => {
  const honest = new PlayedLog(300);
  const forked = honest.fork(100).grow(300, 'other');
  const heads = [await seen(honest, 250), await seen(forked, 400)] as const;
  const found = await compareBoth(...heads, honest, honest);
  assert.equal(found.kind, 'undecided');
  forked.isUp = false;
  assert.equal((await compareBoth(...heads, honest, forked)).kind, 'undecided');
  forked.isUp = true;
  assert.equal((await compareBoth(...heads, honest, forked)).kind, 'evidence');
});

test('tiles that somebody has changed are no evidence', async () => {
  const log = new PlayedLog(1000);
  const heads = [await seen(log, 300), await seen(log, 1000)] as const;
  for (const at of [0, 31, 4000]) {
    const damaged: LogSource = {
      async read(path) {
        const data = await log.read(path);
        if (data) data[at % data.length]! ^= 1;
        return data;
      },
    };
    const found = await compareHeads(...heads, { a: damaged, b: damaged });
    assert.equal(found.kind, 'undecided');
    assert.deepEqual(await compareHeads(...heads, { a: log, b: damaged }), { kind: 'consistent' });
  }
});

test('a head of no leaves says nothing of any other tree', async () => {
  const log = new PlayedLog(10);
  const wrong = await seen(log, 0, { root: log.root(3) });
  assert.equal((await compareBoth(wrong, await seen(log, 10), log, log)).kind, 'undecided');
  assert.equal(
    (await compareBoth(wrong, await seen(log, 0), log, log)).kind,
    'evidence',
    'two heads of one size',
  );
});

test('heads of two logs are not compared', async () => {
  const [a, b] = [new PlayedLog(1), new PlayedLog(1, 'log.example/else')];
  await assert.rejects(compareHeads(await seen(a, 1), await seen(b, 1), { a, b }), RangeError);
});

test('what is no fault of a source is thrown', async () => {
  const log = new PlayedLog(10);
  const broken: LogSource = { read: () => Promise.reject(new TypeError('stop')) };
  const heads = [await seen(log, 3), await seen(log, 10)] as const;
  await assert.rejects(compareHeads(...heads, { a: broken, b: broken }), TypeError);
  const gone: LogSource = { read: () => Promise.reject(new NewelError('unreachable', 'gone')) };
  assert.deepEqual(await compareHeads(...heads, { a: gone, b: gone }), { kind: 'undecided', why: 'gone' });
});

test('a rollback is found among many heads', async () => {
  const log = new PlayedLog(400);
  const at = (size: number, timeS: number): Promise<HeadSeen> =>
    seen(log, size, { witnesses: [[WITNESS, timeS]] });
  const grown = await Promise.all([
    at(10, 100),
    at(10, 110),
    at(20, 110),
    at(300, 120),
    seen(log, 400, { timeS: 1 }),
  ]);
  assert.equal(findRollback(grown, trust), undefined);
  assert.equal(findRollback([], trust), undefined);
  const back = await at(299, 121);
  const bundle = findRollback([back, ...grown], trust);
  assert.ok(bundle);
  assert.deepEqual(verifyEvidenceBundle(bundle, { trust }).sizes, [300, 299]);
  // A note that is nobody's keeps nothing from being found.
  const noise = { ...back, checkpoint: await new PlayedLog(3, 'log.example/else').head() };
  assert.ok(findRollback([noise, back, ...grown], trust));
});

test('a rollback is found exactly where time and size of one key run in opposite directions', async () => {
  const log = new PlayedLog(8);
  const keys = [WITNESS, playedWitness('witness.example/w2')];
  const both = parseTrust(log.trustFile(keys));
  const line = fc.record({
    size: fc.integer({ min: 1, max: 5 }),
    timeS: fc.integer({ min: 1, max: 5 }),
    by: fc.nat(1),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      const heads = await Promise.all(
        lines.map(({ size, timeS, by }) => seen(log, size, { witnesses: [[keys[by]!, timeS]] })),
      );
      const expected = lines.some((a) =>
        lines.some((b) => a.by === b.by && a.timeS < b.timeS && a.size > b.size),
      );
      const bundle = findRollback(heads, both);
      assert.equal(bundle !== undefined, expected);
      if (bundle) assert.equal(verifyEvidenceBundle(bundle, { trust: both }).kind, 'rollback');
    }),
    { numRuns: SLOW ? 1000 : 40 },
  );
});
