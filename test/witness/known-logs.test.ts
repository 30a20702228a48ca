import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { haveSameKeys, openKnownLogs } from '../../src/witness/known-logs.ts';
import type { ListSignal } from '../../src/witness/signals.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { logsOf } from '../support/test-witness.ts';
import { until } from '../support/until.ts';
import { WitnessedLog } from '../support/witnessed-log.ts';

const [bank, shop] = [new WitnessedLog(), new WitnessedLog('log.example/shop')];

test('a list is read again when it is another one: a log that stays keeps its verifiers, one without flaw counts alone', async (t) => {
  const path = join(await tempFolder(t), 'logs');
  const write = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, `logs/v0\n${text}`);
    await rename(`${path}.new`, path);
  };
  const signals: ListSignal[] = [];
  const told = (event: ListSignal['event'], count: number): Promise<true> =>
    until(() => signals.filter((signal) => signal.event === event).length === count);
  await write(bank.listed());
  const logs = await openKnownLogs(path, { pollMs: 5, onSignal: (signal) => signals.push(signal) });
  t.after(() => logs.close());
  const before = logs.find(bank.origin)!;
  await write(bank.listed(500) + shop.listed());
  await told('list_read', 2);
  const after = logs.find(bank.origin)!;
  assert.notEqual(after, before);
  assert.deepEqual([before.perDay, after.perDay], [undefined, 500]);
  assert.equal(after.verifiers, before.verifiers);
  assert.deepEqual(
    [...logs.all()].map(({ origin }) => origin),
    [bank.origin, shop.origin],
  );
  await write(`${shop.listed()}vkey nonsense\n`);
  await told('list_unreadable', 1);
  assert.equal(logs.find(bank.origin), after, 'the last good one stays in force');
  await write(shop.listed());
  await told('list_read', 3);
  assert.equal(logs.find(bank.origin), undefined);
});

test('others have their turn while a long list is read', async (t) => {
  const path = join(await tempFolder(t), 'logs');
  const entries = Array.from({ length: 300 }, (_, i) => `${bank.listed()}origin log.example/${i}\n`);
  await writeFile(path, `logs/v0\n${entries.join('')}`);
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  const logs = await openKnownLogs(path);
  clearInterval(count);
  logs.close();
  assert.equal([...logs.all()].length, 300);
  assert.ok(turns >= 2, `${turns} turns`);
});

test('entries have the same keys or not, whatever else they say', () => {
  const [one] = logsOf(bank.listed()).all();
  const [again] = logsOf(bank.listed(9)).all();
  const [other] = logsOf(shop.listed()).all();
  assert.equal(haveSameKeys(one!, again!), true);
  assert.equal(haveSameKeys(one!, other!), false);
  assert.equal(haveSameKeys(one!, { ...one!, vkeys: [...one!.vkeys, ...other!.vkeys] }), false);
  const [vkey] = one!.vkeys;
  for (const change of [{ name: 'x' }, { keyId: 1 }, { type: 9 }, { publicKey: new Uint8Array(32) }]) {
    assert.equal(haveSameKeys(one!, { ...one!, vkeys: [{ ...vkey!, ...change }] }), false);
  }
});
