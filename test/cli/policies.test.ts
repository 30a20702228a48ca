/** The policies of a folder: what is read of them, and everything that a log does not start with. */

import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { type Folder, folderPaths } from '../../src/cli/folder.ts';
import { type Policies, readPolicies } from '../../src/cli/policies.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { MAX_POLICY_BYTES } from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { seedOf } from '../support/test-receipt.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { WITNESSES } from '../support/witnessed-receipt.ts';
import { WitnessedLog } from '../support/witnessed-log.ts';

const log = new WitnessedLog('log.example/bank', { leaves: 1 });
const VKEY = formatVkey(log.vkey);
const SECOND = formatVkey(
  newVkey(log.origin, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seedOf('second key'))),
);
const OTHER = formatVkey(new WitnessedLog('log.example/other', { leaves: 1 }).vkey);
const [A, B, PQ] = [WITNESSES.a, WITNESSES.b, WITNESSES.pq].map(({ vkey }) => formatVkey(vkey));
const URL_A = 'https://a.example/witness';
const FAST = `log ${VKEY}\nwitness a ${A} ${URL_A}\nwitness b ${B}\ngroup q any a b\nquorum q\n`;
const PUBLIC = `log ${VKEY}\nwitness a ${A} ${URL_A}\nwitness pq ${PQ} http://pq.example\nquorum pq\n`;

interface Texts {
  readonly fast?: string | Uint8Array;
  readonly public?: string | Uint8Array;
}

async function folderOf(t: TestContext, texts: Texts): Promise<Folder> {
  const paths = folderPaths(await tempFolder(t));
  if (texts.fast !== undefined) await writeFile(paths.policy, texts.fast);
  if (texts.public !== undefined) await writeFile(paths.publicPolicy, texts.public);
  return { kind: 'opaque', origin: log.origin, instance: '0'.repeat(32), serve: {}, paths };
}

async function read(t: TestContext, texts: Texts): Promise<Policies> {
  return readPolicies(await folderOf(t, texts), VKEY, SECOND);
}

const namesOf = ({ witnesses }: Policies): string[] => witnesses.map(({ name }) => name);

test('the one that init writes: no quorum, no witnesses', async (t) => {
  const text = `log ${VKEY}\nquorum none\n`;
  const policies = await read(t, { fast: text });
  assert.equal(policies.fast.text, text);
  assert.equal(policies.fast.policy.quorum, 'none');
  assert.equal(policies.public, undefined);
  assert.deepEqual([policies.witnesses, policies.verifiers], [[], []]);
});

test('both are read as they stand; the witnesses of both are there once, each with what verifies it', async (t) => {
  const fast = `# ours\n\n${FAST}`;
  const policies = await read(t, { fast, public: PUBLIC });
  assert.deepEqual([policies.fast.text, policies.public?.text], [fast, PUBLIC]);
  assert.deepEqual([policies.fast.policy.quorum, policies.public?.policy.quorum], ['q', 'pq']);
  assert.deepEqual(namesOf(policies), ['a', 'b', 'pq']);
  assert.deepEqual(
    policies.witnesses.map(({ url }) => url),
    [URL_A, undefined, 'http://pq.example'],
  );
  const text = log.text(1);
  const cosigners = [WITNESSES.a, WITNESSES.b, WITNESSES.pq];
  for (const [i, cosigner] of cosigners.entries()) {
    const { name, keyId, signature } = await cosigner.cosign(text, 1_800_000_000);
    const verifier = policies.verifiers[i]!;
    assert.deepEqual([verifier.name, verifier.keyId], [name, keyId]);
    assert.equal(verifier.verify(encodeUtf8(text), signature), true);
    assert.equal(verifier.verify(encodeUtf8(log.text(0)), signature), false);
  }
});

test('a policy may list other logs beside its own', async (t) => {
  const policies = await read(t, { fast: `log ${OTHER}\nlog ${VKEY} https://log.example\nquorum none\n` });
  assert.equal(policies.fast.policy.logs.length, 2);
});

const REST = 'quorum none\n';
const many = (count: number, type: number, seedPrefix = ''): string => {
  const lines = Array.from({ length: count }, (_, i) => {
    const seed = seedOf(`${seedPrefix}${i}`);
    const publicKey = type === KEY_TYPE.mldsa44 ? pqKeyOf(i) : nodeEd25519.publicKey(seed);
    return `witness w${i} ${formatVkey(newVkey(`w.example/${seedPrefix}${i}`, type, publicKey))}\n`;
  });
  return `log ${VKEY}\n${lines.join('')}${REST}`;
};
/** Any bytes of the right length are such a key until something is verified with them. */
function pqKeyOf(i: number): Uint8Array {
  const key = nobleMldsa44.publicKey(seedOf('any'));
  key[0] = i;
  return key;
}

const REFUSED: readonly [what: string, texts: Texts, message: RegExp][] = [
  [
    'no policy',
    {},
    /policy: it is missing; bring it back, or write .* log log\.example\/bank\+.*quorum none$/,
  ],
  ['no policy, though there is a public one', { public: PUBLIC }, /it is missing/],
  ['an empty one', { fast: '' }, /policy has no quorum line; put it right$/],
  ['no quorum', { fast: `log ${VKEY}\n` }, /no quorum line/],
  ['a line that is none', { fast: `log ${VKEY}\nquota 5\n${REST}` }, /policy line 2: .*; put line 2 right$/],
  ['a quorum that is not defined', { fast: `log ${VKEY}\nquorum q\n` }, /line 2: no earlier line defines/],
  [
    'a group of a group that is not defined',
    { fast: `log ${VKEY}\nwitness a ${A}\ngroup q all a x\nquorum q\n` },
    /line 3: no earlier line defines that name/,
  ],
  [
    'a group that asks for more than it has',
    { fast: `log ${VKEY}\nwitness a ${A}\ngroup q 2 a\nquorum q\n` },
    /line 3: it asks for more than it has/,
  ],
  [
    'a witness whose key signs as a log',
    { fast: `log ${VKEY}\nwitness a ${OTHER}\n${REST}` },
    /line 2: the key is of a type/,
  ],
  ['no newline at the end', { fast: `log ${VKEY}\nquorum none` }, /line 2: it does not end in a newline/],
  ['no log', { fast: REST }, /has no line for the key in .*log-ed25519: bring back that key/],
  ['the key of another log', { fast: `log ${OTHER}\n${REST}` }, /has no line for the key in/],
  ['the second key alone', { fast: `log ${SECOND}\n${REST}` }, /has no line for the key in/],
  [
    'its own key, of which one digit is another',
    { fast: `log ${VKEY.replace(/\+[0-9a-f]{8}\+/, '+00000000+')}\n${REST}` },
    /line 1: verifier key has the key id of another/,
  ],
  [
    'a comment longer than a policy',
    { fast: `log ${VKEY}\n#${'x'.repeat(MAX_POLICY_BYTES)}\n${REST}` },
    new RegExp(`policy is longer than ${MAX_POLICY_BYTES} bytes; put it right$`),
  ],
  [
    'the log itself as a witness, by its name',
    {
      fast: `log ${VKEY}\nwitness a ${formatVkey(
        newVkey(log.origin, KEY_TYPE.cosignatureEd25519, WITNESSES.a.vkey.publicKey),
      )}\n${REST}`,
    },
    /names the log itself as a witness/,
  ],
  [
    'the log itself as a witness, by its key',
    {
      fast: `log ${VKEY}\nwitness a ${formatVkey(
        newVkey('w.example/a', KEY_TYPE.cosignatureEd25519, log.vkey.publicKey),
      )}\n${REST}`,
    },
    /names the log itself as a witness/,
  ],
  [
    'the log’s second key as a witness',
    { fast: `log ${VKEY}\nwitness a ${SECOND}\n${REST}` },
    /names the log itself as a witness/,
  ],
  [
    'a URL that nobody can be asked at',
    { fast: `log ${VKEY}\nwitness a ${A} ftp://a.example\n${REST}` },
    /the URL of witness a is not one of http or https/,
  ],
  ['a URL that is none', { fast: `log ${VKEY}\nwitness a ${A} a.example\n${REST}` }, /the URL of witness a/],
  [
    'more witnesses than lines fit',
    { fast: many(97, KEY_TYPE.cosignatureEd25519) },
    /more than 96 witnesses/,
  ],
  [
    'more bytes of lines than a checkpoint has',
    { fast: many(80, KEY_TYPE.mldsa44) },
    /do not fit into one checkpoint of 262144 bytes/,
  ],
  [
    'a public one that is broken',
    { fast: FAST, public: `log ${VKEY}\nquorum x\n` },
    /policy\.public: policy line 2: .*; put line 2 right, or remove the file$/,
  ],
  [
    'a public one of another log',
    { fast: FAST, public: `log ${OTHER}\n${REST}` },
    /policy\.public has no line/,
  ],
  [
    'one name for two witnesses',
    { fast: FAST, public: `log ${VKEY}\nwitness a ${PQ} ${URL_A}\n${REST}` },
    /call different witnesses by one name/,
  ],
  [
    'one name at two URLs',
    { fast: FAST, public: `log ${VKEY}\nwitness a ${A}\n${REST}` },
    /call different witnesses by one name/,
  ],
];
for (const [what, texts, message] of REFUSED) {
  test(`refused: ${what}`, async (t) => {
    await assert.rejects(read(t, texts), { code: 'log_refused', message });
  });
}

test('as many witnesses as there may be, of both policies together', async (t) => {
  const half = (prefix: string, count: number): string =>
    many(count, KEY_TYPE.cosignatureEd25519, prefix).replaceAll('witness w', `witness ${prefix}`);
  const policies = await read(t, { fast: half('a', 48), public: half('b', 48) });
  assert.equal(policies.verifiers.length, 96);
  await assert.rejects(read(t, { fast: half('a', 48), public: half('b', 49) }), /more than 96 witnesses/);
});

test('what is no file, or may not be read, is refused', async (t) => {
  const folder = await folderOf(t, {});
  await mkdir(folder.paths.policy);
  await assert.rejects(readPolicies(folder, VKEY), { code: 'log_refused', message: /it cannot be read/ });
  const isRoot = process.getuid?.() === 0;
  if (isRoot || process.platform === 'win32') return t.diagnostic('modes do not bind this user');
  const closed = await folderOf(t, { fast: FAST });
  await chmod(closed.paths.policy, 0);
  await assert.rejects(readPolicies(closed, VKEY), { code: 'log_refused', message: /it cannot be read/ });
});
