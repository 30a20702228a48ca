/** What a test of proofs asks again and again: is this refused, in our own words, and was the tree read only once. */

import assert from 'node:assert/strict';
import { NewelError, RootMismatchError } from '../../src/errors.ts';
import type { Node } from '../../src/core/tree.ts';

/** Whether a verification accepts; any refusal that is not one of ours fails the test. */
export function accepts(verify: () => void): boolean {
  // Hundreds of thousands of refusals: recording where each was thrown would take most of the time.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    verify();
    return true;
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    assert.ok(error.code === 'proof_invalid' || error.code === 'root_mismatch', error.code);
    assert.equal(error instanceof RootMismatchError, error.code === 'root_mismatch');
    return false;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Fails unless `verify` is refused. */
export function refused(verify: () => void, what: () => string): void {
  if (accepts(verify)) assert.fail(`accepted: ${what()}`);
}

/** A copy of `hash` in which byte `at` has another value. */
export function withByte(hash: Uint8Array, at: number): Uint8Array {
  const copy = hash.slice();
  copy[at]! ^= 1 << (at % 8);
  return copy;
}

/** One call, no node twice, and the call is made even where nothing is wanted: the reader sees every proof. */
export function assertReadOnce(calls: readonly (readonly Node[])[]): void {
  assert.equal(calls.length, 1);
  const nodes = calls[0]!.map(({ level, index }) => `${level}/${index}`);
  assert.equal(new Set(nodes).size, nodes.length, 'a node was asked for twice');
}
