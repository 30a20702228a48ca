/** `newel head`: the newest tree head of a log, verified. */

import { levelOf } from '../../client/level.ts';
import type { LogSource } from '../../client/source.ts';
import { fetchCheckpoint, type OpenedCheckpoint } from '../../client/tree.ts';
import { formatBase64 } from '../../formats/base64.ts';
import { decodeUtf8 } from '../../formats/text.ts';
import { formatKeyId } from '../../formats/vkey.ts';
import type { Call, Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { formatJsonLine } from '../json-line.ts';
import { formatPin, openRemote, type Remote, REMOTE_OPTIONS } from '../remote.ts';
import { formatFields, printable } from '../terminal.ts';

export const head: Command = {
  name: 'head',
  summary: 'fetch and verify the newest tree head of a log',
  usage: ['[--url URL] [--trust log.json] [--checkpoint]'],
  about:
    'Fetches /checkpoint, verifies its signature, and prints what it says. With --checkpoint it prints the signed note\n' +
    'itself, to be saved: newel consistency proves later that the log still extends it.\n' +
    'Exit codes: 1 it is not signed by the key of the log · 3 the log cannot be reached, or answers with what is no head',
  options: { ...REMOTE_OPTIONS, checkpoint: { help: 'print the signed note as it was served' } },
  positionals: [0, 0],
  run: runHead,
};

async function runHead(call: Call): Promise<number> {
  const remote = await openRemote(call);
  const { out, err } = call.terminal;
  const { trust, source, pinnedBy } = remote;
  const checkpoint = await fetchCheckpoint(source, trust.verifiers, trust.origin);
  const { origin, size, root, note } = checkpoint;
  if (call.has('checkpoint')) {
    out.write(decodeUtf8(note));
    if (pinnedBy === undefined) err.write(`log key ${formatPin(remote)}\n`);
    return EXIT.ok;
  }
  const time = await readTime(source, checkpoint);
  const keys = checkpoint.signatures.map(({ name, keyId }) => `${name}+${formatKeyId(keyId)}`);
  const { level } = levelOf(trust.policy, checkpoint.signatures, origin);
  if (call.json) {
    const shown = { origin, tree_size: size, root_hash: formatBase64(root), time: time ?? null, level, keys };
    out.write(formatJsonLine({ ...shown, url: remote.url, pinned: pinnedBy !== undefined }));
    return EXIT.ok;
  }
  out.write(formatFields(fieldsOf(remote, checkpoint, keys, time, level)));
  return EXIT.ok;
}

function fieldsOf(
  remote: Remote,
  { origin, size, root }: OpenedCheckpoint,
  keys: readonly string[],
  time: string | undefined,
  level: string,
): (readonly [string, string])[] {
  return [
    ['origin', printable(origin)],
    ['size', String(size)],
    ['root', formatBase64(root)],
    // The note has no time in it, so it is the word of whoever serves it.
    ['time', time === undefined ? 'not told' : `${time} (as the log says)`],
    ['level', level],
    ['signed by', printable(keys.join(', '))],
    ['log key', formatPin(remote)],
  ];
}

/** When the log says that it published this head. Logs that are not newel's do not say. */
async function readTime(source: LogSource, { size, root }: OpenedCheckpoint): Promise<string | undefined> {
  const answer = await source.read('v1/tree-head');
  if (!answer) return undefined;
  const published = publishedOf(answer);
  if (published?.['tree_size'] !== size || published['root_hash'] !== formatBase64(root)) return undefined;
  const { time } = published;
  if (typeof time !== 'string') return undefined;
  const timeMs = Date.parse(time);
  return Number.isNaN(timeMs) ? undefined : new Date(timeMs).toISOString();
}

function publishedOf(answer: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decodeUtf8(answer));
    if (typeof value !== 'object' || value === null || !('published' in value)) return undefined;
    const { published } = value;
    return typeof published === 'object' && published !== null ? { ...published } : undefined;
  } catch {
    return undefined;
  }
}
