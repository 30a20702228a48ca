/**
 * `newel fsck`: checks every public file of a log, over HTTP as a stranger or in a folder that is not being served.
 * A folder holds more than its public files show: its database is proven first, as `serve` does it at every start.
 */

import type { LogSource } from '../../client/source.ts';
import { TILE_WIDTH } from '../../core/tile.ts';
import { NewelError } from '../../errors.ts';
import { formatBase64 } from '../../formats/base64.ts';
import type { Verifier } from '../../formats/note.ts';
import { openCheckpoint } from '../../formats/checkpoint.ts';
import { parseEntries } from '../../formats/entry-bundle.ts';
import { formatTilePath } from '../../formats/tile-path.ts';
import { type Finding, fsck as check, type FsckReport } from '../../log/fsck.ts';
import { openGuard } from '../../log/guard.ts';
import { proveStored } from '../../log/prove.ts';
import { storeSource } from '../../log/store-source.ts';
import { headKey } from '../../storage/keys.ts';
import type { Store } from '../../storage/store.ts';
import { openRecordChecker } from '../../vault/check-records.ts';
import { type Call, type Command, usage } from '../command.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { EXIT } from '../exit-code.ts';
import { type Folder, readFolder } from '../folder.ts';
import { formatJsonLine } from '../json-line.ts';
import { type LogKey, readLogKey } from '../log-key.ts';
import { companionsOf, formatEvidence, openFolderAside, type OpenedStore } from '../open-log.ts';
import { startProgress } from '../progress.ts';
import { formatPin, openRemote, REMOTE_OPTIONS } from '../remote.ts';
import { resolveSettings } from '../settings.ts';
import { paint } from '../terminal.ts';
import { readVaultKeys } from '../vault-keys.ts';

export const fsck: Command = {
  name: 'fsck',
  summary: 'check every public file of a log',
  usage: ['[--url URL] [--trust log.json]', '--data DIR [--guard PATH]'],
  about:
    'Verifies the checkpoint, hashes every entry and compares every tile. Prints each file that is wrong, by its path,\n' +
    'and exits with 1 if there is one. With --data the log must not be served at the time, and its database is proven\n' +
    'first, against the guard too, and every record of an event log is opened; over HTTP it may be served.',
  options: {
    data: { ...DATA_OPTION, help: 'check this folder rather than a running log' },
    guard: { value: 'PATH', help: 'the guard file of that folder (default: as newel config says)' },
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
  /** What is known of a folder before its public files are looked at. */
  readonly database: Database | undefined;
  readonly close: () => Promise<void>;
}

interface Database {
  /** The size of the newest signed head; `undefined` where there is none that verifies. */
  readonly signedSize: number | undefined;
  readonly findings: readonly Finding[];
}

async function runFsck(call: Call): Promise<number> {
  const local = call.text('data') !== undefined;
  if (local && call.text('url') !== undefined) throw usage(fsck, 'either --data or --url');
  if (local && call.text('trust') !== undefined)
    throw usage(fsck, '--trust goes with --url; a folder has its own key');
  if (!local && call.text('guard') !== undefined) throw usage(fsck, '--guard goes with --data');
  const subject = local ? await openFolderSubject(call) : await openRemoteSubject(call);
  const progress = startProgress(call.terminal, 'checking', 'entries');
  let report: FsckReport;
  try {
    const { source, verifiers, origin, database } = subject;
    const checking = check(source, { verifiers, origin, onProgress: (at) => progress.update(at) });
    // Of a folder, a checkpoint that is not there is a finding beside the database's own, not a server out of reach.
    const checked = await (database ? checking.catch(noCheckpoint) : checking);
    report = { ...checked, findings: [...(database?.findings ?? []), ...checked.findings] };
  } finally {
    progress.end();
    await subject.close();
  }
  print(call, subject, report);
  return report.findings.length === 0 ? EXIT.ok : EXIT.refused;
}

function noCheckpoint(error: unknown): FsckReport {
  if (!(error instanceof NewelError) || error.code !== 'unreachable') throw error;
  return { size: 0, root: new Uint8Array(0), findings: [{ path: 'checkpoint', problem: error.message }] };
}

async function openFolderSubject(call: Call): Promise<Subject> {
  const folder = await readFolder(dataDir(call));
  const { settings } = resolveSettings({
    folder,
    flag: (name) => (name === 'guard' ? call.text('guard') : undefined),
    env: call.terminal.env,
    cwd: call.terminal.cwd,
  });
  const key = await readLogKey(folder);
  const opened = await openForCheck(folder);
  const { store } = opened;
  try {
    const { origin, paths } = folder;
    const { verifier } = key;
    const signedSize = await readSignedSize(store, verifier, origin);
    const findings = [
      ...(await proveDatabase(folder, key, opened, settings.guard)),
      ...(await checkPrivateZone(call, folder, store, signedSize ?? 0)),
    ];
    return {
      name: paths.dir,
      source: storeSource(store),
      origin,
      verifiers: [verifier],
      pin: `of ${paths.logKey}`,
      database: { signedSize, findings },
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openForCheck(folder: Folder): Promise<OpenedStore> {
  try {
    return await openFolderAside(folder);
  } catch (error) {
    if (!(error instanceof NewelError) || error.code !== 'log_in_use') throw error;
    throw new NewelError('log_in_use', `${error.message}, or check it as it runs: newel fsck --url URL`, {
      cause: error,
    });
  }
}

/** Proves the database as a start would, but for the clock. What would be refused is a finding here. */
async function proveDatabase(
  { origin, kind, instance }: Folder,
  { verifier, vkey }: LogKey,
  { store, aside }: OpenedStore,
  guardPath: string,
): Promise<readonly Finding[]> {
  const identity = { origin, kind, instance, vkey };
  try {
    const guard = await openGuard(guardPath);
    try {
      await proveStored({ store, guard, identity, verifier, ...companionsOf(kind, store) });
    } finally {
      await guard.close();
    }
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return [{ path: 'database', problem: `${error.message}. ${formatEvidence(aside)}` }];
  }
  await aside.dropAll();
  return [];
}

/** Opens every record of an event log: a start proves that the newest are there, not that all say what they should. */
async function checkPrivateZone(
  { terminal }: Call,
  folder: Folder,
  store: Store,
  total: number,
): Promise<readonly Finding[]> {
  const { origin, issuer } = folder;
  if (issuer === undefined) return [];
  const progress = startProgress(terminal, 'opening', 'records');
  const findings: Finding[] = [];
  const say = (problems: readonly string[]): void =>
    void findings.push(...problems.map((problem) => ({ path: 'records', problem })));
  try {
    const { master, epochs } = await readVaultKeys(folder, terminal.env);
    const source = storeSource(store);
    const readBundle = async (index: number, width: number): Promise<readonly Uint8Array[] | undefined> => {
      const bundle = await source.read(formatTilePath({ kind: 'entries', index, width }));
      return bundle && parseEntries(bundle, width);
    };
    const records = await openRecordChecker({
      store,
      master,
      epochs: await epochs.read(),
      issuing: { issuer, origin },
      async readEntries(first, count) {
        const index = Math.floor(first / TILE_WIDTH);
        const width = Math.min(TILE_WIDTH, total - index * TILE_WIDTH);
        const at = first - index * TILE_WIDTH;
        return width > at ? ((await readBundle(index, width)) ?? []).slice(at, at + count) : [];
      },
    });
    for (let first = 0; first < total; first += TILE_WIDTH) {
      const width = Math.min(TILE_WIDTH, total - first);
      // A bundle that is missing or damaged is a finding among the public files.
      const entries = await readBundle(first / TILE_WIDTH, width);
      say(entries ? await records.check(first, entries) : []);
      progress.update({ done: first + width, total });
    }
    say(await records.end());
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    findings.push({ path: 'records', problem: error.message });
  } finally {
    progress.end();
  }
  return findings;
}

async function readSignedSize(store: Store, verifier: Verifier, origin: string): Promise<number | undefined> {
  try {
    const [note] = await store.getMany([headKey]);
    return note && openCheckpoint(note, [verifier], origin).size;
  } catch {
    // The proof has named it.
    return undefined;
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
    database: undefined,
    close: async () => {},
  };
}

function print(call: Call, subject: Subject, { size, root, findings }: FsckReport): void {
  const { name, origin, pin, database } = subject;
  const { terminal } = call;
  const { out } = terminal;
  // Without a checkpoint that verifies, no size and no root.
  const published = root.length > 0 ? size : undefined;
  const ok = findings.length === 0;
  if (call.json) {
    const signed = database === undefined ? {} : { signed_size: database.signedSize ?? null };
    const root_hash = published === undefined ? null : formatBase64(root);
    const shown = { origin, tree_size: published ?? null, ...signed, root_hash, ok, findings };
    out.write(formatJsonLine(shown));
    return;
  }
  for (const { path, problem } of findings)
    out.write(`${paint(terminal, out, 'red', '✘')} ${path}  ${problem}\n`);
  const entries = `${size} ${size === 1 ? 'entry' : 'entries'}`;
  out.write(
    ok
      ? `${paint(terminal, out, 'green', '✔')} ${name}: ${entries} of ${origin}, all whole, root ${formatBase64(root)}\n`
      : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}: ${name} is not whole\n`,
  );
  if (database)
    out.write(
      `  signed size ${database.signedSize ?? 'unknown'}, published size ${published ?? 'unknown'}\n`,
    );
  out.write(`  log key ${pin}\n`);
}
