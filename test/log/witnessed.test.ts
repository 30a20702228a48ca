import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { type Cosigner, parseTimestampedSignature } from '../../src/formats/cosignature.ts';
import { type NoteSignature, parseNote } from '../../src/formats/note.ts';
import { KEEP_ALL_MS } from '../../src/log/limits.ts';
import type { LogSignal } from '../../src/log/signals.ts';
import { readWitnessSizes } from '../../src/log/witness-sizes.ts';
import { COSIGNERS, FakeAsking, policyOf, WITNESS_VERIFIERS } from '../support/fake-asking.ts';
import { openTestLog, type TestLog, type TestLogOptions, testEntry } from '../support/test-log.ts';

const INTERVAL_MS = 50;
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

interface Witnessed extends TestLog {
  readonly asking: FakeAsking;
  readonly signals: LogSignal[];
  pass(durationMs: number): Promise<void>;
}

async function openWitnessed(
  options: TestLogOptions = {},
  quorum: 'two' | 'none' = 'two',
  asks = true,
): Promise<Witnessed> {
  const asking = new FakeAsking();
  const signals: LogSignal[] = [];
  const slots = { fast: { policy: policyOf(quorum), deadlineMs: 500, intervalMs: INTERVAL_MS } };
  const test = await openTestLog({
    ...options,
    open: {
      publishIntervalMs: INTERVAL_MS,
      onSignal: (signal) => signals.push(signal),
      slots,
      ...(asks && { asking }),
      witnessVerifiers: WITNESS_VERIFIERS,
      ...options.open,
    },
  });
  const pass = async (durationMs: number): Promise<void> => {
    test.clock.advance(durationMs);
    await settle();
  };
  return { ...test, asking, signals, pass };
}

function namesIn(checkpoint: Uint8Array): string[] {
  return parseNote(checkpoint).signatures.map(({ name }) => name);
}

describe('a log whose heads are witnessed', () => {
  test('the slot fast holds a head with the lines of a quorum, on disk and again after a restart', async () => {
    const t = await openWitnessed();
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    const fast = t.log.publication('fast')!;
    assert.equal(fast.size, 1);
    const verifiers = [t.verifier, ...WITNESS_VERIFIERS];
    const opened = openCheckpoint(fast.checkpoint, verifiers, t.origin);
    assert.deepEqual(
      opened.signatures.map(({ name }) => name),
      [t.origin, 'w1.example', 'w2.example'],
    );
    assert.equal(t.log.checkpoint, fast, '/checkpoint shows the strongest slot');
    assert.deepEqual(namesIn(t.log.publication('none')!.checkpoint), [t.origin]);
    assert.deepEqual([...(await readWitnessSizes(t.store))], [['w1', 1], ['w2', 1]]); // prettier-ignore
    const again = await t.reopen();
    assert.deepEqual(again.log.publication('fast')!.checkpoint, fast.checkpoint);
    await again.log.close();
  });

  test('whoever waits for a leaf is told as soon as it is witnessed, or that it is not in time', async () => {
    const t = await openWitnessed();
    t.asking.down.add('w1').add('w2');
    const index = await t.append(testEntry(0));
    const waiting = t.log.whenWitnessed(index, 2000);
    await t.pass(INTERVAL_MS);
    assert.deepEqual(t.log.wantingOf(index), { have: 1, need: 2, reason: 'witnesses_unreachable' });
    assert.equal(t.log.publication('fast'), undefined);
    assert.equal(t.log.published.size, 1, 'the log’s own lines are published all the same');
    assert.equal(t.log.checkpoint, t.log.published);
    await t.pass(2000);
    assert.equal(await waiting, false);
    t.asking.down.clear();
    const again = t.log.whenWitnessed(index, 2000);
    await t.pass(1000);
    assert.equal(await again, true, 'the same head is asked for again');
    assert.ok(t.signals.some((signal) => signal.event === 'unmet' && signal.have === 1 && signal.need === 2));
    await t.log.close();
  });

  test('a wait ends with the request that waits', async () => {
    const t = await openWitnessed();
    t.asking.down.add('w1').add('w2');
    const index = await t.append(testEntry(0));
    const abort = new AbortController();
    const waiting = t.log.whenWitnessed(index, 2000, abort.signal);
    abort.abort();
    assert.equal(await waiting, false);
    await t.log.close();
  });

  test('a late line joins the slot while it holds that size, and the kept checkpoint after that', async () => {
    const t = await openWitnessed();
    t.asking.down.add('w1');
    t.asking.held.add('w2');
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    assert.equal(t.log.publication('fast'), undefined);
    t.asking.release();
    await settle();
    assert.deepEqual(namesIn(t.log.publication('fast')!.checkpoint).slice(1), ['w3.example', 'w2.example']);

    await t.append(testEntry(1));
    t.asking.down.clear();
    await t.pass(INTERVAL_MS);
    assert.equal(t.log.publication('fast')!.size, 2);
    assert.deepEqual(namesIn(t.log.publication('fast')!.checkpoint).slice(1), ['w1.example', 'w3.example']);
    t.asking.held.clear();
    await t.append(testEntry(2));
    await t.pass(INTERVAL_MS);
    assert.equal(t.log.publication('fast')!.size, 3);
    t.asking.release();
    await settle();
    assert.equal(t.log.publication('fast')!.size, 3, 'no slot goes back');
    const kept = await t.log.keptCheckpoint(2);
    assert.deepEqual(namesIn(kept!.checkpoint).slice(1), ['w1.example', 'w3.example', 'w2.example']);
    await t.log.close();
  });

  test('a receipt is made on the earliest checkpoint that covers the leaf and was witnessed', async () => {
    const t = await openWitnessed();
    t.asking.down.add('w1').add('w2');
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    await t.append(testEntry(1));
    t.asking.down.clear();
    await t.pass(INTERVAL_MS);
    await t.append(testEntry(2));
    await t.pass(INTERVAL_MS);
    const sizeOf = async (index: number): Promise<string | undefined> => {
      const kept = await t.log.witnessedCovering(index, () => true);
      return kept && parseNote(kept.checkpoint).text.split('\n')[1];
    };
    assert.equal(parseNote((await t.log.checkpointCovering(0))!.checkpoint).text.split('\n')[1], '1');
    assert.deepEqual(await Promise.all([0, 1, 2].map(sizeOf)), ['2', '2', '3']);
    assert.equal(await sizeOf(3), undefined);
    assert.equal(await t.log.witnessedCovering(0, () => false), undefined, 'where none serves');
    await t.log.close();
  });

  test('lines that are handed in count as those that were asked for', async () => {
    const t = await openWitnessed({}, 'two', false);
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    const { text } = parseNote(t.log.published.checkpoint);
    const line = async (at: number): Promise<NoteSignature> => COSIGNERS[at]!.cosign(text, 1_795_176_000);
    assert.equal(await t.log.addLines(1, [await line(0)]), true);
    assert.equal(t.log.publication('fast'), undefined);
    const again = await t.reopen();
    assert.equal(await again.log.addLines(1, [await line(1)]), true, 'the first line was kept');
    assert.equal(again.log.publication('fast')!.size, 1);
    assert.equal(openCheckpoint(again.log.publication('fast')!.checkpoint, [t.verifier], t.origin).size, 1);
    assert.equal(await again.log.addLines(7, [await line(1)]), false, 'no such checkpoint');
    await again.log.close();
  });

  test('an idle log has its head cosigned again; what is kept stays as it was first', async () => {
    const t = await openWitnessed({ open: { republishIntervalMs: 10_000 } });
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    const times = (checkpoint: Uint8Array): number[] =>
      parseNote(checkpoint)
        .signatures.slice(1)
        .map(({ signature }) => parseTimestampedSignature(signature).timestampS);
    const before = times(t.log.publication('fast')!.checkpoint);
    t.asking.timeS += 10;
    await t.pass(10_000);
    assert.deepEqual(
      times(t.log.publication('fast')!.checkpoint),
      before.map((timeS) => timeS + 10),
    );
    assert.deepEqual(times((await t.log.keptCheckpoint(1))!.checkpoint), before);
    await t.log.close();
  });

  test('nobody is asked about the empty tree, nor where the policy wants nobody', async () => {
    const t = await openWitnessed();
    await t.pass(INTERVAL_MS);
    assert.deepEqual(t.asking.asked, []);
    await t.log.close();
    const none = await openWitnessed({}, 'none');
    const index = await none.append(testEntry(0));
    await none.pass(INTERVAL_MS);
    assert.deepEqual(none.asking.asked, []);
    assert.equal(none.log.wantingOf(index), undefined);
    assert.equal(await none.log.whenWitnessed(index, 0), false);
    await none.log.close();
  });

  test('thinning leaves the first of a minute, and the first that was witnessed', async () => {
    const t = await openWitnessed();
    t.asking.down.add('w1').add('w2');
    for (let i = 0; i < 3; i++) {
      await t.append(testEntry(i));
      await t.pass(INTERVAL_MS);
    }
    t.asking.down.clear();
    for (let i = 3; i < 6; i++) {
      await t.append(testEntry(i));
      await t.pass(INTERVAL_MS);
    }
    await t.pass(KEEP_ALL_MS);
    for (let i = 6; i < 8; i++) {
      await t.append(testEntry(i));
      await t.pass(INTERVAL_MS);
    }
    const kept = await Promise.all([1, 2, 3, 4, 5, 6].map((size) => t.log.keptCheckpoint(size)));
    assert.deepEqual(
      kept.map((one) => one !== undefined),
      [true, false, false, true, false, false],
    );
    const covering = await t.log.witnessedCovering(0, () => true);
    assert.equal(parseNote(covering!.checkpoint).text.split('\n')[1], '4');
    await t.log.close();
  });
});

describe('a log that is held', () => {
  test('reads, and writes nothing until it begins', async () => {
    const t = await openTestLog({ entries: 2 });
    await t.log.close();
    const rowsBefore = await t.store.scan({ from: Uint8Array.of(0), to: Uint8Array.of(0xff), limit: 1e6 });
    const held = await openTestLog({ open: { isHeld: true }, existing: t });
    assert.equal(held.log.revealed.size, 2);
    assert.equal(held.log.accepting, false);
    await assert.rejects(held.append(testEntry(2)), { code: 'not_ready' });
    assert.throws(() => held.log.reserve(1), { code: 'not_ready' });
    await assert.rejects(held.log.write({ puts: [] }), { code: 'not_ready' });
    held.clock.advance(1_000_000);
    await settle();
    const rows = await t.store.scan({ from: Uint8Array.of(0), to: Uint8Array.of(0xff), limit: 1e6 });
    assert.deepEqual(rows, rowsBefore);
    await held.log.begin('unwitnessed');
    assert.equal(await held.append(testEntry(2)), 2);
    const [record] = await t.store.scan({ from: Uint8Array.of(8), to: Uint8Array.of(9), limit: 2 });
    assert.equal(new TextDecoder().decode(record!.value), 'unwitnessed');
    await held.log.close();
  });

  test('halted, it shows and takes nothing more, and says why', async () => {
    const signals: LogSignal[] = [];
    const t = await openTestLog({ entries: 1, open: { onSignal: (signal) => signals.push(signal) } });
    const { NewelError } = await import('../../src/errors.ts');
    const appending = t.append(testEntry(1));
    t.log.halt(new NewelError('log_refused', 'a witness knows a larger tree'));
    await assert.rejects(appending, { code: 'storage_failed' });
    assert.equal(t.log.revealed.size, 1);
    await assert.rejects(t.append(testEntry(2)), { code: 'storage_failed' });
    assert.equal(signals.filter(({ event }) => event === 'fatal').length, 1);
    await t.log.close();
  });
});

describe('a witnessed log over its life', () => {
  test('no line from the future counts, and of two by one key the earlier one is kept', async () => {
    const t = await openWitnessed({}, 'two', false);
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    const { text } = parseNote(t.log.published.checkpoint);
    const nowS = Math.floor(t.clock.now() / 1000);
    const line = async (at: number, timeS: number): Promise<NoteSignature> =>
      COSIGNERS[at]!.cosign(text, timeS);
    await t.log.addLines(1, [await line(0, nowS + 3600), await line(1, nowS + 3600)]);
    assert.equal(t.log.publication('fast'), undefined);
    await t.log.addLines(1, [await line(0, nowS + 10), await line(1, nowS)]);
    await t.log.addLines(1, [await line(0, nowS)]);
    const timesIn = (checkpoint: Uint8Array): number[] =>
      parseNote(checkpoint)
        .signatures.slice(1)
        .map(({ signature }) => parseTimestampedSignature(signature).timestampS)
        .toSorted((a, b) => a - b);
    assert.deepEqual(timesIn((await t.log.keptCheckpoint(1))!.checkpoint), [nowS, nowS]);
    assert.deepEqual(timesIn(t.log.publication('fast')!.checkpoint), [nowS, nowS + 10]);
    await t.log.close();
  });

  test('lines that are known already write nothing', async () => {
    const t = await openWitnessed({}, 'two', false);
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    const { text } = parseNote(t.log.published.checkpoint);
    const lines = await Promise.all(COSIGNERS.map((cosigner) => cosigner.cosign(text, 1_795_176_000)));
    await t.log.addLines(1, lines);
    const rounds = t.signals.filter(({ event }) => event === 'round').length;
    for (let i = 0; i < 5; i++) await t.log.addLines(1, lines);
    assert.equal(t.signals.filter(({ event }) => event === 'round').length, rounds);
    await t.log.close();
  });

  test('under another policy its slot is empty, its marks are none, and /checkpoint shows what grows', async () => {
    const t = await openWitnessed();
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    assert.equal(t.log.checkpoint.size, 1);
    await t.log.close();
    const none = await openTestLog({
      existing: t,
      open: {
        publishIntervalMs: INTERVAL_MS,
        slots: { fast: { policy: policyOf('none'), deadlineMs: 500, intervalMs: INTERVAL_MS } },
        witnessVerifiers: WITNESS_VERIFIERS,
      },
    });
    assert.equal(none.log.publication('fast'), undefined);
    assert.equal(await none.log.whenWitnessed(0, 0), false);
    assert.equal(await none.log.witnessedCovering(0, () => true), undefined);
    await none.append(testEntry(1));
    none.clock.advance(INTERVAL_MS);
    await settle();
    assert.equal(none.log.checkpoint.size, 2);
    await none.log.close();
  });

  test('what is handed in after a restart never puts the slot back in time', async () => {
    const t = await openWitnessed({ open: { republishIntervalMs: 10_000 } });
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    const kept = parseNote((await t.log.keptCheckpoint(1))!.checkpoint).signatures.slice(1);
    t.asking.timeS += 10;
    await t.pass(10_000);
    const before = t.log.publication('fast')!;
    await t.log.close();
    const again = await openTestLog({
      existing: t,
      open: {
        slots: { fast: { policy: policyOf('two'), deadlineMs: 500, intervalMs: INTERVAL_MS } },
        witnessVerifiers: WITNESS_VERIFIERS,
      },
    });
    await again.log.addLines(1, kept);
    assert.deepEqual(again.log.publication('fast')!.checkpoint, before.checkpoint);
    await again.log.close();
  });

  test('a second line that cannot be made once is made later, and its time never goes back', async () => {
    const [cosigner] = COSIGNERS;
    let fails = 1;
    const second: Cosigner = {
      vkey: cosigner!.vkey,
      cosign: async (text, timestampS) => {
        if (fails-- > 0) throw new Error('no thread');
        return cosigner!.cosign(text, timestampS);
      },
    };
    const t = await openWitnessed({ open: { cosigner: second } }, 'none');
    await t.append(testEntry(0));
    await t.pass(INTERVAL_MS);
    assert.equal(t.signals.filter(({ event }) => event === 'publish_failed').length, 1);
    for (let i = 0; i < 4 && t.log.published.size === 0; i++) await t.pass(INTERVAL_MS);
    assert.equal(t.log.published.size, 1);
    const stampOf = (checkpoint: Uint8Array): number =>
      parseTimestampedSignature(parseNote(checkpoint).signatures[1]!.signature).timestampS;
    const first = stampOf(t.log.published.checkpoint);
    await t.log.close();
    t.clock.set(t.clock.now() - 20_000);
    const again = await openTestLog({
      existing: t,
      open: { cosigner: second, publishIntervalMs: INTERVAL_MS, acceptClock: true },
    });
    await again.append(testEntry(1));
    again.clock.advance(INTERVAL_MS);
    await settle();
    assert.equal(again.log.published.size, 2);
    assert.ok(stampOf(again.log.published.checkpoint) >= first);
    await again.log.close();
  });
});
