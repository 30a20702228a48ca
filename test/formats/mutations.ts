/** Every small damage that can happen to bytes: what a strict parser must refuse or give back unchanged. */

import assert from 'node:assert/strict';
import { NewelError } from '../../src/errors.ts';

/** Each byte changed (plus one, each bit flipped), each doubled, every run of 1 to 4 bytes and every end left out. */
export function* mutationsOf(bytes: Uint8Array): Generator<[what: string, mutant: Uint8Array]> {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const others = [byte + 1, ...Array.from({ length: 8 }, (_, bit) => byte ^ (1 << bit))];
    for (const other of others) {
      yield [`byte ${at} is ${other & 255}, not ${byte}`, bytes.with(at, other)];
    }
    for (let count = 1; count <= 4 && at + count <= bytes.length; count++) {
      yield [`bytes ${at} to ${at + count} are left out`, splice(bytes, at, at + count)];
    }
    yield [`byte ${at} is doubled`, splice(bytes, at + 1, at)];
    yield [`the end is left out from byte ${at}`, bytes.slice(0, at)];
    yield [`the beginning is left out to byte ${at + 1}`, bytes.slice(at + 1)];
  }
}

/** As `mutationsOf`, and every substring left out whatever its length: for short inputs. */
export function* allMutationsOf(bytes: Uint8Array): Generator<[what: string, mutant: Uint8Array]> {
  yield* mutationsOf(bytes);
  for (let begin = 0; begin < bytes.length; begin++) {
    for (let end = begin + 5; end <= bytes.length; end++) {
      yield [`bytes ${begin} to ${end} are left out`, splice(bytes, begin, end)];
    }
  }
}

/**
 * Asserts that `parse` of every mutant throws a `NewelError`, or a value that `format` turns into the mutant again.
 * Gives back how many were refused and how many were accepted.
 */
export function assertStrict<T>(
  mutants: Iterable<[what: string, mutant: Uint8Array]>,
  parse: (bytes: Uint8Array) => T,
  format: (value: T) => Uint8Array,
): { refused: number; accepted: number } {
  const count = { refused: 0, accepted: 0 };
  for (const [what, mutant] of mutants) {
    let value: T;
    try {
      value = parse(mutant);
    } catch (error) {
      assert.ok(error instanceof NewelError, `${what}: ${String(error)}`);
      count.refused++;
      continue;
    }
    assert.deepEqual(Buffer.from(format(value)), Buffer.from(mutant), what);
    count.accepted++;
  }
  return count;
}

function splice(bytes: Uint8Array, begin: number, end: number): Uint8Array {
  return new Uint8Array([...bytes.subarray(0, begin), ...bytes.subarray(end)]);
}
