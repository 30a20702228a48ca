import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { parseTrust, toTrust, type Trust } from '../../src/client/trust.ts';
import { formatCheckpoint, openCheckpoint } from '../../src/formats/checkpoint.ts';
import { mldsa44Cosigner } from '../../src/formats/cosignature.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import {
  ed25519Signer,
  formatNote,
  type NoteSignature,
  parseNote,
  signNote,
} from '../../src/formats/note.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { makeTestReceipt, RECEIPT_ORIGIN, seedOf } from '../support/test-receipt.ts';

const { trustFile, vkey } = makeTestReceipt();
const second = formatVkey(newVkey(RECEIPT_ORIGIN, KEY_TYPE.ed25519, nodeEd25519.publicKey(seedOf('second'))));
const foreign = formatVkey(
  newVkey('log.example/bonk', KEY_TYPE.ed25519, nodeEd25519.publicKey(seedOf('second'))),
);
const postQuantum = formatVkey(newVkey(RECEIPT_ORIGIN, KEY_TYPE.mldsa44, new Uint8Array(1312)));

/** A vkey of type 0x04. */
function cosignerOf(name: string, what: string): string {
  return formatVkey(newVkey(name, KEY_TYPE.cosignatureEd25519, nodeEd25519.publicKey(seedOf(what))));
}

describe('parseTrust', () => {
  test('reads what GET /v1/log answers', () => {
    const trust = parseTrust(trustFile);
    assert.equal(trust.origin, RECEIPT_ORIGIN);
    assert.equal(trust.kind, 'events');
    assert.equal(trust.url, `https://${RECEIPT_ORIGIN}`);
    assert.equal(trust.issuer, `https://${RECEIPT_ORIGIN}`);
    assert.deepEqual(trust.vkeys, [vkey]);
    assert.deepEqual(
      trust.verifiers.map(({ name }) => name),
      [RECEIPT_ORIGIN],
    );
    assert.equal(trust.policy.quorum, 'none');
    assert.equal(trust.statementKeys.size, 1);
    assert.deepEqual(trust.schemas, ['stepup/1']);
    assert.equal(trust.maxPublishDelayMs, 60_000);
    assert.equal(toTrust(trust), trust);
    assert.deepEqual(toTrust(trustFile).vkeys, trust.vkeys);
  });

  test('reads that of a log of opaque entries, which signs no statements', () => {
    const { issuer: _, jwks: _keys, schemas: _schemas, ...rest } = trustFile as JsonObject;
    const trust = parseTrust({ ...rest, kind: 'opaque', url: 'http://127.0.0.1:8080/' });
    assert.equal(trust.issuer, undefined);
    assert.equal(trust.statementKeys.size, 0);
    assert.equal(trust.url, 'http://127.0.0.1:8080');
  });

  test('takes the keys that the policy lists, and no others', () => {
    const both = { ...trustFile, vkeys: [postQuantum, vkey, second] };
    assert.equal(parseTrust(both).verifiers.length, 1);
    assert.deepEqual(parseTrust(both).vkeys, both.vkeys);
    const policy = `log ${second}\nlog ${vkey}\nquorum none\n`;
    assert.equal(parseTrust(both, { policy }).verifiers.length, 2);
    assert.equal(parseTrust(both, { policy: new TextEncoder().encode(policy) }).verifiers.length, 2);
    assert.throws(() => parseTrust(trustFile, { policy: `log ${second}\nquorum none\n` }), {
      code: 'malformed',
      message: /no key of the log that the policy lists/,
    });
  });

  test('takes the keys of the policy’s witnesses, and of ML-DSA-44 only with arithmetic for it', () => {
    const secret = seedOf('second');
    const own = newVkey(RECEIPT_ORIGIN, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(secret));
    const quantum = newVkey('w2', KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seedOf('w2')));
    const witnesses = `witness A ${cosignerOf('w1', 'w1')}\nwitness B ${formatVkey(quantum)}\ngroup G all A B\nquorum G\n`;
    const file = {
      ...trustFile,
      vkeys: [vkey, formatVkey(own), vkey],
      policy: `log ${vkey}\n${witnesses}`,
    };
    const namesOf = ({ verifiers }: Trust): object[] =>
      verifiers.map(({ name, isSecondary = false }) => [name, isSecondary]);
    assert.deepEqual(namesOf(parseTrust(file)), [
      [RECEIPT_ORIGIN, false],
      ['w1', false],
    ]);
    assert.equal(parseTrust(file).mldsa44, undefined);
    const trust = parseTrust(file, { mldsa44: nobleMldsa44 });
    assert.equal(trust.mldsa44, nobleMldsa44);
    assert.deepEqual(namesOf(trust), [
      [RECEIPT_ORIGIN, false],
      [RECEIPT_ORIGIN, true],
      ['w1', false],
      ['w2', false],
    ]);
    const listed = `log ${vkey}\nlog ${formatVkey(own)}\n${witnesses}`;
    assert.deepEqual(namesOf(parseTrust({ ...file, policy: listed }, { mldsa44: nobleMldsa44 })).at(1), [
      RECEIPT_ORIGIN,
      false,
    ]);
  });

  test('the log’s second line must be true where it is, and is not enough alone', async () => {
    const secret = seedOf('second');
    const own = newVkey(RECEIPT_ORIGIN, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(secret));
    const file = { ...trustFile, vkeys: [vkey, formatVkey(own)] };
    const text = formatCheckpoint({ origin: RECEIPT_ORIGIN, size: 1, root: new Uint8Array(32) });
    const line = await mldsa44Cosigner(own, (message) => nobleMldsa44.sign(secret, message)).cosign(text, 1);
    const first = parseNote(signNote(text, [ed25519Signer(RECEIPT_ORIGIN, seedOf('log'), nodeEd25519)]));
    const open = (signatures: NoteSignature[], policy = trustFile.policy as string): number =>
      openCheckpoint(
        formatNote({ text, signatures }),
        parseTrust(file, { mldsa44: nobleMldsa44, policy }).verifiers,
        RECEIPT_ORIGIN,
      ).signatures.length;
    assert.equal(open([...first.signatures, line]), 2);
    const forged = { ...line, signature: line.signature.with(100, line.signature[100]! ^ 1) };
    assert.throws(() => open([...first.signatures, forged]), { code: 'signature_invalid' });
    assert.throws(() => open([line]), { code: 'signer_unknown' });
    assert.equal(open([line], `log ${vkey}\nlog ${formatVkey(own)}\nquorum none\n`), 1);
  });

  test('what something else made to look like trust is read again', () => {
    const trust = parseTrust(trustFile);
    // Its policy is no text any more: a copy is not what parseTrust made.
    assert.throws(() => toTrust({ ...trust }), { code: 'malformed' });
  });

  const flaws: [what: string, change: JsonObject, message: RegExp][] = [
    ['no origin', { origin: '' }, /origin that is not text/],
    ['a kind that is not known', { kind: 'other' }, /kind of log/],
    ['no url', { url: 7 }, /url that is not text/],
    ['vkeys that are no list', { vkeys: vkey }, /vkeys that are not a list/],
    ['vkeys that are no texts', { vkeys: [7] }, /vkeys that are not a list/],
    ['too many vkeys', { vkeys: Array<string>(17).fill(vkey) }, /vkeys that are not a list/],
    ['no vkey', { vkeys: [] }, /no Ed25519 key/],
    ['a vkey that is none', { vkeys: ['x'] }, /vkey that cannot be taken/],
    ["another log's vkey", { vkeys: [vkey, foreign] }, /not named as the origin/],
    ['no key that this version verifies', { vkeys: [postQuantum] }, /no Ed25519 key/],
    ['a policy that is none', { policy: 'quorum' }, /policy that cannot be taken: policy line 1/],
    [
      'a policy with a witness of a type that cannot be one',
      { policy: `log ${vkey}\nwitness w ${foreign}\nquorum w\n` },
      /policy that cannot be taken: policy line 2: .*type/,
    ],
    [
      'a policy that takes the log’s key for a witness, whatever its name',
      { policy: `log ${vkey}\nwitness w ${cosignerOf('w', 'log')}\nquorum w\n` },
      /takes the log for a witness/,
    ],
    [
      'a policy with a witness that is named as the log',
      { policy: `log ${vkey}\nwitness w ${cosignerOf(RECEIPT_ORIGIN, 'other')}\nquorum none\n` },
      /takes the log for a witness/,
    ],
    [
      'a policy that takes the log’s second key for a witness',
      {
        vkeys: [vkey, postQuantum],
        policy: `log ${vkey}\nwitness w ${formatVkey(newVkey('w', KEY_TYPE.mldsa44, new Uint8Array(1312)))}\nquorum w\n`,
      },
      /takes the log for a witness/,
    ],
    [
      'a policy with a witness whose key is not acceptable',
      {
        policy: `log ${vkey}\nwitness w ${formatVkey(newVkey('w', KEY_TYPE.cosignatureEd25519, new Uint8Array(32)))}\nquorum w\n`,
      },
      /vkey that cannot be taken/,
    ],
    ['an issuer that is none', { issuer: 7 }, /issuer that is not text/],
    ['a jwks that is none', { jwks: [] }, /jwks that cannot be taken/],
    ['a jwks without keys', { jwks: { keys: [] } }, /no key that signs statements/],
    ['a delay that is none', { limits: { max_publish_delay: -1 } }, /max_publish_delay/],
    ['schemas that are none', { schemas: 'stepup/1' }, /schemas that are not a list/],
  ];
  for (const [what, change, message] of flaws) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseTrust({ ...trustFile, ...change }), { code: 'malformed', message });
    });
  }

  test('refuses a file that lacks what the verifier needs', () => {
    for (const name of ['origin', 'url', 'vkeys', 'policy', 'issuer', 'jwks']) {
      const { [name]: _, ...rest } = trustFile as JsonObject;
      assert.throws(() => parseTrust(rest), { code: 'malformed', message: new RegExp(`has no ${name}`) });
    }
  });

  test('refuses what is no JSON object, and two members of one name', () => {
    for (const input of ['', '[]', '7', undefined, null, [trustFile]]) {
      assert.throws(() => parseTrust(input), { code: 'malformed', message: /^trust file / });
    }
    const twice = JSON.stringify(trustFile).replace('{', '{"origin":"log.example/bonk",');
    assert.throws(() => parseTrust(twice), { code: 'malformed' });
    assert.throws(() => parseTrust(' '.repeat(2 << 20)), { code: 'too_large' });
  });
});
