import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTrust } from '../../src/cli/trust.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';

const ORIGIN = 'log.example/test';
const publicKey = nodeEd25519.publicKey(new Uint8Array(32).fill(7));
const VKEY = formatVkey(newVkey(ORIGIN, KEY_TYPE.ed25519, publicKey));
const OTHER = formatVkey(newVkey('log.example/other', KEY_TYPE.ed25519, publicKey));
const MLDSA = formatVkey(newVkey(ORIGIN, KEY_TYPE.mldsa44, new Uint8Array(1312)));
const WITNESS = formatVkey(newVkey(ORIGIN, KEY_TYPE.cosignatureEd25519, publicKey));
const SMALL_ORDER = formatVkey(newVkey(ORIGIN, KEY_TYPE.ed25519, new Uint8Array(32)));

const parse = (value: unknown): ReturnType<typeof parseTrust> =>
  parseTrust(encodeUtf8(JSON.stringify(value)), 'log.json');

test('a trust file says whose keys to believe; members that later versions add are no matter', () => {
  const trust = parse({
    origin: ORIGIN,
    kind: 'opaque',
    vkeys: [VKEY, MLDSA],
    policy: 'quorum none\n',
    more: {},
  });
  assert.equal(trust.origin, ORIGIN);
  assert.deepEqual(trust.vkeys, [VKEY, MLDSA]);
  assert.deepEqual(
    trust.verifiers.map(({ name }) => name),
    [ORIGIN],
  );
});

test('a trust file that names no key of the log is refused', () => {
  const flawed: readonly [string, unknown, RegExp][] = [
    ['an array', [], /is not a trust file/],
    ['no keys', { origin: ORIGIN }, /is not a trust file/],
    ['an empty list', { origin: ORIGIN, vkeys: [] }, /no Ed25519 key/],
    ['only a key of another type', { origin: ORIGIN, vkeys: [MLDSA] }, /no Ed25519 key/],
    ["only a witness's key", { origin: ORIGIN, vkeys: [WITNESS] }, /no Ed25519 key/],
    ["another log's key", { origin: ORIGIN, vkeys: [VKEY, OTHER] }, /not named as the origin/],
    ['a key of small order', { origin: ORIGIN, vkeys: [SMALL_ORDER] }, /acceptable/],
    ['text for a list', { origin: ORIGIN, vkeys: VKEY }, /has vkeys/],
    ['numbers for keys', { origin: ORIGIN, vkeys: [1] }, /has vkeys/],
    ['too many keys', { origin: ORIGIN, vkeys: Array.from({ length: 17 }, () => VKEY) }, /has vkeys/],
    ['no origin', { origin: '', vkeys: [VKEY] }, /origin/],
    ['a spoilt key', { origin: ORIGIN, vkeys: [`${VKEY.slice(0, -2)}AA`] }, /key id/],
  ];
  for (const [what, value, message] of flawed)
    assert.throws(() => parse(value), { code: 'malformed', message }, what);
  assert.throws(() => parseTrust(encodeUtf8('{'), 'log.json'), { code: 'malformed', message: /not JSON/ });
  assert.throws(() => parseTrust(new Uint8Array(2 ** 20 + 1), 'log.json'), { code: 'too_large' });
});
