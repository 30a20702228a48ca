/** `newel dev`: a log to try things with, in one command. */

import { readFile } from 'node:fs/promises';
import { editFile, hasCode } from '../../access/durable-file.ts';
import { hashToken, isToken } from '../../access/token.ts';
import { createToken, listTokens, revokeToken } from '../../access/token-list.ts';
import { createLines } from '../../telemetry/lines.ts';
import type { Call, Command } from '../command.ts';
import { createFolder } from '../create-folder.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { type Folder, folderState, readFolder } from '../folder.ts';
import { formatJsonLine } from '../json-line.ts';
import { type Service, startService } from '../service.ts';
import { resolveSettings, type ServeSettings, SETTING_OPTIONS } from '../settings.ts';
import { runService } from '../stop-signals.ts';
import { formatFields } from '../terminal.ts';

const DEV_ORIGIN = 'localhost/dev';
const DEV_TOKEN = 'dev';
/** That of flat events, and that of the examples. */
const DEV_SOURCES = ['dev', 'https://bank.example/payments'];
/** The smallest event that there is: the flat profile. */
const FIRST_EVENT = {
  timestamp: '2023-10-31T12:00:00Z',
  user_id: '12345',
  event_type: 'step_up',
  trigger_reason: 'elevated_risk_score',
  status: 'approved',
};
/** Ports after a taken one that are tried. */
const NEXT_PORTS = 100;

export const dev: Command = {
  name: 'dev',
  summary: 'make a log in ./data if there is none, and serve it: to try things',
  usage: ['[--data DIR] [--listen 127.0.0.1:8080] …'],
  about:
    'What npm start runs. Makes a log named localhost/dev where there is none, and serves it on the port asked for, or\n' +
    'on the next free one. DIR/client.json says how to reach it: url, token, and trust, which other commands read.',
  options: { data: DATA_OPTION, ...SETTING_OPTIONS },
  positionals: [0, 0],
  run: runDev,
};

async function runDev(call: Call): Promise<number> {
  const { terminal } = call;
  const dir = dataDir(call);
  if ((await folderState(dir)) === 'absent') {
    const { env } = terminal;
    await createFolder({ dir, origin: DEV_ORIGIN, kind: 'events', guard: undefined, url: undefined, env });
  }
  const folder = await readFolder(dir);
  const { settings } = resolveSettings({
    folder,
    flag: (name) => call.text(name),
    env: terminal.env,
    cwd: terminal.cwd,
    // The six lines are what there is to read, unless something is wrong.
    defaults: { 'log-level': 'warn' },
  });
  const lines = createLines({ level: settings.logLevel, write: (line) => terminal.err.write(line) });
  const token = await devToken(folder);
  return runService({
    lines,
    start: () => startService({ folder, settings, lines, env: terminal.env, tryNextPorts: NEXT_PORTS }),
    onServing: (service) => sayServing(call, folder, settings, service, token),
  });
}

/** Writes client.json, then the six lines. */
async function sayServing(
  call: Call,
  folder: Folder,
  settings: ServeSettings,
  service: Service,
  token: string,
): Promise<void> {
  const { url, vkey, listening } = service;
  const { client, dir } = folder.paths;
  await writeClient(client, { url, token, trust: await service.readTrust() });

  const asked = settings.listen.port;
  const moved =
    asked === 0 || asked === listening.port ? '' : ` (port ${asked} is taken, this is the next free one)`;
  const { origin } = folder;
  const attempt = tryLine(folder, url);
  call.terminal.out.write(
    call.json
      ? formatJsonLine({ url, origin, vkey, folder: dir, client, try: attempt })
      : formatFields([
          ['url', `${url}${moved}`],
          ['origin', origin],
          ['vkey', vkey],
          ['folder', dir],
          ['token', `in ${client}`],
          ['try', attempt],
        ]),
  );
}

/** The token in client.json if it still holds, else a new one in place of the last. */
async function devToken({ paths }: Folder): Promise<string> {
  const tokens = await listTokens(paths.tokens);
  const kept = await readToken(paths.client);
  const hash = kept === undefined ? undefined : hashToken(kept);
  const nowMs = Date.now();
  const known = tokens.some(
    (token) => token.hash === hash && (token.expiresMs ?? Number.POSITIVE_INFINITY) > nowMs,
  );
  if (kept !== undefined && known) return kept;
  if (tokens.some(({ name }) => name === DEV_TOKEN)) await revokeToken(paths.tokens, DEV_TOKEN);
  return createToken(paths.tokens, { name: DEV_TOKEN, role: 'submit', sources: DEV_SOURCES, nowMs });
}

/** A client.json that is missing or spoilt is made anew, so whatever it holds otherwise is no error. */
async function readToken(path: string): Promise<string | undefined> {
  try {
    const found: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (typeof found !== 'object' || found === null || !('token' in found)) return undefined;
    return typeof found.token === 'string' && isToken(found.token) ? found.token : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function writeClient(
  path: string,
  client: { url: string; token: string; trust: unknown },
): Promise<void> {
  await editFile(path, () => `${JSON.stringify(client, undefined, 2)}\n`);
}

/** A command that sends an event, or adds an entry, for a POSIX shell; the token stays in its file. */
function tryLine({ kind, paths }: Folder, url: string): string {
  const script = shellQuote(`JSON.parse(fs.readFileSync(${JSON.stringify(paths.client)})).token`);
  const send = `curl -H "Authorization: Bearer $(node -p ${script})"`;
  if (kind === 'opaque') return `${send} -d hello ${url}/add`;
  return `${send} -H 'Content-Type: application/json' -d ${shellQuote(JSON.stringify(FIRST_EVENT))} ${url}/v1/events`;
}

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
