import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { parseTrust, toTrust } from '../../src/client/trust.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { makeTestReceipt, RECEIPT_ORIGIN, seedOf } from '../support/test-receipt.ts';

const { trustFile, vkey } = makeTestReceipt();
const second = formatVkey(newVkey(RECEIPT_ORIGIN, KEY_TYPE.ed25519, nodeEd25519.publicKey(seedOf('second'))));
const foreign = formatVkey(
  newVkey('log.example/bonk', KEY_TYPE.ed25519, nodeEd25519.publicKey(seedOf('second'))),
);
const postQuantum = formatVkey(newVkey(RECEIPT_ORIGIN, KEY_TYPE.mldsa44, new Uint8Array(1312)));

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
      'a policy that asks for witnesses',
      { policy: `log ${vkey}\nwitness w ${foreign}\nquorum w\n` },
      /does not know witnesses yet/,
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
