import assert from 'node:assert/strict';
import { rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { openKnownLogs } from '../../src/witness/known-logs.ts';
import { type ListedLog, parseLogList } from '../../src/witness/log-list.ts';
import type { ListSignal } from '../../src/witness/signals.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { ARITHMETIC } from '../support/test-witness.ts';
import { seedOf, WitnessedLog } from '../support/witnessed-log.ts';

const bank = new WitnessedLog('log.example/bank');
const shop = new WitnessedLog('log.example/shop');
const BANK = formatVkey(bank.vkey);
const SHOP = formatVkey(shop.vkey);

const parse = (text: string): ListedLog[] => [...parseLogList(encodeUtf8(text)).values()];

test('a list as the public network writes it', () => {
  const logs = parse(
    `# List: 10qps\n\nlogs/v0\n\n# the first\nvkey ${BANK}\nqpd 86400\ncontact ops (at) bank.example | https://bank.example\n` +
      `\n  vkey ${SHOP}  \r\norigin an origin with spaces\nqpd 24\nbastion https://b.example/\ncontact x`,
  );
  assert.deepEqual(logs, [
    { origin: bank.origin, vkeys: [bank.vkey], perDay: 86_400 },
    { origin: 'an origin with spaces', vkeys: [shop.vkey], perDay: 24 },
  ]);
});

test('a list of nothing is a list; origin none is the name of the key; without qpd there is no limit', () => {
  assert.deepEqual(parse('logs/v0\n'), []);
  assert.deepEqual(parse(`logs/v0\nvkey ${BANK}\norigin none\nbastion none\n`), [
    { origin: bank.origin, vkeys: [bank.vkey] },
  ]);
});

test('an origin may have several keys of both types, and the largest of their grants', () => {
  const pq = newVkey(bank.origin, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seedOf('pq')));
  const second = `vkey ${formatVkey(pq)}\n`;
  assert.deepEqual(parse(`logs/v0\nvkey ${BANK}\nqpd 10\n${second}qpd 5\n`), [
    { origin: bank.origin, vkeys: [bank.vkey, pq], perDay: 10 },
  ]);
  assert.deepEqual(parse(`logs/v0\nvkey ${BANK}\nqpd 10\n${second}`), [
    { origin: bank.origin, vkeys: [bank.vkey, pq] },
  ]);
});

const WITNESS_KEY = formatVkey(newVkey(bank.origin, KEY_TYPE.cosignatureEd25519, bank.vkey.publicKey));
for (const [flaw, text, message] of [
  ['no header', `vkey ${BANK}\n`, /line 1 is not logs\/v0/],
  ['another version', `logs/v1\nvkey ${BANK}\n`, /line 1 is not logs\/v0/],
  ['nothing', '', /no line logs\/v0/],
  ['a second header', `logs/v0\nlogs/v0\n`, /line 2 begins with none of/],
  ['an unknown keyword', `logs/v0\nvkey ${BANK}\nquota 5\n`, /line 3 begins with none of vkey/],
  ['a member before any vkey', `logs/v0\nqpd 5\nvkey ${BANK}\n`, /line 2 has qpd before any vkey/],
  ['a member twice', `logs/v0\nvkey ${BANK}\nqpd 5\n\nqpd 5\n`, /line 5 has a second qpd/],
  ['no value', `logs/v0\nvkey ${BANK}\norigin\n`, /line 3 has no value after origin/],
  ['qpd in words', `logs/v0\nvkey ${BANK}\nqpd many\n`, /line 3: qpd is not a decimal number/],
  ['qpd 0', `logs/v0\nvkey ${BANK}\nqpd 0\n`, /line 3 grants no cosignature/],
  ['a vkey that is none', `logs/v0\n\nvkey ${BANK.replace('+', '-')}\n`, /line 3: verifier key is not/],
  [
    'a key id of another',
    `logs/v0\nvkey ${BANK.replace(/\+[0-9a-f]{8}/, '+00000000')}\n`,
    /line 2: .*key id/,
  ],
  ['a key of a witness', `logs/v0\nvkey ${WITNESS_KEY}\n`, /line 2 has a key of a type that logs do not/],
  ['a key twice', `logs/v0\nvkey ${BANK}\nvkey ${SHOP}\nvkey ${BANK}\n`, /line 4 has the name and key id/],
  ['a long origin', `logs/v0\nvkey ${BANK}\norigin ${'x'.repeat(256)}\n`, /line 3 has no origin of 1 to 255/],
  ['a control character', `logs/v0\nvkey ${BANK}\ncontact a\u0007b\n`, /line 3 holds a control character/],
] as const) {
  test(`a list with ${flaw} is refused, saying the line`, () => {
    assert.throws(
      () => parse(text),
      (error) => error instanceof NewelError && error.code === 'malformed' && message.test(error.message),
    );
  });
}

const POLL_MS = 1000;

/** Lets polls come, each with time for it to end, until it is true. */
async function pollUntil(t: TestContext, isTrue: () => boolean): Promise<void> {
  for (let polls = 0; !isTrue(); polls++) {
    assert.ok(polls < 10_000, 'it did not become true');
    await poll(t, 1);
  }
}

async function poll(t: TestContext, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    t.mock.timers.tick(POLL_MS);
    // As long as a poll takes that finds nothing new, and some.
    for (let j = 0; j < 3; j++) await stat(import.meta.filename);
  }
}

test('the file is read again when it changes; a broken one keeps the last good list and says so once', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const path = join(await tempFolder(t), 'logs');
  await writeFile(path, `logs/v0\nvkey ${BANK}\n`);
  const events: string[] = [];
  const logs = await openKnownLogs(path, {
    arithmetic: ARITHMETIC,
    pollMs: POLL_MS,
    onSignal: ({ event }: ListSignal) => events.push(event),
  });
  t.after(() => logs.close());
  assert.equal(logs.find(bank.origin)?.verifiers.length, 1);
  assert.equal(logs.find(shop.origin), undefined);
  await poll(t, 5);
  assert.deepEqual(events.splice(0), ['list_read'], 'what has not changed is not read again');

  const replaceBy = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  await replaceBy(`logs/v0\nvkey ${SHOP}\n`);
  await pollUntil(t, () => logs.find(shop.origin) !== undefined);
  assert.equal(logs.find(bank.origin), undefined, 'a log that is taken out is known no more');
  assert.deepEqual(events.splice(0), ['list_read']);

  for (const spoil of [() => replaceBy('logs/v0\nvkey broken\n'), () => rm(path)]) {
    await spoil();
    await pollUntil(t, () => events.length > 0);
    await poll(t, 20);
    assert.deepEqual(events.splice(0), ['list_unreadable'], 'told of once');
    assert.ok(logs.find(shop.origin));
  }

  await replaceBy(`logs/v0\nvkey ${SHOP}\nvkey ${BANK}\n`);
  await pollUntil(t, () => logs.find(bank.origin) !== undefined);
  logs.close();
  await poll(t, 1);
  await rm(path);
  await poll(t, 5);
  assert.deepEqual(events, ['list_read'], 'one that is closed looks no more');
});

test('a list that is broken or missing at the start is refused', async (t) => {
  const path = join(await tempFolder(t), 'logs');
  await assert.rejects(openKnownLogs(path), /the log list .* cannot be read/);
  await writeFile(path, `logs/v0\nvkey ${BANK}\nqpd x\n`);
  await assert.rejects(openKnownLogs(path), /log list line 3: qpd .*; put it right/);
  // Of order 1: it verifies anything.
  const smallOrder = formatVkey(
    newVkey('log.example', KEY_TYPE.ed25519, Uint8Array.of(1, ...new Uint8Array(31))),
  );
  await writeFile(path, `logs/v0\nvkey ${smallOrder}\n`);
  await assert.rejects(openKnownLogs(path), /not an acceptable Ed25519 key/);
});
