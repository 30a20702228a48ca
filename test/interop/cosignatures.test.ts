/**
 * Cosignatures and policies, against Go that others wrote: transparency-dev's formats, torchwood, tessera, and ML-DSA-44
 * of filippo.io/mldsa. They open what Newel signs, Newel opens what they sign, and they judge by a policy as Newel does.
 */

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { NewelError } from '../../src/errors.ts';
import { formatBase64, parseBase64 } from '../../src/formats/base64.ts';
import { formatCheckpoint, openCheckpoint } from '../../src/formats/checkpoint.ts';
import {
  type Cosigner,
  cosignatureVerifier,
  ed25519Cosigner,
  mldsa44Cosigner,
  parseTimestampedSignature,
  subtreeMessage,
} from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import {
  ed25519Signer,
  ed25519Verifier,
  formatNote,
  type NoteSignature,
  openNote,
  type Verifier,
} from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import {
  formatPolicy,
  isQuorumMet,
  parsePolicy,
  type Policy,
  witnessOf,
} from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey, parseVkey } from '../../src/formats/vkey.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { bytesOf, hasCode, readCases } from '../formats/cases.ts';
import { SLOW } from '../support/slow.ts';
import { buildGoProgram, type GoProgram, whyNoGo, writeJson } from './go-program.ts';

const TIME_S = 1_763_629_208;

test('cosignatures and policies in other people’s Go', { skip: await whyNoGo() }, async (t) => {
  const go = await buildGoProgram(t);
  await t.test('opens checkpoints with our lines of type 0x01, 0x04 and 0x06', (t) => checkOurs(t, go));
  await t.test('makes lines of type 0x01, 0x04 and 0x06 that we open', (t) => openTheirs(t, go));
  await t.test('judges checkpoints by a policy as we do', (t) => comparePolicies(t, go));
});

async function checkOurs(t: TestContext, go: GoProgram): Promise<void> {
  const heads = [
    { origin: 'log.example/newel', size: 1 },
    { origin: `log.example/${'ä'.repeat(121)}x`, size: 2 ** 53 - 1 },
    // A witness of ours cosigns other people's checkpoints too, which may say more.
    { origin: 'log.example/extended', size: 42, extensions: 'more 1\nmore 2\n' },
  ];
  for (const [n, { origin, size, extensions = '' }] of heads.entries()) {
    await t.test(
      `of ${origin.length} characters, size ${size}, ${extensions.length} of extensions`,
      async (t) => {
        const root = new Uint8Array(32).fill(n);
        const text = formatCheckpoint({ origin, size, root }) + extensions;
        const logSeed = new Uint8Array(32).fill(n + 1);
        const logSigner = ed25519Signer(origin, logSeed);
        const cosigners = [
          mldsaCosigner(origin, 11),
          ed25519Cosigner('witness.example/w1', new Uint8Array(32).fill(12)),
          mldsaCosigner('witness.example/wïtness', 13),
        ];
        const { name, keyId } = logSigner;
        const lines: NoteSignature[] = [{ name, keyId, signature: logSigner.sign(encodeUtf8(text)) }];
        for (const [i, cosigner] of cosigners.entries()) lines.push(await cosigner.cosign(text, TIME_S + i));
        const subtrees = [];
        for (const [start, end] of [
          [0, 8],
          [4, 6],
          [2 ** 40, 2 ** 40 + 2 ** 20],
        ] as const) {
          const hash = new Uint8Array(32).fill(end);
          const line = await cosigners[2]!.cosignSubtree!({ timestampS: 0, origin, start, end, hash });
          const { vkey } = cosigners[2]!;
          subtrees.push({ vkey: formatVkey(vkey), start, end, hash, signature: line.signature });
        }
        const file = await writeJson(t, {
          origin,
          size,
          root,
          extensions,
          note: formatNote({ text, signatures: lines }),
          log: formatVkey(newVkey(origin, KEY_TYPE.ed25519, nobleEd25519.publicKey(logSeed))),
          cosigners: cosigners.map(({ vkey }, i) => ({ vkey: formatVkey(vkey), time: TIME_S + i })),
          subtrees,
        });
        const report = (await go.run('cosigned', ['-in', file])) as Record<string, number>;
        assert.deepEqual({ ...report, tampered: 0 }, { lines: 4, subtrees: 3, tampered: 0 });
        assert.ok(report['tampered']! > 2 * 3243, `${report['tampered']} bytes`);
      },
    );
  }
}

interface MadeInGo {
  readonly origin: string;
  readonly size: number;
  readonly root: string;
  readonly note: string;
  readonly log: string;
  readonly cosigners: readonly { readonly vkey: string }[];
  readonly subtrees: readonly {
    readonly vkey: string;
    readonly start: number;
    readonly end: number;
    readonly hash: string;
    readonly signature: string;
  }[];
  readonly deterministic: readonly {
    readonly seed: string;
    readonly publicKey: string;
    readonly message: string;
    readonly signature: string;
  }[];
}

async function openTheirs(t: TestContext, go: GoProgram): Promise<void> {
  const made = (await go.run('cosign')) as MadeInGo;
  const note = bytes(made.note);
  const cosigners = made.cosigners.map(({ vkey }) =>
    cosignatureVerifier(parseVkey(vkey), { mldsa44: nobleMldsa44 }),
  );
  const verifiers: Verifier[] = [ed25519Verifier(parseVkey(made.log)), ...cosigners];

  await t.test('the checkpoint', () => {
    const { size, root, signatures } = openCheckpoint(note, verifiers, made.origin);
    assert.equal(size, made.size);
    assert.deepEqual(root, bytes(made.root));
    assert.equal(signatures.length, 5);
    const nowS = Date.now() / 1000;
    for (const { signature } of signatures.slice(1)) {
      const { timestampS } = parseTimestampedSignature(signature);
      assert.ok(Math.abs(nowS - timestampS) < 600, `${timestampS}`);
    }
    for (const verifier of cosigners) {
      const alone = openNote(note, [verifier]);
      assert.deepEqual([alone.verified.length, alone.unverified.length], [1, 4], verifier.name);
    }
    const text = note.indexOf(0x0a, made.origin.length + 50);
    let refused = 0;
    // Every byte of the text, and some of each line: ML-DSA-44 takes its time.
    for (let at = 0; at < note.length; at += at < text ? 1 : 61) {
      const changed = note.slice();
      changed[at]! ^= 1 << 4;
      try {
        assert.ok(openNote(changed, verifiers).verified.length < 5, `byte ${at}`);
      } catch (error) {
        if (!(error instanceof NewelError)) throw error;
        refused++;
      }
    }
    assert.ok(refused > 150, `${refused} refused`);
  });

  await t.test('subtrees', () => {
    assert.equal(made.subtrees.length, 5);
    for (const { vkey, start, end, hash, signature } of made.subtrees) {
      const { name: cosigner, publicKey } = parseVkey(vkey);
      const { timestampS, signature: line } = parseTimestampedSignature(bytes(signature));
      const statement = { cosigner, timestampS, origin: made.origin, start, end, hash: bytes(hash) };
      assert.equal(timestampS, 0);
      assert.ok(nobleMldsa44.verify(publicKey, subtreeMessage(statement), line), `[${start}, ${end})`);
      assert.ok(!nobleMldsa44.verify(publicKey, subtreeMessage({ ...statement, end: end + 1 }), line));
    }
  });

  await t.test('ML-DSA-44 without randomness, byte for byte', () => {
    assert.equal(made.deterministic.length, 12);
    for (const { seed, publicKey, message, signature } of made.deterministic) {
      assert.equal(formatBase64(nobleMldsa44.publicKey(bytes(seed))), publicKey, `seed ${seed}`);
      const signed = nobleMldsa44.sign(bytes(seed), bytes(message));
      assert.equal(formatBase64(signed), signature, `seed ${seed}, message ${message}`);
    }
  });
}

type Lines = readonly NoteSignature[] | undefined;

type Verdicts = Record<
  'torchwood' | 'formats' | 'tessera',
  { readonly refused?: string; readonly met?: readonly boolean[] }
>;

async function comparePolicies(t: TestContext, go: GoProgram): Promise<void> {
  const judge = async (
    t: TestContext,
    cases: readonly { policy: Uint8Array; notes: readonly Uint8Array[] }[],
  ): Promise<Verdicts[]> => (await go.run('policies', ['-in', await writeJson(t, cases)])) as Verdicts[];

  const origin = 'log.example/newel';
  const seed = new Uint8Array(32).fill(1);
  const logVkey = newVkey(origin, KEY_TYPE.ed25519, nobleEd25519.publicKey(seed));
  const text = formatCheckpoint({ origin, size: 7, root: new Uint8Array(32).fill(7) });
  const signer = ed25519Signer(origin, seed);
  const logLine = { name: origin, keyId: signer.keyId, signature: signer.sign(encodeUtf8(text)) };

  /** A checkpoint for each subset of the witnesses, and one whose witness lines are another checkpoint's. */
  async function notesOf(witnesses: readonly Cosigner[]): Promise<Uint8Array[]> {
    const cosign = (text: string): Promise<NoteSignature[]> =>
      Promise.all(witnesses.map((witness) => witness.cosign(text, TIME_S)));
    const lines = await cosign(text);
    const subsets = Array.from({ length: 2 ** lines.length }, (_, set) =>
      lines.filter((_, i) => (set >> i) & 1),
    );
    const forged = await cosign(formatCheckpoint({ origin, size: 8, root: new Uint8Array(32) }));
    return [...subsets, forged].map((some) => formatNote({ text, signatures: [logLine, ...some] }));
  }

  /** For each note, the lines by these witnesses; `undefined` for one with a false line. */
  const verify = (notes: readonly Uint8Array[], witnesses: readonly Cosigner[]): Lines[] => {
    const verifiers = witnesses.map(({ vkey }) => cosignatureVerifier(vkey, { mldsa44: nobleMldsa44 }));
    return notes.map((note) => {
      try {
        return openNote(note, [ed25519Verifier(logVkey), ...verifiers]).verified;
      } catch (error) {
        if (error instanceof NewelError && error.code === 'signature_invalid') return undefined;
        throw error;
      }
    });
  };

  function isMetBy(bytes: Uint8Array, lines: Lines): boolean {
    const policy = parsePolicy(bytes);
    // We refuse a note with a false line. To the others it is one line less, so it meets `none` and no other quorum.
    if (!lines) return policy.quorum === 'none';
    return isQuorumMet(policy, new Set(lines.flatMap((line) => witnessOf(policy, line)?.name ?? [])));
  }

  const policyOf = (witnesses: readonly Cosigner[], rest: string): Uint8Array => {
    const lines = witnesses.map(
      ({ vkey }, i) => `witness w${i} ${formatVkey(vkey)} https://w${i}.example/\n`,
    );
    return encodeUtf8(`log ${formatVkey(logVkey)}\n${lines.join('')}${rest}`);
  };

  await t.test('any groups of witnesses of type 0x04, in three libraries', async (t) => {
    const witnesses = Array.from({ length: 5 }, (_, i) =>
      ed25519Cosigner(`witness.example/w${i}`, new Uint8Array(32).fill(20 + i)),
    );
    const notes = await notesOf(witnesses);
    const verified = verify(notes, witnesses);
    const quorums = fc.sample(quorumLines(witnesses.length), SLOW ? 300 : 30);
    const cases = quorums.map((lines) => ({ policy: policyOf(witnesses, lines), notes }));
    const verdicts = await judge(t, cases);
    let met = 0;
    for (const [i, { policy }] of cases.entries()) {
      const ours = verified.map((lines) => isMetBy(policy, lines));
      const { torchwood, formats, tessera } = verdicts[i]!;
      const wanted = { met: ours };
      assert.deepEqual(
        { torchwood, formats, tessera },
        { torchwood: wanted, formats: wanted, tessera: wanted },
        quorums[i]!,
      );
      met += ours.filter(Boolean).length;
    }
    assert.ok(met > cases.length && met < cases.length * notes.length, `${met} met`);
  });

  await t.test('witnesses of both types, in two', async (t) => {
    const witnesses = [
      mldsaCosigner('witness.example/w0', 30),
      ed25519Cosigner('witness.example/w1', new Uint8Array(32).fill(31)),
      mldsaCosigner('witness.example/w2', 32),
    ];
    const notes = await notesOf(witnesses);
    const verified = verify(notes, witnesses);
    const quorums = [
      'quorum w0\n',
      'group g 2 w0 w1 w2\nquorum g\n',
      'group g all w0 w2\ngroup h any g w1\nquorum h\n',
    ];
    const cases = quorums.map((lines) => ({ policy: policyOf(witnesses, lines), notes }));
    const verdicts = await judge(t, cases);
    for (const [i, { policy }] of cases.entries()) {
      const met = verified.map((lines) => isMetBy(policy, lines));
      const { torchwood, formats, tessera } = verdicts[i]!;
      assert.deepEqual([formats, tessera], [{ met }, { met }], quorums[i]!);
      assert.match(torchwood.refused ?? '', /unknown verifier algorithm/);
    }
  });

  await t.test('of our vectors, what we read and what nobody reads', async (t) => {
    const vectors = readCases<{ policy?: string; policyHex?: string }>('tlog-policy/parse.json');
    const read = vectors.filter(({ wantErr }) => wantErr === undefined);
    const policies = read.map(({ policy, policyHex }) => bytesOf(policy, policyHex));
    // The same, written by us; formats and tessera want to know where each witness is.
    const written = policies.map((policy) => {
      const { witnesses, ...rest } = parsePolicy(policy);
      return formatPolicy({
        ...rest,
        witnesses: witnesses.map((w) => ({ url: 'https://w.example/', ...w })),
      });
    });
    const cases = [...policies, ...written.map(encodeUtf8)].map((policy) => ({ policy, notes: [] }));
    const compared = { torchwood: 0, formats: 0, tessera: 0 };
    for (const [i, verdict] of (await judge(t, cases)).entries()) {
      const policy = parsePolicy(cases[i]!.policy);
      for (const library of ['torchwood', 'formats', 'tessera'] as const) {
        if (!isFor(library, policy)) continue;
        assert.equal(verdict[library].refused, undefined, `${library}: ${read[i % read.length]!.desc}`);
        compared[library]++;
      }
    }
    for (const [library, count] of Object.entries(compared)) assert.ok(count >= 20, `${library}: ${count}`);

    const witness = ed25519Cosigner('witness.example/w0', seed);
    const nobodys = [
      '',
      'quorum w1\n',
      'quorum\n',
      'quorum w0\nunknown\n',
      'group g 2 w0\nquorum g\n',
      'group g 1 w1\nquorum g\n',
      'group g 1\nquorum g\n',
      'group g some w0\nquorum g\n',
      'group g -1 w0\nquorum g\n',
      'group g 1 h\ngroup h 1 w0\nquorum g\n',
      'group g 1 g\nquorum g\n',
      'group w0 1 w0\nquorum w0\n',
      `witness w0 ${formatVkey(witness.vkey)} https://w.example/\nquorum w0\n`,
      `witness w1 ${formatVkey(witness.vkey).slice(0, -4)} https://w.example/\nquorum w1\n`,
    ];
    const broken = nobodys.map((lines) => ({ policy: policyOf([witness], lines), notes: [] }));
    for (const [i, verdict] of (await judge(t, broken)).entries()) {
      assert.throws(() => parsePolicy(broken[i]!.policy), hasCode('malformed'), nobodys[i]);
      for (const [library, { refused }] of Object.entries(verdict)) {
        assert.notEqual(refused, undefined, `${library}: ${nobodys[i]}`);
      }
    }
  });
}

/**
 * Whether a library claims to read a policy like this one. torchwood knows no ML-DSA-44; the other two, written for logs,
 * want to know where each witness is, and no name that is a keyword. All take any `#` for the start of a comment and any
 * Unicode space for white space.
 */
function isFor(library: keyof Verdicts, { logs, witnesses, groups }: Policy): boolean {
  const keyed = [...logs, ...witnesses];
  const names = [...witnesses, ...groups].map(({ name }) => name);
  if ([...names, ...keyed.map(({ url = '' }) => url)].some((item) => /[^!-~]|#/.test(item))) return false;
  if (library === 'torchwood') return keyed.every(({ vkey }) => vkey.type !== KEY_TYPE.mldsa44);
  const isKeyword = (name: string): boolean => /^(log|witness|group|quorum|any|all|none)$/.test(name);
  return witnesses.every(({ url }) => url !== undefined) && !names.some(isKeyword);
}

/** Groups over `count` witnesses w0, w1, …, each name a member once at most, and a quorum. */
function quorumLines(count: number): fc.Arbitrary<string> {
  const group = fc.record({ picks: fc.array(fc.nat(9), { minLength: 1, maxLength: 4 }), k: fc.nat(5) });
  return fc
    .record({ groups: fc.array(group, { maxLength: 4 }), quorum: fc.nat(20) })
    .map(({ groups, quorum }) => {
      const free = Array.from({ length: count }, (_, i) => `w${i}`);
      const names = ['none', ...free];
      const lines: string[] = [];
      for (const [i, { picks, k }] of groups.entries()) {
        const members = picks.flatMap((pick) => (free.length > 0 ? free.splice(pick % free.length, 1) : []));
        if (members.length === 0) continue;
        const threshold = k === 0 ? 'any' : k === 1 ? 'all' : (k % members.length) + 1;
        lines.push(`group g${i} ${threshold} ${members.join(' ')}\n`);
        free.push(`g${i}`);
        names.push(`g${i}`);
      }
      // More often a group than a witness.
      const name = names[Math.max(quorum % names.length, names.length - 1 - (quorum % 4))]!;
      return `${lines.join('')}quorum ${name}\n`;
    });
}

function mldsaCosigner(name: string, fill: number): Cosigner {
  const seed = new Uint8Array(32).fill(fill);
  const vkey = newVkey(name, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seed));
  return mldsa44Cosigner(vkey, (message) => nobleMldsa44.sign(seed, message));
}

function bytes(base64: string): Uint8Array {
  return parseBase64(base64, 'base64');
}
