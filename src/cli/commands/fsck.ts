/** `newel fsck`: checks every public file of a log, over HTTP as a stranger or in a folder that is not being served. */

import type { LogSource } from '../../client/source.ts';
import { NewelError } from '../../errors.ts';
import { formatBase64 } from '../../formats/base64.ts';
import type { Verifier } from '../../formats/note.ts';
import { fsck as check, type FsckReport } from '../../log/fsck.ts';
import { storeSource } from '../../log/store-source.ts';
import { type Call, type Command, usage } from '../command.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { EXIT } from '../exit-code.ts';
import { readFolder } from '../folder.ts';
import { openFolderStore, readLogKey } from '../open-log.ts';
import { startProgress } from '../progress.ts';
import { formatPin, openRemote, REMOTE_OPTIONS } from '../remote.ts';
import { paint } from '../terminal.ts';

export const fsck: Command = {
  name: 'fsck',
  summary: 'check every public file of a log',
  usage: ['[--url URL] [--trust log.json]', '--data DIR'],
  about:
    'Verifies the checkpoint, hashes every entry and compares every tile. Prints each file that is wrong, by its path,\n' +
    'and exits with 1 if there is one. With --data the log must not be served at the time; over HTTP it may.',
  options: {
    data: { ...DATA_OPTION, help: 'check this folder rather than a running log' },
    ...REMOTE_OPTIONS,
  },
  positionals: [0, 0],
  run: runFsck,
};

interface Subject {
  readonly name: string;
  readonly source: LogSource;
  readonly origin: string;
  readonly verifiers: readonly Verifier[];
  /** Where the key is from. */
  readonly pin: string;
  readonly close: () => Promise<void>;
}

async function runFsck(call: Call): Promise<number> {
  const local = call.text('data') !== undefined;
  if (local && call.text('url') !== undefined) throw usage(fsck, 'either --data or --url');
  if (local && call.text('trust') !== undefined)
    throw usage(fsck, '--trust goes with --url; a folder has its own key');
  const subject = local ? await openFolderSubject(call) : await openRemoteSubject(call);
  const progress = startProgress(call.terminal, 'checking', 'entries');
  let report: FsckReport;
  try {
    const { source, verifiers, origin } = subject;
    report = await check(source, { verifiers, origin, onProgress: (at) => progress.update(at) });
  } finally {
    progress.end();
    await subject.close();
  }
  print(call, subject, report);
  return report.findings.length === 0 ? EXIT.ok : EXIT.refused;
}

async function openFolderSubject(call: Call): Promise<Subject> {
  const folder = await readFolder(dataDir(call));
  const { verifier } = await readLogKey(folder);
  try {
    const store = await openFolderStore(folder);
    return {
      name: folder.paths.dir,
      source: storeSource(store),
      origin: folder.origin,
      verifiers: [verifier],
      pin: `of ${folder.paths.logKey}`,
      close: () => store.close(),
    };
  } catch (error) {
    if (!(error instanceof NewelError) || error.code !== 'log_in_use') throw error;
    throw new NewelError('log_in_use', `${error.message}, or check it as it runs: newel fsck --url URL`, {
      cause: error,
    });
  }
}

async function openRemoteSubject(call: Call): Promise<Subject> {
  const remote = await openRemote(call);
  const { origin, verifiers } = remote.trust;
  return {
    name: remote.url,
    source: remote.source,
    origin,
    verifiers,
    pin: formatPin(remote),
    close: async () => {},
  };
}

function print(call: Call, { name, origin, pin }: Subject, { size, root, findings }: FsckReport): void {
  const { terminal } = call;
  const { out } = terminal;
  if (call.json) {
    const shown = {
      origin,
      tree_size: size,
      // No checkpoint that verifies, no root.
      root_hash: root.length > 0 ? formatBase64(root) : null,
      ok: findings.length === 0,
      findings,
    };
    out.write(`${JSON.stringify(shown)}\n`);
    return;
  }
  for (const { path, problem } of findings)
    out.write(`${paint(terminal, out, 'red', '✘')} ${path}  ${problem}\n`);
  out.write(
    findings.length === 0
      ? `${paint(terminal, out, 'green', '✔')} ${name}: ${size} ${size === 1 ? 'entry' : 'entries'} of ${origin}, all whole, root ${formatBase64(root)}\n`
      : `${findings.length} of the public files of ${name} are wrong\n`,
  );
  out.write(`  log key ${pin}\n`);
}
