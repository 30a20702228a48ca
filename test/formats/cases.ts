/**
 * Runs the cases of one file of `spec/vectors`. A case has a `desc`, its input, and either `want`, the value that comes
 * of it, or `wantErr`, the code of the error.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { readVectors } from '../support/vectors.ts';

interface Expectation {
  readonly desc: string;
  readonly want?: unknown;
  readonly wantErr?: string;
}

/** The cases of a file such as `note/open.json`, each of which is checked to expect something. */
export function readCases<Input>(file: string): (Input & Expectation)[] {
  const cases = readVectors('spec', file).files()[0]!.json() as (Input & Expectation)[];
  assert.ok(cases.length > 0, `${file} has cases`);
  for (const one of cases) {
    assert.equal(typeof one.desc, 'string', file);
    assert.notEqual('want' in one, 'wantErr' in one, `${file}: ${one.desc}: either want or wantErr`);
  }
  return cases;
}

/** One test a case: `run` gives back what `want` says, as plain JSON, or throws a `NewelError` of the code `wantErr`. */
export function runCases<Input>(file: string, run: (input: Input) => unknown): void {
  for (const one of readCases<Input>(file)) {
    test(`${file}: ${one.desc}`, () => {
      if (one.wantErr === undefined) assert.deepEqual(run(one), one.want);
      else assert.throws(() => run(one), hasCode(one.wantErr));
    });
  }
}

/** For `assert.throws`: a `NewelError` with a message and exactly this code. */
export function hasCode(code: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof NewelError, String(error));
    assert.equal(error.code, code, error.message);
    assert.notEqual(error.message, '');
    return true;
  };
}

/** Bytes given as text (`note`) or, where they are not UTF-8, in hex (`noteHex`). */
export function bytesOf(text: string | undefined, hex: string | undefined): Uint8Array {
  assert.notEqual(text === undefined, hex === undefined, 'either text or hex');
  return new Uint8Array(text === undefined ? Buffer.from(hex!, 'hex') : Buffer.from(text, 'utf8'));
}

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
