/** `newel erase`, against a log that is served and against servers that lie. */

import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Receipt } from '../../src/client/receipt.ts';
import type { JsonObject } from '../../src/formats/json.ts';
import { listen } from '../../src/http/listen.ts';
import { type Ran, runCli, type RunOptions } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openTestSite, type TestSite } from '../support/test-site.ts';

const CANARY = 'canary-71e0c9a4b85d3f26';
const DAY_MS = 24 * 3_600_000;

interface Setup {
  readonly site: TestSite;
  readonly url: string;
  readonly cwd: string;
  readonly erase: (args: readonly string[], options?: Partial<RunOptions>) => Promise<Ran>;
  /** Submits an event of the person and returns its `event_id`. */
  readonly submit: (person: string) => Promise<string>;
  readonly isErased: (eventId: string) => Promise<boolean>;
  readonly files: () => Promise<string[]>;
}

async function setUp(t: TestContext): Promise<Setup> {
  const site = await openTestSite({ kind: 'events', vault: { compactDelayMs: 0 } });
  const listening = await listen({ host: '127.0.0.1', port: 0 });
  listening.serve(site.app);
  t.after(async () => {
    await listening.close(1000);
    await site.vault!.vault.close();
    await site.test.log.close();
  });
  const cwd = await tempFolder(t);
  const { url } = listening;
  await writeFile(join(cwd, 'token'), 'newel_admin');
  await writeFile(join(cwd, 'person.json'), JSON.stringify({ format: 'opaque', id: CANARY }));
  const trust = await (await site.app.request('/v1/log')).text();
  await writeFile(join(cwd, 'log.json'), trust);
  let sent = 0;
  return {
    site,
    url,
    cwd,
    erase: (args, options = {}) =>
      runCli(['erase', '--url', url, '--trust', 'log.json', '--token-file', 'token', ...args], {
        cwd,
        ...options,
      }),
    async submit(person) {
      const { event } = await site.vault!.submit({
        schema: 'stepup/1',
        id: `e-${(sent += 1)}`,
        source: 'test',
        type: 'logout',
        time: '2026-11-20T12:00:00Z',
        subject: { sub_id: { format: 'opaque', id: person } },
      });
      return event.eventId;
    },
    async isErased(eventId) {
      const headers = { Authorization: 'Bearer newel_audit' };
      const { status } = await site.app.request(`/v1/events/${eventId}`, { headers });
      assert.ok(status === 200 || status === 410, `${status}`);
      return status === 410;
    },
    files: async () => (await readdir(cwd)).filter((name) => name.endsWith('.receipt.json')),
  };
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

const SUBJECT = ['--subject', 'person.json', '--reason', 'subject_request'];

test('a person’s events are erased, and the receipts of it are kept and verify', async (t) => {
  const { cwd, erase, submit, isErased, files, site } = await setUp(t);
  const erased = [await submit(CANARY), await submit(CANARY)];
  const other = await submit('somebody else');
  const { code, out, err } = await erase([...SUBJECT, '--yes']);
  assert.equal(code, 0, err);
  assert.match(err, /^2 events will be erased for good\n/);
  const [said = '', receipt = '', ...rest] = linesOf(out);
  assert.match(said, /^✔ era_[A-Za-z0-9_-]{22} {2}2 of 2 events erased$/);
  assert.deepEqual(await files(), [receipt.replace('  receipt  ', '')]);
  assert.match(
    rest.join('\n'),
    /^( {2}old copies of the database open with the keys of today until 20\S+Z)?$/,
  );
  assert.deepEqual(await Promise.all([...erased, other].map(isErased)), [true, true, false]);
  const [file = ''] = await files();
  assert.equal((await stat(join(cwd, file))).mode & 0o777, 0o600);
  const kept = JSON.parse(await readFile(join(cwd, file), 'utf8')) as Receipt;
  assert.equal(kept.source, 'newel:log');
  const verified = await runCli(['verify', file, '--trust', 'log.json'], { cwd });
  assert.equal(verified.code, 0, verified.out);
  assert.ok(![out, err, verified.out, await readFile(join(cwd, file), 'utf8')].join().includes(CANARY));
  assert.deepEqual(site.errors, []);
});

test('a dry run counts, and erases nothing', async (t) => {
  const { erase, submit, isErased } = await setUp(t);
  const event = await submit(CANARY);
  const { code, out, err } = await erase([...SUBJECT, '--dry-run']);
  assert.deepEqual([code, out, err], [0, '1 event would be erased\n', '']);
  const json = await erase([...SUBJECT, '--dry-run', '--json']);
  assert.deepEqual(JSON.parse(json.out), { dry_run: true, events: 1 });
  assert.equal(await isErased(event), false);
});

describe('asking', () => {
  const input = (...texts: string[]): { input: Uint8Array[] } => ({
    input: texts.map((text) => Buffer.from(text)),
  });

  test('takes yes, and nothing else for it', async (t) => {
    const { erase, submit, isErased, files } = await setUp(t);
    const event = await submit(CANARY);
    for (const answer of [['no\n'], ['y\n'], ['\n'], ['yes, no\n'], ['no\nyes\n'], []]) {
      const { code, out, err } = await erase(SUBJECT, { isTerminal: true, ...input(...answer) });
      assert.deepEqual([code, out], [1, '']);
      assert.match(err, /1 event will be erased for good\nErase\? Type yes: \n?nothing was erased\n$/);
    }
    assert.equal(await isErased(event), false);
    assert.deepEqual(await files(), []);
    const { code } = await erase(SUBJECT, { isTerminal: true, ...input('ye', 's\r\n') });
    assert.equal(code, 0);
    assert.equal(await isErased(event), true);
  });

  test('needs somebody to ask', async (t) => {
    const { erase, submit, isErased, site } = await setUp(t);
    const event = await submit(CANARY);
    const before = site.requests.length;
    const nobody = await erase(SUBJECT);
    assert.equal(nobody.code, 2);
    assert.match(nobody.err, /nobody can be asked here: give --yes/);
    const piped = await erase(['--subject', '-', '--reason', 'other'], { isTerminal: true, ...input('{}') });
    assert.equal(piped.code, 2);
    assert.equal(site.requests.length, before, 'nothing was sent');
    assert.equal(await isErased(event), false);
  });

  test('is left out with --yes, so that the person may come from a pipe', async (t) => {
    const { erase, submit, isErased } = await setUp(t);
    const event = await submit(CANARY);
    const args = ['--subject', '-', '--reason', 'subject_request', '--yes'];
    assert.equal((await erase(args, input(`{"format":"opaque","id":"${CANARY}"}`))).code, 0);
    assert.equal(await isErased(event), true);
  });
});

test('single events are erased by their ids, and said as JSON', async (t) => {
  const { erase, submit, isErased, files } = await setUp(t);
  const events = [await submit('a'), await submit('b'), await submit('a')];
  const args = ['--event', events[0]!, '--event', events[1]!, '--reason', 'submitted_in_error', '--yes'];
  const { code, out } = await erase([...args, '--json', '--out', 'kept']);
  assert.equal(code, 0);
  const said = JSON.parse(out) as JsonObject;
  assert.deepEqual([said['state'], said['erased'], said['reason']], ['done', 2, 'submitted_in_error']);
  const [tombstone] = said['tombstones'] as JsonObject[];
  assert.deepEqual(said['files'], [`kept/${tombstone!['event_id'] as string}.receipt.json`]);
  assert.deepEqual(await files(), []);
  assert.deepEqual(await Promise.all(events.map(isErased)), [true, true, false]);
  const again = await erase([...args, '--json']);
  assert.equal(again.code, 1);
  assert.match(again.err, /"code":"event_erased"/);
});

test('what is kept no longer is erased, once it was counted', async (t) => {
  const { erase, submit, isErased, site } = await setUp(t);
  const old = await submit('a');
  const args = ['--retention', 'logout=90d,login.failed=30d', '--reason', 'retention', '--yes'];
  const nothing = await erase(args);
  assert.deepEqual([nothing.code, nothing.out], [0, 'there is nothing to erase\n']);
  site.test.clock.advance(91 * DAY_MS);
  const young = await submit('a');
  const { code, out, err } = await erase(args);
  assert.equal(code, 0, err);
  assert.match(out, /1 of 1 event erased/);
  assert.deepEqual([await isErased(old), await isErased(young)], [true, false]);
});

test('it can be left alone, and looked after later', async (t) => {
  const { cwd, erase, submit, isErased, files } = await setUp(t);
  const event = await submit(CANARY);
  const { code, out } = await erase([...SUBJECT, '--yes', '--no-wait']);
  assert.equal(code, 0);
  const [, id = '', how = ''] =
    /^accepted as (era_\S{22}); how far it is: newel erase (--follow \1 --url \S+ --trust log\.json --token-file token)\n$/.exec(
      out,
    ) ?? [];
  assert.notEqual(id, '', out);
  assert.deepEqual(await files(), []);
  const later = await runCli(['erase', ...how.split(' ')], { cwd });
  assert.equal(later.code, 0, later.err);
  assert.match(later.out, new RegExp(`^✔ ${id} {2}1 of 1 event erased\n`));
  assert.equal(await isErased(event), true);
  assert.equal((await files()).length, 1);
});

test('what the log refuses is said, and nothing of the person', async (t) => {
  const { erase, submit, cwd } = await setUp(t);
  await submit('somebody else');
  const unknown = await erase([...SUBJECT, '--yes']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /^newel: /);
  await writeFile(join(cwd, 'person.json'), JSON.stringify({ format: CANARY, id: CANARY }));
  const invalid = await erase([...SUBJECT, '--yes']);
  assert.equal(invalid.code, 1);
  assert.match(invalid.err, /\/subject\/format/);
  await writeFile(join(cwd, 'token'), 'newel_audit');
  const forbidden = await erase([...SUBJECT, '--yes']);
  assert.equal(forbidden.code, 1);
  assert.match(forbidden.err, /role admin/);
  for (const { out, err } of [unknown, invalid, forbidden]) assert.ok(!`${out}${err}`.includes(CANARY));
});

describe('a wrong command line', () => {
  const REASON = ['--reason', 'other'];
  const ID = `era_${'A'.repeat(22)}`;
  const EVENT = `evt_${'A'.repeat(22)}`;
  const WRONG: [args: readonly string[], words: RegExp][] = [
    [REASON, /what is to be erased\? Give one of --subject, --event, --retention/],
    [[...REASON, '--subject', 'person.json', '--event', EVENT], /what is to be erased\?/],
    [['--subject', 'person.json'], /--reason is one of subject_request, /],
    [['--subject', 'person.json', '--reason', CANARY], /--reason is one of/],
    [[...REASON, '--event', CANARY], /--event is not evt_/],
    [[...REASON, '--retention', '90d'], /--retention is not like/],
    [[...REASON, '--retention', 'logout=90'], /--retention is not like/],
    [[...REASON, '--retention', 'logout=90d,'], /--retention is not like/],
    [[...REASON, '--retention', 'logout=90d,logout=30d'], /--retention has a type twice/],
    [['--follow', CANARY], /--follow is not era_/],
    [['--follow', ID, '--event', EVENT], /--follow is about an erasure/],
    [['--follow', ID, '--no-wait'], /--follow is about an erasure/],
    [[CANARY], /too many arguments/],
  ];
  for (const [args, words] of WRONG) {
    test(`is refused: ${args.join(' ').slice(0, 70)}`, async (t) => {
      const cwd = await tempFolder(t);
      await writeFile(join(cwd, 'person.json'), '{}');
      const given = args[0] === '--follow' ? args : [...args, '--yes'];
      const { code, out, err } = await runCli(['erase', '--url', 'http://127.0.0.1:1', ...given], { cwd });
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, words);
      assert.ok(!err.includes(CANARY));
    });
  }

  test('is one whose file is no subject, or is not there', async (t) => {
    const cwd = await tempFolder(t);
    for (const text of [CANARY, '[]', `"${CANARY}"`, `{"id":"${CANARY}","id":"${CANARY}"}`, '']) {
      await writeFile(join(cwd, 'person.json'), text);
      const { code, err } = await runCli(['erase', ...SUBJECT, '--yes'], { cwd });
      assert.equal(code, 3);
      assert.match(err, /the subject is not a subject identifier/);
      assert.ok(!err.includes(CANARY));
    }
    const { code, err } = await runCli(['erase', '--subject', 'nowhere', ...REASON, '--yes'], { cwd });
    assert.equal(code, 3);
    assert.match(err, /nowhere cannot be read/);
  });
});

describe('a server that is no honest log', () => {
  const ID = `era_${'A'.repeat(22)}`;
  const ERASURE = {
    erasure_id: ID,
    state: 'done',
    reason: 'other',
    requested_time: '2026-11-20T12:00:00.000Z',
    events: 1,
    erased: 1,
    tombstones: [{}],
  };

  type Reply = (request: IncomingMessage, response: ServerResponse) => unknown;

  /** Follows `ID` at a server that answers with what `reply` returns, the log's own keys being pinned. */
  async function followed(
    t: TestContext,
    setup: Setup,
    reply: Reply,
    args: readonly string[] = ['--follow', ID],
  ): Promise<Ran> {
    const server = createServer((request, response) => {
      const body = reply(request, response);
      if (body !== undefined)
        response.setHeader('Content-Type', 'application/json').end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    const address = server.address();
    if (typeof address !== 'object' || !address) throw new Error('no port');
    const { cwd } = setup;
    const url = `http://127.0.0.1:${address.port}`;
    return runCli(['erase', '--url', url, '--trust', 'log.json', '--token-file', 'token', ...args], { cwd });
  }

  async function receiptOf({ site }: Setup, eventId: string): Promise<JsonObject> {
    const headers = { Authorization: 'Bearer newel_audit' };
    return (await (
      await site.app.request(`/v1/events/${eventId}/receipt`, { headers })
    ).json()) as JsonObject;
  }

  test('gets no receipt of another event kept', async (t) => {
    const setup = await setUp(t);
    const receipt = await receiptOf(setup, await setup.submit('a'));
    const { code, err } = await followed(t, setup, ({ url }) =>
      url?.includes('receipts') ? { ...ERASURE, receipts: [receipt], next: null } : ERASURE,
    );
    assert.equal(code, 1);
    assert.match(err, /a receipt is of another event than this erasure/);
    assert.deepEqual(await setup.files(), []);
  });

  test('nor one of another erasure, nor one that was changed', async (t) => {
    const setup = await setUp(t);
    await setup.submit(CANARY);
    const real = JSON.parse((await setup.erase([...SUBJECT, '--yes', '--json', '--out', 'kept'])).out) as {
      files: string[];
    };
    const receipt = JSON.parse(await readFile(join(setup.cwd, real.files[0]!), 'utf8')) as JsonObject;
    for (const [shown, words] of [
      [receipt, /of another event than this erasure/],
      [{ ...receipt, leaf_index: 1 }, /newel: /],
    ] as const) {
      const { code, err } = await followed(t, setup, ({ url }) =>
        url?.includes('receipts') ? { ...ERASURE, receipts: [shown], next: null } : ERASURE,
      );
      assert.equal(code, 1);
      assert.match(err, words);
    }
    assert.deepEqual(await setup.files(), []);
  });

  test('is not followed for ever', async (t) => {
    const setup = await setUp(t);
    for (const page of [
      { receipts: [], next: 0 },
      { receipts: [], next: 20 },
      { receipts: 'none', next: null },
      {},
    ]) {
      const { code, err } = await followed(t, setup, ({ url }) =>
        url?.includes('receipts') ? { ...ERASURE, ...page } : ERASURE,
      );
      assert.equal(code, 3);
      assert.match(err, /no erasure of this version/);
    }
  });

  for (const answer of [
    {},
    { ...ERASURE, state: 'gone' },
    { ...ERASURE, erasure_id: '../x' },
    { ...ERASURE, erased: -1 },
    [],
  ]) {
    test(`is not believed: ${JSON.stringify(answer).slice(0, 60)}`, async (t) => {
      const setup = await setUp(t);
      const { code, out } = await followed(t, setup, () => answer);
      assert.deepEqual([code, out], [3, '']);
    });
  }

  test('says what failed, as one line', async (t) => {
    const setup = await setUp(t);
    const failed = {
      ...ERASURE,
      state: 'failed',
      erased: 0,
      tombstones: [],
      failure: 'a key\u001b[2J has 3 events',
    };
    const { code, out } = await followed(t, setup, () => failed);
    assert.equal(code, 1);
    assert.match(out, /^✘ era_A+ {2}0 of 1 event erased\n {2}it failed: a key\\u\{1b\}\[2J has 3 events\n$/);
  });

  test('that may have accepted it is not asked again', async (t) => {
    const setup = await setUp(t);
    let erasures = 0;
    const args = ['--event', `evt_${'A'.repeat(22)}`, '--reason', 'other', '--yes'];
    const reply: Reply = (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        if (body.includes('dry_run')) {
          response.setHeader('Content-Type', 'application/json').end('{"dry_run":true,"events":1}');
          return;
        }
        erasures += 1;
        response.destroy();
      });
      return undefined;
    };
    const { code, err } = await followed(t, setup, reply, args);
    assert.equal(code, 3);
    assert.match(err, /it may have been accepted all the same/);
    assert.equal(erasures, 1);
  });
});
