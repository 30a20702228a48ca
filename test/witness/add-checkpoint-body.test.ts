import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import {
  formatAddCheckpoint,
  MAX_WITNESS_BODY_BYTES,
  parseAddCheckpoint,
} from '../../src/witness/add-checkpoint-body.ts';
import { formatSignSubtree, parseSignSubtree } from '../../src/witness/sign-subtree-body.ts';
import { SLOW } from '../support/slow.ts';

const HASH = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=';
const NOTE = 'log.example\n5\n';
const numRuns = SLOW ? 2000 : 200;
const size = fc.maxSafeNat();
const hash = fc.uint8Array({ minLength: 32, maxLength: 32 });
const proof = fc.array(hash, { maxLength: 63 });
const checkpoint = fc.uint8Array({ maxLength: 400 });

const isCode = (code: string) => (error: unknown) => error instanceof NewelError && error.code === code;

test('what is formatted is read back, whatever the note is', () => {
  const request = fc.record({ oldSize: size, proof, checkpoint });
  fc.assert(
    fc.property(request, (given) =>
      assert.deepEqual(parseAddCheckpoint(formatAddCheckpoint(given)), { ...given }),
    ),
    { numRuns },
  );
  const subtree = fc.record({ start: size, end: size, hash, proof, checkpoint });
  fc.assert(
    fc.property(subtree, (given) =>
      assert.deepEqual(parseSignSubtree(formatSignSubtree(given)), { ...given }),
    ),
    { numRuns },
  );
});

test('what is read formats to the same bytes, and a flipped bit is read as such or refused', () => {
  const bytes = formatAddCheckpoint({
    oldSize: 20_852_014,
    proof: [new Uint8Array(32), new Uint8Array(32).fill(7)],
    checkpoint: encodeUtf8(NOTE),
  });
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    try {
      assert.deepEqual(formatAddCheckpoint(parseAddCheckpoint(flipped)), flipped);
    } catch (error) {
      assert.ok(isCode('malformed')(error), String(error));
    }
  }
});

for (const [flaw, text] of [
  ['nothing at all', ''],
  ['no empty line', `old 5\n${HASH}\n`],
  ['no old size', `${HASH}\n\n${NOTE}`],
  ['an old size with a sign', `old +5\n\n${NOTE}`],
  ['an old size with a leading zero', `old 05\n\n${NOTE}`],
  ['an old size of 2^53', `old 9007199254740992\n\n${NOTE}`],
  ['an old size with a space behind it', `old 5 \n\n${NOTE}`],
  ['an old size in capitals', `OLD 5\n\n${NOTE}`],
  ['two spaces', `old  5\n\n${NOTE}`],
  ['a carriage return', `old 5\r\n\r\n${NOTE}`],
  ['an empty line before all', `\nold 5\n\n${NOTE}`],
  ['a hash of 31 bytes', `old 5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n\n${NOTE}`],
  ['base64 of the URL alphabet', `old 5\n${HASH.replace('/', '_')}\n\n${NOTE}`],
  ['base64 without padding', `old 5\n${HASH.slice(0, -1)}\n\n${NOTE}`],
  ['base64 with bits behind its end', `old 5\n${HASH.replace('I=', 'J=')}\n\n${NOTE}`],
  ['64 proof lines', `old 5\n${`${HASH}\n`.repeat(64)}\n${NOTE}`],
  ['100,000 proof lines', `old 5\n${`${HASH}\n`.repeat(5000)}\n${NOTE}`],
] as const) {
  test(`a body with ${flaw} is refused`, () => {
    assert.throws(() => parseAddCheckpoint(encodeUtf8(text)), isCode('malformed'));
  });
}

for (const [flaw, text] of [
  ['no range', `${HASH}\n\n${NOTE}`],
  ['no hash', `subtree 8 13\n\n${NOTE}`],
  ['one number', `subtree 8\n${HASH}\n\n${NOTE}`],
  ['three numbers', `subtree 8 13 14\n${HASH}\n\n${NOTE}`],
  ['a leading zero', `subtree 08 13\n${HASH}\n\n${NOTE}`],
  ['64 proof lines', `subtree 8 13\n${`${HASH}\n`.repeat(65)}\n${NOTE}`],
] as const) {
  test(`a subtree body with ${flaw} is refused`, () => {
    assert.throws(() => parseSignSubtree(encodeUtf8(text)), isCode('malformed'));
  });
}

test('63 proof lines are taken, and the longest body with them', () => {
  const head = encodeUtf8(`old 9007199254740991\n${`${HASH}\n`.repeat(63)}\n`);
  const note = new Uint8Array(MAX_WITNESS_BODY_BYTES - head.length);
  const body = Buffer.concat([head, note]);
  const { oldSize, proof: hashes, checkpoint: rest } = parseAddCheckpoint(body);
  assert.deepEqual([oldSize, hashes.length, rest.length], [Number.MAX_SAFE_INTEGER, 63, note.length]);
  assert.throws(() => parseAddCheckpoint(Buffer.concat([body, Buffer.of(0)])), isCode('too_large'));
});
