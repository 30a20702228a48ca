import assert from 'node:assert/strict';
import { test } from 'node:test';
import { observeWitness } from '../../src/cli/observed-witness.ts';
import { formatHex } from '../../src/formats/hex.ts';
import type { KnownLog, KnownLogs } from '../../src/witness/known-logs.ts';
import type { Witness } from '../../src/witness/witness.ts';
import { hashOrigin } from '../../src/witness/witness-rows.ts';
import { watchTurns } from '../support/turns.ts';

const LOGS = 20_000;

function listOf(count: number): KnownLogs {
  const listed = Array.from({ length: count }, (_, i): KnownLog => ({
    origin: `log.example/${i}`,
    vkeys: [],
    verifiers: [],
  }));
  return { find: () => assert.fail(), all: () => listed.values(), close: () => {} };
}

function witnessOf(latest: Witness['latest'], ready = true): Witness {
  return { addCheckpoint: () => assert.fail(), latest, ready, close: () => Promise.resolve() };
}

test('what was cosigned of many logs is read a few at a time, in the order of the list', async () => {
  const sizes = new Map<string, number>();
  for (let i = 0; i < LOGS; i += 2) sizes.set(formatHex(hashOrigin(`log.example/${i}`)), i);
  const watched = watchTurns();
  const witness = witnessOf((hash) => {
    watched.piece();
    const size = sizes.get(hash);
    return Promise.resolve(
      size === undefined ? undefined : { size, timeS: size + 1, note: new Uint8Array(99) },
    );
  });
  const observed = await observeWitness('w', witness, listOf(LOGS), []);
  const { turns, most } = watched.stop();
  assert.ok(most <= 64, `${most} in one turn`);
  assert.ok(turns >= LOGS / 64, `${turns} turns of others`);
  assert.equal(observed.logs.length, LOGS);
  for (const [i, log] of observed.logs.entries()) {
    const latest = i % 2 === 0 ? { size: i, timeS: i + 1 } : undefined;
    if (i < 100 || i > LOGS - 100) assert.deepEqual(log, { origin: `log.example/${i}`, latest });
  }
});

test('a witness that has stopped says so, and nothing of any log; else what cannot be read is not passed over', async () => {
  const cause = new Error('no');
  const stopped = await observeWitness(
    'w',
    witnessOf(() => Promise.reject(cause), false),
    listOf(3),
    [],
  );
  assert.equal(stopped.isReady, false);
  assert.deepEqual(
    stopped.logs.map(({ latest }) => latest),
    [undefined, undefined, undefined],
  );
  await assert.rejects(
    observeWitness(
      'w',
      witnessOf(() => Promise.reject(cause)),
      listOf(3),
      [],
    ),
    cause,
  );
});
