/**
 * Duplicates across kill -9: 100 events are submitted 10,000 times over many connections. During the first half the
 * process is killed again and again, with submissions under way each time; the second half comes after the last kill. An
 * oracle outside keeps every answer. At the end there are 100 leaves beside the log statement, every answer about one
 * event says the same, and each receipt that was ever handed out verifies.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { parseTrust, type Trust } from '../../src/client/trust.ts';
import { verifyReceipt } from '../../src/client/verify.ts';
import { commitmentOf, formatEventLeaf, parseLeaf } from '../../src/event/leaf.ts';
import { formatBase64 } from '../../src/formats/base64.ts';
import { isJsonObject, type JsonObject } from '../../src/formats/json.ts';
import { parseSdJwt } from '../../src/formats/sd-jwt.ts';
import { runCli, startServe } from '../support/cli.ts';
import { newDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { exampleEvents } from '../support/test-vault.ts';

const EVENTS = 100;
const SUBMISSIONS = 10_000;
const KILLS = 6;
const CONNECTIONS = 32;
/** In each run that ends in a kill: what comes in its last moments fits into the first half. */
const ANSWERS_BEFORE_KILL: number = Math.floor(SUBMISSIONS / 2 / KILLS) - 50;
/** Events of one subject share a key, which is made with the first of them. */
const SUBJECTS = 10;

interface Submission {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** In turn: the full example, a flat event with an id of its own, and one whose id is in Idempotency-Key. */
function submissionOf(event: number): Submission {
  const user = `u-${event % SUBJECTS}`;
  const type = { 'Content-Type': 'application/json' };
  if (event % 3 === 0) {
    const [full] = exampleEvents('full.json');
    assert.ok(full !== undefined && isJsonObject(full));
    // Without a number: what is sent in any order leaves gaps, and the log would say so in events of its own.
    const { seq: _seq, ...unnumbered } = full;
    const subject = { sub_id: { format: 'opaque', id: user } };
    return { headers: type, body: JSON.stringify({ ...unnumbered, id: `e-${event}`, subject }) };
  }
  const flat = {
    timestamp: '2026-11-20T12:00:08Z',
    user_id: user,
    event_type: 'step_up',
    trigger_reason: 'elevated_risk_score',
    status: 'approved',
    action: `transfer ${event}`,
  };
  return event % 3 === 1
    ? { headers: type, body: JSON.stringify({ ...flat, id: `e-${event}` }) }
    : { headers: { ...type, 'Idempotency-Key': `e-${event}` }, body: JSON.stringify(flat) };
}

const SUBMISSION_OF: readonly Submission[] = Array.from({ length: EVENTS }, (_, event) =>
  submissionOf(event),
);

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What every answer about one event has in common. */
interface Known {
  readonly eventId: string;
  readonly leafIndex: number;
  readonly receivedTime: string;
  /** Of the statement, in base64url: from the first answer that had one. */
  payload: string | undefined;
  /** Answers with 201. One at most, and none where it was lost in a kill. */
  created: number;
}

class Oracle {
  readonly known = new Map<number, Known>();
  /** The text of every receipt that was handed out. */
  readonly receipts = new Set<string>();
  answers = 0;
  unanswered = 0;

  /** Keeps an answer about an event. Throws where it contradicts an earlier one. */
  keep(event: number, { status, text }: Answer): void {
    assert.ok(status === 201 || status === 200, text);
    const receipt = JSON.parse(text) as JsonObject;
    const { id, event_id, leaf_index, received_time, statement } = receipt;
    assert.equal(id, `e-${event}`);
    assert.ok(
      typeof leaf_index === 'number' && typeof event_id === 'string' && typeof received_time === 'string',
    );
    const now = { eventId: event_id, leafIndex: leaf_index, receivedTime: received_time };
    const first = this.known.get(event) ?? { ...now, payload: undefined, created: 0 };
    this.known.set(event, first);
    const { eventId, leafIndex, receivedTime } = first;
    assert.deepEqual(now, { eventId, leafIndex, receivedTime }, 'two answers about one event');
    if (status === 201) first.created++;
    assert.ok(first.created <= 1, 'an event is created twice');
    if (statement === undefined) return;
    assert.ok(typeof statement === 'string');
    this.receipts.add(text);
    const payload = parseSdJwt(statement).encodedPayload;
    first.payload ??= payload;
    assert.equal(payload, first.payload, 'two statements of one event');
  }
}

interface Serving {
  readonly url: string;
  readonly call: (method: string, path: string, submission?: Submission) => Promise<Answer>;
  readonly kill: (signal: 'SIGKILL' | 'SIGTERM') => Promise<number | null>;
}

async function serve(t: TestContext, dir: string, token: string): Promise<Serving> {
  const { child, url } = await startServe(t, dir, ['--publish-interval-ms', '20']);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  t.after(() => agent.destroy());
  const gone = once(child, 'close');
  return {
    url,
    call: (method, path, { headers, body } = { headers: {}, body: '' }) =>
      new Promise((resolve, reject) => {
        const all = {
          Authorization: `Bearer ${token}`,
          'Content-Length': Buffer.byteLength(body),
          ...headers,
        };
        const sent = request(`${url}${path}`, { method, headers: all, agent }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('end', () => resolve({ status: response.statusCode!, text }));
          response.on('error', reject);
        });
        sent.on('error', reject);
        sent.end(body);
      }),
    async kill(signal) {
      child.kill(signal);
      await gone;
      agent.destroy();
      return child.exitCode;
    },
  };
}

/**
 * Submits until so many are answered. With `killAfterMs` it goes on, and the process is killed so long after, with as many
 * under way as there are connections.
 */
async function load(
  serving: Serving,
  oracle: Oracle,
  options: { readonly answers: number; readonly killAfterMs?: number; readonly next: () => number },
): Promise<void> {
  const { answers, killAfterMs, next } = options;
  const end = oracle.answers + answers;
  let killed: Promise<unknown> | undefined;
  let left = killAfterMs === undefined ? answers : Infinity;
  const submit = async (): Promise<void> => {
    while (left-- > 0) {
      const event = next();
      const { headers, body } = SUBMISSION_OF[event]!;
      const prefer: Record<string, string> = oracle.answers % 2 === 0 ? {} : { Prefer: 'return=minimal' };
      let answer: Answer;
      try {
        answer = await serving.call('POST', '/v1/events', { headers: { ...headers, ...prefer }, body });
      } catch (error) {
        if (!killed) throw error;
        oracle.unanswered++;
        return;
      }
      oracle.keep(event, answer);
      if (++oracle.answers === end && killAfterMs !== undefined) {
        killed = setTimeout(killAfterMs).then(() => serving.kill('SIGKILL'));
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, submit));
  await killed;
}

/** Every event that was ever acknowledged is there, and is what was acknowledged. */
async function readAll(serving: Serving, oracle: Oracle): Promise<void> {
  for (const [event, { eventId }] of oracle.known) {
    const answer = await serving.call('GET', `/v1/events/${eventId}/receipt`);
    assert.equal(answer.status, 200, `event ${event} was acknowledged and is lost`);
    oracle.keep(event, answer);
  }
}

async function verifyAll(oracle: Oracle, trust: Trust): Promise<void> {
  for (const text of oracle.receipts) {
    const { eventId, leafIndex, event } = await verifyReceipt(text, { trust });
    assert.ok(typeof event['id'] === 'string');
    const known = oracle.known.get(Number(event['id'].slice('e-'.length)));
    assert.deepEqual([eventId, leafIndex], [known?.eventId, known?.leafIndex]);
  }
}

test(`${SUBMISSIONS} duplicates of ${EVENTS} events, half of them after kill -9: ${EVENTS} leaves`, async (t) => {
  const parent = await tempFolder(t);
  const { dir, token } = await newDiskLog(parent, 'log', { kind: 'events' });
  const oracle = new Oracle();

  // Each run adds new events to those before, so that every kill meets first copies and later ones under way.
  for (let run = 1; run <= KILLS; run++) {
    const serving = await serve(t, dir, token);
    await readAll(serving, oracle);
    const before = Math.ceil(((run - 1) * EVENTS) / KILLS);
    const added = Math.ceil((run * EVENTS) / KILLS) - before;
    let sent = 0;
    // Half of the new events come one after the other, the others all at once around the kill.
    const next = (): number => {
      sent++;
      if (sent > ANSWERS_BEFORE_KILL - CONNECTIONS / 2) return before + (sent % added);
      const grown = before + Math.ceil((sent * added) / ANSWERS_BEFORE_KILL / 2);
      return sent % 4 === 0 ? (sent * 7919) % grown : grown - 1;
    };
    await load(serving, oracle, { answers: ANSWERS_BEFORE_KILL, killAfterMs: run - 1, next });
  }
  assert.ok(oracle.unanswered >= KILLS * 4, `only ${oracle.unanswered} were under way at a kill`);
  assert.ok(oracle.known.size > EVENTS / 2 && oracle.known.size <= EVENTS);

  const serving = await serve(t, dir, token);
  await readAll(serving, oracle);
  let sent = 0;
  const rest = SUBMISSIONS - oracle.answers;
  assert.ok(rest >= SUBMISSIONS / 2);
  await load(serving, oracle, { answers: rest, next: () => sent++ % EVENTS });
  assert.equal(oracle.answers, SUBMISSIONS);
  assert.equal(oracle.known.size, EVENTS);
  await readAll(serving, oracle);

  const trust = parseTrust((await serving.call('GET', '/v1/log')).text, { ed25519: nodeEd25519 });
  await verifyAll(oracle, trust);

  const { text } = await serving.call('GET', '/v1/leaves?start=0&limit=1000');
  const { items, tree_size } = JSON.parse(text) as { items: { leaf_input: string }[]; tree_size: number };
  assert.equal(tree_size, EVENTS + 1, 'leaves: one an event, and the log statement');
  const entries = items.map(({ leaf_input }) => new Uint8Array(Buffer.from(leaf_input, 'base64')));
  assert.deepEqual(
    entries.map((entry) => parseLeaf(entry).version),
    [0, ...Array.from({ length: EVENTS }, () => 1)],
  );
  const indexes = new Set<number>();
  for (const { leafIndex, payload } of oracle.known.values()) {
    assert.ok(payload !== undefined, 'no statement of an event was ever handed out');
    assert.equal(formatBase64(entries[leafIndex]!), formatBase64(formatEventLeaf(commitmentOf(payload))));
    indexes.add(leafIndex);
  }
  assert.equal(indexes.size, EVENTS);

  assert.equal(await serving.kill('SIGTERM'), 0);
  const { code, out, err } = await runCli(['fsck', '--data', dir, '--json'], { cwd: parent });
  assert.equal(code, 0, err);
  const report = JSON.parse(out) as JsonObject;
  // At the end the log says who has read: one event more.
  assert.deepEqual(
    [report['ok'], report['tree_size'], report['signed_size']],
    [true, EVENTS + 2, EVENTS + 2],
  );
  const unseen = [...oracle.known.values()].filter(({ created }) => created === 0).length;
  assert.ok(unseen > 0, 'no kill came between an event and its first answer');
  t.diagnostic(
    `${oracle.answers} answers and ${oracle.unanswered} lost in ${KILLS} kills, ${unseen} of them the first of their event; ` +
      `${oracle.receipts.size} receipts`,
  );
});
