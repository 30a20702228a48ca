import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NewelError } from '../../src/errors.ts';
import { formatNote, MAX_NOTE_BYTES, type NoteSignature, parseNote } from '../../src/formats/note.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { parseTlogProof } from '../../src/formats/tlog-proof.ts';
import { createHeldApp } from '../../src/http/app.ts';
import { type Answer, answerOf, FLAT, get, post, textOf } from '../support/event-requests.ts';
import { COSIGNERS, FakeAsking } from '../support/fake-asking.ts';
import { described } from '../support/openapi.ts';
import { requestFrom } from '../support/request-from.ts';
import { bearer, openTestSite, type TestSite } from '../support/test-site.ts';
import { until } from '../support/until.ts';

interface Witnessed extends TestSite {
  readonly asking: FakeAsking;
}

async function openWitnessed(): Promise<Witnessed> {
  const asking = new FakeAsking();
  return { ...(await openTestSite({ kind: 'events', asking })), asking };
}

/** Lets time pass while a request is under way. */
async function meanwhile<T>({ test: t }: TestSite, asked: Promise<T>, durationMs: number): Promise<T> {
  let isDone = false;
  const done = asked.finally(() => (isDone = true));
  for (let leftMs = durationMs; leftMs > 0 && !isDone; leftMs -= 50) {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    t.clock.advance(50);
  }
  return done;
}

/** Lets time pass until something holds. */
async function passUntil(site: TestSite, holds: () => boolean | Promise<boolean>): Promise<void> {
  await until(async () => {
    await meanwhile(site, new Promise((resolve) => setImmediate(resolve)), 50);
    return holds();
  });
}

function cosignersOf(json: Answer['json']): string[] {
  const { checkpoint } = parseTlogProof(encodeUtf8(textOf(json, 'proof')));
  return parseNote(checkpoint)
    .signatures.slice(1)
    .map(({ name }) => name);
}

describe('a receipt that is to be witnessed', () => {
  test('is 201 once the policy is met', async () => {
    const site = await openWitnessed();
    const { status, json } = await meanwhile(site, post(site, FLAT, { query: '?level=witnessed' }), 2000);
    assert.equal(status, 201);
    assert.equal(json['level'], 'witnessed');
    assert.equal('pending' in json, false);
    assert.deepEqual(cosignersOf(json), ['w1.example', 'w2.example']);
    await site.test.log.close();
  });

  test('is 202 with what is there and why not more, and upgraded at its own URL', async () => {
    const site = await openWitnessed();
    site.asking.down.add('w1').add('w3');
    const sent = { query: '?level=witnessed', headers: { Prefer: 'wait=3' } };
    const startMs = site.test.clock.now();
    const { status, json, headers } = await meanwhile(site, post(site, FLAT, sent), 5000);
    assert.equal(site.test.clock.now() - startMs >= 3000, true, 'it waits as long as it was asked to');
    assert.equal(status, 202);
    assert.equal(json['level'], 'signed');
    const pending = { level: 'witnessed', reason: 'witnesses_unreachable', have: 1, need: 2 };
    assert.deepEqual(json['pending'], pending);
    assert.equal(headers.get('retry-after'), '1');
    assert.equal(headers.get('location'), `/v1/events/${textOf(json, 'event_id')}`);

    const path = `/v1/events/${textOf(json, 'event_id')}/receipt`;
    const later = await meanwhile(site, get(site, `${path}?level=witnessed`), 5000);
    assert.deepEqual([later.status, later.headers.get('retry-after')], [202, '1']);
    site.asking.down.clear();
    const upgraded = await meanwhile(site, get(site, `${path}?level=witnessed`), 5000);
    assert.deepEqual([upgraded.status, upgraded.json['level']], [200, 'witnessed']);
    // What is not asked for has not to be there, and is.
    assert.equal((await get(site, path)).json['leaf_hash'], upgraded.json['leaf_hash']);
    await site.test.log.close();
  });

  test('is answered at once where no wait is wanted', async () => {
    const site = await openWitnessed();
    const { status, json } = await post(site, FLAT, {
      query: '?level=witnessed',
      headers: { Prefer: 'wait=0' },
    });
    assert.deepEqual([status, json['level']], [202, 'signed']);
    assert.deepEqual(json['pending'], { level: 'witnessed', reason: 'deadline', have: 0, need: 2 });
    await site.test.log.close();
  });

  test('has the lines that the policy needs alone, where that is asked for', async () => {
    const site = await openWitnessed();
    site.asking.held.add('w2');
    const { json } = await meanwhile(site, post(site, FLAT, { query: '?level=witnessed' }), 2000);
    assert.deepEqual(cosignersOf(json), ['w1.example', 'w3.example']);
    site.asking.release();
    const path = `/v1/events/${textOf(json, 'event_id')}/receipt?level=witnessed`;
    await passUntil(site, async () => cosignersOf((await get(site, path)).json).length === 3);
    const short = await get(site, `${path}&lines=policy`);
    assert.deepEqual([short.json['level'], cosignersOf(short.json).length], ['witnessed', 2]);
    const refused = await get(site, `${path}&lines=some`);
    assert.deepEqual([refused.status, refused.json['code']], [400, 'malformed']);
    await site.test.log.close();
  });

  test('is one of a batch, whose items share the wait', async () => {
    const site = await openWitnessed();
    const events = ['a', 'b', 'c'].map((id) => ({ ...FLAT, id }));
    const send = (query: string): Promise<Answer> =>
      answerOf(
        site.app.request(`/v1/events${query}`, {
          method: 'POST',
          headers: { ...bearer('submit'), 'Content-Type': 'application/json' },
          body: JSON.stringify(events),
        }),
      );
    const { json } = await meanwhile(site, send('?level=witnessed'), 3000);
    const items = json['items'] as { status: number; level: string }[];
    assert.deepEqual(
      items.map(({ status, level }) => [status, level]),
      [1, 2, 3].map(() => [201, 'witnessed']),
    );
    await site.test.log.close();
  });

  test('has a public proof, which is not there before', async () => {
    const site = await openWitnessed();
    site.asking.down.add('w1').add('w3');
    const { json } = await post(site, FLAT);
    const path = `/v1/leaves/${JSON.stringify(json['leaf_index'])}/proof?level=witnessed`;
    const { log } = site.test;
    await passUntil(site, () => log.published.size > Number(json['leaf_index']));
    assert.equal((await site.app.request(path)).status, 404);
    site.asking.down.clear();
    await passUntil(site, () => log.publication('fast')!.size > Number(json['leaf_index']));
    const proof = await site.app.request(`${path}&lines=policy`);
    assert.equal(proof.status, 200);
    const { checkpoint } = parseTlogProof(encodeUtf8(await proof.text()));
    assert.equal(parseNote(checkpoint).signatures.length, 3);
    await site.test.log.close();
  });
});

describe('POST /v1/cosignatures', () => {
  async function published(): Promise<Witnessed & { readonly text: string }> {
    const site = await openWitnessed();
    site.asking.down.add('w1').add('w2').add('w3');
    const { json } = await post(site, FLAT);
    await passUntil(site, () => site.test.log.published.size > Number(json['leaf_index']));
    const text = parseNote(site.test.log.published.checkpoint).text;
    return { ...site, text };
  }

  function hand({ app }: TestSite, text: string, lines: readonly NoteSignature[]): Promise<Answer> {
    const body = decodeUtf8(formatNote({ text, signatures: lines }));
    return answerOf(app.request('/v1/cosignatures', { method: 'POST', body }));
  }

  test('takes the line of a witness over what was published, and with enough of them it is witnessed', async () => {
    const site = await published();
    const [one, two] = await Promise.all(
      COSIGNERS.map((cosigner) => cosigner.cosign(site.text, 1_795_176_000)),
    );
    const first = await hand(site, site.text, [one!]);
    assert.deepEqual([first.status, first.json], [
      200,
      { tree_size: site.test.log.published.size, level: 'signed', cosigners: ['w1.example'] },
    ]); // prettier-ignore
    const ready = await answerOf(site.app.request('/readyz'));
    assert.deepEqual([ready.json['have'], ready.json['need']], [1, 2]);
    const second = await hand(site, site.text, [two!]);
    assert.equal(second.json['level'], 'witnessed');
    const met = await answerOf(site.app.request('/readyz'));
    assert.deepEqual([met.json['have'], met.json['need']], [2, 2]);
    assert.equal(site.test.log.publication('fast')!.size, site.test.log.published.size);
    await site.test.log.close();
  });

  test('refuses what is false, foreign or of no checkpoint, and keeps what is true', async () => {
    const site = await published();
    const [one, two] = await Promise.all(
      COSIGNERS.map((cosigner) => cosigner.cosign(site.text, 1_795_176_000)),
    );
    await hand(site, site.text, [one!]);
    const forged = { ...one!, signature: one!.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) };
    const stranger = { ...one!, name: 'stranger.example' };
    const other = site.text.replace(/\n(\d+)\n/, '\n7777\n');
    const cases: readonly (readonly [string, readonly NoteSignature[], number, string])[] = [
      [site.text, [forged], 400, 'malformed'],
      [site.text, [two!, forged], 400, 'malformed'],
      [site.text, [stranger], 403, 'forbidden'],
      [other, [one!], 404, 'not_found'],
      [site.text.replace('log.example', 'log.other'), [one!], 404, 'not_found'],
      [`${site.text}an extension\n`, [one!], 400, 'malformed'],
    ];
    for (const [text, lines, status, code] of cases) {
      const answer = await hand(site, text, lines);
      assert.deepEqual([answer.status, answer.json['code']], [status, code]);
    }
    const kept = await site.test.log.keptCheckpoint(site.test.log.published.size);
    assert.deepEqual(parseNote(kept!.checkpoint).signatures.slice(1), [one]);
    const tooLong = await site.app.request('/v1/cosignatures', {
      method: 'POST',
      body: 'x'.repeat(MAX_NOTE_BYTES + 1),
    });
    assert.equal(tooLong.status, 413);
    await site.test.log.close();
  });

  test('takes back a whole note of many lines, as it was published', async () => {
    const site = await published();
    const [line] = await Promise.all(COSIGNERS.map((cosigner) => cosigner.cosign(site.text, 1_795_176_000)));
    // As large as those of 40 witnesses with a line of ML-DSA-44 each.
    const others = Array.from({ length: 40 }, (_, i) => ({
      name: `other.example/${i}`,
      keyId: i,
      signature: new Uint8Array(2428).fill(i),
    }));
    const answer = await hand(site, site.text, [...others, line!]);
    assert.deepEqual([answer.status, answer.json['cosigners']], [200, ['w1.example']]);
    await site.test.log.close();
  });

  test('names the cosigners that the kept checkpoint has, and refuses lines from the future alone', async () => {
    const site = await published();
    const nowS = Math.floor(site.test.clock.now() / 1000);
    const now = await Promise.all(COSIGNERS.map((cosigner) => cosigner.cosign(site.text, nowS)));
    const ahead = await Promise.all(COSIGNERS.map((cosigner) => cosigner.cosign(site.text, nowS + 310)));
    const alone = await hand(site, site.text, [ahead[0]!]);
    assert.deepEqual([alone.status, alone.json['code']], [400, 'malformed']);
    const both = await hand(site, site.text, [ahead[0]!, now[1]!]);
    assert.deepEqual([both.status, both.json['cosigners']], [200, ['w2.example']]);
    const kept = await site.test.log.keptCheckpoint(site.test.log.published.size);
    assert.deepEqual(parseNote(kept!.checkpoint).signatures.slice(1), [now[1]]);
    await site.test.log.close();
  });

  /** From an address of which the network counts. */
  async function handFrom(site: TestSite, address: string, body: string | Uint8Array): Promise<Answer> {
    const { incoming, response } = requestFrom(site.app, address, '/v1/cosignatures');
    incoming.end(body);
    return answerOf(response);
  }

  test('is limited for each network, since bodies are read', async (t) => {
    const site = await published();
    const nowMs = performance.now();
    t.mock.method(performance, 'now', () => nowMs);
    const statuses: number[] = [];
    for (let i = 0; i < 42; i++) statuses.push((await handFrom(site, '203.0.113.1', 'x')).status);
    assert.deepEqual(statuses, [...Array<number>(40).fill(400), 429, 429]);
    assert.equal((await handFrom(site, '198.51.100.1', 'x')).status, 400);
    t.mock.restoreAll();
    await site.test.log.close();
  });

  test('charges lines that are to be verified: not those of strangers, nor those that are shown', async (t) => {
    const site = await published();
    const [one, two, three] = await Promise.all(
      COSIGNERS.map((cosigner) => cosigner.cosign(site.text, 1_795_176_000)),
    );
    const noteOf = (...signatures: NoteSignature[]): Uint8Array =>
      formatNote({ text: site.text, signatures });
    const forged = { ...two!, signature: two!.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte)) };
    const stranger = { ...two!, name: 'stranger.example' };
    const nowMs = performance.now();
    t.mock.method(performance, 'now', () => nowMs);
    assert.equal((await handFrom(site, '203.0.113.1', noteOf(one!))).status, 200);
    // Nine are left, and then what is over; of one key one line is verified, the last.
    for (let i = 0; i < 8; i++) {
      assert.equal((await handFrom(site, '203.0.113.1', noteOf(two!, one!, forged))).status, 400);
      assert.equal((await handFrom(site, '203.0.113.1', noteOf(stranger))).status, 403);
      assert.equal((await handFrom(site, '203.0.113.1', noteOf(stranger, one!))).status, 200);
    }
    assert.equal((await handFrom(site, '203.0.113.1', noteOf(two!, three!))).status, 200);
    const later = await COSIGNERS[0]!.cosign(site.text, 1_795_176_001);
    const limited = await handFrom(site, '203.0.113.1', noteOf(later));
    assert.deepEqual([limited.status, limited.headers.get('retry-after')], [429, '1']);
    assert.equal((await handFrom(site, '203.0.113.1', noteOf(one!, three!))).status, 200);
    assert.equal((await handFrom(site, '198.51.100.1', noteOf(later))).status, 200);
    t.mock.restoreAll();
    await site.test.log.close();
  });

  test('bodies that never end hold 64 places of a network, and take nobody’s', async () => {
    const site = await published();
    const begun = Array.from({ length: 100 }, () => {
      const request = requestFrom(site.app, '203.0.113.1', '/v1/cosignatures');
      request.incoming.write('x'.repeat(60_000));
      return request;
    });
    const cut = await Promise.all(begun.slice(0, 36).map(({ response }) => answerOf(response)));
    for (const { status, json } of cut) {
      assert.deepEqual([status, json['code'], json['limit']], [503, 'queue_full', 64]);
    }
    assert.equal((await handFrom(site, '198.51.100.1', 'x')).status, 400);
    for (const { incoming } of begun) incoming.destroy();
    const ended = await Promise.all(begun.slice(36).map(({ response }) => answerOf(response)));
    assert.deepEqual(new Set(ended.map(({ status }) => status)), new Set([400]));
    await site.test.log.close();
  });

  test('is 422 where the policies name nobody', async () => {
    const site = await openTestSite({ kind: 'opaque', entries: 1 });
    const answer = await answerOf(site.app.request('/v1/cosignatures', { method: 'POST', body: 'x' }));
    assert.deepEqual([answer.status, answer.json['code']], [422, 'no_witnesses']);
    await site.test.log.close();
  });
});

describe('a log that does not write yet', () => {
  test('shows what it has, and tells the others to wait', async () => {
    const asking = new FakeAsking();
    const site = await openTestSite({ kind: 'opaque', asking, open: { isHeld: true } });
    const app = described(createHeldApp(site.site, site.write));
    assert.equal((await app.request('/checkpoint')).status, 200);
    const ready = await answerOf(app.request('/readyz'));
    assert.deepEqual([ready.status, ready.json['code']], [503, 'not_ready']);
    assert.deepEqual([ready.json['have'], ready.json['need']], [0, 2]);
    assert.deepEqual(
      (ready.json['witnesses'] as { name: string }[]).map(({ name }) => name),
      ['w1', 'w2', 'w3'],
    );
    for (const [method, path] of [
      ['POST', '/v1/events'],
      ['GET', '/v1/events/evt_LinsB44GvJjxnTVW8uKoXw'],
      ['POST', '/add'],
      ['POST', '/v1/erasures'],
    ] as const) {
      const { status, json, headers } = await answerOf(app.request(path, { method }));
      assert.deepEqual([status, json['code'], headers.get('retry-after')], [503, 'not_ready', '5']);
    }
    assert.equal((await app.request('/nothing')).status, 404);
    await site.test.log.begin();
    assert.equal((await app.request('/readyz')).status, 200);
    const beginning = described(createHeldApp({ ...site.site, isOpen: () => false }, site.write));
    for (const path of ['/readyz', '/v1/events']) {
      const { status, json } = await answerOf(beginning.request(path));
      assert.deepEqual([status, json['code']], [503, 'not_ready'], path);
    }
    assert.ok(!(site.errors[0] instanceof NewelError));
    await site.test.log.close();
  });
});
