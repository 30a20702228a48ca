import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HeadToCosign } from '../../src/witness/conversation.ts';
import { type Asker, Job } from '../../src/witness/job.ts';

const HEAD: HeadToCosign = { size: 5, root: new Uint8Array(32), text: 'text', checkpoint: new Uint8Array(1) };

/** Writes down what it is told. */
function asker(name: string, said: string[], { isOnce = false, largest = 5 } = {}): Asker {
  return {
    head: HEAD,
    isOnce,
    largestSize: () => largest,
    onLines: () => said.push(`${name} lines`),
    onConflict: () => said.push(`${name} conflict`),
    onNone: (why) => said.push(`${name} ${why}`),
    onFault: () => said.push(`${name} fault`),
  };
}

const never = (error: unknown): void => assert.fail(String(error));

describe('who wants a head', () => {
  test('is told once that there is nothing yet, and of lines all the same', () => {
    const said: string[] = [];
    const job = new Job([asker('a', said)], never);
    job.tellNone('slow');
    job.add(asker('b', said, { largest: 9 }));
    job.tellNone('slow');
    job.tellNone('slow');
    job.tell((one) => one.onLines([]));
    assert.deepEqual(said, ['a slow', 'b slow', 'a lines', 'b lines']);
    assert.equal(job.largestSize, 9);
  });

  test('for one try alone makes it urgent, and wants nothing again', () => {
    const said: string[] = [];
    const job = new Job([asker('once', said, { isOnce: true })], never);
    assert.equal(job.isUrgent, true);
    assert.equal(job.again(), undefined);
    job.add(asker('on', said));
    const again = job.again()!;
    assert.equal(again.isUrgent, false);
    job.tellNone('down');
    assert.equal(job.isUrgent, false);
    again.tellNone('down');
    job.again()!.tellNone('down');
    assert.deepEqual(
      said,
      ['once down', 'on down', 'on down'],
      'what was told is known when it is wanted again',
    );
  });

  test('and throws does not keep the others from being told', () => {
    const said: string[] = [];
    const thrown: unknown[] = [];
    const error = new Error('no');
    const bad: Asker = {
      ...asker('bad', said),
      onNone: () => {
        throw error;
      },
    };
    const job = new Job([bad, asker('good', said)], (one) => thrown.push(one));
    job.tellNone('down');
    assert.deepEqual([said, thrown], [['good down'], [error]]);
  });

  test('again and again while nothing answers: the oldest that was told is forgotten, nobody who was not', () => {
    const said: string[] = [];
    const job = new Job([asker('0', said)], never);
    for (let i = 1; i < 8; i++) job.add(asker(`${i}`, said));
    job.add(asker('8', said));
    job.tellNone('down');
    assert.equal(said.length, 9);
    job.add(asker('9', said, { isOnce: true }));
    job.add(asker('10', said));
    said.length = 0;
    job.tell((one) => one.onLines([]));
    assert.deepEqual(
      said.map((line) => line.split(' ')[0]),
      ['2', '3', '4', '5', '6', '7', '8', '9', '10'],
    );
  });
});
