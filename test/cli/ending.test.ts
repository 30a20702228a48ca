import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeInOrder, Ending } from '../../src/cli/ending.ts';
import { NewelError } from '../../src/errors.ts';
import { createLines } from '../../src/telemetry/lines.ts';

/** An ending whose closing is under way until `closed` is called. */
function played(): { ending: Ending; closings: () => number; closed: (isClean: boolean) => void } {
  let count = 0;
  let closed: (isClean: boolean) => void = () => {};
  const closing = new Promise<boolean>((resolve) => (closed = resolve));
  const ending = new Ending(() => {
    count++;
    return closing;
  });
  return { ending, closings: () => count, closed };
}

test('it ends once, whoever asks and however often, and when all is closed', async () => {
  const { ending, closings, closed } = played();
  ending.serving();
  let isEnded = false;
  void ending.ended.then(() => (isEnded = true));
  const ends = [ending.end(), ending.end()];
  assert.equal(closings(), 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isEnded, false, 'not before');
  closed(true);
  assert.deepEqual(await Promise.all([...ends, ending.ended, ending.end()]), Array(4).fill('stopped'));
  ending.serving();
  ending.fail();
  assert.equal(closings(), 1);
  assert.equal(await ending.ended, 'stopped', 'what was said stays');
});

test('a failure ends what serves', async () => {
  const { ending, closings, closed } = played();
  ending.serving();
  ending.fail();
  ending.fail();
  assert.equal(closings(), 1);
  closed(true);
  assert.equal(await ending.ended, 'failed');
});

test('a failure at the start closes nothing until it serves, or gives up', async () => {
  for (const next of ['serving', 'end'] as const) {
    const { ending, closings, closed } = played();
    ending.fail();
    assert.equal(closings(), 0);
    void ending[next]();
    assert.equal(closings(), 1, next);
    closed(true);
    assert.equal(await ending.ended, 'failed', next);
  }
});

test('a start that gives up closes what is open, and serves no more', async () => {
  const { ending, closings, closed } = played();
  const end = ending.end();
  ending.serving();
  assert.equal(closings(), 1);
  closed(true);
  assert.equal(await end, 'stopped');
});

test('a failure while it ends, and what does not close well, are failures', async () => {
  const late = played();
  late.ending.serving();
  const end = late.ending.end();
  late.ending.fail();
  late.closed(true);
  assert.equal(await end, 'failed');
  const unclean = played();
  unclean.closed(false);
  assert.equal(await unclean.ending.end(), 'failed');
  const broken = new Ending(() => Promise.reject(new Error('bug')));
  assert.equal(await broken.end(), 'failed');
});

test('each is closed after the one before, whatever becomes of that, and what fails is said', async () => {
  const written: { level: string; msg: string; error?: string }[] = [];
  const lines = createLines({
    level: 'info',
    write: (line) => written.push(JSON.parse(line) as (typeof written)[number]),
  });
  const closed: string[] = [];
  const closing = async (name: string): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    closed.push(name);
  };
  const isClean = await closeInOrder(
    [
      ['the socket', () => closing('socket')],
      [
        'the list',
        () => {
          throw new TypeError('closed already');
        },
      ],
      ['the log', () => Promise.reject(new NewelError('storage_failed', 'a write failed'))],
      ['the thread', () => undefined],
      ['the database', () => closing('database')],
    ],
    lines,
  );
  assert.equal(isClean, false);
  assert.deepEqual(closed, ['socket', 'database']);
  assert.deepEqual(
    written.map(({ level, msg }) => [level, msg]),
    [
      ['error', 'the list did not close well'],
      ['error', 'the log did not close well'],
    ],
  );
  assert.equal(await closeInOrder([['the socket', () => closing('socket')]], lines), true);
  assert.equal(written.length, 2);
});
