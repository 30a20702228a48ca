/**
 * Makes a golden log: one of each thing that is stored, as this version stores it, with what it answered about them. It
 * is made once for each on-disk version, and frozen; later versions have to open it and answer the same.
 *
 *   node --import tsx test/golden/make.ts spec/golden/v1
 *
 *   log/ log.guard      the data folder and its guard, keys and all: throw-aways
 *   log.json            the trust file of then
 *   receipts/           of every event, those of events that were erased later among them
 *   events/             what `GET /v1/events/<event_id>` answered; of erased events the problem
 *   erasures.json       what `GET /v1/erasures/<id>` answered, receipts of the erasures with it
 *   pack/               an evidence pack of the transfer
 */

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createToken } from '../../src/access/token-list.ts';
import { createFolder } from '../../src/cli/create-folder.ts';
import { readFolder } from '../../src/cli/folder.ts';
import { run } from '../../src/cli/run.ts';
import { type Service, startService } from '../../src/cli/service.ts';
import { resolveSettings } from '../../src/cli/settings.ts';
import { createLines } from '../../src/telemetry/lines.ts';

const SOURCE = 'https://bank.example/payments';
const EXAMPLES = join(import.meta.dirname, '../../spec/examples');
const [, , target = 'spec/golden/v1'] = process.argv;

interface Receipt {
  readonly event_id: string;
}

async function main(to: string): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'newel-golden-'));
  const dir = join(parent, 'log');
  const { folder } = await createFolder({
    dir,
    origin: 'golden.example/v1',
    kind: 'events',
    env: {},
    guard: undefined,
    url: 'https://golden.example/v1',
  });
  const token = (role: 'submit' | 'audit' | 'admin'): Promise<string> => {
    const sources = role === 'submit' ? [SOURCE] : [];
    return createToken(folder.paths.tokens, { name: role, role, sources, nowMs: Date.now() });
  };
  const tokens = { submit: await token('submit'), audit: await token('audit'), admin: await token('admin') };
  let service = await serve(dir);
  await mkdir(join(to, 'receipts'), { recursive: true });
  await mkdir(join(to, 'events'));

  const ids: string[] = [];
  for (const event of await eventsToLog()) ids.push(await submit(service, tokens.submit, event, to));
  const [transfer, corrected, erasedAlone] = [ids.slice(1, 8), ids[1]!, ids.at(-1)!];
  const correction = {
    ...minimal('correction-1'),
    type: 'correction',
    corrects: corrected,
    outcome: 'failure',
  };
  ids.push(await submit(service, tokens.submit, correction, to));
  // A second run, so that there is more than one of what a start writes.
  await service.stop();
  service = await serve(dir);
  const person = { subject: { format: 'opaque', id: 'erased-person' }, reason: 'subject_request' };
  const erasures = [person, { event_ids: [erasedAlone], reason: 'submitted_in_error' }];
  const asked = [];
  for (const body of erasures) asked.push(await ask(service, tokens.admin, 'POST', '/v1/erasures', body));
  const erasureIds = asked.map((text) => (JSON.parse(text) as { erasure_id: string }).erasure_id);
  const answers = await Promise.all(erasureIds.map((id) => untilDone(service, tokens.admin, id)));
  await writeFile(join(to, 'erasures.json'), `[${answers.map((text) => text.trim()).join(',')}]\n`);
  for (const id of ids) {
    const text = await ask(service, tokens.audit, 'GET', `/v1/events/${id}`);
    await writeFile(join(to, 'events', `${id}.json`), text);
  }
  await writeFile(join(to, 'log.json'), await ask(service, tokens.audit, 'GET', '/v1/log'));
  await writeFile(join(parent, 'token'), tokens.submit);
  const { url } = service.listening;
  const args = [
    'disclose',
    ...transfer,
    '--preset',
    'auditor',
    '--audience',
    'https://auditor.example',
    '--nonce',
    'golden',
  ];
  const more = ['--url', url, '--token-file', join(parent, 'token'), '--out', join(to, 'pack')];
  const write = (text: string): void => void process.stderr.write(text);
  const output = { write, isTerminal: false };
  const code = await run([...args, ...more], { input: [], out: output, err: output, env: {}, cwd: parent });
  if (code !== 0) throw new Error(`disclose ended with ${code}`);
  await service.stop();
  await cp(dir, join(to, 'log'), { recursive: true });
  await cp(`${dir}.guard`, join(to, 'log.guard'));
  // What LevelDB writes for people, and its lock.
  for (const name of ['LOG', 'LOG.old', 'LOCK']) await rm(join(to, 'log/db', name), { force: true });
  await rm(parent, { recursive: true });
}

/** In this order: the flat example, the transfer, the denied push, the fullest, and what is erased or tells something. */
async function eventsToLog(): Promise<object[]> {
  const read = async (name: string): Promise<object[]> => {
    const text = await readFile(join(EXAMPLES, name), 'utf8');
    const texts = name.endsWith('.ndjson') ? text.trimEnd().split('\n') : [text];
    return texts.map((one) => JSON.parse(one) as object);
  };
  const subject = { sub_id: { format: 'opaque', id: 'erased-person' } };
  const examples = await Promise.all(
    ['flat.json', 'wire-transfer.ndjson', 'denied-push.ndjson', 'full.json'].map(read),
  );
  return [
    ...examples.flat(),
    { ...minimal('gap'), seq: 2000 },
    {
      ...minimal('executed-twice'),
      type: 'action.executed',
      txn: '7f9c2c0e-6a0f-4f0e-9d3e-5b1d2f6c8a11',
      action: { id: 'tr-5521', time: '2026-11-20T11:59:58.900Z' },
    },
    { ...minimal('skewed'), time: '2020-01-01T00:00:00Z' },
    ...[1, 2, 3].map((n) => ({ ...minimal(`person-${n}`), subject })),
    minimal('alone'),
  ];
}

function minimal(id: string): object {
  return { schema: 'stepup/1', id, source: SOURCE, type: 'login.succeeded', time: '2026-11-21T08:00:00Z' };
}

async function serve(dir: string): Promise<Service> {
  const folder = await readFolder(dir);
  const flags: Record<string, string> = { listen: '127.0.0.1:0' };
  const { settings } = resolveSettings({ folder, flag: (name) => flags[name], env: {}, cwd: dir });
  const lines = createLines({ level: 'warn', write: (line) => void process.stderr.write(line) });
  return startService({ folder, settings, lines, env: {} });
}

/** Logs an event, keeps its receipt, and returns its id. */
async function submit(service: Service, token: string, event: object, to: string): Promise<string> {
  const receipt = await ask(service, token, 'POST', '/v1/events', event);
  const { event_id: eventId } = JSON.parse(receipt) as Receipt;
  await writeFile(join(to, 'receipts', `${eventId}.receipt.json`), receipt);
  return eventId;
}

async function untilDone(service: Service, token: string, id: string): Promise<string> {
  for (;;) {
    const text = await ask(service, token, 'GET', `/v1/erasures/${id}?receipts=true`);
    if ((JSON.parse(text) as { state: string }).state === 'done') return text;
    await sleep(500);
  }
}

/** The text of the answer, whatever its status. */
async function ask(
  service: Service,
  token: string,
  method: string,
  path: string,
  body?: object,
): Promise<string> {
  const response = await fetch(`${service.listening.url}${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return response.text();
}

await main(resolve(target));
