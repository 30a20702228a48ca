/**
 * One changed bit anywhere in a statement or a proof: each change is found, by the check that it belongs to, unless it is
 * in a line of a key that the trust file does not name, which signed-note demands to ignore.
 *
 * What is right is judged here by a rule of its own, which shares no code with the verifier.
 */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SeededRandom } from '../../bench/support/seeded-random.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { Receipt } from '../../src/client/receipt.ts';
import { checkReceipt } from '../../src/client/report.ts';
import { parseTrust } from '../../src/client/trust.ts';
import { ed25519Signer, type Signer } from '../../src/formats/note.ts';
import { SLOW } from '../support/slow.ts';
import { makeTestReceipt, RECEIPT_ORIGIN, seedOf } from '../support/test-receipt.ts';

const FLIPS = SLOW ? 20_000 : 2000;
const SEED = 20_261_120;

/** A key of the log that the trust file does not have, and two strangers. */
const STRANGERS: readonly Signer[] = [
  { name: RECEIPT_ORIGIN, keyId: 0x2b1d3a4c, sign: () => new Uint8Array(100).fill(7) },
  ed25519Signer('witness.example/one', seedOf('one')),
  ed25519Signer('witness.example/two', seedOf('two')),
];
const { receipt, trustFile, vkey } = makeTestReceipt({ cosigners: STRANGERS });
const blank = receipt.proof.indexOf('\n\n') + 2;

interface Flip {
  readonly part: 'statement' | 'head' | 'checkpoint';
  readonly at: number;
  readonly bit: number;
  readonly flipped: Receipt;
}

function flipIn(random: SeededRandom): Flip {
  const [part, member, begin, end] = (
    [
      ['statement', 'statement', 0, receipt.statement.length],
      ['head', 'proof', 0, blank],
      ['checkpoint', 'proof', blank, receipt.proof.length],
    ] as const
  )[random.below(3)]!;
  const at = begin + random.below(end - begin);
  const code = receipt[member].charCodeAt(at);
  const bit = random.below(code < 0x80 ? 7 : 16);
  const text = receipt[member];
  const changed = text.slice(0, at) + String.fromCharCode(code ^ (1 << bit)) + text.slice(at + 1);
  return { part, at, bit, flipped: { ...receipt, [member]: changed } };
}

/** The key id that the trust file names: what stands between the two pluses of its vkey. */
const KNOWN_LINE = new RegExp(`^— ${RECEIPT_ORIGIN.replaceAll('.', '\\.')} [A-Za-z0-9+/]+={0,2}$`);
const knownKeyId = vkey.split('+')[1]!;

/** Whether a changed checkpoint says the same, by the same known key, in a note that is well-formed. */
function isIgnored(changed: string, original: string): boolean {
  const textEnd = original.lastIndexOf('\n\n') + 2;
  if (changed.slice(0, textEnd) !== original.slice(0, textEnd)) return false;
  const block = changed.slice(textEnd);
  if (!block.endsWith('\n')) return false;
  const [known] = original.slice(textEnd).split('\n');
  const lines = block.slice(0, -1).split('\n');
  return lines.includes(known!) && lines.every((line) => line === known || isStranger(line));
}

function isStranger(line: string): boolean {
  const [, name = '', base64 = ''] = /^— ([^ ]+) ([^ ]+)$/u.exec(line) ?? [];
  const isName =
    /^[^\p{White_Space}+\p{Surrogate}]+$/u.test(name) && !Array.from(name).some((char) => char < ' ');
  const bytes = Buffer.from(base64, 'base64');
  if (!isName || bytes.toString('base64') !== base64 || bytes.length < 5) return false;
  return !(KNOWN_LINE.test(line) && bytes.subarray(0, 4).toString('hex') === knownKeyId);
}

function failedChecks(flipped: Receipt, trust: ReturnType<typeof parseTrust>): string[] {
  const { ok, checks, error, level } = checkReceipt(flipped, { trust });
  const failed = checks.filter(({ result }) => result === 'failed').map(({ name }) => name);
  assert.equal(ok, failed.length === 0, 'it is ok exactly where no check fails');
  assert.equal(ok, error === undefined);
  assert.equal(ok, level === 'signed');
  return failed;
}

describe(`${FLIPS} random flips, seed ${SEED}`, () => {
  const trust = parseTrust(trustFile, { ed25519: nodeEd25519 });
  const flips = Array.from({ length: FLIPS }, (_, i) => flipIn(new SeededRandom(SEED + i)));

  test('the receipt itself holds', () => {
    assert.deepEqual(failedChecks(receipt, trust), []);
    assert.ok(isIgnored(receipt.proof.slice(blank), receipt.proof.slice(blank)));
  });

  test('each is judged rightly, and found by its own check', (t) => {
    const count = { statement: 0, head: 0, checkpoint: 0, ignored: 0 };
    for (const { part, at, bit, flipped } of flips) {
      const where = `${part}, code unit ${at}, bit ${bit}`;
      const failed = failedChecks(flipped, trust);
      if (part === 'checkpoint' && isIgnored(flipped.proof.slice(blank), receipt.proof.slice(blank))) {
        assert.deepEqual(failed, [], where);
        count.ignored++;
        continue;
      }
      count[part]++;
      if (part !== 'head') assert.ok(failed.includes(part), `${where}: ${failed.join()}`);
      // Where the blank line moves, it is the checkpoint that is no longer there.
      else if (flipped.proof.indexOf('\n\n') + 2 !== blank) assert.ok(failed.includes('checkpoint'), where);
      else assert.ok(failed.includes('inclusion'), `${where}: ${failed.join()}`);
    }
    t.diagnostic(JSON.stringify(count));
    for (const [kind, found] of Object.entries(count)) {
      assert.ok(found > FLIPS / 20, `${kind}: ${found} are enough to mean something`);
    }
  });

  test('browsers judge as Node does', () => {
    const noble = parseTrust(trustFile);
    for (const { flipped } of flips.slice(0, 100)) {
      assert.deepEqual(failedChecks(flipped, noble), failedChecks(flipped, trust));
    }
  });
});

test('any change of a number or name in the receipt is found', () => {
  const trust = parseTrust(trustFile, { ed25519: nodeEd25519 });
  const changes: [member: keyof Receipt, value: string | number, check: string][] = [
    ['event_id', `evt_${'A'.repeat(22)}`, 'statement'],
    ['id', 'another', 'statement'],
    ['source', 'https://bank.example/other', 'statement'],
    ['received_time', '2026-11-20T12:00:09.123Z', 'statement'],
    ['log', 'log.example/other', 'checkpoint'],
    ['leaf_index', 40, 'leaf'],
    ['leaf_hash', Buffer.alloc(32).toString('base64'), 'leaf'],
    ['tree_size', 43, 'checkpoint'],
  ];
  for (const [member, value, check] of changes) {
    const failed = failedChecks({ ...receipt, [member]: value }, trust);
    assert.ok(failed.includes(check), `${member}: ${failed.join()}`);
  }
});
