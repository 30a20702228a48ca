/** Evidence packs to test with: made by `newel disclose` of a log on disk, or of an app without a socket. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { bundle } from '../../bench/support/bundle.ts';
import { createToken } from '../../src/access/token-list.ts';
import { parseCall } from '../../src/cli/command.ts';
import { discloseWith } from '../../src/cli/commands/disclose.ts';
import { makeEvidenceFiles } from '../../src/cli/evidence-files.ts';
import { exitCodeOf } from '../../src/cli/exit-code.ts';
import { sayFailure } from '../../src/cli/failure.ts';
import { parseDisclosure } from '../../src/client/disclosure.ts';
import type { PackFiles } from '../../src/client/evidence-pack.ts';
import type { JsonObject, JsonValue } from '../../src/formats/json.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { type Ran, runCli } from './cli.ts';
import { type Answer, answerOf, openEvents, post, textOf } from './event-requests.ts';
import { newDiskLog, serveDiskLog } from './served-log.ts';
import { tempFolder } from './temp-folder.ts';
import { bearer, type TestSite } from './test-site.ts';

let script: Promise<string> | undefined;

/** The script of `verify.html`, of the sources as they are. */
export function packScript(): Promise<string> {
  script ??= bundle({ file: 'src/client/pack-page.ts' }, { format: 'iife' }).then(({ text }) => text);
  return script;
}

/** `newel disclose`, whose page has that script, as `runCli` runs commands. */
export async function runDisclose(
  args: readonly string[],
  { cwd, env = {}, input = [] }: { cwd: string; env?: Record<string, string>; input?: readonly Uint8Array[] },
): Promise<Ran> {
  const text = await packScript();
  const written = { out: '', err: '' };
  const output = (stream: 'out' | 'err'): { write(text: string): void; isTerminal: boolean } => ({
    write: (some) => {
      written[stream] += some;
    },
    isTerminal: false,
  });
  const terminal = { input, out: output('out'), err: output('err'), env, cwd };
  let code: number;
  try {
    const command = discloseWith(() => text);
    code = await command.run(parseCall(command, args, terminal));
  } catch (error) {
    sayFailure(terminal, args.includes('--json'), error);
    code = exitCodeOf(error);
  }
  return { code, ...written };
}

export interface EvidenceLog {
  /** A folder that holds the receipts, `<event_id>.receipt.json`. */
  readonly cwd: string;
  /** Where the log is, and the bearer of a token that submitted the events. */
  readonly env: Record<string, string>;
  /** The trust file that was pinned. */
  readonly trust: string;
  readonly eventIds: readonly string[];
  /** A token of the role audit. */
  readonly audit: string;
}

/** A log of events on disk, served, with the events of these files of spec/examples in it. */
export async function openEvidenceLog(t: TestContext, examples: readonly string[]): Promise<EvidenceLog> {
  const cwd = await tempFolder(t);
  const { dir, folder, token } = await newDiskLog(cwd, 'log', { kind: 'events' });
  const audit = await createToken(folder.paths.tokens, {
    name: 'auditor',
    role: 'audit',
    sources: ['s'],
    nowMs: Date.now(),
  });
  const { url } = await serveDiskLog(t, dir);
  const env = { NEWEL_URL: url, NEWEL_TOKEN: token };
  const trust = join(cwd, 'pinned.json');
  await writeFile(trust, await (await fetch(`${url}/v1/log`)).text());
  const eventIds: string[] = [];
  for (const name of examples) {
    const file = join(import.meta.dirname, '../../spec/examples', name);
    const { code, out, err } = await runCli(['submit', file, '--json', '--trust', trust], { cwd, env });
    assert.equal(code, 0, err);
    for (const line of out.trim().split('\n')) {
      eventIds.push((JSON.parse(line) as { event_id: string }).event_id);
    }
  }
  return { cwd, env, trust, eventIds, audit };
}

/** What `POST /v1/disclosures` answers. */
export function postDisclosure(
  { app }: TestSite,
  body: JsonValue | Uint8Array,
  as: Parameters<typeof bearer>[0] = 'submit',
  headers: Record<string, string> = {},
): Promise<Answer> {
  return answerOf(
    app.request('/v1/disclosures', {
      method: 'POST',
      headers: { ...bearer(as), 'Content-Type': 'application/json', ...headers },
      body: body instanceof Uint8Array ? Buffer.from(body) : JSON.stringify(body),
    }),
  );
}

export const AUDIENCE = 'https://auditor.example/';
export const NONCE = 'n-0S6_WzA2Mj';

export interface MemoryPack {
  readonly files: PackFiles;
  readonly trust: JsonObject;
  readonly eventIds: readonly string[];
  /** The log's clock. */
  readonly nowMs: number;
}

/** A pack of events that a log in memory has taken, with the claims of a preset. */
export async function makeMemoryPack(events: readonly JsonValue[], preset = 'auditor'): Promise<MemoryPack> {
  const site = await openEvents();
  const eventIds: string[] = [];
  for (const event of events) eventIds.push(textOf((await post(site, event)).json, 'event_id'));
  await site.test.publish();
  const body = { event_ids: eventIds, preset, audience: AUDIENCE, nonce: NONCE };
  const { status, text } = await postDisclosure(site, body);
  assert.equal(status, 200, text);
  const trustFile = await (await site.app.request('/v1/log')).text();
  const files = await makeEvidenceFiles({
    disclosure: parseDisclosure(encodeUtf8(text)),
    trustFile,
    vkeys: [site.test.vkey],
    script: await packScript(),
  });
  const nowMs = site.test.clock.now();
  await site.test.log.close();
  return { files, trust: JSON.parse(trustFile) as JsonObject, eventIds, nowMs };
}

/** Every file below a folder, by its path from there. */
export async function readFiles(folder: string): Promise<Map<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = new Map<string, Uint8Array>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), await readFile(path));
  }
  return files;
}

export async function writeFiles(folder: string, files: PackFiles): Promise<void> {
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), bytes);
  }
}

/** The text of an example. */
export function exampleText(name: string): string {
  return readFileSync(new URL(`../../spec/examples/${name}`, import.meta.url), 'utf8');
}
