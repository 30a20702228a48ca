/**
 * The ids of events that a command is about, however the user has them: as they are, in receipts, or as lines of either,
 * such as `newel submit --json` prints.
 *
 *   evt_3q2-7wAAAAAAAAAAAAAAAA        an argument, or a line
 *   {"event_id":"evt_…",…}            a receipt, on one line or over many
 */

import { isEventId } from '../client/receipt.ts';
import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { readInput, STANDARD_INPUT } from './input-file.ts';
import { formatCount, type Terminal } from './terminal.ts';

/** Bytes of a file of receipts: some thousand of usual size. */
const MAX_INPUT_BYTES: number = 64 * 1024 * 1024;

/** The ids that the arguments name, each once, in their order. Throws `unreachable`, `too_large` or `malformed`. */
export async function readEventIds(terminal: Terminal, args: readonly string[]): Promise<readonly string[]> {
  const ids = new Set<string>();
  for (const arg of args) {
    if (isEventId(arg)) ids.add(arg);
    else for (const id of await readFrom(terminal, arg)) ids.add(id);
  }
  return [...ids];
}

async function readFrom(terminal: Terminal, file: string): Promise<readonly string[]> {
  const what = 'event ids or receipts';
  const text = decodeUtf8(await readInput(terminal, file, what, MAX_INPUT_BYTES)).trim();
  const name = file === STANDARD_INPUT ? 'standard input' : file;
  if (text === '') throw new NewelError('malformed', `${name} has no event ids in it`);
  const one = idOf(text);
  if (one !== undefined) return [one];
  return text.split('\n').flatMap((line, i) => {
    const trimmed = line.trim();
    if (trimmed === '') return [];
    const id = idOf(trimmed);
    if (id !== undefined) return [id];
    throw new NewelError('malformed', `${name}: line ${i + 1} is no event id and no receipt`);
  });
}

function idOf(text: string): string | undefined {
  if (isEventId(text)) return text;
  if (!text.startsWith('{')) return undefined;
  let json: JsonValue;
  try {
    json = parseJson(text);
  } catch (error) {
    if (error instanceof NewelError) return undefined;
    throw error;
  }
  const id = isJsonObject(json) ? json['event_id'] : undefined;
  return typeof id === 'string' && isEventId(id) ? id : undefined;
}

/** Throws `usage` for more events than one request may name. */
export function assertAtMost(ids: readonly string[], max: number): void {
  if (ids.length > max) {
    throw new NewelError(
      'usage',
      `${formatCount(ids.length, 'event')} at once: at most ${max}, so that they share one checkpoint`,
    );
  }
}
