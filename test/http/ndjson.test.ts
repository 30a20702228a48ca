import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { NdjsonLines } from '../../src/http/ndjson.ts';
import type { Element, Splitter } from '../../src/http/splitter.ts';
import { SLOW } from '../support/slow.ts';

const NUM_RUNS = SLOW ? 5000 : 300;
const MAX = 16;

/** What comes of a body that arrives in these pieces: texts of events, codes of what stands in the place of one. */
function split(splitter: Splitter, pieces: readonly Uint8Array[]): string[] {
  const found: string[] = [];
  const keep = (elements: Iterable<Element>): void => {
    for (const { body, error } of elements) found.push(error ? `!${error.code}` : decodeUtf8(body));
  };
  for (const piece of pieces) keep(splitter.push(piece));
  keep(splitter.end());
  return found;
}

function linesOf(text: string, cut: number = text.length): string[] {
  const bytes = encodeUtf8(text);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += cut) pieces.push(bytes.subarray(at, at + cut));
  return split(new NdjsonLines(MAX), pieces);
}

test('a line for each event, blank ones passed over, the last without its newline', () => {
  assert.deepEqual(linesOf('{"a":1}\n{"b":2}\n'), ['{"a":1}', '{"b":2}']);
  assert.deepEqual(linesOf('{"a":1}\n{"b":2}'), ['{"a":1}', '{"b":2}']);
  assert.deepEqual(linesOf('\n \t\r\n1\r\n\n\n2\n \n'), ['1\r', '2']);
  assert.deepEqual(linesOf(''), []);
  assert.deepEqual(linesOf(' \n\n'), []);
  assert.deepEqual(linesOf('nonsense\n{'), ['nonsense', '{'], 'what is JSON is for the parser');
});

test('a line that is too long is passed over, and the next one goes on', () => {
  const long = 'x'.repeat(MAX + 1);
  assert.deepEqual(linesOf(`1\n${long}\n2\n${long.slice(1)}\n${long}`), [
    '1',
    '!too_large',
    '2',
    long.slice(1),
    '!too_large',
  ]);
  assert.deepEqual(linesOf(`${' '.repeat(MAX)}\n${' '.repeat(MAX + 1)}\n`), ['!too_large']);
});

test('of a line without an end nothing is held', () => {
  const splitter = new NdjsonLines(MAX);
  const piece = new Uint8Array(1024).fill(0x78);
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 50_000; i++) assert.deepEqual([...splitter.push(Uint8Array.from(piece))], []);
  globalThis.gc?.();
  assert.ok(process.memoryUsage().arrayBuffers - before < 40_000_000, 'of 50 MB');
  assert.deepEqual(split(splitter, [encodeUtf8('\n1')]), ['!too_large', '1']);
});

test('the pieces that it arrives in change nothing', () => {
  const character = fc.constantFrom('\n', '\n', ' ', '\r', '"', 'a', 'é', '{');
  const text = fc.array(character, { maxLength: 60 }).map((all) => all.join(''));
  const property = fc.property(text, fc.integer({ min: 1, max: 9 }), (body, cut) => {
    const wanted = body.split('\n').flatMap((line) => {
      if (encodeUtf8(line).length > MAX) return ['!too_large'];
      return /^[ \r\t]*$/.test(line) ? [] : [line];
    });
    assert.deepEqual(linesOf(body, cut), wanted);
  });
  fc.assert(property, { numRuns: NUM_RUNS });
});
