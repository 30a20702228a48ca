import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { decode } from 'cborg';
import fc from 'fast-check';
import { commitmentOf, EVENT_LEAF_BYTES, formatEventLeaf, parseLeaf } from '../../src/event/leaf.ts';
import { NewelError } from '../../src/errors.ts';
import { formatCbor } from '../../src/formats/cbor.ts';
import { fromHex, hasCode, runCases, toHex } from '../formats/cases.ts';
import { SLOW } from '../support/slow.ts';

const numRuns = SLOW ? 50_000 : 1000;

runCases<{ leaf: string }>('leaf/parse.json', ({ leaf }) => {
  const parsed = parseLeaf(fromHex(leaf));
  if ('commitment' in parsed) {
    assert.equal(toHex(formatEventLeaf(parsed.commitment)), leaf);
    return { version: parsed.version, commitment: toHex(parsed.commitment) };
  }
  return 'kind' in parsed ? { version: parsed.version, kind: parsed.kind } : { version: parsed.version };
});

test('an event’s leaf is CBOR of 40 bytes, as another library reads it', () => {
  const commitment = new Uint8Array(32).fill(7);
  const leaf = formatEventLeaf(commitment);
  assert.equal(leaf.length, EVENT_LEAF_BYTES);
  const map: unknown = decode(leaf, { useMaps: true, strict: true });
  assert.deepEqual(
    map,
    new Map<number, unknown>([
      [1, 1],
      [2, -16],
      [3, commitment],
    ]),
  );
});

test('the commitment is SHA-256 over the domain, a newline and the encoded payload', () => {
  const expected = createHash('sha256').update('newel/event/v1\neyJpc3MiOiJ4In0').digest();
  assert.deepEqual(commitmentOf('eyJpc3MiOiJ4In0'), new Uint8Array(expected));
});

test('a commitment of another size is an error of ours', () => {
  for (const size of [0, 31, 33]) assert.throws(() => formatEventLeaf(new Uint8Array(size)), RangeError);
});

test('the commitment that is read is a copy', () => {
  const leaf = formatEventLeaf(new Uint8Array(32).fill(1));
  const parsed = parseLeaf(leaf);
  assert.ok('commitment' in parsed);
  leaf.fill(0);
  assert.deepEqual(parsed.commitment, new Uint8Array(32).fill(1));
});

test('any change of the first eight bytes of an event’s leaf is seen', () => {
  const leaf = formatEventLeaf(new Uint8Array(32).fill(9));
  for (let at = 0; at < 8; at++) {
    for (let value = 0; value < 256; value++) {
      if (value === leaf[at]) continue;
      const changed = leaf.slice();
      changed[at] = value;
      try {
        assert.ok(!('commitment' in parseLeaf(changed)), `byte ${at} as ${value}`);
      } catch (error) {
        hasCode('malformed')(error);
      }
    }
  }
});

test('whatever the bytes, a leaf is read or malformed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        assert.equal(typeof parseLeaf(bytes).version, 'number');
      } catch (error) {
        assert.ok(error instanceof NewelError && error.code === 'malformed', String(error));
      }
    }),
    { numRuns },
  );
});

test('versions to come are counted, whatever is in them', () => {
  for (const version of [2, 23, 24, 255, 65_536, Number.MAX_SAFE_INTEGER]) {
    const leaf = formatCbor(
      new Map<number, string | number>([
        [1, version],
        [2, 'x'],
      ]),
    );
    assert.deepEqual(parseLeaf(leaf), { version });
  }
});
