import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { formatPolicy, MAX_POLICY_BYTES, parsePolicy, type Policy } from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { bytesOf, hasCode, runCases, toHex } from './cases.ts';
import { mutationsOf } from './mutations.ts';

const numRuns = process.env['SLOW'] ? 5_000 : 200;

const plain = ({ logs, quorum }: Policy): object => ({
  logs: logs.map(({ vkey, ...rest }) => ({ vkey: formatVkey(vkey), ...rest })),
  quorum,
});
const read = (text: string): Policy => parsePolicy(bytesOf(text, undefined));

runCases<{ policy?: string; policyHex?: string }>('tlog-policy/parse.json', ({ policy, policyHex }) => {
  const parsed = parsePolicy(bytesOf(policy, policyHex));
  assert.deepEqual(plain(read(formatPolicy(parsed))), plain(parsed));
  return plain(parsed);
});

const vkey = newVkey('log.example', KEY_TYPE.ed25519, new Uint8Array(32).fill(1));

test('a policy reads back, among any comments and white space', () => {
  const space = fc.stringMatching(/^[ \t]{1,3}$/);
  const filler = fc.stringMatching(/^[ \t]{0,2}(#[ -~\u0080-\u00ff]{0,10})?\n$/);
  const url = fc.option(fc.stringMatching(/^[!-~\u00a1-\u00ff]{1,20}$/), { nil: undefined });
  const log = fc.record({ key: fc.uint8Array({ minLength: 32, maxLength: 32 }), url });
  const logs = fc.uniqueArray(log, { maxLength: 40, selector: ({ key }) => toHex(key) });
  fc.assert(
    fc.property(logs, space, filler, (listed, gap, between) => {
      const policy: Policy = {
        logs: listed.map(({ key, url: where }) => ({
          vkey: newVkey('log.example', KEY_TYPE.ed25519, new Uint8Array(key)),
          ...(where !== undefined && { url: where }),
        })),
        quorum: 'none',
      };
      const text = formatPolicy(policy);
      assert.deepEqual(plain(read(text)), plain(policy));
      const spread = text.replaceAll(' ', gap).replaceAll('\n', () => `${gap}\n${between}`);
      assert.deepEqual(plain(read(gap + spread)), plain(policy));
    }),
    { numRuns },
  );
});

test('a damaged policy is refused, or reads back as itself', () => {
  const bytes = bytesOf(`# logs\n${formatPolicy({ logs: [{ vkey, url: 'u' }], quorum: 'none' })}`, undefined);
  let refused = 0;
  let accepted = 0;
  for (const [what, mutant] of mutationsOf(bytes)) {
    let policy: Policy;
    try {
      policy = parsePolicy(mutant);
    } catch (error) {
      assert.ok(error instanceof NewelError, what);
      refused++;
      continue;
    }
    accepted++;
    assert.equal(policy.quorum, 'none');
    assert.deepEqual(plain(read(formatPolicy(policy))), plain(policy), what);
  }
  assert.ok(refused > 500 && accepted > 0, `${refused} refused, ${accepted} accepted`);
});

test('every octet is allowed or refused as the specification lists them, in comments and elsewhere', () => {
  for (let octet = 0; octet < 256; octet++) {
    const allowed = octet === 0x09 || octet === 0x0a || (octet >= 0x20 && octet <= 0x7e) || octet >= 0x80;
    const policy = Buffer.concat([Buffer.from('#'), Buffer.from([octet]), Buffer.from('\nquorum none\n')]);
    if (allowed) assert.equal(parsePolicy(policy).logs.length, 0, `octet ${octet}`);
    else assert.throws(() => parsePolicy(policy), hasCode('malformed'), `octet ${octet}`);
  }
});

test('says that witnesses are what it does not know yet, and on which line', () => {
  const key = formatVkey(newVkey('w', KEY_TYPE.cosignatureEd25519, vkey.publicKey));
  for (const line of [`witness W ${key}`, 'group G any W', 'quorum W']) {
    assert.throws(
      () => read(`# one\n\n${line}\nquorum none\n`),
      /^NewelError: policy line 3 .*does not know witnesses yet$/,
    );
  }
});

test('says on which line a key is wrong, without repeating it', () => {
  const damaged = formatVkey(vkey).replace(/\+[0-9a-f]{8}\+/, '+00000000+');
  assert.throws(
    () => read(`\nlog ${damaged}\nquorum none\n`),
    /^NewelError: policy line 2: verifier key has the key id/,
  );
});

test('is capped', () => {
  const quorum = 'quorum none\n';
  const comment = `${'#'.repeat(MAX_POLICY_BYTES - quorum.length - 1)}\n`;
  assert.equal(read(comment + quorum).logs.length, 0);
  assert.throws(() => read(`#${comment}${quorum}`), hasCode('too_large'));
});

test('wrong arguments are a RangeError', () => {
  const witness = newVkey('w', KEY_TYPE.cosignatureEd25519, vkey.publicKey);
  assert.throws(() => formatPolicy({ logs: [{ vkey: witness }], quorum: 'none' }), RangeError);
  for (const url of ['', 'a b', 'a\tb', 'a\n', '\u007f', '\ud800']) {
    assert.throws(
      () => formatPolicy({ logs: [{ vkey, url }], quorum: 'none' }),
      RangeError,
      JSON.stringify(url),
    );
  }
});
