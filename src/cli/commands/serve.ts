/** `newel serve`: serves the log of a folder until it is told to stop. */

import { createLines, type Lines } from '../../telemetry/lines.ts';
import type { Call, Command } from '../command.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { type Folder, readFolder } from '../folder.ts';
import { isOnOwnVolume } from '../open-log.ts';
import { startService, type Witnessed } from '../service.ts';
import { resolveSettings, type ServeSettings, SETTING_OPTIONS } from '../settings.ts';
import { runService } from '../stop-signals.ts';
import { readSoftware } from '../version.ts';

export const serve: Command = {
  name: 'serve',
  summary: 'serve a log',
  usage: ['--data DIR [--listen 127.0.0.1:8080] [--public-url URL] …'],
  about:
    'Proves the stored log, then serves it until SIGTERM or SIGINT: it answers what is under way, finishes the round,\n' +
    'publishes, and exits with 0 within 10 s; a second signal ends it at once. It never makes a log, and refuses one\n' +
    'that it cannot prove, or that a witness knows a newer head of; until enough of them have said that they do not,\n' +
    'it reads only. Log lines are JSON, on stderr.\n' +
    'A flag such as --max-queue is also NEWEL_MAX_QUEUE, and max_queue under serve in newel.json, in this order.',
  options: {
    data: DATA_OPTION,
    ...SETTING_OPTIONS,
    'start-unwitnessed': {
      help: 'write whether or not the witnesses agree; for this start only, and recorded',
    },
    'ignore-witness': {
      value: 'NAME',
      help: 'neither wait for this witness, or group, nor ask it, until the next start; recorded',
      multiple: true,
    },
    'accept-clock': { help: 'start although the clock is behind the last signed head; for this start only' },
  },
  positionals: [0, 0],
  run: runServe,
};

async function runServe(call: Call): Promise<number> {
  const { terminal } = call;
  const folder = await readFolder(dataDir(call));
  const { settings } = resolveSettings({
    folder,
    flag: (name) => call.text(name),
    env: terminal.env,
    cwd: terminal.cwd,
  });
  const lines = createLines({ level: settings.logLevel, write: (line) => terminal.err.write(line) });
  const { version } = readSoftware();
  lines.say('info', 'starting', { version, origin: folder.origin, folder: folder.paths.dir });
  return runService({
    lines,
    start: () =>
      startService({
        folder,
        settings,
        lines,
        env: terminal.env,
        acceptClock: call.has('accept-clock'),
        startUnwitnessed: call.has('start-unwitnessed'),
        ignoredWitnesses: call.texts('ignore-witness'),
      }),
    async onServing({ url, vkey, listening, witnessed }) {
      await sayProtections(folder, settings, witnessed, lines);
      lines.say('info', 'serving', { url, listening: `${listening.host}:${listening.port}`, vkey });
    },
  });
}

/** What keeps a restored older copy of this log from forking it: said at every start. */
async function sayProtections(
  folder: Folder,
  { guard }: ServeSettings,
  { state, agreed }: Witnessed,
  lines: Lines,
): Promise<void> {
  const ownVolume = await isOnOwnVolume(guard, folder);
  const fields = { guard, guard_on_own_volume: ownVolume, witnesses: agreed };
  if (ownVolume) lines.say('info', 'protected against rollback by a guard on a volume of its own', fields);
  else if (state === 'agreed') lines.say('info', 'protected against rollback by its witnesses', fields);
  else if (state === 'unwitnessed') {
    const what = 'started without its witnesses: a restored older copy would not be noticed';
    lines.say('warn', what, fields);
  } else if (state === 'empty') {
    const what =
      'not protected against rollback yet: the log is empty, and too few of its witnesses have answered';
    lines.say('warn', what, fields);
  } else if (state === 'none') {
    const what = 'not protected if this volume is rolled back: the guard is on it too, and nobody witnesses';
    lines.say('warn', what, fields);
  }
}
