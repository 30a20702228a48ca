/** What is trimmed proves what the whole did, to whoever holds the same policy, and is as short as it can be. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { Receipt } from '../../src/client/receipt.ts';
import { checkReceipt } from '../../src/client/report.ts';
import { trimLines, trimProof } from '../../src/client/trim-lines.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { openCheckpoint } from '../../src/formats/checkpoint.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { formatNote, parseNote } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatTlogProof, parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { PlayedLog, playedWitness } from '../support/played-log.ts';
import { SLOW } from '../support/slow.ts';
import { makeTestReceipt } from '../support/test-receipt.ts';
import {
  cosign,
  type Cosigned,
  RECEIVED_TIME_S as T,
  WITNESSES,
  witnessedTrust,
  type WitnessName,
} from '../support/witnessed-receipt.ts';

const { a, b, c, d, pq } = WITNESSES;
const made = makeTestReceipt();
const TWO: Cosigned = [
  [a, T + 1],
  [b, T + 2],
];

function trustOf(rest?: string, names?: readonly WitnessName[]): Trust {
  return parseTrust(witnessedTrust(rest, names), { ed25519: nodeEd25519 });
}

function noteOf({ proof }: Receipt): Uint8Array {
  return parseTlogProof(encodeUtf8(proof)).checkpoint;
}

function namesOf(proof: string): string[] {
  return parseNote(parseTlogProof(encodeUtf8(proof)).checkpoint).signatures.map(({ name }) =>
    name.replace(/.*\//, ''),
  );
}

/** The lines of a receipt's checkpoint that hold under the trust file. */
function trim({ proof, ...rest }: Receipt, trust: Trust): string {
  const { checkpoint } = checkReceipt({ ...rest, proof }, { trust });
  return trimProof(proof, checkpoint!.signatures, trust);
}

describe('a checkpoint', () => {
  test('is trimmed under a trust file in any form that it comes in', async () => {
    const note = noteOf(await cosign(made, [...TWO, [c, T]]));
    const file = witnessedTrust('quorum b\n');
    const trimmed = trimLines(note, parseTrust(file));
    assert.deepEqual(
      parseNote(trimmed).signatures.map(({ name }) => name),
      ['log.example/bank', 'witness.example/b'],
    );
    assert.deepEqual(trimLines(note, file), trimmed);
    assert.deepEqual(trimLines(note, JSON.stringify(file)), trimmed);
    assert.deepEqual(trimLines(note, encodeUtf8(JSON.stringify(file))), trimmed);
  });

  test('of which a line is false, or none is by the log, or of another log, is not trimmed but refused', async () => {
    const note = noteOf(await cosign(made, TWO));
    const { text, signatures } = parseNote(note);
    const trust = trustOf('quorum b\n');
    const [own, first, second] = signatures;
    const bent = { ...first!, signature: first!.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) };
    const withLines = (...lines: (typeof signatures)[number][]): Uint8Array =>
      formatNote({ text, signatures: lines });
    assert.throws(() => trimLines(withLines(own!, bent, second!), trust), { code: 'signature_invalid' });
    assert.throws(() => trimLines(withLines(first!, second!), trust), { code: 'signer_unknown' });
    const other = makeTestReceipt({ origin: 'log.example/other' }).receipt;
    assert.throws(() => trimLines(noteOf(other), trust), { code: 'signer_unknown' });
    assert.throws(() => trimLines(encodeUtf8('no note'), trust), { code: 'malformed' });
    assert.throws(() => trimLines(note, '{}'), { code: 'malformed' });
  });
});

describe('a log that signs with ML-DSA-44 alone, by a policy that lists that key', () => {
  const log = new PlayedLog(20);
  const witness = playedWitness('witness.example/w');
  const file = log.trustFile([witness]);
  const [ed25519, mldsa44] = file['vkeys'] as [string, string];
  const witnessLine = (file['policy'] as string).split('\n')[1]!;
  const policy = `log ${ed25519}\nlog ${mldsa44}\n${witnessLine}\nquorum none\n`;
  const trust = parseTrust({ ...file, policy }, { mldsa44: nobleMldsa44 });
  const head = (isUnsigned: boolean): Promise<Uint8Array> =>
    log.head(20, { timeS: T, witnesses: [[witness, T]], isUnsigned });
  const linesOf = (note: Uint8Array): [name: string, bytes: number][] =>
    parseNote(note).signatures.map(({ name, signature }) => [name, signature.length]);

  test('keeps that line of its own, and of Ed25519 where there is one', async () => {
    const trimmed = trimLines(await head(true), trust);
    assert.deepEqual(linesOf(trimmed), [[log.origin, 8 + 2420]]);
    assert.equal(openCheckpoint(trimmed, trust.verifiers, trust.origin).size, 20);
    assert.deepEqual(trimLines(trimmed, trust), trimmed);
    assert.deepEqual(linesOf(trimLines(await head(false), trust)), [[log.origin, 64]]);
  });

  test('keeps it in a proof too', async () => {
    const checkpoint = await head(true);
    const proof = formatTlogProof({ index: 3, path: [log.root()], checkpoint });
    const { signatures } = openCheckpoint(checkpoint, trust.verifiers, trust.origin);
    const trimmed = parseTlogProof(encodeUtf8(trimProof(proof, signatures, trust)));
    assert.deepEqual(trimmed.checkpoint, trimLines(checkpoint, trust));
  });
});

describe('a proof', () => {
  test('is trimmed to what the policy needs, and its other parts stay', async () => {
    const { proof } = await cosign(made, [...TWO, [c, T + 3]]);
    const whole = { ...parseTlogProof(encodeUtf8(proof)), extra: encodeUtf8('extra') };
    const trust = trustOf();
    const verified = parseNote(whole.checkpoint).signatures;
    const trimmed = trimProof(formatTlogProof(whole), verified, trust);
    assert.deepEqual(namesOf(trimmed), ['bank', 'a', 'b']);
    const { checkpoint, ...rest } = parseTlogProof(encodeUtf8(trimmed));
    const { checkpoint: _, ...had } = whole;
    assert.deepEqual(rest, had);
    assert.equal(parseNote(checkpoint).text, parseNote(whole.checkpoint).text);
  });

  test('under a policy that needs no witness keeps the line of the log alone', async () => {
    assert.deepEqual(namesOf(trim(await cosign(made, TWO), trustOf('quorum none\n'))), ['bank']);
  });

  test('that does not meet the policy stays byte for byte, with lines that only others can check', async () => {
    const receipt = await cosign(made, [
      [a, T],
      [d, T],
      [pq, T],
    ]);
    // Without ML-DSA-44 the line of pq is not checked; with it the policy is met.
    const policy = ['group q all a pq\nquorum q\n', ['a', 'b', 'pq']] as const;
    assert.equal(trim(receipt, trustOf(...policy)), receipt.proof);
    const able = parseTrust(witnessedTrust(...policy), { mldsa44: nobleMldsa44 });
    assert.deepEqual(namesOf(trim(receipt, able)), ['bank', 'a', 'pq']);
  });

  test('proves what it did, whatever the policy and the lines, and to trim it again changes nothing', async () => {
    const cosigned = fc.uniqueArray(
      fc.tuple(fc.constantFrom(a, b, c, d), fc.integer({ min: T, max: T + 9 })),
      { selector: ([cosigner]) => cosigner },
    );
    const rest = fc.oneof(
      fc.constantFrom('quorum none\n', 'quorum a\n'),
      fc
        .tuple(fc.constantFrom('any', 'all', '2'), fc.constantFrom('any', 'all'))
        .map(([x, q]) => `group x ${x} a b c\ngroup q ${q} x d\nquorum q\n`),
    );
    const runs = { numRuns: SLOW ? 1000 : 50 };
    const property = fc.asyncProperty(cosigned, rest, async (by, text) => {
      const trust = trustOf(text, ['a', 'b', 'c', 'd']);
      const receipt = await cosign(made, by);
      const proof = trim(receipt, trust);
      const [before, after] = [receipt, { ...receipt, proof }].map((one) => checkReceipt(one, { trust }));
      assert.equal(after!.error, undefined);
      assert.equal(after!.level, before!.level);
      assert.equal(trim({ ...receipt, proof }, trust), proof);
      assert.ok(proof.length <= receipt.proof.length);
      if (before!.level !== 'witnessed') return;
      const note = parseNote(noteOf({ ...receipt, proof }));
      const parts = parseTlogProof(encodeUtf8(proof));
      for (const line of note.signatures.slice(1)) {
        const signatures = note.signatures.filter((other) => other !== line);
        const checkpoint = formatNote({ ...note, signatures });
        const less = { ...receipt, proof: formatTlogProof({ ...parts, checkpoint }) };
        assert.equal(checkReceipt(less, { trust }).level, 'signed', 'no line is to spare');
      }
    });
    await fc.assert(property, runs);
  });
});
