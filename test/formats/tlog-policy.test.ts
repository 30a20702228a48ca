import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import {
  formatPolicy,
  isQuorumMet,
  MAX_POLICY_BYTES,
  MAX_POLICY_LINES,
  missingWitnesses,
  parsePolicy,
  type Policy,
  type PolicyGroup,
  type PolicyLog,
  smallestQuorum,
  witnessOf,
} from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey, type Vkey } from '../../src/formats/vkey.ts';
import { SLOW } from '../support/slow.ts';
import { bytesOf, hasCode, runCases, toHex } from './cases.ts';
import { mutationsOf } from './mutations.ts';

const numRuns = SLOW ? 5_000 : 200;

const plainKeyed = <K extends PolicyLog>({ vkey, ...rest }: K): object => ({
  ...rest,
  vkey: formatVkey(vkey),
});
const plain = ({ logs, witnesses, groups, quorum }: Policy): object => ({
  logs: logs.map(plainKeyed),
  witnesses: witnesses.map(plainKeyed),
  groups,
  quorum,
});
const read = (text: string): Policy => parsePolicy(bytesOf(text, undefined));
const NO_WITNESSES = { witnesses: [], groups: [], quorum: 'none' } as const;

/** A vkey of a witness, of type 0x04 or (for every third) 0x06. */
function witnessKey(n: number): Vkey {
  const isPostQuantum = n % 3 === 2;
  const publicKey = new Uint8Array(isPostQuantum ? 1312 : 32).fill(n);
  return newVkey('w', isPostQuantum ? KEY_TYPE.mldsa44 : KEY_TYPE.cosignatureEd25519, publicKey);
}

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
        ...NO_WITNESSES,
      };
      const text = formatPolicy(policy);
      assert.deepEqual(plain(read(text)), plain(policy));
      const spread = text.replaceAll(' ', gap).replaceAll('\n', () => `${gap}\n${between}`);
      assert.deepEqual(plain(read(gap + spread)), plain(policy));
    }),
    { numRuns },
  );
});

/** A policy of `count` witnesses under a tree of groups, made of numbers. */
function treeOf(count: number, numbers: readonly number[]): Policy {
  const witnesses = Array.from({ length: count }, (_, i) => ({ name: `w${i}`, vkey: witnessKey(i) }));
  const free = witnesses.map(({ name }) => name);
  const groups: PolicyGroup[] = [];
  for (const number of numbers) {
    if (free.length === 0) break;
    const members = free.splice(0, 1 + (number % Math.min(4, free.length)));
    const name = `g${groups.length}`;
    groups.push({ name, threshold: 1 + (Math.floor(number / 8) % members.length), members });
    free.push(name);
  }
  return { logs: [{ vkey }], witnesses, groups, quorum: free.at(-1)! };
}

/** By definition: recursive, one subset at a time. */
function isMetBy(policy: Policy, cosigned: ReadonlySet<string>, name: string): boolean {
  const group = policy.groups.find((one) => one.name === name);
  if (!group) return name === 'none' || cosigned.has(name);
  return group.members.filter((member) => isMetBy(policy, cosigned, member)).length >= group.threshold;
}

const trees = fc
  .tuple(fc.integer({ min: 1, max: 7 }), fc.array(fc.nat(1000), { minLength: 0, maxLength: 6 }))
  .map(([count, numbers]) => treeOf(count, numbers));

test('a policy of witnesses and groups reads back', () => {
  fc.assert(
    fc.property(trees, (policy) => {
      assert.deepEqual(plain(read(formatPolicy(policy))), plain(policy));
    }),
    { numRuns },
  );
});

test('the quorum is met by just those subsets that its definition says, and the smallest is the smallest', () => {
  fc.assert(
    fc.property(trees, fc.nat(), (policy, mask) => {
      const names = policy.witnesses.map(({ name }) => name);
      const subset = (bits: number): Set<string> => new Set(names.filter((_, i) => (bits >> i) & 1));
      const available = subset(mask);
      let smallest: number | undefined;
      let smallestAvailable: number | undefined;
      for (let bits = 0; bits < 2 ** names.length; bits++) {
        const cosigned = subset(bits);
        const isMet = isMetBy(policy, cosigned, policy.quorum);
        assert.equal(isQuorumMet(policy, cosigned), isMet);
        if (!isMet) continue;
        smallest = Math.min(smallest ?? Infinity, cosigned.size);
        if ([...cosigned].every((name) => available.has(name)))
          smallestAvailable = Math.min(smallestAvailable ?? Infinity, cosigned.size);
      }
      const fewest = smallestQuorum(policy)!;
      assert.equal(fewest.length, smallest);
      assert.ok(isMetBy(policy, new Set(fewest), policy.quorum));
      assert.equal(missingWitnesses(policy, new Set()), smallest);
      const found = smallestQuorum(policy, available);
      assert.equal(found?.length, smallestAvailable);
      if (!found) return;
      assert.ok(found.every((name) => available.has(name)));
      assert.ok(isMetBy(policy, new Set(found), policy.quorum));
    }),
    { numRuns: Math.ceil(numRuns / 2) },
  );
});

test('what is missing is the fewest more that meet the quorum', () => {
  fc.assert(
    fc.property(trees, fc.nat(), (policy, mask) => {
      const names = policy.witnesses.map(({ name }) => name);
      const cosigned = new Set(names.filter((_, i) => (mask >> i) & 1));
      let fewest = Infinity;
      for (let bits = 0; bits < 2 ** names.length; bits++) {
        const more = names.filter((name, i) => (bits >> i) & 1 && !cosigned.has(name));
        if (isMetBy(policy, new Set([...cosigned, ...more]), policy.quorum))
          fewest = Math.min(fewest, more.length);
      }
      assert.equal(missingWitnesses(policy, cosigned), fewest);
    }),
    { numRuns: Math.ceil(numRuns / 4) },
  );
});

test('no witness is needed for none, whatever witnesses there are', () => {
  const policy = { ...treeOf(3, []), quorum: 'none' };
  assert.deepEqual(smallestQuorum(policy), []);
  assert.deepEqual(smallestQuorum(policy, new Set()), []);
  assert.ok(isQuorumMet(policy, new Set()));
});

test('a line is a witness’s by name and key id, not by either', () => {
  const policy = treeOf(3, []);
  const [first, second] = policy.witnesses.map((witness) => witness.vkey);
  assert.equal(witnessOf(policy, first!)?.name, 'w0');
  assert.equal(witnessOf(policy, second!)?.name, 'w1');
  assert.equal(witnessOf(policy, { name: 'v', keyId: first!.keyId }), undefined);
  assert.equal(witnessOf(policy, { name: 'w', keyId: first!.keyId ^ 1 }), undefined);
  assert.equal(witnessOf(policy, vkey), undefined);
});

test('a damaged policy is refused, or reads back as itself', () => {
  const witness = formatVkey(witnessKey(1));
  const policies = [
    `# logs\n${formatPolicy({ logs: [{ vkey, url: 'u' }], ...NO_WITNESSES })}`,
    `witness A ${witness}\ngroup G any A\ngroup H 1 G\nquorum H\n`,
  ];
  for (const text of policies) {
    const bytes = bytesOf(text, undefined);
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
      assert.deepEqual(plain(read(formatPolicy(policy))), plain(policy), what);
    }
    assert.ok(refused > 500 && accepted > 0, `${refused} refused, ${accepted} accepted`);
  }
});

test('every octet is allowed or refused as the specification lists them, in comments and elsewhere', () => {
  for (let octet = 0; octet < 256; octet++) {
    const allowed = octet === 0x09 || octet === 0x0a || (octet >= 0x20 && octet <= 0x7e) || octet >= 0x80;
    const policy = Buffer.concat([Buffer.from('#'), Buffer.from([octet]), Buffer.from('\nquorum none\n')]);
    if (allowed) assert.equal(parsePolicy(policy).logs.length, 0, `octet ${octet}`);
    else assert.throws(() => parsePolicy(policy), hasCode('malformed'), `octet ${octet}`);
  }
});

test('says on which line something is wrong, and repeats nothing of it', () => {
  const key = formatVkey(witnessKey(0));
  const lines: [line: string, message: RegExp][] = [
    ['witness', /none of: log/],
    [`witness none ${key}`, /has that name/],
    [`witness secret ${formatVkey(vkey)}`, /of a type that does not sign so/],
    ['group secret 0 secret2', /none of: log/],
    ['group secret 2 secret2', /it asks for more than it has/],
    ['group secret any secret2', /no earlier line defines/],
    ['secret', /none of: log/],
    ['quorum secret', /no earlier line defines/],
  ];
  for (const [line, message] of lines) {
    assert.throws(
      () => read(`# one\n\n${line}\nquorum none\n`),
      (error: Error) => {
        assert.ok(hasCode('malformed')(error));
        assert.match(error.message, /^policy line 3: /);
        assert.match(error.message, message);
        return !error.message.includes('secret');
      },
      line,
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

test('the lines that count are capped, far above what the specification wants', () => {
  const filler = (count: number): Policy => {
    const witnesses = Array.from({ length: count }, (_, i) => ({
      name: `w${i}`,
      vkey: newVkey('w', KEY_TYPE.cosignatureEd25519, new Uint8Array(32).fill(i).with(1, i >> 8)),
    }));
    return { logs: [], witnesses, groups: [], quorum: 'w0' };
  };
  assert.ok(MAX_POLICY_LINES > 3 * 32);
  assert.equal(read(formatPolicy(filler(MAX_POLICY_LINES - 1))).witnesses.length, MAX_POLICY_LINES - 1);
  assert.throws(() => formatPolicy(filler(MAX_POLICY_LINES + 1)), RangeError);
});

test('groups in groups, as deep as may be', () => {
  const count = 400;
  const groups = Array.from({ length: count }, (_, i) => `group g${i + 1} any g${i}\n`).join('');
  const policy = read(`witness g0 ${formatVkey(witnessKey(0))}\n${groups}quorum g${count}\n`);
  assert.deepEqual(smallestQuorum(policy), ['g0']);
  assert.ok(isQuorumMet(policy, new Set(['g0'])));
  assert.ok(!isQuorumMet(policy, new Set()));
});

test('wrong arguments are a RangeError', () => {
  const witness = newVkey('w', KEY_TYPE.cosignatureEd25519, vkey.publicKey);
  assert.throws(() => formatPolicy({ logs: [{ vkey: witness }], ...NO_WITNESSES }), RangeError);
  for (const url of ['', 'a b', 'a\tb', 'a\n', '\u007f', '\ud800']) {
    assert.throws(
      () => formatPolicy({ logs: [{ vkey, url }], ...NO_WITNESSES }),
      RangeError,
      JSON.stringify(url),
    );
  }
  const one = { name: 'w', vkey: witnessKey(0) };
  const policy: Policy = { logs: [], witnesses: [one], groups: [], quorum: 'w' };
  assert.doesNotThrow(() => formatPolicy(policy));
  const wrong: Partial<Policy>[] = [
    { quorum: 'w w' },
    { quorum: 'v' },
    { quorum: '' },
    { witnesses: [one, one] },
    { witnesses: [one, { ...one, name: 'v' }] },
    { witnesses: [{ ...one, name: 'none' }], quorum: 'none' },
    { witnesses: [{ ...one, name: 'w w' }] },
    { witnesses: [{ ...one, vkey }] },
    { groups: [{ name: 'g', threshold: 0, members: ['w'] }] },
    { groups: [{ name: 'g', threshold: 2, members: ['w'] }] },
    { groups: [{ name: 'g', threshold: 0.5, members: ['w'] }] },
    { groups: [{ name: 'g', threshold: 1, members: ['w', 'w'] }] },
    { groups: [{ name: 'w', threshold: 1, members: ['w'] }] },
    { groups: [{ name: 'g', threshold: 1, members: ['g'] }] },
    { groups: [{ name: 'g', threshold: 1, members: ['none'] }] },
    { groups: [{ name: 'g', threshold: 1, members: [] }] },
  ];
  for (const change of wrong)
    assert.throws(() => formatPolicy({ ...policy, ...change }), RangeError, JSON.stringify(change));
});
