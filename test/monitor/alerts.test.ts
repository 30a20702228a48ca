import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Alert, type AlertCode, Alerts, type AlertSubject } from '../../src/monitor/alerts.ts';
import { SLOW } from '../support/slow.ts';

const A = 'log.example/a';
const B = 'log.example/b';

interface Told {
  readonly alerts: Alerts;
  /** In the order that they were told in: + raised, - cleared. */
  readonly told: readonly (readonly ['+' | '-', Alert])[];
  readonly clock: { nowMs: number };
  /** What was told since the last call, in short. */
  readonly news: () => string[];
}

function open(): Told {
  const clock = { nowMs: 1_000 };
  const told: (readonly ['+' | '-', Alert])[] = [];
  let from = 0;
  const alerts = new Alerts({
    now: () => clock.nowMs,
    onRaised: (alert) => told.push(['+', alert]),
    onCleared: (alert) => told.push(['-', alert]),
  });
  return {
    alerts,
    told,
    clock,
    news() {
      const since = told.slice(from);
      from = told.length;
      return since.map(([sign, { code, origin, source }]) =>
        [`${sign}${code}`, origin, source].filter((part) => part !== undefined).join(' '),
      );
    },
  };
}

describe('an alert', () => {
  test('is raised once, stands as it was found, and is told again when it is over', () => {
    const { alerts, told, clock } = open();
    const subject = { origin: A, code: 'stale' } as const;
    alerts.raise(subject, 'nothing for an hour');
    clock.nowMs = 2_000;
    alerts.raise(subject, 'nothing for two hours');
    alerts.settle(subject, 'nothing for three hours');
    const alert = { ...subject, source: undefined, message: 'nothing for an hour', sinceMs: 1_000 };
    assert.deepEqual(told, [['+', alert]]);
    assert.deepEqual(alerts.standing, [alert]);
    clock.nowMs = 3_000;
    alerts.settle(subject, undefined);
    assert.deepEqual(told.slice(1), [['-', alert]], 'with when it began');
    assert.deepEqual(alerts.standing, []);
    alerts.clear(subject);
    alerts.settle(subject, undefined);
    assert.equal(told.length, 2, 'what does not stand is not over again');
  });

  test('that comes again is a new one, of its own time and words', () => {
    const { alerts, clock, news } = open();
    const subject = { origin: A, code: 'unreadable' } as const;
    alerts.raise(subject, 'first');
    alerts.clear(subject);
    clock.nowMs = 5_000;
    alerts.raise(subject, 'second');
    assert.deepEqual(news(), [`+unreadable ${A}`, `-unreadable ${A}`, `+unreadable ${A}`]);
    const [{ message, sinceMs } = assert.fail(), ...more] = alerts.standing;
    assert.deepEqual([message, sinceMs, more], ['second', 5_000, []]);
    assert.deepEqual(alerts.counts, [{ ...subject, count: 2 }]);
  });

  test('is one with another only of the same log, code and source', () => {
    const { alerts, news } = open();
    const subjects: AlertSubject[] = [
      { origin: A, code: 'unreadable' },
      { origin: B, code: 'unreadable' },
      { origin: A, code: 'stale' },
      { origin: A, code: 'unreadable', source: 'https://w.example' },
      { origin: A, code: 'unreadable', source: 'https://x.example' },
      { origin: undefined, code: 'unreadable', source: 'https://w.example' },
      { origin: undefined, code: 'unreadable' },
      // None that a text could spell is another one.
      { origin: A, code: 'unreadable', source: '' },
      { origin: `${A}","unreadable`, code: 'unreadable' },
      { origin: 'null', code: 'unreadable' },
    ];
    for (const subject of subjects) alerts.raise(subject, 'x');
    assert.equal(alerts.standing.length, subjects.length);
    assert.equal(new Set(news()).size, subjects.length);
    alerts.clear(subjects[3]!);
    assert.deepEqual(news(), [`-unreadable ${A} https://w.example`]);
    assert.equal(alerts.standing.length, subjects.length - 1);
  });

  test('is on the list before it is told, and off it before it is told to be over', () => {
    const seen: number[] = [];
    const alerts: Alerts = new Alerts({
      now: () => 0,
      onRaised: () => seen.push(alerts.standing.length),
      onCleared: () => seen.push(alerts.standing.length),
    });
    alerts.raise({ origin: A, code: 'clock' }, 'x');
    alerts.clear({ origin: A, code: 'clock' });
    assert.deepEqual(seen, [1, 0]);
  });
});

test('those that stand are in the order that they began', () => {
  const { alerts, clock } = open();
  const codes: AlertCode[] = ['withheld', 'clock', 'stale', 'shrunk'];
  for (const code of codes) {
    clock.nowMs += 10;
    alerts.raise({ origin: A, code }, 'x');
  }
  alerts.raise({ origin: A, code: 'withheld' }, 'still');
  const standing = (): AlertCode[] => alerts.standing.map(({ code }) => code);
  assert.deepEqual(standing(), codes);
  alerts.clear({ origin: A, code: 'clock' });
  alerts.raise({ origin: A, code: 'clock' }, 'again');
  assert.deepEqual(standing(), ['withheld', 'stale', 'shrunk', 'clock']);
  const before = alerts.standing;
  alerts.clear({ origin: A, code: 'stale' });
  assert.equal(before.length, 4, 'a list that was given out stays as it was');
});

test('are counted by log and code, from whatever source, and never fewer', () => {
  const { alerts } = open();
  for (const source of ['v', 'w', 'w', undefined])
    alerts.raise({ origin: A, code: 'unreadable', source }, 'x');
  alerts.raise({ origin: B, code: 'unreadable' }, 'x');
  alerts.raise({ origin: undefined, code: 'peer_false', source: 'w' }, 'x');
  for (const { origin, code, source } of alerts.standing) alerts.clear({ origin, code, source });
  assert.deepEqual(alerts.standing, []);
  assert.deepEqual(alerts.counts, [
    { origin: A, code: 'unreadable', count: 3 },
    { origin: B, code: 'unreadable', count: 1 },
    { origin: undefined, code: 'peer_false', count: 1 },
  ]);
});

test('what is kept is bounded by what alerts can be about, however often they come and go', () => {
  const { alerts } = open();
  for (let i = 0; i < 3_000; i++) {
    const subject = { origin: i % 2 ? A : B, code: i % 3 ? 'stale' : 'clock', source: `w${i % 5}` } as const;
    alerts.raise(subject, `message ${i}`);
    if (i % 7 !== 0) alerts.clear(subject);
  }
  assert.ok(alerts.standing.length <= 20, String(alerts.standing.length));
  assert.equal(alerts.counts.length, 4);
});

test('whatever checks find: told in turn, beginning and end, and standing is what was told and is not over', () => {
  const subject = fc.record({
    origin: fc.constantFrom(A, B, undefined),
    code: fc.constantFrom('stale', 'clock', 'unreadable') as fc.Arbitrary<AlertCode>,
    source: fc.constantFrom('w', undefined),
  });
  const step = fc.tuple(subject, fc.option(fc.string(), { nil: undefined }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { alerts, told, clock } = open();
      const wrong = new Map<string, string>();
      for (const [about, message] of steps) {
        clock.nowMs += 1;
        alerts.settle(about, message);
        const key = JSON.stringify([about.origin, about.code, about.source]);
        if (message === undefined) wrong.delete(key);
        else if (!wrong.has(key)) wrong.set(key, message);
      }
      const open_ = new Map<Alert, boolean>();
      for (const [sign, alert] of told) {
        assert.equal(open_.get(alert), sign === '+' ? undefined : true, 'begins, then ends');
        open_.set(alert, sign === '+');
      }
      const standing = [...open_].flatMap(([alert, stands]) => (stands ? [alert] : []));
      assert.deepEqual(alerts.standing, standing);
      assert.deepEqual(
        standing.map(({ message }) => message),
        [...wrong.values()],
      );
      const raised = told.filter(([sign]) => sign === '+').length;
      assert.equal(
        alerts.counts.reduce((sum, { count }) => sum + count, 0),
        raised,
      );
    }),
    { numRuns: SLOW ? 5_000 : 200 },
  );
});
