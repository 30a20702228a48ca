import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SecretFoundError } from '../../src/errors.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { Keyring } from '../../src/vault/keyring.ts';
import { openRecord } from '../../src/vault/record.ts';
import { parseRecordRow, recordKey } from '../../src/vault/rows.ts';
import { keysOfSeed, openSeed } from '../../src/vault/seed.ts';
import { parseLeaf } from '../../src/event/leaf.ts';
import type { StoredEvent } from '../../src/vault/vault.ts';
import { exampleEvents, TEST_MASTER } from '../support/test-vault.ts';
import {
  bytesOf,
  type CrashVault,
  eventOf,
  openCrashVault,
  snapshotOf,
  submitGroup,
  wordsOf,
} from '../support/vault-crash.ts';

const SECRET = 'hunter2-is-it-9f';
const [FLAT] = exampleEvents('flat.json') as [JsonObject];
const redacting = { vault: { sources: { test: { secrets: 'redact' } } } } as const;

function withSecret(id: string, secret = SECRET): JsonObject {
  return eventOf(id, { ext: { 'com.example.app': { password: secret, note: 'kept' } } });
}

async function refusalOf(promise: Promise<unknown>): Promise<SecretFoundError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SecretFoundError);
  assert.equal(`${error.message}${JSON.stringify(error)}${error.stack}`.includes(SECRET), false);
  return error;
}

/** The bytes as sent that a record has. */
async function sentOf(crash: CrashVault, { leafIndex, leaf }: StoredEvent): Promise<string | undefined> {
  const row = parseRecordRow((await crash.store.getMany([recordKey(leafIndex)]))[0]!);
  assert.ok('keyId' in row);
  const keyring = await Keyring.open(crash.store, TEST_MASTER, await crash.epochs.read());
  const [dataKey] = await keyring.openDataKeys([row.keyId]);
  const { recordKey: key } = keysOfSeed(openSeed(dataKey!, row.sealedSeed, row.eventId));
  const parsed = parseLeaf(leaf);
  assert.ok('commitment' in parsed);
  const { sent } = openRecord(key, row.sealedRecord, { index: leafIndex, commitment: parsed.commitment });
  return sent && Buffer.from(sent).toString('utf8');
}

describe('an event with a secret in it', () => {
  test('is refused, with where and by which rule, and leaves no trace', async () => {
    const crash = await openCrashVault();
    const snapshot = await snapshotOf(crash.store);
    const error = await refusalOf(crash.now().submit(withSecret('a')));
    assert.deepEqual(error.findings, [{ pointer: '/ext/com.example.app/password', rule: 'field_name' }]);
    assert.deepEqual(await snapshotOf(crash.store), snapshot);
    assert.equal((await crash.now().submit(eventOf('a'))).created, true);
  });

  test('is refused before anything else is said of it', async () => {
    const crash = await openCrashVault();
    const group = await submitGroup(crash.now(), [
      { ...withSecret('a'), source: 'another' },
      { ...withSecret('b'), type: 'no type' },
      { ...FLAT, trigger_reason: `password=${SECRET}` },
    ]);
    assert.deepEqual(wordsOf(group), ['secret_found', 'secret_found', 'secret_found']);
  });

  test('in the header Idempotency-Key is refused, also where secrets are replaced', async () => {
    const key = 'ghp_0123456789abcdefghijABCDEFGHIJ012345';
    for (const options of [{}, redacting]) {
      const crash = await openCrashVault(options);
      const error = await refusalOf(crash.now().submit(FLAT, { idempotencyKey: key }));
      assert.deepEqual(
        error.findings.map(({ pointer }) => pointer),
        ['/id'],
      );
      assert.equal(crash.now().test.log.revealed.size, 1);
    }
  });

  test('whose source has them replaced is taken without it, and says so, now and later', async () => {
    const crash = await openCrashVault(redacting);
    const { event } = await crash.now().submit(withSecret('a'));
    const notices = [{ code: 'secret_redacted', rule: 'field_name', count: 1 }];
    for (let opening = 0; opening < 2; opening++) {
      const found = (await crash.now().vault.find(event.eventId))!;
      for (const one of [event, found]) {
        assert.deepEqual(one.notices, notices);
        const { ext } = one.content as { ext: JsonObject };
        assert.deepEqual(ext['com.example.app'], { password: '[REDACTED:field_name]', note: 'kept' });
        assert.equal(
          (await one.statement('Ed25519')).includes(Buffer.from(SECRET).toString('base64url').slice(2, -4)),
          false,
        );
      }
      const again = await crash.now().submit(withSecret('a'));
      assert.deepEqual(
        [again.created, again.event.eventId, again.event.notices],
        [false, event.eventId, notices],
      );
      await crash.recover();
    }
  });

  test('is the same event when it is sent again: as it was, in another order, already redacted; and else another', async () => {
    const crash = await openCrashVault(redacting);
    const { event } = await crash.now().submit(withSecret('a'));
    const turned = Object.fromEntries(Object.entries(withSecret('a')).reverse());
    const done = withSecret('a', '[REDACTED:field_name]');
    for (const copy of [withSecret('a'), turned, done]) {
      assert.equal((await crash.now().submit(copy)).event.eventId, event.eventId);
    }
    await assert.rejects(crash.now().submit({ ...withSecret('a'), type: 'logout' }), { code: 'id_conflict' });
    const group = await submitGroup(crash.now(), [withSecret('b'), withSecret('b'), withSecret('a')], {
      isAtomic: true,
    });
    assert.deepEqual(wordsOf(group), ['created', 'copy', 'copy']);
  });

  test('of the flat profile: what is kept as sent has no secret either, and without one it is what was sent', async () => {
    const crash = await openCrashVault(redacting);
    const secret = { ...FLAT, id: 'f', trigger_reason: `password=${SECRET}` };
    const [one, two] = await submitGroup(crash.now(), [secret, { ...FLAT, id: 'g' }]);
    const kept = await sentOf(crash, one!.submitted!.event);
    assert.ok(kept);
    assert.equal(kept.includes(SECRET), false);
    assert.match(kept, /REDACTED/);
    assert.equal(await sentOf(crash, two!.submitted!.event), JSON.stringify({ ...FLAT, id: 'g' }));
    assert.equal((await crash.now().submit(secret)).created, false);
    const white = bytesOf({ ...FLAT, id: 'g' });
    assert.equal((await crash.now().submit(white)).created, false);
  });

  test('of another source than those that have them replaced is refused, whatever it says it is', async () => {
    const crash = await openCrashVault(redacting);
    await refusalOf(crash.now().submit({ ...withSecret('a'), source: 'https://bank.example/payments' }));
    await refusalOf(
      crash.now().submit({ ...FLAT, trigger_reason: `password=${SECRET}` }, { sources: ['other', 'test'] }),
    );
    await assert.rejects(crash.now().submit(withSecret('a'), { sources: ['other'] }), { code: 'forbidden' });
  });

  test('in an identity is refused, also where secrets are replaced: two events or persons would become one', async () => {
    const crash = await openCrashVault(redacting);
    const snapshot = await snapshotOf(crash.store);
    const cases: readonly [event: JsonObject, pointer: string][] = [
      [eventOf(`password=${SECRET}`), '/id'],
      [eventOf('a', { txn: `password=${SECRET}` }), '/txn'],
      [
        eventOf('a', { subject: { sub_id: { format: 'opaque', id: `password=${SECRET}` } } }),
        '/subject/sub_id/id',
      ],
      [{ ...FLAT, user_id: `password=${SECRET}` }, '/user_id'],
      [{ ...FLAT, session_id: `password=${SECRET}` }, '/session_id'],
    ];
    for (const [event, pointer] of cases) {
      const { findings } = await refusalOf(crash.now().submit(event));
      assert.deepEqual(findings, [{ pointer, rule: 'field_name' }]);
    }
    assert.deepEqual(await snapshotOf(crash.store), snapshot);
  });

  test('in the name of a member is refused, also where secrets are replaced', async () => {
    const crash = await openCrashVault(redacting);
    const name = 'ghp_0123456789abcdefghijABCDEFGHIJ012345';
    const event = eventOf('a', { ext: { 'com.example.app': { [name]: 1 } } });
    const { findings } = await refusalOf(crash.now().submit(event));
    assert.equal(JSON.stringify(findings).includes(name), false);
  });
});
