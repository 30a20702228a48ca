import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/formats/json.ts';
import type { Submitted } from '../../src/vault/vault.ts';
import { type Fault, FAULTS } from '../support/faulty-store.ts';
import { exampleEvents, type TestVault } from '../support/test-vault.ts';
import {
  bytesOf,
  openCrashVault,
  ownEvents,
  rowsOf,
  snapshotOf,
  submitGroup,
  wordsOf,
} from '../support/vault-crash.ts';

const FLOW = exampleEvents('wire-transfer.ndjson') as JsonObject[];
const EXECUTED = FLOW.at(-1)!;
const { txn } = EXECUTED;

/** The flow without numbers, so that its events may come again with other ids. */
function flow(change: (event: JsonObject) => JsonObject = (event) => event): JsonObject[] {
  return FLOW.map(({ seq: _seq, ...event }) => change(event));
}

function otherHash(event: JsonObject): JsonObject {
  if (event['type'] !== 'action.executed') return event;
  const action = event['action'] as JsonObject;
  const hash = action['transaction_data_hash'] as string;
  return { ...event, action: { ...action, transaction_data_hash: hash.replace('NUtF', 'NUtG') } };
}

function early(event: JsonObject): JsonObject {
  return event['type'] === 'action.executed' ? { ...event, time: '2026-11-20T12:00:07.000Z' } : event;
}

const BREACHES: Record<string, { events: JsonObject[]; rule: string }> = {
  'one character of the transaction hash': { events: flow(otherHash), rule: 'hash_differs' },
  'execution before authentication': { events: flow(early), rule: 'executed_before_authentication' },
  'executed twice': { events: [...flow(), { ...flow().at(-1)!, id: 'twice' }], rule: 'executed_twice' },
};

async function submitAll(vault: TestVault, events: readonly JsonObject[]): Promise<Submitted[]> {
  const all: Submitted[] = [];
  for (const event of events) all.push(await vault.submit(event));
  return all;
}

function noticesOf({ event }: Submitted): unknown[] {
  return event.notices.filter(({ code }) => code === 'link_mismatch');
}

async function raised(vault: TestVault): Promise<unknown[]> {
  const events = await ownEvents(vault, 'exception.raised');
  return events.map(({ content }) => {
    assert.equal(content['outcome_reason'], 'link_mismatch');
    return (content['ext'] as JsonObject)['newel:link'];
  });
}

describe('a transaction that fits together', () => {
  for (const name of ['wire-transfer.ndjson', 'denied-push.ndjson']) {
    test(`raises nothing: ${name}, one by one and as a group`, async () => {
      for (const asGroup of [false, true]) {
        const crash = await openCrashVault();
        const events = exampleEvents(name) as JsonObject[];
        if (asGroup) await submitGroup(crash.now(), events, { isAtomic: true });
        else
          for (const submitted of await submitAll(crash.now(), events))
            assert.deepEqual(noticesOf(submitted), []);
        assert.deepEqual(await raised(crash.now()), []);
        assert.deepEqual(await rowsOf(crash.store, 0x8c), []);
      }
    });
  }

  test('keeps nothing of itself in clear', async () => {
    const crash = await openCrashVault();
    await submitAll(crash.now(), FLOW);
    const rows = await rowsOf(crash.store, 0x8a);
    assert.equal(rows.length, 1);
    const bytes = Buffer.concat(rows.flatMap(({ key, value }) => [key, value]));
    const hash = Buffer.from('NUtF6iVKmbq2kuXlNxCNiQ4Yc4KzsmLQvB1w5LkmUpI', 'base64url');
    assert.equal(bytes.includes(txn as string) || bytes.includes(hash), false);
  });
});

describe('a transaction that does not', () => {
  for (const [what, { events, rule }] of Object.entries(BREACHES)) {
    test(`${what}: ${rule} in the answer, in what is found, in a retry, and in one event of the log`, async () => {
      const crash = await openCrashVault();
      const all = await submitAll(crash.now(), events);
      const wrong = all.at(-1)!;
      const expected = [{ code: 'link_mismatch', rule }];
      for (const submitted of all.slice(0, -1)) assert.deepEqual(noticesOf(submitted), []);
      for (let opening = 0; opening < 2; opening++) {
        assert.deepEqual(noticesOf(wrong), expected);
        const found = await crash.now().vault.find(wrong.event.eventId);
        assert.deepEqual(
          found!.notices.filter(({ code }) => code === 'link_mismatch'),
          expected,
        );
        assert.deepEqual(noticesOf(await crash.now().submit(events.at(-1)!)), expected);
        assert.deepEqual(await raised(crash.now()), [{ event_id: wrong.event.eventId, rules: [rule] }]);
        assert.deepEqual(await rowsOf(crash.store, 0x8c), []);
        await crash.recover();
      }
      assert.deepEqual(await crash.findings(), []);
    });

    for (const fault of FAULTS) {
      test(`${what}: said exactly once, whichever commit fails (${fault})`, async () => {
        for (let commit = 0; commit < 4; commit++) await crashAt(events, fault, commit);
      });
    }
  }

  async function crashAt(events: readonly JsonObject[], fault: Fault, commit: number): Promise<void> {
    const crash = await openCrashVault();
    await submitAll(crash.now(), events.slice(0, -1));
    crash.faulty().failNext(fault, commit);
    await crash
      .now()
      .submit(events.at(-1)!)
      .catch(() => {});
    crash.faulty().failNext(fault, Infinity);
    await crash.recover();
    const { event } = await crash.now().submit(events.at(-1)!);
    const said = await raised(crash.now());
    assert.equal(said.length, 1, `commit ${commit}`);
    assert.equal((said[0] as JsonObject)['event_id'], event.eventId);
    assert.deepEqual(await rowsOf(crash.store, 0x8c), []);
    assert.deepEqual(await crash.findings(), []);
  }

  test('in one group: each breach is told with its event, and said', async () => {
    const crash = await openCrashVault();
    const again = Array.from({ length: 20 }, (_, i) => ({ ...flow().at(-1)!, id: `again-${i}` }));
    const outcomes = await submitGroup(crash.now(), [...flow(), ...again]);
    assert.equal(outcomes.filter(({ submitted }) => noticesOf(submitted!).length > 0).length, 20);
    assert.equal((await raised(crash.now())).length, 20);
  });
});

describe('an atomic group that is refused', () => {
  test('leaves transactions and numbers where they were', async () => {
    const crash = await openCrashVault();
    await submitAll(crash.now(), FLOW.slice(0, 5));
    const snapshot = await snapshotOf(crash.store);
    const refused = await submitGroup(crash.now(), [...FLOW.slice(5), bytesOf(1)], { isAtomic: true });
    assert.deepEqual(wordsOf(refused), ['untouched', 'untouched', 'event_invalid']);
    const conflict = { ...FLOW[0]!, type: 'logout' };
    const twice = await submitGroup(crash.now(), [...FLOW.slice(5), conflict], { isAtomic: true });
    assert.deepEqual(wordsOf(twice), ['untouched', 'untouched', 'id_conflict']);
    assert.deepEqual(await snapshotOf(crash.store), snapshot);
    const taken = await submitGroup(crash.now(), FLOW.slice(5), { isAtomic: true });
    assert.deepEqual(
      taken.map(({ submitted }) => submitted!.event.notices),
      [[], []],
    );
    assert.deepEqual(await raised(crash.now()), []);
  });
});
