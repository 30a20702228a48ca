import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  advanceSequence,
  dueGaps,
  expectedOf,
  formatSequenceState,
  isNext,
  MAX_GAPS,
  parseSequenceState,
  type SequenceFinding,
  type SequenceState,
} from '../../src/event/sequence.ts';
import { type CborMap, type CborValue, formatCbor } from '../../src/formats/cbor.ts';
import { hasCode, runCases } from '../formats/cases.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 5000 : 300;

interface Run {
  findings: (SequenceFinding | null)[];
  state: SequenceState | undefined;
}

/** The findings of each number, one every millisecond from 1000 on, and the state at the end. */
function advanceAll(numbers: readonly number[]): Run {
  let state: SequenceState | undefined;
  const findings = numbers.map((seq, i) => {
    const advance = advanceSequence(state, seq, 1000 + i);
    // As the log does it: every state goes through its bytes.
    state = parseSequenceState(formatSequenceState(advance.state));
    assert.deepEqual(state, advance.state);
    return advance.finding ?? null;
  });
  return { findings, state };
}

const AT_MS = 100_000;

runCases<{ numbers: number[]; graceMs?: number }>('sequence/advance.json', ({ numbers, graceMs = 0 }) => {
  const { findings, state } = advanceAll(numbers);
  const { due, state: after } = dueGaps(state!, AT_MS, graceMs);
  assert.deepEqual(parseSequenceState(formatSequenceState(after)), after);
  const again = dueGaps(after, AT_MS, graceMs);
  assert.deepEqual(again.due, []);
  assert.equal(again.state, after);
  return { findings, due };
});

test('the next number is any at first, then one more than the highest', () => {
  assert.ok(isNext(undefined, 0) && isNext(undefined, 1041));
  const { state } = advanceAll([1041, 1045, 1043]);
  assert.equal(expectedOf(state!), 1046);
  for (const seq of [0, 1041, 1042, 1043, 1044, 1045, 1047]) assert.ok(!isNext(state, seq), String(seq));
  assert.ok(isNext(state, 1046));
});

test('after the largest number no number is the next', () => {
  const { state } = advanceAll([Number.MAX_SAFE_INTEGER]);
  assert.equal(expectedOf(state!), Number.MAX_SAFE_INTEGER);
  assert.ok(!isNext(state, Number.MAX_SAFE_INTEGER));
});

test('a gap that was logged and is filled afterwards is not logged again', () => {
  const { state } = advanceAll([1, 2, 6]);
  const { due, state: logged } = dueGaps(state!, AT_MS, 0);
  assert.equal(due.length, 1);
  const { state: split, finding } = advanceSequence(logged, 4, AT_MS);
  assert.equal(finding, undefined);
  assert.deepEqual(dueGaps(split, 2 * AT_MS, 0).due, []);
  assert.equal(advanceSequence(split, 4, AT_MS).finding?.kind, 'fork');
});

test('a clock that goes back makes nothing due', () => {
  const { state } = advanceAll([1, 3]);
  assert.deepEqual(dueGaps(state!, 0, 0).due, []);
});

test('what a source sends in any order that the gaps can hold is nothing that is missing', () => {
  const shuffled = fc
    .tuple(
      fc.integer({ min: 0, max: 2000 }),
      fc.shuffledSubarray(
        Array.from({ length: 40 }, (_, i) => i),
        { minLength: 40 },
      ),
    )
    .map(([base, order]) => order.map((i) => base + i));
  fc.assert(
    fc.property(shuffled, (numbers) => {
      const { findings, state } = advanceAll(numbers);
      assert.ok(findings.every((finding) => finding?.kind !== 'fork'));
      assert.deepEqual(dueGaps(state!, AT_MS, 0).due, []);
      for (const seq of numbers) assert.equal(advanceSequence(state, seq, 0).finding?.kind, 'fork');
    }),
    { numRuns },
  );
});

test('a model that keeps every number says the same, while the gaps are few', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 60 }), (numbers) => {
      const came = new Set<number>();
      let highest: number | undefined;
      const expected = numbers.map((seq) => {
        const before = highest;
        const isFork = came.has(seq);
        came.add(seq);
        highest = Math.max(seq, before ?? seq);
        if (before === undefined) return null;
        if (isFork) return { kind: 'fork', expected: before + 1 };
        return seq > before + 1 ? { kind: 'gap', expected: before + 1, missing: seq - before - 1 } : null;
      });
      const { findings, state } = advanceAll(numbers);
      assert.deepEqual(findings, expected);
      const missing = new Set<number>();
      for (const { kind, first, last, count } of dueGaps(state!, AT_MS, 0).due) {
        if (kind === 'fork') continue;
        assert.equal(count, last - first + 1);
        for (let seq = first; seq <= last; seq++) missing.add(seq);
      }
      for (let seq = numbers[0]!; seq <= highest!; seq++) assert.equal(missing.has(seq), !came.has(seq));
    }),
    { numRuns },
  );
});

test('hostile numbers: the state stays small, and every number that is passed over is told, missing or come', () => {
  const number = fc.oneof(
    fc.integer({ min: 0, max: 1000 }),
    fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    fc.constantFrom(0, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1),
  );
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 300 }), (numbers) => {
      const { findings, state } = advanceAll(numbers);
      const bytes = formatSequenceState(state!);
      assert.ok(bytes.length <= 2048, String(bytes.length));
      assert.ok(state!.gaps.length <= MAX_GAPS);
      const forks = findings.filter((finding) => finding?.kind === 'fork').length;
      assert.equal(state!.forks?.count ?? 0, forks);
      const kept = dueGaps(state!, AT_MS, 0);
      assert.equal(
        kept.due.some(({ kind }) => kind === 'fork'),
        forks > 0,
      );
      assert.deepEqual(dueGaps(kept.state, 2 * AT_MS, 0).due, []);
    }),
    { numRuns },
  );
});

test('many gaps: what was given up is in a report, even where no time has passed', () => {
  const { state } = advanceAll(Array.from({ length: 200 }, (_, i) => 3 * i));
  const { due } = dueGaps(state!, 1000, AT_MS);
  assert.deepEqual(due, [{ kind: 'gap', first: 1, last: 404, count: 270, sinceMs: 1001 }]);
  const rest = dueGaps(dueGaps(state!, 1000, AT_MS).state, 2 * AT_MS, AT_MS);
  assert.equal(rest.due.length, MAX_GAPS);
  assert.equal(rest.due[0]!.first, 406);
});

test('a state that was not written so is refused', () => {
  const full: CborMap = new Map<number, CborValue>([
    [1, 100],
    [
      2,
      [
        [1, 2, 1000, true],
        [4, 9, 1000, false],
      ],
    ],
    [3, [1, 30, 12, 1000]],
    [4, [20, 100, 200, 1000]],
  ]);
  assert.deepEqual(formatSequenceState(parseSequenceState(formatCbor(full))), formatCbor(full));
  const changed = (key: number, value: CborValue | undefined): Uint8Array => {
    const map: CborMap = new Map(full);
    if (value === undefined) map.delete(key);
    else map.set(key, value);
    return formatCbor(map);
  };
  const many = Array.from({ length: MAX_GAPS + 1 }, (_, i) => [2 * i, 2 * i, 0, false]);
  const wrong: [string, Uint8Array][] = [
    ['no bytes', new Uint8Array(0)],
    ['no map', formatCbor(1)],
    ['more after it', Uint8Array.of(...formatCbor(full), 0)],
    ['no highest', changed(1, undefined)],
    ['a negative highest', changed(1, -1)],
    ['another name', changed(5, 1)],
    ['no gaps', changed(2, [])],
    [
      'too many gaps',
      formatCbor(
        new Map<number, CborValue>([
          [1, 1000],
          [2, many],
        ]),
      ),
    ],
    ['a gap above the highest', changed(2, [[100, 100, 0, false]])],
    ['a gap that ends before it begins', changed(2, [[5, 4, 0, false]])],
    [
      'gaps out of order',
      changed(2, [
        [5, 6, 0, false],
        [1, 2, 0, false],
      ]),
    ],
    [
      'gaps that touch',
      changed(2, [
        [1, 2, 0, false],
        [3, 4, 0, false],
      ]),
    ],
    ['a gap without its mark', changed(2, [[1, 2, 0]])],
    ['a mark that is a number', changed(2, [[1, 2, 0, 1]])],
    ['lost: more than its range has', changed(3, [1, 2, 3, 0])],
    ['lost: none', changed(3, [1, 2, 0, 0])],
    ['forks above the highest', changed(4, [1, 101, 1, 0])],
    ['forks that are null', changed(4, null)],
  ];
  for (const [what, bytes] of wrong) {
    assert.throws(() => parseSequenceState(bytes), hasCode('malformed'), what);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        assert.deepEqual(formatSequenceState(parseSequenceState(bytes)), bytes);
      } catch (error) {
        hasCode('malformed')(error);
      }
    }),
    { numRuns },
  );
});
