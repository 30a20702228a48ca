import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InFlight } from '../../src/vault/in-flight.ts';

const TAG = new Uint8Array(32).fill(7);

describe('submissions under way', () => {
  test('are found by their tag until they are settled, and what settles them is told to all who wait', async () => {
    const inFlight = new InFlight<string>();
    assert.equal(inFlight.find(TAG), undefined);
    const claim = inFlight.claim(TAG);
    const waiting = [inFlight.find(TAG)!, inFlight.find(Uint8Array.from(TAG))!];
    assert.throws(() => inFlight.claim(TAG), /bug/);
    assert.equal(claim.isSettled, false);
    claim.resolve('taken');
    assert.equal(claim.isSettled, true);
    assert.deepEqual(await Promise.all(waiting), ['taken', 'taken']);
    assert.equal(inFlight.find(TAG), undefined);
  });

  test('that were settled take nothing from the one who came after them', async () => {
    const inFlight = new InFlight<string>();
    const first = inFlight.claim(TAG);
    first.resolve('first');
    const second = inFlight.claim(TAG);
    first.reject(new Error('too late'));
    assert.equal(inFlight.find(TAG), second.taken);
    second.resolve('second');
    assert.deepEqual(await Promise.all([first.taken, second.taken]), ['first', 'second']);
  });

  test('that fail, and that nobody waits for, are no unhandled rejection', async () => {
    const inFlight = new InFlight<string>();
    const claim = inFlight.claim(TAG);
    claim.reject(new Error('refused'));
    assert.equal(claim.isSettled, true);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(inFlight.find(TAG), undefined);
  });
});
