/** Of the lines of a checkpoint, those that a policy needs: never one more, never one that was not verified. */

import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { formatNote, type NoteSignature, parseNote } from '../../src/formats/note.ts';
import { trimToPolicy } from '../../src/formats/policy-lines.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { isQuorumMet, type Policy, witnessOf } from '../../src/formats/tlog-policy.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { trimLines } from '../../src/client/trim-lines.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { SLOW } from '../support/slow.ts';
import { makeTestReceipt, RECEIPT_ORIGIN } from '../support/test-receipt.ts';
import {
  cosign,
  type Cosigned,
  WITNESSES,
  witnessedTrust,
  type WitnessName,
} from '../support/witnessed-receipt.ts';

const { a, b, c, d, pq } = WITNESSES;
const made = makeTestReceipt();
const ALL: readonly WitnessName[] = ['a', 'b', 'c', 'd', 'pq'];

async function noteOf(cosigned: Cosigned): Promise<Uint8Array> {
  const { proof } = await cosign(made, cosigned);
  return parseTlogProof(encodeUtf8(proof)).checkpoint;
}

function trustOf(rest: string): Trust {
  return parseTrust(witnessedTrust(rest, ALL), { mldsa44: nobleMldsa44 });
}

/** Last parts of the names of the lines, in their order. */
function namesOf(note: Uint8Array): string[] {
  return parseNote(note).signatures.map(({ name }) => name.split('/')[1]!);
}

describe('a checkpoint keeps', () => {
  let note: Uint8Array;
  before(async () => {
    note = await noteOf([
      [c, 300],
      [a, 200],
      [pq, 100],
      [b, 100],
    ]);
  });

  const cases: readonly [what: string, rest: string, kept: string[]][] = [
    ['the log’s line alone, where nobody else is needed', 'quorum none\n', ['bank']],
    ['the one witness that is needed', 'quorum a\n', ['bank', 'a']],
    [
      'as many as are needed, the earliest, in the order of the note',
      'group q 2 a b c\nquorum q\n',
      ['bank', 'a', 'b'],
    ],
    ['fewer rather than earlier ones', 'group x all pq b\ngroup q any x c\nquorum q\n', ['bank', 'c']],
    [
      'one for each part of the quorum',
      'group x any a b\ngroup y any c d\ngroup q all x y\nquorum q\n',
      ['bank', 'c', 'a'],
    ],
    [
      'all that the policy knows, where they are too few',
      'group q all a b d\nquorum q\n',
      ['bank', 'c', 'a', 'pq', 'b'],
    ],
  ];
  for (const [what, rest, kept] of cases) {
    test(what, () => {
      const trimmed = trimLines(note, trustOf(rest));
      assert.deepEqual(namesOf(trimmed), kept);
      assert.equal(parseNote(trimmed).text, parseNote(note).text);
      assert.deepEqual(trimLines(trimmed, trustOf(rest)), trimmed);
    });
  }

  test('no line of strangers, and none of ML-DSA-44 where nobody can check it', async () => {
    const trust = parseTrust(witnessedTrust('group q any a pq\nquorum q\n', ['a', 'pq']));
    assert.deepEqual(namesOf(trimLines(note, trust)), ['bank', 'a']);
    const alone = await noteOf([[pq, 100]]);
    assert.deepEqual(namesOf(trimLines(alone, trust)), ['bank']);
  });

  test('its own line of Ed25519, and no other of its own', () => {
    const { signatures, text } = parseNote(note);
    const second: NoteSignature = {
      name: RECEIPT_ORIGIN,
      keyId: 7,
      signature: new Uint8Array(8 + 2420).fill(1),
    };
    const policy = trustOf('quorum a\n').policy;
    const verified = [signatures[0]!, second, ...signatures.slice(1)];
    const whole = formatNote({ text, signatures: verified });
    assert.deepEqual(namesOf(trimToPolicy(whole, { verified, policy, origin: RECEIPT_ORIGIN })), [
      'bank',
      'a',
    ]);
    assert.throws(
      () => trimToPolicy(whole, { verified: [second], policy, origin: RECEIPT_ORIGIN }),
      RangeError,
    );
  });
});

test('what is left meets every policy that the whole met, with no line to spare', async () => {
  const lines = fc.uniqueArray(fc.tuple(fc.constantFrom(a, b, c, d), fc.integer({ min: 1, max: 9 })), {
    selector: ([cosigner]) => cosigner,
  });
  const rest = fc
    .tuple(
      fc.constantFrom('any', 'all', '2'),
      fc.constantFrom('any', 'all', '2'),
      fc.constantFrom('any', 'all'),
    )
    .map(([x, y, q]) => `group x ${x} a b\ngroup y ${y} c d\ngroup q ${q} x y\nquorum q\n`);
  await fc.assert(
    fc.asyncProperty(lines, rest, async (cosigned, text) => {
      const file = witnessedTrust(text, ['a', 'b', 'c', 'd']);
      const trust = parseTrust(file, { ed25519: nodeEd25519 });
      const note = await noteOf(cosigned);
      const open = (from: Uint8Array): readonly NoteSignature[] =>
        openCheckpoint(from, trust.verifiers, trust.origin).signatures;
      const left = open(trimLines(note, trust));
      const isMet = (from: readonly NoteSignature[]): boolean => meets(trust.policy, from);
      assert.equal(isMet(left), isMet(open(note)));
      if (!isMet(left)) return assert.equal(left.length, cosigned.length + 1);
      for (const line of left.slice(1)) assert.ok(!isMet(left.filter((other) => other !== line)));
    }),
    { numRuns: SLOW ? 1000 : 60 },
  );
});

function meets(policy: Policy, lines: readonly NoteSignature[]): boolean {
  return isQuorumMet(policy, new Set(lines.flatMap((line) => witnessOf(policy, line)?.name ?? [])));
}
