import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { parseCheckpoint } from '../../src/formats/checkpoint.ts';
import { formatHex } from '../../src/formats/hex.ts';
import { cosignatureVerifier, mldsa44Cosigner } from '../../src/formats/cosignature.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import {
  ed25519Verifier,
  formatNote,
  type NoteSignature,
  openNote,
  parseNote,
  signNote,
} from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { MemoryStore } from '../../src/storage/memory.ts';
import type { Batch, Store } from '../../src/storage/store.ts';
import { formatAddCheckpoint } from '../../src/witness/add-checkpoint-body.ts';
import { LogBudgets, type Work } from '../../src/witness/log-budgets.ts';
import { createWitnessState, type Fork, openWitness } from '../../src/witness/witness.ts';
import { hashOrigin, recordKey } from '../../src/witness/witness-rows.ts';
import { FAULTS, FaultyStore } from '../support/faulty-store.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { SlowStore } from '../support/slow-store.ts';
import {
  ARITHMETIC,
  logsOf,
  openTestWitness,
  serveWitness,
  START_MS,
  type TestWitness,
  timeOf,
  verifiedLines,
  verifiersOf,
  WITNESS,
} from '../support/test-witness.ts';
import { seedOf, testCosigners, WitnessedLog } from '../support/witnessed-log.ts';

const bank = new WitnessedLog();
const shop = new WitnessedLog('log.example/shop');
const BOTH = [bank.listed(), shop.listed()];

const hashOf = ({ origin }: WitnessedLog): string => formatHex(hashOrigin(origin));

async function sizeOf({ witness }: TestWitness, log = bank): Promise<number | undefined> {
  const note = (await witness.latest(hashOf(log)))?.note;
  return note && parseCheckpoint(parseNote(note).text).size;
}

async function statusOf({ witness }: TestWitness, body: Uint8Array): Promise<number> {
  return (await witness.addCheckpoint(body)).status;
}

test('1,000 racing requests over HTTP: the recorded size only grows, and no two lines contradict each other', async (t) => {
  const cosigners = testCosigners(WITNESS.name, { isQuick: true });
  const slow = new SlowStore(new MemoryStore());
  await createWitnessState(slow, WITNESS);
  slow.maxTurns = 3;
  slow.maxCommitTurns = 5;
  const clock = new ManualClock(START_MS);
  const { witness } = await openTestWitness({ listed: [bank.listed()], cosigners, store: slow, clock });
  const port = await serveWitness(t, { witness });
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  t.after(() => agent.destroy());
  const send = (method: string, path: string, body?: Uint8Array): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const sent = httpRequest({ host: '127.0.0.1', port, agent, method, path }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }),
        );
      });
      sent.on('error', reject).end(body);
    });

  let left = 1000;
  let known = 0;
  const cosigned: { size: number; isForked: boolean; timeS: number }[] = [];
  const statuses = new Map<number, number>();
  const ask = async (seed: number): Promise<void> => {
    for (let i = 0; left > 0; i++) {
      left -= 1;
      const dice = Math.imul(seed * 7919 + i, 2654435761) >>> 4;
      const oldSize = dice % 5 === 0 ? Math.max(0, known - (dice % 3)) : known;
      const size = oldSize + (dice % 4);
      const isForked = dice % 7 < 3;
      if (dice % 50 === 0) clock.advance(1000);
      const { status, text } = await send('POST', '/add-checkpoint', bank.body(oldSize, size, { isForked }));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 409) known = Math.max(known, Number(text));
      if (status !== 200) continue;
      const [line] = verifiedLines(text, bank.text(size, { isForked }), cosigners);
      cosigned.push({ size, isForked, timeS: timeOf(line!) });
      known = Math.max(known, size);
    }
  };
  let watched = 0;
  const watch = async (): Promise<void> => {
    for (let last = 0; left > 0;) {
      const { status, text } = await send('GET', `/${hashOf(bank)}/checkpoint`);
      if (status === 404) continue;
      const { size } = parseCheckpoint(parseNote(encodeUtf8(text)).text);
      assert.ok(size >= last, `the recorded size goes from ${last} back to ${size}`);
      last = size;
      watched += 1;
    }
  };
  await Promise.all([watch(), ...Array.from({ length: 40 }, (_, seed) => ask(seed))]);

  t.diagnostic(
    `${cosigned.length} cosigned up to ${known}; ${JSON.stringify([...statuses])}; ${watched} looks`,
  );
  assert.deepEqual(
    [...statuses.keys()].filter((status) => ![200, 409, 422, 429].includes(status)),
    [],
  );
  assert.ok(cosigned.length > 20 && watched > 20, 'there was a race');
  // The trees part at leaf 5: beyond it all lines are of one of them.
  const beyond = cosigned.filter(({ size }) => size > 5);
  assert.ok(beyond.length > 10);
  assert.equal(new Set(beyond.map(({ isForked }) => isForked)).size, 1);
  // In the order of their times, sizes never go back.
  for (const a of cosigned) for (const b of cosigned) assert.ok(!(a.timeS < b.timeS && a.size > b.size));
});

test('nothing leaves before it is on the disk', async () => {
  const store = new MemoryStore();
  await createWitnessState(store, WITNESS);
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => (release = resolve));
  let waiting = 0;
  const gated = {
    ...methodsOf(store),
    commit: async (batch: Batch) => {
      waiting += 1;
      await gate;
      return store.commit(batch);
    },
  };
  const opened = await openTestWitness({ listed: BOTH, store: gated, isQuick: true });
  let answered = 0;
  const asked = [bank.body(0, 5), bank.body(0, 6), shop.body(0, 3)].map(async (body) => {
    const { status } = await opened.witness.addCheckpoint(body);
    answered += 1;
    return status;
  });
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([waiting, answered], [1, 0]);
  assert.equal(await sizeOf(opened), undefined, 'nor is it shown');
  release();
  assert.deepEqual(await Promise.all(asked), [200, 409, 200]);
  assert.deepEqual([await sizeOf(opened), await sizeOf(opened, shop)], [5, 3]);
});

function methodsOf(store: MemoryStore): Store {
  return {
    commit: (batch) => store.commit(batch),
    getMany: (keys) => store.getMany(keys),
    scan: (range) => store.scan(range),
    compact: () => store.compact(),
    close: () => store.close(),
  };
}

test('requests of different origins at the same time share a commit', async () => {
  const store = new FaultyStore(new MemoryStore());
  await createWitnessState(store, WITNESS);
  const logs = Array.from({ length: 20 }, (_, i) => new WitnessedLog(`log.example/${i}`));
  const slow = new SlowStore(store);
  slow.maxCommitTurns = 20;
  const opened = await openTestWitness({
    listed: logs.map((log) => log.listed()),
    store: slow,
    isQuick: true,
  });
  const before = store.commits;
  const statuses = await Promise.all(logs.map((log) => statusOf(opened, log.body(0, 4))));
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.ok(store.commits - before <= 5, `${store.commits - before} commits of 20 logs`);
});

test('it remembers over a restart, and serves what it served', async () => {
  const first = await openTestWitness({ listed: BOTH });
  assert.equal(await statusOf(first, bank.body(0, 5)), 200);
  assert.equal(await statusOf(first, bank.body(5, 9)), 200);
  assert.equal(await statusOf(first, shop.body(0, 1)), 200);
  const note = await first.witness.latest(hashOf(bank));
  await first.witness.close();
  assert.equal(first.witness.ready, false);
  assert.equal(await statusOf(first, bank.body(9, 10)), 503);
  await assert.rejects(first.witness.latest(hashOf(bank)), isCode('storage_failed'));

  const again = await openTestWitness({
    listed: [bank.listed()],
    store: first.store,
    cosigners: first.cosigners,
  });
  assert.deepEqual(again.signals[0], { ...again.signals[0], event: 'opened', origins: 2, commits: 3 });
  assert.deepEqual(await again.witness.latest(hashOf(bank)), note);
  assert.equal(await statusOf(again, bank.body(0, 9)), 409);
  assert.equal(await statusOf(again, bank.body(9, 10, { isForked: true })), 422);
  assert.equal(await statusOf(again, bank.body(9, 10)), 200);
  // A log that is listed no more: 404, and what was cosigned of it stays.
  assert.equal(await statusOf(again, shop.body(1, 2)), 404);
  assert.equal(await sizeOf(again, shop), 1);
  await again.witness.close();
  const back = await openTestWitness({ listed: BOTH, store: first.store, cosigners: first.cosigners });
  assert.deepEqual(await back.witness.addCheckpoint(shop.body(0, 2)), { status: 409, size: 1 });
});

const isCode = (code: string) => (error: unknown) => error instanceof NewelError && error.code === code;

for (const fault of FAULTS) {
  test(`a write that fails (${fault}) is fatal: nothing more is answered, and the next opening knows`, async () => {
    const store = new FaultyStore(new MemoryStore());
    await createWitnessState(store, WITNESS);
    const opened = await openTestWitness({ listed: BOTH, store, isQuick: true });
    assert.equal(await statusOf(opened, bank.body(0, 5)), 200);
    store.failNext(fault);
    const racing = [bank.body(5, 9), bank.body(5, 6), bank.body(9, 9), shop.body(0, 2)];
    const statuses = await Promise.all(racing.map((body) => statusOf(opened, body)));
    assert.deepEqual(new Set(statuses), new Set([503]));
    assert.equal(opened.witness.ready, false);
    assert.equal(opened.signals.filter(({ event }) => event === 'fatal').length, 1);
    assert.equal(await statusOf(opened, bank.body(5, 9)), 503);
    const again = await openTestWitness({ listed: BOTH, store, isQuick: true });
    const size = fault === 'persisted' ? 9 : 5;
    assert.equal(await sizeOf(again), size);
    assert.deepEqual(await again.witness.addCheckpoint(bank.body(0, 1)), { status: 409, size });
  });
}

test('timestamps never go back, in service and after a restart with a clock that was set back', async () => {
  const opened = await openTestWitness({ listed: [bank.listed()], isQuick: true });
  const { clock, store, cosigners } = opened;
  const timeAt = async ({ witness }: TestWitness, old: number, size: number): Promise<number> => {
    const answer = await witness.addCheckpoint(bank.body(old, size));
    assert.ok(answer.status === 200, JSON.stringify(answer));
    return timeOf(verifiedLines(answer.lines, bank.text(size), cosigners)[0]!);
  };
  assert.equal(await timeAt(opened, 0, 4), START_MS / 1000);
  // Behind by less than two seconds: waited for.
  clock.set(START_MS - 1500);
  const waits = timeAt(opened, 4, 5);
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(1499);
  assert.equal(await statusOf({ ...opened }, encodeUtf8('x')), 400, 'others are answered meanwhile');
  clock.advance(1);
  assert.equal(await waits, START_MS / 1000);
  await opened.witness.close();

  const behind = new ManualClock(START_MS - 3600_000);
  const again = await openTestWitness({ listed: [bank.listed()], store, cosigners, clock: behind });
  const refused = await again.witness.addCheckpoint(bank.body(5, 6));
  assert.ok(refused.status === 503 && /clock/.test(refused.reason));
  assert.deepEqual(again.signals.at(-1), { event: 'clock_behind', origin: bank.origin, behindS: 3600 });
  assert.equal(await statusOf(again, bank.body(4, 6)), 409, 'what is not signed needs no clock');
  assert.ok(again.witness.ready);
  behind.set(START_MS + 7000);
  assert.equal(await timeAt(again, 5, 6), START_MS / 1000 + 7);

  // 1970: a timestamp is never 0.
  const dawn = await openTestWitness({ listed: [bank.listed()], isQuick: true, clock: new ManualClock(0) });
  const first = dawn.witness.addCheckpoint(bank.body(0, 1));
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  dawn.clock.advance(1000);
  const answer = await first;
  assert.ok(answer.status === 200);
  assert.equal(timeOf(verifiedLines(answer.lines, bank.text(1), dawn.cosigners)[0]!), 1);
});

test('a log has what its list grants it, and strangers with its checkpoints use none of that up', async () => {
  const opened = await openTestWitness({ listed: [bank.listed(240), shop.listed()], isQuick: true });
  const { witness, clock } = opened;
  for (let size = 1; size <= 10; size++) assert.equal(await statusOf(opened, bank.body(size - 1, size)), 200);
  const over = await witness.addCheckpoint(bank.body(10, 11));
  assert.ok(over.status === 429);
  assert.equal(over.retryAfterS, 360);
  // Neither refusals nor repetitions are growth, and the other way round.
  for (let i = 0; i < 30; i++) assert.equal(await statusOf(opened, bank.body(9, 11)), 409);
  const repeats: number[] = [];
  for (let i = 0; i < 12; i++) {
    clock.advance(1000);
    repeats.push(await statusOf(opened, bank.body(10, 10)));
  }
  assert.deepEqual(repeats, [...Array.from({ length: 10 }, () => 200), 429, 429]);
  clock.advance(347_000);
  assert.equal(await statusOf(opened, bank.body(10, 11)), 429);
  clock.advance(1000);
  assert.equal(await statusOf(opened, bank.body(10, 11)), 200);
  assert.equal(await statusOf(opened, bank.body(11, 12)), 429);
  // Of a log without a number, growth is not limited.
  for (let size = 1; size <= 50; size++) assert.equal(await statusOf(opened, shop.body(size - 1, size)), 200);
});

test('what a stranger can ask for comes in bursts of ten at most, however much a log is granted', () => {
  let nowMs = 0;
  const budgets = new LogBudgets(() => nowMs);
  const taken = (work: Work, perDay?: number): number => {
    const log = { origin: `${perDay}`, vkeys: [], ...(perDay !== undefined && { perDay }) };
    for (let n = 0; n < 5000; n++) if (budgets.charge(log, work) > 0) return n;
    return Infinity;
  };
  for (const work of ['repeat', 'subtree'] as const) {
    assert.deepEqual([taken(work), taken(work, 48_000), taken(work, 1)], [10, 10, 10], work);
  }
  assert.deepEqual([taken('growth'), taken('growth', 48_000), taken('growth', 1)], [Infinity, 2000, 10]);
  nowMs = 300;
  assert.equal(taken('repeat'), 3);
});

test('the recorded checkpoint is signed once a second, whoever repeats it, and the log grows meanwhile', async () => {
  let signed = 0;
  const cosigners = testCosigners(WITNESS.name).map((cosigner) => ({
    ...cosigner,
    cosign: (text: string, timeS: number) => {
      signed += 1;
      return cosigner.cosign(text, timeS);
    },
  }));
  const opened = await openTestWitness({ listed: [bank.listed()], cosigners });
  const { witness, clock, store } = opened;
  signed = 0;
  const first = await witness.addCheckpoint(bank.body(0, 5));
  const wrong = [bank.body(5, 5, { root: bank.root(4) }), bank.body(5, 5, { proof: [bank.root(1)] })];
  const requests = [...Array.from({ length: 200 }, () => bank.body(5, 5)), ...wrong];
  const answers = await Promise.all(requests.map((body) => witness.addCheckpoint(body)));
  assert.deepEqual(
    answers.slice(-2).map(({ status }) => status),
    [422, 422],
  );
  for (const answer of answers.slice(0, 200)) assert.deepEqual(answer, first);
  assert.equal(signed, 2);
  clock.advance(1000);
  const flood = Array.from({ length: 200 }, () => statusOf(opened, bank.body(5, 5)));
  const growth = await statusOf(opened, bank.body(5, 9));
  assert.equal(growth, 200);
  const statuses = await Promise.all(flood);
  assert.deepEqual(new Set(statuses), new Set([200]));
  assert.equal(signed, 6, 'a line of each key for the second, and for the growth');
  // With another key than when it was recorded, the answer has the lines of all.
  await witness.close();
  const [ed25519] = testCosigners(WITNESS.name, { isQuick: true });
  const quick = await openTestWitness({ listed: [bank.listed()], cosigners: [ed25519!], store, clock });
  const alone = await quick.witness.addCheckpoint(bank.body(9, 9));
  assert.ok(alone.status === 200);
  assert.equal(verifiedLines(alone.lines, bank.text(9), [ed25519!]).length, 1);
});

test('of a repeat the record keeps all lines of the log, and an ML-DSA-44 line vouches for no extension lines', async () => {
  const seed = seedOf('second');
  const vkey = newVkey(bank.origin, KEY_TYPE.mldsa44, nobleMldsa44.publicKey(seed));
  const second = mldsa44Cosigner(vkey, (message) => nobleMldsa44.sign(seed, message));
  const opened = await openTestWitness({
    listed: [bank.listed(), `vkey ${formatVkey(vkey)}\n`],
    isQuick: true,
  });
  const { witness, clock } = opened;
  const keys = [ed25519Verifier(bank.vkey), cosignatureVerifier(vkey, ARITHMETIC)];
  const extensions = 'as the log says\n';
  const send = async (old: number, size: number, text: string, lines: NoteSignature[]): Promise<number> => {
    const proof = bank.proof(old, size);
    const checkpoint = formatNote({ text, signatures: lines });
    return statusOf(opened, formatAddCheckpoint({ oldSize: old, proof, checkpoint }));
  };
  const recorded = async (): Promise<{ text: string; keys: number[] }> => {
    const { text, verified } = openNote((await witness.latest(hashOf(bank)))!.note, keys);
    return { text, keys: verified.map(({ keyId }) => keyId) };
  };
  const ed25519Line = (text: string): NoteSignature =>
    parseNote(signNote(text, [bank.signer])).signatures[0]!;
  const both = [bank.vkey.keyId, vkey.keyId];

  const text = bank.text(5);
  const mldsaLine = await second.cosign(text, 1_700_000_000);
  const altered = `${text}visit phish.example\n`;
  assert.equal(await send(0, 5, altered, [mldsaLine]), 403, 'before anything is recorded');
  assert.equal(await send(0, 5, text, [mldsaLine]), 200);
  assert.deepEqual(await recorded(), { text, keys: [vkey.keyId] });
  assert.equal(await send(5, 5, text, [ed25519Line(text)]), 200, 'a line that lacks, within the second too');
  assert.deepEqual(await recorded(), { text, keys: both });
  for (const lines of [[mldsaLine], [ed25519Line(text)]]) {
    clock.advance(1000);
    assert.equal(await send(5, 5, text, lines), 200);
    assert.deepEqual(await recorded(), { text, keys: both });
  }
  assert.equal(await send(5, 5, altered, [mldsaLine]), 403);
  assert.equal(await send(5, 9, `${bank.text(9)}more\n`, [await second.cosign(bank.text(9), 1)]), 403);

  // What the log itself says more is taken, its other line stays; to take it away needs the log as well.
  const longer = text + extensions;
  assert.equal(await send(5, 5, longer, [ed25519Line(longer)]), 200);
  assert.deepEqual(await recorded(), { text: longer, keys: both });
  assert.equal(await send(5, 5, text, [mldsaLine]), 403);
  assert.deepEqual(await recorded(), { text: longer, keys: both });
  assert.equal(await send(5, 5, text, [ed25519Line(text)]), 200);
  assert.deepEqual(await recorded(), { text, keys: both });
});

test('two trees of one size under a log’s key are told of once, and handed over until both heads are kept', async () => {
  const handed: Fork[] = [];
  let answered = 0;
  const opened = await openTestWitness({
    listed: [bank.listed()],
    async keepFork(fork) {
      await new Promise((resolve) => setImmediate(resolve));
      handed.push(fork);
      assert.equal(answered, handed.length - 1, 'it is answered afterwards');
      if (handed.length === 1) throw new Error('the disk is full');
    },
  });
  assert.equal(await statusOf(opened, bank.body(0, 9)), 200);
  for (const oldSize of [9, 5, 0]) {
    const status = await statusOf(opened, bank.body(oldSize, 9, { isForked: true, proof: [] }));
    answered += 1;
    assert.equal(status, oldSize === 9 ? 422 : 409);
  }
  const forks = opened.signals.filter((signal) => signal.event === 'fork');
  assert.deepEqual(forks, [{ event: 'fork', origin: bank.origin, size: 9 }]);
  assert.deepEqual(
    handed.map(({ size }) => size),
    [9, 9],
  );
  const [{ heads }] = handed as [Fork];
  const verifier = ed25519Verifier(bank.vkey);
  assert.deepEqual(
    heads.map((head) => openNote(head, [verifier])).map(({ text, unverified }) => [text, unverified.length]),
    [
      [bank.text(9), 0],
      [bank.text(9, { isForked: true }), 0],
    ],
  );
  assert.equal(await sizeOf(opened), 9);
});

test('a memory that is not whole is refused', async () => {
  const grow = async (): Promise<MemoryStore> => {
    const store = new MemoryStore();
    await createWitnessState(store, WITNESS);
    const opened = await openTestWitness({ listed: BOTH, store, isQuick: true });
    for (const body of [bank.body(0, 5), shop.body(0, 3), bank.body(5, 9), shop.body(3, 4)]) {
      assert.equal(await statusOf(opened, body), 200);
    }
    await opened.witness.close();
    return store;
  };
  const record = recordKey(hashOrigin(bank.origin));
  const commitRow = (n: number): Uint8Array => Uint8Array.of(0x22, 0, 0, 0, 0, 0, 0, 0, n);
  const older = await grow();
  const [whole] = await older.getMany([record]);
  const reopen = (store: MemoryStore): Promise<TestWitness> =>
    openTestWitness({ listed: BOTH, store, isQuick: true });
  await reopen(await grow());
  for (const [what, damage, message] of [
    ['a record is gone', { puts: [], deletes: [record] }, /a record is missing/],
    ['a commit in the middle is gone', { puts: [], deletes: [commitRow(2)] }, /commit 2 is missing/],
    ['the first commit is gone', { puts: [], deletes: [commitRow(1)] }, /commit 1 is missing/],
    ['the last commit is gone', { puts: [], deletes: [commitRow(4)] }, /commit 4 is missing/],
    [
      'a bit is another',
      { puts: [{ key: record, value: whole!.map((b, i) => (i === 200 ? b ^ 1 : b)) }] },
      /not as it was/,
    ],
    [
      'a record is another’s',
      { puts: [{ key: recordKey(hashOrigin(shop.origin)), value: whole! }] },
      /a record is of another origin/,
    ],
  ] as const) {
    const store = await grow();
    await store.commit(damage);
    await assert.rejects(
      reopen(store),
      (error) => isCode('log_refused')(error) && message.test(String(error)),
      what,
    );
  }
  // An older record of the same origin in the place of the newer one: as if its commit had been lost.
  const first = new MemoryStore();
  await createWitnessState(first, WITNESS);
  const opened = await reopen(first);
  assert.equal(await statusOf(opened, bank.body(0, 5)), 200);
  const [old] = await first.getMany([record]);
  const store = await grow();
  await store.commit({ puts: [{ key: record, value: old!.slice() }] });
  await assert.rejects(reopen(store), /a record is older than a commit that wrote it/);
});

test('a damaged record is met in service: nothing more is signed', async () => {
  const opened = await openTestWitness({ listed: BOTH, isQuick: true });
  assert.equal(await statusOf(opened, bank.body(0, 5)), 200);
  const key = recordKey(hashOrigin(bank.origin));
  const [value] = await opened.store.getMany([key]);
  await opened.store.commit({ puts: [{ key, value: value!.map((b, i) => (i === 60 ? b ^ 1 : b)) }] });
  assert.equal(await statusOf(opened, bank.body(5, 6)), 503);
  assert.equal(await statusOf(opened, shop.body(0, 1)), 503);
  assert.equal(opened.signals.at(-1)?.event, 'fatal');
});

test('another witness’s database, other keys and wrong keys are refused', async () => {
  const { store } = await openTestWitness({ listed: BOTH, isQuick: true });
  const open = (
    instance: string,
    cosigners = testCosigners(WITNESS.name, { isQuick: true }),
  ): Promise<unknown> =>
    openWitness({
      identity: { ...WITNESS, instance },
      store,
      cosigners,
      logs: logsOf(),
      arithmetic: ARITHMETIC,
    });
  await assert.rejects(open('6'.repeat(32)), /not the one that was made with this witness/);
  await assert.rejects(open(WITNESS.instance, testCosigners('somebody.else')), /another name/);
  await assert.rejects(open(WITNESS.instance, []), /without a key/);
  await assert.rejects(
    openWitness({
      identity: WITNESS,
      store: new MemoryStore(),
      cosigners: testCosigners(WITNESS.name, { isQuick: true }),
      logs: logsOf(),
    }),
    isCode('log_refused'),
  );
  const [good] = testCosigners(WITNESS.name, { isQuick: true });
  const broken = {
    ...good!,
    cosign: async (text: string, timeS: number) => {
      const line = await good!.cosign(text, timeS);
      return { ...line, signature: line.signature.map((b, i) => (i === 30 ? b ^ 1 : b)) };
    },
  };
  await assert.rejects(open(WITNESS.instance, [broken]), /does not verify what it signs/);
});

test('what is cosigned is what was asked: text, log lines and ours, to the byte', async () => {
  const opened = await openTestWitness({ listed: [bank.listed()] });
  const answer = await opened.witness.addCheckpoint(bank.body(0, 5));
  assert.ok(answer.status === 200);
  const note = (await opened.witness.latest(hashOf(bank)))?.note;
  assert.equal(decodeUtf8(note!), `${decodeUtf8(bank.note(5))}${answer.lines}`);
  assert.equal(openNote(note!, verifiersOf(opened.cosigners)).verified.length, 2);
});
