import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatTilePath, parseTilePath, type TilePath } from '../../src/formats/tile-path.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, runCases } from './cases.ts';
import { allMutationsOf, assertStrict } from './mutations.ts';

const numRuns = SLOW ? 50_000 : 1_000;

runCases<{ path: string }>('tile-path/parse.json', ({ path }) => {
  const parsed = parseTilePath(path);
  assert.equal(formatTilePath(parsed), path);
  return parsed;
});

const index = fc.oneof(fc.maxSafeNat(), fc.nat(2000), fc.integer({ min: 2 ** 32 - 5, max: 2 ** 32 + 5 }));
const width = fc.integer({ min: 1, max: 256 });
const tilePath: fc.Arbitrary<TilePath> = fc.oneof(
  fc.record(
    { kind: fc.constant('tile' as const), level: fc.nat(63), index, width },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('entries' as const), index, width }, { noNullPrototype: true }),
);

test('every path reads back as the coordinates it was made of', () => {
  fc.assert(
    fc.property(tilePath, (path) => {
      assert.deepEqual(parseTilePath(formatTilePath(path)), path);
    }),
    { numRuns },
  );
});

test('a damaged path is refused, or is the one path of what it names', () => {
  for (const path of [
    'tile/0/x001/x234/067',
    'tile/1/000.p/17',
    'tile/entries/x009/x007/x199/x254/x740/991.p/255',
  ]) {
    const { refused, accepted } = assertStrict(
      allMutationsOf(bytesOf(path, undefined)),
      (bytes) => parseTilePath(Buffer.from(bytes).toString('latin1')),
      (parsed) => bytesOf(formatTilePath(parsed), undefined),
    );
    assert.ok(refused > accepted && accepted > 0, `${refused} refused, ${accepted} accepted`);
  }
});

test('coordinates that no path has are a RangeError', () => {
  const bad: TilePath[] = [
    { kind: 'tile', level: 64, index: 0, width: 256 },
    { kind: 'tile', level: -1, index: 0, width: 256 },
    { kind: 'tile', level: 0.5, index: 0, width: 256 },
    { kind: 'tile', level: 0, index: 2 ** 53, width: 256 },
    { kind: 'tile', level: 0, index: -1, width: 256 },
    { kind: 'entries', index: 0.5, width: 256 },
    { kind: 'entries', index: 0, width: 0 },
    { kind: 'entries', index: 0, width: 257 },
    { kind: 'entries', index: 0, width: Number.NaN },
  ];
  for (const path of bad) assert.throws(() => formatTilePath(path), RangeError, JSON.stringify(path));
});
