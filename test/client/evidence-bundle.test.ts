import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  type EvidenceBundle,
  FORK,
  formatEvidenceBundle,
  isEvidence,
  parseEvidenceBundle,
  ROLLBACK,
  sightingOf,
} from '../../src/client/evidence-bundle.ts';
import { formatKeyName } from '../../src/client/head-lines.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { verifyEvidenceBundle } from '../../src/client/verify-evidence.ts';
import { NewelError } from '../../src/errors.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { formatNote, MAX_NOTE_BYTES, parseNote } from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { PlayedLog, playedWitness } from '../support/played-log.ts';
import { SLOW } from '../support/slow.ts';

const SEEN = [
  { source: 'https://a.example', timeMs: Date.UTC(2026, 10, 20, 12) },
  { source: 'a peer', timeMs: Date.UTC(2026, 10, 20, 12, 0, 1) },
] as const;
const WITNESS = playedWitness('witness.example/w1');
const OTHER = playedWitness('witness.example/w2');
const T = Date.UTC(2026, 10, 20, 12) / 1000;

/** Two logs under one key, that part at leaf 90. */
const honest = new PlayedLog(200);
const forked = honest.fork(90).grow(210, 'other');
const trust: Trust = parseTrust(honest.trustFile([WITNESS]), { mldsa44: nobleMldsa44 });

function forkOf(heads: readonly [Uint8Array, Uint8Array], m?: number, n?: number): EvidenceBundle {
  const bundle = { evidence: FORK, origin: honest.origin, heads, seen: SEEN } as const;
  return m === undefined || n === undefined
    ? bundle
    : { ...bundle, root: forked.root(m), proof: forked.proof(m, n) };
}

function rollbackOf(...heads: readonly [Uint8Array, Uint8Array]): EvidenceBundle {
  return { evidence: ROLLBACK, origin: honest.origin, heads, seen: [] };
}

function refuses(code: NewelError['code']): (error: unknown) => boolean {
  return (error) => error instanceof NewelError && error.code === code;
}

describe('the form of a bundle', () => {
  test('what is formatted is read again, and formats to the same text', async () => {
    const bundles = [
      forkOf([await honest.head(150), await forked.head(150)]),
      forkOf([await honest.head(100), await forked.head(300)], 100, 300),
      rollbackOf(await honest.head(100), await honest.head(90)),
    ];
    for (const bundle of bundles) {
      const text = formatEvidenceBundle(bundle);
      const read = parseEvidenceBundle(encodeUtf8(text));
      assert.deepEqual(read, bundle);
      assert.equal(formatEvidenceBundle(read), text);
      assert.deepEqual(parseEvidenceBundle(JSON.stringify(JSON.parse(text), undefined, 2)), bundle);
      assert.ok(isEvidence(JSON.parse(text) as JsonObject));
    }
    assert.ok(!isEvidence({ event_id: 'x' }) && !isEvidence(null) && !isEvidence(['evidence']));
  });

  test('every flaw is refused', async () => {
    const bundle = forkOf([await honest.head(100), await forked.head(300)], 100, 300);
    const json = JSON.parse(formatEvidenceBundle(bundle)) as JsonObject;
    const without = (name: string): JsonObject =>
      Object.fromEntries(Object.entries(json).filter(([key]) => key !== name));
    const hash = formatBase64(forked.root(1));
    const flawed: [JsonObject | unknown[], NewelError['code']][] = [
      ...Object.keys(json).map((name): [JsonObject, 'malformed'] => [without(name), 'malformed']),
      [{ ...json, more: 1 }, 'malformed'],
      [{ ...json, evidence: 'newel.fork/2' }, 'malformed'],
      [{ ...json, evidence: ROLLBACK }, 'malformed'],
      [{ ...json, origin: '' }, 'malformed'],
      [{ ...json, origin: 'x'.repeat(5000) }, 'malformed'],
      [{ ...json, heads: [decodeUtf8(bundle.heads[0])] }, 'malformed'],
      [{ ...json, heads: ['no note', decodeUtf8(bundle.heads[0])] }, 'malformed'],
      [{ ...json, heads: [1, 2] }, 'malformed'],
      [{ ...json, heads: ['\ud800', 'x'] }, 'malformed'],
      [{ ...json, heads: ['x'.repeat(MAX_NOTE_BYTES + 1), 'x'] }, 'too_large'],
      [{ ...json, root: 'AA==' }, 'malformed'],
      [{ ...json, root: null }, 'malformed'],
      [{ ...json, proof: hash }, 'malformed'],
      [{ ...json, proof: [hash.replace('=', '')] }, 'malformed'],
      [{ ...json, proof: Array.from({ length: 65 }, () => hash) }, 'too_large'],
      [{ ...json, seen: [{ source: 'a', time: '2026-11-20T12:00:00.000Z' }] }, 'malformed'],
      [{ ...json, seen: [{}, {}] }, 'malformed'],
      ...['2026-11-20', '2026-11-20T12:00:00Z', '2026-11-20T12:00:00.000+00:00', 5].map(
        (time): [JsonObject, 'malformed'] => {
          return [{ ...json, seen: [1, 2].map(() => ({ source: 'a', time })) }, 'malformed'];
        },
      ),
      [{ ...json, seen: [1, 2].map(() => ({ source: '', time: '2026-11-20T12:00:00.000Z' })) }, 'malformed'],
      [[json], 'malformed'],
    ];
    for (const [value, code] of flawed) {
      assert.throws(
        () => parseEvidenceBundle(JSON.stringify(value)),
        refuses(code),
        JSON.stringify(value).slice(0, 300),
      );
    }
    assert.throws(() => parseEvidenceBundle(' '.repeat(3 * 1024 * 1024)), refuses('too_large'));
    assert.throws(() => parseEvidenceBundle(`{"evidence":1,"evidence":2}`), refuses('malformed'));
    assert.throws(() => formatEvidenceBundle({ ...bundle, seen: [SEEN[0]] }), RangeError);
    for (const source of [
      `https://log.example/${'a'.repeat(1100)}`,
      '\u{1F512}'.repeat(513),
      `x${'\u{1F512}'.repeat(513)}`,
    ]) {
      const seen = [sightingOf(source, 1), SEEN[1]] as const;
      const again = parseEvidenceBundle(formatEvidenceBundle({ ...bundle, seen }));
      assert.ok(source.startsWith(again.seen[0]!.source) && again.seen[0]!.source.length >= 1023);
    }
    assert.throws(
      () => formatEvidenceBundle({ ...bundle, heads: [new Uint8Array(3), bundle.heads[1]] }),
      RangeError,
    );
  });
});

describe('a fork', () => {
  test('of one size convicts the log', async () => {
    const verified = verifyEvidenceBundle(
      forkOf([await honest.head(150, { timeS: T }), await forked.head(150)]),
      {
        trust,
      },
    );
    assert.equal(verified.kind, 'fork');
    assert.deepEqual(verified.sizes, [150, 150]);
    assert.deepEqual(verified.roots, [honest.root(150), forked.root(150)]);
    assert.deepEqual(verified.timesS, [T, undefined]);
    const [ed25519, mldsa44] = trust.vkeys.map((vkey) => vkey.split('+', 2).join('+'));
    assert.deepEqual(verified.keys, [ed25519], 'its ML-DSA-44 key has signed one head alone');
    const apart = [await honest.head(150, { timeS: T, isUnsigned: true }), await forked.head(150)] as const;
    const byEither = verifyEvidenceBundle(forkOf(apart), { trust });
    assert.deepEqual(byEither.keys, [mldsa44, ed25519], 'no key has signed both, and the log has');
    assert.match(verified.words.join('\n'), /signed a tree of 150 leaves.*\n.*\n.*two roots/);
  });

  test('of two sizes convicts at every pair of sizes behind the place where they part, and at no other', async () => {
    const sizes = [1, 2, 63, 64, 89, 90, 91, 96, 128, 129, 199, 200];
    let convicted = 0;
    for (const m of sizes) {
      for (const n of [201, 256, 257, 300]) {
        const bundle = forkOf([await honest.head(m), await forked.head(n)], m, n);
        if (m > 90) {
          assert.deepEqual(verifyEvidenceBundle(bundle, { trust }).sizes, [m, n]);
          convicted++;
        } else {
          assert.throws(() => verifyEvidenceBundle(bundle, { trust }), refuses('proof_invalid'));
        }
      }
    }
    assert.equal(convicted, 24);
  });

  test('heads signed by the ML-DSA-44 key alone convict, for whoever can verify it', async () => {
    const options = { timeS: T, isUnsigned: true };
    const bundle = forkOf([await honest.head(150, options), await forked.head(150, options)]);
    assert.deepEqual(verifyEvidenceBundle(bundle, { trust }).timesS, [T, T]);
    assert.throws(
      () => verifyEvidenceBundle(bundle, { trust: honest.trustFile([WITNESS]) }),
      refuses('signer_unknown'),
    );
  });

  test('an honest log cannot be accused', async () => {
    const [small, large] = [await honest.head(100), await honest.head(200)];
    const wrong: [EvidenceBundle, NewelError['code']][] = [
      [forkOf([small, small]), 'proof_invalid'],
      [forkOf([small, large]), 'proof_invalid'],
      [forkOf([large, small]), 'proof_invalid'],
      [{ ...forkOf([small, large]), root: honest.root(100), proof: honest.proof(100, 200) }, 'proof_invalid'],
      [{ ...forkOf([small, large]), root: forked.root(100), proof: honest.proof(100, 200) }, 'root_mismatch'],
      [{ ...forkOf([small, large]), root: forked.root(100), proof: [] }, 'proof_invalid'],
      [{ ...forkOf([small, large]), root: forked.root(100), proof: forked.proof(100, 200) }, 'root_mismatch'],
      [{ ...forkOf([small, small]), root: forked.root(100), proof: [] }, 'proof_invalid'],
      [{ ...forkOf([await honest.head(0), large]), root: forked.root(1), proof: [] }, 'proof_invalid'],
      [
        { ...forkOf([await honest.head(0), large]), root: forked.root(1), proof: [forked.root(1)] },
        'proof_invalid',
      ],
      // Somebody else's head, and heads that were tampered with.
      [forkOf([small, await new PlayedLog(100, 'log.example/else').head()]), 'signer_unknown'],
      [
        forkOf([small, await forked.head(100, { isUnsigned: true, witnesses: [[WITNESS, T]] })]),
        'signer_unknown',
      ],
      [
        forkOf([small, await forked.head(100, { isUnsigned: true, witnesses: [[OTHER, T]] })]),
        'signer_unknown',
      ],
      [forkOf([small, encodeUtf8(decodeUtf8(small).replace('\n100\n', '\n101\n'))]), 'signature_invalid'],
      [{ ...forkOf([small, large]), origin: 'log.example/else' }, 'signer_unknown'],
    ];
    for (const [i, [bundle, code]] of wrong.entries()) {
      assert.throws(() => verifyEvidenceBundle(bundle, { trust }), refuses(code), `case ${i}`);
    }
  });

  test('no other bytes in the place of root and proof convict an honest log', async () => {
    const heads = [await honest.head(100), await honest.head(200)] as const;
    const proof = honest.proof(100, 200);
    const hash = fc.oneof(
      fc.constantFrom(...proof, honest.root(100)),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    );
    fc.assert(
      fc.property(hash, fc.array(hash, { maxLength: 12 }), (root, path) => {
        assert.throws(
          () => verifyEvidenceBundle({ ...forkOf(heads), root, proof: path }, { trust }),
          NewelError,
        );
      }),
      { numRuns: SLOW ? 20_000 : 200 },
    );
  });

  test('a false line beside a true one takes nothing away', async () => {
    const spoilt = (note: Uint8Array, witnessed: Uint8Array): Uint8Array => {
      const { text, signatures } = parseNote(note);
      // The witness's line is of another head.
      return formatNote({ text, signatures: [...signatures, parseNote(witnessed).signatures[1]!] });
    };
    const other = await honest.head(7, { witnesses: [[WITNESS, T]] });
    const bundle = forkOf([spoilt(await honest.head(150), other), await forked.head(150)]);
    assert.equal(verifyEvidenceBundle(bundle, { trust }).kind, 'fork');
  });
});

describe('a rollback', () => {
  const lines = (
    witness: typeof WITNESS,
    timeS: number,
  ): { readonly witnesses: [[typeof WITNESS, number]] } => ({
    witnesses: [[witness, timeS]],
  });

  test('of a witness convicts the witness, and not the log', async () => {
    const bundle = rollbackOf(
      await honest.head(100, lines(WITNESS, T)),
      await honest.head(99, lines(WITNESS, T + 1)),
    );
    const verified = verifyEvidenceBundle(bundle, { trust });
    assert.equal(verified.kind, 'rollback');
    assert.deepEqual(verified.timesS, [T, T + 1]);
    assert.deepEqual(verified.sizes, [100, 99]);
    assert.equal(verified.keys.length, 1);
    assert.match(verified.keys[0]!, /^witness\.example\/w1\+/);
    assert.match(
      verified.words.join('\n'),
      /2026-11-20 12:00:00 UTC witness.*100 leaves[^]*shows nothing against log/,
    );
  });

  test('of the log’s own ML-DSA-44 key convicts the log', async () => {
    const bundle = rollbackOf(await honest.head(100, { timeS: T }), await honest.head(1, { timeS: T + 60 }));
    assert.match(verifyEvidenceBundle(bundle, { trust }).keys[0]!, /^log\.example\/played\+/);
    assert.throws(
      () => verifyEvidenceBundle(bundle, { trust: honest.trustFile() }),
      refuses('proof_invalid'),
    );
  });

  test('by several keys convicts each of them, in words too, and nobody else', async () => {
    const [key1, key2] = [WITNESS, OTHER].map(({ vkey }) => formatKeyName(vkey));
    const both = parseTrust(honest.trustFile([WITNESS, OTHER]), { mldsa44: nobleMldsa44 });
    const head = (size: number, one: number, other: number, timeS?: number): Promise<Uint8Array> =>
      honest.head(size, {
        witnesses: [
          [WITNESS, one],
          [OTHER, other],
        ],
        ...(timeS !== undefined && { timeS }),
      });
    const bundle = rollbackOf(await head(100, T + 5, T), await head(99, T + 10, T + 20));
    const { keys, timesS, words } = verifyEvidenceBundle(bundle, { trust: both });
    assert.deepEqual(keys, [key1, key2]);
    assert.deepEqual(timesS, [T, T + 10], 'the earliest that a guilty line of each head says');
    for (const key of keys) {
      const said = words.filter((sentence) => sentence.includes(`${key} signed that the largest tree`));
      assert.deepEqual(
        said.map((sentence) => /had ([0-9]+) leaves/.exec(sentence)?.[1]),
        ['100', '99'],
        key,
      );
    }
    assert.match(
      words.join('\n'),
      new RegExp(`each of ${keys.join(', ')} has gone back`.replaceAll('+', '\\+')),
    );
    assert.equal(words.at(-1), `This shows nothing against ${honest.origin}.`);
    assert.match(words.join('\n'), /or somebody else has its key\./, 'a stolen key does this too');
    // One of them has signed in the order of time; and whoever does not trust a key does not hear of it.
    const one = rollbackOf(await head(100, T, T + 50), await head(99, T + 1, T + 2));
    assert.deepEqual(verifyEvidenceBundle(one, { trust: both }).keys, [key1]);
    assert.deepEqual(verifyEvidenceBundle(bundle, { trust }).keys, [key1]);
    const withLog = rollbackOf(await head(100, T, T, T), await head(99, T + 1, T, T + 2));
    const verified = verifyEvidenceBundle(withLog, { trust: both });
    assert.equal(verified.keys.length, 2);
    assert.match(verified.keys[0]!, /^log\.example\/played\+/);
    assert.ok(!verified.words.some((sentence) => sentence.includes('nothing against')));
  });

  test('a time that no calendar has is a time', async () => {
    const bundle = rollbackOf(
      await honest.head(9, lines(WITNESS, 2 ** 53 - 2)),
      await honest.head(8, lines(WITNESS, 2 ** 53 - 1)),
    );
    assert.deepEqual(verifyEvidenceBundle(bundle, { trust }).timesS, [2 ** 53 - 2, 2 ** 53 - 1]);
  });

  test('lines that agree, or are by two keys, convict nobody', async () => {
    const at = (size: number, timeS: number, witness = WITNESS): Promise<Uint8Array> =>
      honest.head(size, lines(witness, timeS));
    const wrong: [EvidenceBundle, NewelError['code']][] = [
      // The same second, the same size, growth, and the two in the wrong order.
      [rollbackOf(await at(100, T), await at(99, T)), 'proof_invalid'],
      [rollbackOf(await at(100, T), await at(100, T + 1)), 'proof_invalid'],
      [rollbackOf(await at(100, T), await at(101, T + 1)), 'proof_invalid'],
      [rollbackOf(await at(99, T + 1), await at(100, T)), 'proof_invalid'],
      [rollbackOf(await at(100, T + 1), await at(99, T)), 'proof_invalid'],
      [rollbackOf(await at(100, T), await at(99, T + 1, OTHER)), 'proof_invalid'],
      // Heads without a time say nothing of when.
      [rollbackOf(await honest.head(100), await honest.head(99)), 'proof_invalid'],
      [rollbackOf(await at(100, T, OTHER), await honest.head(99)), 'proof_invalid'],
    ];
    for (const [i, [bundle, code]] of wrong.entries()) {
      assert.throws(() => verifyEvidenceBundle(bundle, { trust }), refuses(code), `case ${i}`);
    }
  });
});
