import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import { formatReceipt } from '../../src/client/receipt.ts';
import { type CheckName, checkReceipt } from '../../src/client/report.ts';
import { verifyProof, verifyReceipt, verifyStatement } from '../../src/client/verify.ts';
import { NewelError } from '../../src/errors.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { formatJwk } from '../../src/formats/jwk.ts';
import { presentSdJwt } from '../../src/formats/sd-jwt-present.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { hashLeaf } from '../../src/core/hash.ts';
import { makeTestReceipt, seedOf, TEST_EVENT, type TestReceiptOptions } from '../support/test-receipt.ts';

const { receipt, trustFile, leaf, root } = makeTestReceipt();

function failuresOf(changed: Receipt, trust: JsonObject = trustFile): [CheckName, string][] {
  return checkReceipt(changed, { trust })
    .checks.filter(({ result }) => result === 'failed')
    .map(({ name, detail }) => [name, detail]);
}

function codeOf(changed: Receipt, trust: JsonObject = trustFile): string | undefined {
  return checkReceipt(changed, { trust }).error?.code;
}

describe('a receipt that holds', () => {
  test('says so in five lines', () => {
    const { ok, level, type, eventId, checks, error } = checkReceipt(receipt, { trust: trustFile });
    assert.equal(ok, true);
    assert.equal(error, undefined);
    assert.equal(level, 'signed');
    assert.equal(type, 'stepup.completed');
    assert.equal(eventId, receipt.event_id);
    const [{ kid }] = (trustFile['jwks'] as { keys: [{ kid: string }] }).keys;
    assert.deepEqual(checks, [
      {
        name: 'statement',
        result: 'ok',
        detail: `signed by log.example/bank, key ${kid.slice(0, 4)}…`,
        note: '17 claims shown',
      },
      { name: 'leaf', result: 'ok', detail: '41 of log.example/bank commits to it' },
      { name: 'inclusion', result: 'ok', detail: 'in tree of 42' },
      { name: 'checkpoint', result: 'ok', detail: 'log key log.example/bank+6279046a' },
      { name: 'witnesses', result: 'skipped', detail: '0 of 0 needed by the policy', note: 'level: signed' },
    ]);
  });

  test('verifies as text, as bytes and as JSON, under a trust file in any of them', async () => {
    const text = formatReceipt(receipt);
    const trusts = [
      trustFile,
      JSON.stringify(trustFile),
      new TextEncoder().encode(JSON.stringify(trustFile)),
    ];
    for (const input of [receipt, text, new TextEncoder().encode(text)]) {
      for (const trust of trusts) {
        const { event, leafIndex, treeSize, level, cosigners, checkpoint, ...rest } = await verifyReceipt(
          input,
          { trust },
        );
        assert.deepEqual(event, TEST_EVENT);
        assert.deepEqual([leafIndex, treeSize, level, cosigners], [41, 42, 'signed', []]);
        assert.deepEqual(checkpoint.root, root);
        assert.equal(rest.eventId, receipt.event_id);
        assert.equal(new Date(rest.receivedTimeMs).toISOString(), receipt.received_time);
      }
    }
  });

  const options: [what: string, options: TestReceiptOptions][] = [
    ['the first of one', { index: 0, size: 1 }],
    ['in a tree that is no power of two', { index: 4, size: 5 }],
    ['signed as EdDSA', { alg: 'EdDSA' }],
    ['with a holder', { holder: { ...formatJwk(nobleEd25519.publicKey(seedOf('holder'))) } }],
    ['of an issuer with a name of its own', { issuer: 'https://bank.example' }],
  ];
  for (const [what, made] of options) {
    test(what, async () => {
      const other = makeTestReceipt(made);
      const { event } = await verifyReceipt(other.receipt, { trust: other.trustFile });
      assert.deepEqual(event, { ...TEST_EVENT, ...(made.holder && { holder: made.holder }) });
    });
  }

  test('an issuer with a name of its own is called by it', () => {
    const other = makeTestReceipt({ issuer: 'https://bank.example' });
    const [statement] = checkReceipt(other.receipt, { trust: other.trustFile }).checks;
    assert.match(statement!.detail, /^signed by https:\/\/bank\.example, key /);
  });

  test('members that came later change nothing', async () => {
    const later = {
      ...receipt,
      integrated_time: '2026-11-20T12:00:08.200Z',
      pending: { level: 'witnessed' },
    };
    await verifyReceipt(later, { trust: { ...trustFile, successor: null } });
  });
});

describe('a presentation', () => {
  test('with some of its disclosures verifies, and shows what it shows', async () => {
    const keep = ['type', 'outcome', 'challenge'];
    const statement = presentSdJwt(
      receipt.statement,
      (path) => path.length === 1 && keep.includes(String(path[0])),
    );
    const { event } = await verifyReceipt({ ...receipt, statement }, { trust: trustFile });
    const { id: _, ...challenge } = TEST_EVENT.challenge!;
    assert.deepEqual(event, { schema: 'stepup/1', type: 'stepup.completed', outcome: 'success', challenge });
    const [line] = checkReceipt({ ...receipt, statement }, { trust: trustFile }).checks;
    assert.equal(line!.note, '3 claims shown; not shown, so not verified: id, source');
  });

  test('that shows nothing verifies, and its type is not known', () => {
    const statement = presentSdJwt(receipt.statement, () => false);
    const { ok, type, checks, event } = checkReceipt({ ...receipt, statement }, { trust: trustFile });
    assert.equal(ok, true);
    assert.equal(type, undefined);
    assert.equal(checks[0]!.note, '0 claims shown; not shown, so not verified: id, source');
    assert.deepEqual(event, { schema: 'stepup/1' });
  });

  test('that shows neither id nor source cannot vouch for those of the receipt, and says so', () => {
    const noteOf = (shown: string[], changed: Partial<Receipt>): string | undefined => {
      const statement = presentSdJwt(receipt.statement, ([name]) => shown.includes(String(name)));
      const { ok, event, checks } = checkReceipt({ ...receipt, ...changed, statement }, { trust: trustFile });
      assert.equal(ok, true);
      assert.deepEqual(Object.keys(event!).sort(), ['schema', ...shown].sort());
      return checks[0]!.note;
    };
    assert.equal(
      noteOf(['type', 'id'], { source: 'x' }),
      '2 claims shown; not shown, so not verified: source',
    );
    assert.equal(noteOf(['source'], { id: 'another' }), '1 claim shown; not shown, so not verified: id');
    assert.equal(noteOf(['id', 'source'], {}), '2 claims shown');
    const statement = presentSdJwt(receipt.statement, ([name]) => name === 'id');
    assert.deepEqual(failuresOf({ ...receipt, statement, id: 'another', source: 'x' }), [
      ['statement', 'receipt has another id than the statement'],
    ]);
    assert.deepEqual(failuresOf({ ...receipt, id: 'another' }), [
      ['statement', 'receipt has another id than the statement'],
    ]);
  });

  test('with a disclosure that is not its own fails', () => {
    const other = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other', outcome: 'failure' } }).receipt;
    const [foreign] = presentSdJwt(other.statement, (path) => path[0] === 'outcome')
      .split('~')
      .slice(1);
    const base = presentSdJwt(receipt.statement, (path) => path[0] === 'type');
    assert.equal(codeOf({ ...receipt, statement: `${base}${foreign}~` }), 'malformed');
    const [own] = base.split('~').slice(1);
    assert.equal(codeOf({ ...receipt, statement: `${base}${own}~` }), 'malformed');
  });

  test('bound to a key is not passed for one that was verified', () => {
    assert.equal(codeOf({ ...receipt, statement: `${receipt.statement}e30.e30.AAAA` }), 'malformed');
  });
});

describe('a statement in another form is refused, whoever signed it', () => {
  const renamed = (from: string, to: string) => ({
    editPayload: (payload: string) => {
      assert.ok(payload.includes(from), from);
      return payload.replace(from, to);
    },
  });
  const cases: [what: string, made: TestReceiptOptions, code: string][] = [
    ['another type', { editHeader: (header) => ({ ...header, typ: 'jwt' }) }, 'malformed'],
    ['another algorithm', { editHeader: (header) => ({ ...header, alg: 'ES256' }) }, 'malformed'],
    [
      'a header in another order',
      { editHeader: ({ alg, kid, typ }) => ({ typ: typ!, alg: alg!, kid: kid! }) },
      'malformed',
    ],
    [
      'a header with more',
      { editHeader: (header) => ({ ...header, jku: 'https://x.example' }) },
      'malformed',
    ],
    ['no kid', { editHeader: ({ alg, typ }) => ({ alg: alg!, typ: typ! }) }, 'malformed'],
    ['a key that is not pinned', { statementSeed: seedOf('another') }, 'signer_unknown'],
    [
      'another key under a pinned name',
      { statementSeed: seedOf('another'), editHeader: (header) => ({ ...header, kid: kidOf() }) },
      'signature_invalid',
    ],
    ['space in the payload', renamed(',"log"', ', "log"'), 'malformed'],
    ['an escape that is not needed', renamed('"iss":"h', '"iss":"\\u0068'), 'malformed'],
    ['an open claim more', renamed('"schema"', '"sub":"u-8841","schema"'), 'malformed'],
    [
      'open claims in another order',
      { editPayload: (payload) => payload.replace(/^\{("iss":"[^"]*"),("log":"[^"]*")/, '{$2,$1') },
      'malformed',
    ],
    ['a later schema', renamed('stepup/1', 'stepup/2'), 'schema_unknown'],
    ['another log', renamed('"log":"log.example/bank"', '"log":"log.example/bonk"'), 'signer_unknown'],
    [
      'another issuer',
      renamed('"iss":"https://log.example/bank"', '"iss":"https://log.example"'),
      'signer_unknown',
    ],
    ['a time with a fraction', renamed('"iat":1795176008', '"iat":1795176008.5'), 'malformed'],
    ['a time before 1970', renamed('"iat":1795176008', '"iat":-1'), 'malformed'],
    ['another time', renamed('"iat":1795176008', '"iat":1795176009'), 'proof_invalid'],
    ['an event id of another form', renamed('"jti":"evt_', '"jti":"ev_'), 'malformed'],
    ['another hash', renamed('sha-256', 'sha-512'), 'malformed'],
    [
      'digests that are not sorted',
      { editPayload: (payload) => payload.replace(/("_sd":\[)("[^"]*"),("[^"]*")/, '$1$3,$2') },
      'malformed',
    ],
    ['a digest fewer', { editPayload: (payload) => payload.replace(/,"[^"]*"\]\}$/, ']}') }, 'malformed'],
    ['a holder that is no JWK', renamed('"_sd_alg"', '"cnf":{"kid":"x"},"_sd_alg"'), 'malformed'],
  ];
  for (const [what, made, code] of cases) {
    test(what, () => {
      const other = makeTestReceipt(made);
      const report = checkReceipt(other.receipt, { trust: trustFile });
      assert.equal(report.error?.code, code, String(report.error));
      // The rest of it holds: it is the statement that is found.
      assert.deepEqual(
        report.checks.map(({ result }) => result),
        ['failed', 'ok', 'ok', 'ok', 'skipped'],
      );
      assert.equal(report.level, undefined);
      assert.equal(report.event, undefined);
    });
  }

  function kidOf(): string {
    return (trustFile['jwks'] as { keys: [{ kid: string }] }).keys[0].kid;
  }
});

describe('each check fails by itself', () => {
  const other = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other' } }).receipt;

  test('a statement that cannot be read leaves the leaf open, and the rest is checked', () => {
    const { checks, error } = checkReceipt({ ...receipt, statement: 'none' }, { trust: trustFile });
    assert.deepEqual(
      checks.map(({ result }) => result),
      ['failed', 'skipped', 'ok', 'ok', 'skipped'],
    );
    assert.equal(checks[4]!.detail, 'nothing is proven');
    assert.equal(error?.code, 'malformed');
  });

  test("another event's statement is of another leaf", () => {
    const { statement, event_id, id } = other;
    assert.deepEqual(failuresOf({ ...receipt, statement, event_id, id }), [
      ['leaf', 'leaf_hash is not that of this statement'],
    ]);
  });

  test("another event's proof does not lead to this leaf", () => {
    const { proof } = makeTestReceipt({ event: { ...TEST_EVENT, id: 'other' }, size: 42 }).receipt;
    const { checks, error } = checkReceipt({ ...receipt, proof }, { trust: trustFile });
    assert.deepEqual(
      checks.map(({ result }) => result),
      ['ok', 'ok', 'failed', 'ok', 'skipped'],
    );
    assert.equal(error?.code, 'root_mismatch');
  });

  test('a proof of another leaf is not of this one', () => {
    const { proof } = makeTestReceipt({ index: 40 }).receipt;
    assert.deepEqual(failuresOf({ ...receipt, proof }), [
      ['leaf', 'receipt has another leaf_index than the proof'],
    ]);
  });

  test('a checkpoint by another key proves nothing', () => {
    const strange = makeTestReceipt({ origin: 'log.example/bonk' }).receipt;
    assert.deepEqual(
      failuresOf({ ...strange, log: 'log.example/bank' }).map(([name]) => name),
      ['statement', 'checkpoint'],
    );
  });

  test('a proof without a checkpoint, or with half of one, is the checkpoint’s fault', () => {
    for (const end of [3, 2, 1, -1, -2, -3, -60]) {
      const blank = receipt.proof.indexOf('\n\n');
      const proof = receipt.proof.slice(0, end < 0 ? end : blank + end);
      const failed = failuresOf({ ...receipt, proof }).map(([name]) => name);
      assert.deepEqual(failed, [end === 1 ? 'inclusion' : 'checkpoint'], String(end));
    }
    assert.equal(codeOf({ ...receipt, proof: '' }), 'malformed');
    assert.equal(codeOf({ ...receipt, proof: `${receipt.proof}\ud800` }), 'malformed');
    assert.equal(codeOf({ ...receipt, proof: `\ud800${receipt.proof}` }), 'malformed');
  });

  test('what is no receipt is not reported on', () => {
    for (const input of ['', '{', '[]', 'null', null, undefined, 7, {}, { ...receipt, proof: 7 }, () => 7]) {
      assert.throws(() => checkReceipt(input, { trust: trustFile }), { code: 'malformed' });
    }
    const cyclic: Record<string, unknown> = { ...receipt };
    cyclic['more'] = cyclic;
    assert.throws(() => checkReceipt(cyclic, { trust: trustFile }), { code: 'malformed' });
    assert.throws(() => checkReceipt(' '.repeat(3 << 20), { trust: trustFile }), { code: 'too_large' });
    assert.throws(() => checkReceipt(new Uint8Array(3 << 20), { trust: trustFile }), { code: 'too_large' });
  });
});

describe('the level', () => {
  test('asked for where no witness is named is refused, and all the rest is said to be true', async () => {
    const report = checkReceipt(receipt, { trust: trustFile, level: 'witnessed' });
    assert.equal(report.ok, false);
    assert.equal(report.level, 'signed');
    assert.equal(report.error?.code, 'no_witnesses');
    assert.deepEqual(
      report.checks.map(({ result }) => result),
      ['ok', 'ok', 'ok', 'ok', 'failed'],
    );
    await assert.rejects(verifyReceipt(receipt, { trust: trustFile, level: 'witnessed' }), {
      code: 'no_witnesses',
    });
  });

  test('is never the one that the receipt claims', () => {
    const { level } = checkReceipt({ ...receipt, level: 'witnessed' }, { trust: trustFile });
    assert.equal(level, 'signed');
  });

  test('is asked for after the truth', () => {
    const report = checkReceipt({ ...receipt, tree_size: 43 }, { trust: trustFile, level: 'witnessed' });
    assert.equal(report.error?.code, 'proof_invalid');
    assert.equal(report.level, undefined);
  });
});

describe('verifying the parts', () => {
  test('a proof, by the entry or by the hash of its leaf', async () => {
    const { proof } = receipt;
    for (const subject of [{ entry: leaf }, { leafHash: hashLeaf(leaf) }]) {
      const found = await verifyProof({ proof, trust: trustFile, ...subject });
      assert.deepEqual([found.leafIndex, found.treeSize, found.level], [41, 42, 'signed']);
    }
    await verifyProof({ proof: new TextEncoder().encode(proof), entry: leaf, trust: trustFile });
    await assert.rejects(verifyProof({ proof, entry: new Uint8Array(40), trust: trustFile }), {
      code: 'root_mismatch',
    });
    await assert.rejects(verifyProof({ proof, leafHash: new Uint8Array(31), trust: trustFile }), {
      code: 'proof_invalid',
    });
    await assert.rejects(verifyProof({ proof, entry: leaf, trust: trustFile, level: 'witnessed' }), {
      code: 'no_witnesses',
    });
    const stranger = makeTestReceipt({ origin: 'log.example/bonk' }).trustFile;
    await assert.rejects(verifyProof({ proof, entry: leaf, trust: stranger }), { code: 'signer_unknown' });
  });

  test('a statement', async () => {
    const { statement } = receipt;
    const { eventId, event, claimsShown, receivedTimeS } = await verifyStatement(statement, {
      trust: trustFile,
    });
    assert.deepEqual([eventId, claimsShown, receivedTimeS], [receipt.event_id, 17, 1_795_176_008]);
    assert.deepEqual(event, TEST_EVENT);
    await assert.rejects(verifyStatement(`${statement}~`, { trust: trustFile }), { code: 'malformed' });
  });

  test('a receipt that fails is thrown with the error of its first check', async () => {
    const changed = { ...receipt, leaf_hash: formatBase64(new Uint8Array(32)) };
    await assert.rejects(verifyReceipt(changed, { trust: trustFile }), (error) => {
      return error instanceof NewelError && error.message === 'leaf_hash is not that of this statement';
    });
  });
});
