import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatJwk } from '../../src/formats/jwk.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Row } from '../../src/storage/store.ts';
import { openRecordChecker } from '../../src/vault/check-records.ts';
import { openVault } from '../../src/vault/open-vault.ts';
import { Keyring } from '../../src/vault/keyring.ts';
import {
  dataKeyKey,
  eventKey,
  formatIndex,
  idKey,
  parseRecordRow,
  recordKey,
  type RecordRow,
} from '../../src/vault/rows.ts';
import { nodeEd25519, signAside } from '../../src/cli/ed25519-node.ts';
import {
  exampleEvents,
  openTestVault,
  testEpochs,
  type TestVault,
  TEST_ISSUER,
  TEST_MASTER,
  TEST_STATEMENT_SEED,
} from '../support/test-vault.ts';

const [FULL] = exampleEvents('full.json') as [JsonObject];

async function rowsOf(store: MemoryStore): Promise<Row[]> {
  return store.scan({ from: Uint8Array.of(0x80), to: Uint8Array.of(0xff), limit: 10_000 });
}

async function rowOf(store: MemoryStore, key: Uint8Array): Promise<Uint8Array> {
  const [value] = await store.getMany([key]);
  assert.ok(value);
  return value;
}

describe('what is stored of an event', () => {
  test('no value of it is in the database, and events of one subject share a data key', async () => {
    const store = new MemoryStore();
    const { submit } = await openTestVault({ store });
    await submit(FULL);
    await submit({ ...FULL, id: 'second' });
    await submit({ ...FULL, id: 'third', subject: { sub_id: { format: 'opaque', id: 'somebody else' } } });
    const rows = await rowsOf(store);
    const count = (prefix: number): number => rows.filter(({ key }) => key[0] === prefix).length;
    assert.deepEqual([0x80, 0x81, 0x82, 0x83, 0x84, 0x85].map(count), [1, 3, 3, 3, 2, 2]);
    const bytes = Buffer.concat(rows.flatMap(({ key, value }) => [key, value]));
    const seen: string[] = [];
    const walk = (value: unknown): void => {
      if (typeof value === 'string' && value.length >= 8) seen.push(value);
      else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
    };
    walk(FULL);
    assert.ok(seen.length > 20);
    for (const text of seen) assert.equal(bytes.includes(text), false, 'a value is in the database');
  });

  test('a record opens at its own leaf only', async () => {
    const store = new MemoryStore();
    const { submit, vault } = await openTestVault({ store });
    const one = await submit(FULL);
    const two = await submit({ ...FULL, id: 'second' });
    const [first, second] = await Promise.all(
      [one, two].map(({ event }) => rowOf(store, recordKey(event.leafIndex))),
    );
    await store.commit({
      puts: [
        { key: recordKey(one.event.leafIndex), value: second! },
        { key: recordKey(two.event.leafIndex), value: first! },
      ],
    });
    for (const { event } of [one, two]) {
      await assert.rejects(vault.find(event.eventId), { code: 'storage_failed' });
    }
  });

  test('a flipped bit anywhere in its rows is found, and no other event is handed out instead', async () => {
    const store = new MemoryStore();
    const { submit, vault } = await openTestVault({ store });
    const { event } = await submit(FULL);
    const key = recordKey(event.leafIndex);
    const whole = await rowOf(store, key);
    // The id tag only leads here, and the content MAC only compares: neither is read by `find`.
    const { keyId, idTag, contentMac } = recordRowOf(whole);
    const ignored = [idTag, contentMac].map((bytes) => Buffer.from(whole).indexOf(bytes));
    for (let at = 0; at < whole.length; at += at < 260 ? 1 : 97) {
      if (ignored.some((from) => at >= from && at < from + 32)) continue;
      const flipped = Uint8Array.from(whole);
      flipped[at]! ^= 0x10;
      await store.commit({ puts: [{ key, value: flipped }] });
      await assert.rejects(vault.find(event.eventId), { code: 'storage_failed' }, `byte ${at}`);
    }
    await store.commit({ puts: [{ key, value: whole }] });
    assert.equal((await vault.find(event.eventId))?.eventId, event.eventId);
    await store.commit({ puts: [], deletes: [dataKeyKey(keyId)] });
    await assert.rejects(vault.find(event.eventId), { code: 'storage_failed' });
  });

  test('an event id of nothing, or of no form, finds nothing', async () => {
    const { vault } = await openTestVault();
    for (const id of [
      '',
      'evt_',
      'evt_AAAAAAAAAAAAAAAAAAAAAA',
      'evt_AAAAAAAAAAAAAAAAAAAAAB',
      'x'.repeat(100),
    ]) {
      assert.equal(await vault.find(id), undefined);
    }
  });
});

describe('a database that lost records is refused at open, naming the leaf', () => {
  const cases: Record<string, (row: ReturnType<typeof parseRecordRow>) => Uint8Array> = {
    'the record': () => recordKey(2),
    'the event id': ({ eventId }) => eventKey(eventId),
    "the submitter's id": ({ idTag }) => idKey(idTag),
  };
  for (const [what, keyOf] of Object.entries(cases)) {
    test(what, async () => {
      const store = new MemoryStore();
      const vault = await openTestVault({ store });
      for (const id of ['one', 'two', 'three']) await vault.submit({ ...FULL, id });
      const key = keyOf(parseRecordRow(await rowOf(store, recordKey(2))));
      const whole = await rowOf(store, key);
      await store.commit({ puts: [], deletes: [key] });
      await assert.rejects(vault.reopen(), { code: 'log_refused', message: /leaf 2/ });
      await store.commit({ puts: [{ key, value: formatIndex(1) }] });
      await assert.rejects(openAgain(vault), { code: 'log_refused', message: /leaf 2/ });
      await store.commit({ puts: [{ key, value: whole }] });
      await openAgain(vault);
    });
  }
});

async function openAgain(vault: Awaited<ReturnType<typeof openTestVault>>): Promise<void> {
  await vault.reopen();
}

describe("a database whose data keys are not their owners' is refused at open, naming a leaf", () => {
  async function twoSubjects(): Promise<{ store: MemoryStore; vault: TestVault }> {
    const store = new MemoryStore();
    const vault = await openTestVault({ store });
    await vault.submit(FULL);
    await vault.submit({ ...FULL, id: 'other', subject: { sub_id: { format: 'opaque', id: 'other' } } });
    return { store, vault };
  }

  for (const prefix of [0x84, 0x85]) {
    test(`a row ${prefix.toString(16)} that is missing`, async () => {
      const { store, vault } = await twoSubjects();
      const row = (await rowsOf(store)).find(({ key }) => key[0] === prefix);
      await store.commit({ puts: [], deletes: [row!.key] });
      await assert.rejects(vault.reopen(), { code: 'log_refused', message: /^leaf [12]: its data key/ });
    });

    test(`two rows ${prefix.toString(16)} that have changed places`, async () => {
      const { store, vault } = await twoSubjects();
      const [one, two] = (await rowsOf(store)).filter(({ key }) => key[0] === prefix);
      await store.commit({
        puts: [
          { ...one!, value: two!.value },
          { ...two!, value: one!.value },
        ],
      });
      await assert.rejects(vault.reopen(), { code: 'log_refused', message: /^leaf [12]: its data key/ });
    });
  }
});

function recordRowOf(bytes: Uint8Array): RecordRow {
  const row = parseRecordRow(bytes);
  assert.ok('keyId' in row);
  return row;
}

describe('checking every record', () => {
  test('finds a flip that no start looks for, and nothing in a whole database', async () => {
    const store = new MemoryStore();
    const { submit, test: log } = await openTestVault({ store });
    for (const id of ['one', 'two', 'three']) await submit({ ...FULL, id });
    const issuing = { issuer: TEST_ISSUER, origin: log.origin };
    const epochs = await testEpochs().read();
    const readEntries = async (first: number, count: number) => log.log.readEntries(first, count);
    const parts = { store, epochs, issuing, readEntries };
    const open = () => openRecordChecker({ ...parts, master: TEST_MASTER });
    const entries = await log.log.readEntries(0, 4);
    const checker = await open();
    assert.deepEqual([await checker.check(0, entries), await checker.end()], [[], []]);
    const whole = await rowOf(store, recordKey(2));
    const flipped = Uint8Array.from(whole);
    flipped[whole.length - 3]! ^= 1;
    await store.commit({ puts: [{ key: recordKey(2), value: flipped }], deletes: [recordKey(3)] });
    const findings = await (await open()).check(0, entries);
    assert.equal(findings.length, 2);
    assert.match(findings[0]!, /^leaf 2: what is stored does not open/);
    assert.match(findings[1]!, /^leaf 3: its record is missing/);
    await assert.rejects(openRecordChecker({ ...parts, master: new Uint8Array(32) }), {
      code: 'log_refused',
    });
  });
});

describe('a vault opens with its own keys only', () => {
  test('another master key, statement key or issuer is refused', async () => {
    const store = new MemoryStore();
    const { test: log } = await openTestVault({ store });
    const right = {
      log: log.log,
      store,
      master: TEST_MASTER,
      statementKeys: { seed: TEST_STATEMENT_SEED, retired: [] },
      issuer: TEST_ISSUER,
      ed25519: { ...nodeEd25519, signAside },
      epochs: testEpochs(0),
      now: () => 0,
    };
    await openVault(right);
    const stranger = formatJwk(nodeEd25519.publicKey(new Uint8Array(32).fill(7)));
    const own = formatJwk(nodeEd25519.publicKey(TEST_STATEMENT_SEED));
    const wrong = [
      { ...right, master: new Uint8Array(32) },
      { ...right, statementKeys: { seed: new Uint8Array(32), retired: [] } },
      { ...right, issuer: 'https://other.example' },
      { ...right, statementKeys: { ...right.statementKeys, retired: [stranger] } },
      { ...right, statementKeys: { ...right.statementKeys, retired: [own] } },
    ];
    for (const options of wrong) await assert.rejects(openVault(options), { code: 'log_refused' });
  });
});

describe('data keys', () => {
  test('many subjects at once, more than are kept open: each keeps its one key', async () => {
    const store = new MemoryStore();
    await openTestVault({ store });
    const keyring = await Keyring.open(store, TEST_MASTER, await testEpochs().read());
    const made = new Map<string, string>();
    const subjects = Array.from({ length: 17_000 }, (_, i) => `subject ${i}`);
    for (const subject of subjects) {
      const hold = await keyring.hold({ subject });
      const { value: dataKey } = hold;
      made.set(subject, Buffer.from(dataKey.id).toString('hex'));
      // Half of them are stored at once; the others stay under way.
      if (made.size % 2 === 0) {
        await store.commit({ puts: [...keyring.addEvent(dataKey, made.size)] });
        dataKey.unstored = [];
        hold.release();
      }
    }
    for (const subject of subjects) {
      const hold = await keyring.hold({ subject });
      assert.equal(Buffer.from(hold.value.id).toString('hex'), made.get(subject));
      hold.release();
    }
  });
});
