/** `newel trust`: saves whose keys to believe, once. */

import { resolve } from 'node:path';
import { readFile, chmod } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { editFile, hasCode } from '../../access/durable-file.ts';
import { httpSource } from '../../client/source.ts';
import { fetchCheckpoint, type OpenedCheckpoint } from '../../client/tree.ts';
import type { Trust } from '../../client/trust.ts';
import { hashBytes } from '../../core/hash.ts';
import { NewelError } from '../../errors.ts';
import { formatBase64 } from '../../formats/base64.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson } from '../../formats/json.ts';
import { decodeUtf8, encodeUtf8 } from '../../formats/text.ts';
import { formatKeyId, formatVkey, KEY_TYPE, parseVkey } from '../../formats/vkey.ts';
import { type Call, type Command, parseGiven, usage } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { formatJsonLine } from '../json-line.ts';
import { checkLogStatement } from '../log-statement-check.ts';
import { parseTrustOf } from '../pinned-trust.ts';
import { policyChanges, quorumWords, vkeyChanges } from '../policy-words.ts';
import { parsePublicUrl } from '../address.ts';
import { formatFields, paint, printable } from '../terminal.ts';

export const trust: Command = {
  name: 'trust',
  summary: 'save whose keys to believe about a log',
  usage: ['pin URL [--out log.json] [--force]'],
  about:
    'Fetches /v1/log, checks that the log signs with the keys that it names and that its first leaf names the keys of its\n' +
    'statements, saves the answer, and prints the keys. Compare them once with what the operator tells you by another way:\n' +
    'from then on nobody at that URL can pass for the log. What is saved as its url is URL, where tokens go and which you\n' +
    'chose, never another that the log names; where it names another, both are printed. A file that pins something else is\n' +
    'not replaced, and what differs is named, with exit code 1: another key is news, and needs a reason.',
  options: {
    out: { value: 'FILE', help: 'where to save it (default: log.json)' },
    force: { help: 'replace a file that differs' },
  },
  positionals: [1, 2],
  run: runTrust,
};

const DEFAULT_FILE = 'log.json';
/** Members that no verification reads. */
const PINS_NOTHING: readonly string[] = ['limits', 'software'];

async function runTrust(call: Call): Promise<number> {
  const [verb, text] = call.positionals;
  if (verb !== 'pin') throw usage(trust, 'pin?');
  if (text === undefined) throw usage(trust, 'which log? pin takes its URL');
  const url = parseGiven(trust, 'the URL', text, parsePublicUrl);
  const source = httpSource(url);
  const answer = await source.read('v1/log');
  if (!answer) throw new NewelError('unreachable', `${url} has no /v1/log: give the URL of a log`);
  const named = parseTrustOf(answer, `${url}/v1/log`);
  const checkpoint = await fetchCheckpoint(source, named.verifiers, named.origin);
  if (named.kind === 'events') await checkLogStatement(source, named, checkpoint);
  const file = call.text('out') ?? DEFAULT_FILE;
  const isNew = await save(call, resolve(call.terminal.cwd, file), fileOf(answer, named, url));
  print(call, { file, isNew, url, named, checkpoint });
  return EXIT.ok;
}

/** The answer as it is, but for a `url` that is not the one that was asked: tokens are sent there. */
function fileOf(answer: Uint8Array, named: Trust, url: string): string {
  const text = decodeUtf8(answer);
  if (isSameUrl(named.url, url)) return text;
  return `${JSON.stringify({ ...(parseJson(text) as JsonObject), url })}\n`;
}

function isSameUrl(one: string, other: string): boolean {
  return normalUrl(one) === normalUrl(other);
}

function normalUrl(url: string): string {
  return (URL.canParse(url) ? new URL(url).href : url).replace(/\/+$/, '');
}

/** Whether the file was written; not where it pins the same already. Throws `inconsistent` where it pins something else. */
async function save(call: Call, path: string, text: string): Promise<boolean> {
  if (!call.has('force')) {
    const earlier = await readEarlier(path);
    if (earlier !== undefined) {
      const later = parseJson(text) as JsonObject;
      const differing = differingMembers(earlier, later);
      if (differing.length === 0) return false;
      const changes = differing.flatMap((name) => changesOf(name, earlier[name], later[name]));
      const words = changes.length === 0 ? '' : ` (${changes.join('; ')})`;
      throw new NewelError(
        'inconsistent',
        `${path} pins something else: ${differing.join(', ')} ${differing.length === 1 ? 'differs' : 'differ'}${words}. Ask the operator why, by another way; then --force`,
      );
    }
  }
  await editFile(path, () => text);
  // Nothing in it is secret, and whoever verifies here is to read it.
  await chmod(path, 0o644);
  return true;
}

/** The file that is there. Throws `usage` for what is not a trust file, which is never replaced unasked. */
async function readEarlier(path: string): Promise<JsonObject | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw new NewelError('unreachable', `${path} cannot be read: give another --out`, { cause });
  }
  try {
    const value = parseJson(decodeUtf8(bytes));
    if (isJsonObject(value) && value['origin'] !== undefined && value['vkeys'] !== undefined) return value;
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
  }
  throw new NewelError('usage', `${path} is there and is not a trust file: give another --out, or --force`);
}

/** Names of the members that are not equal, in whatever order theirs are, of those that pin something. */
function differingMembers(one: JsonObject, other: JsonObject): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter(
    (name) => !PINS_NOTHING.includes(name) && !isDeepStrictEqual(one[name], other[name]),
  );
}

/** How a member differs, of those that say whose signatures count. */
function changesOf(name: string, was: JsonValue | undefined, is: JsonValue | undefined): string[] {
  if (name === 'policy' && typeof was === 'string' && typeof is === 'string') return policyChanges(was, is);
  return name === 'vkeys' ? vkeyChanges(textsOf(was), textsOf(is)) : [];
}

function textsOf(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

interface Pin {
  readonly file: string;
  readonly isNew: boolean;
  /** The URL that was asked. */
  readonly url: string;
  /** What the log says of itself. */
  readonly named: Trust;
  readonly checkpoint: OpenedCheckpoint;
}

function print({ terminal, json }: Call, { file, isNew, url, named, checkpoint }: Pin): void {
  const { out, err } = terminal;
  const { origin, kind, issuer, vkeys, policy } = named;
  const statementKeys = [...named.statementKeys.keys()];
  const otherUrl = isSameUrl(named.url, url) ? undefined : named.url;
  if (json) {
    const witnesses = policy.witnesses.map(({ name, vkey }) => ({ name, vkey: formatVkey(vkey) }));
    const keys = { vkeys, statement_keys: statementKeys, quorum: policy.quorum, witnesses };
    const tree = { tree_size: checkpoint.size, root_hash: formatBase64(checkpoint.root) };
    const urls = { url, named_url: named.url };
    const names = { origin, kind, ...urls, issuer: issuer ?? null };
    out.write(formatJsonLine({ file, written: isNew, ...names, ...keys, ...tree }));
    return;
  }
  const mark = paint(terminal, out, 'green', '✔');
  out.write(
    formatFields([
      ['origin', printable(origin)],
      ['kind', kind],
      ['url', printable(url)],
      ...(otherUrl === undefined ? [] : [['named url', `${printable(otherUrl)} (not pinned)`] as const]),
      ...(issuer === undefined ? [] : [['issuer', printable(issuer)] as const]),
      ...vkeys.map((vkey) => ['log key', formatLogKey(vkey)] as const),
      ...statementKeys.map((kid) => ['statement key', kid] as const),
      ['policy', `quorum ${printable(quorumWords(policy))}`],
      ...policy.witnesses.map(
        ({ name, vkey }) => ['witness', `${printable(name)}  ${formatLogKey(formatVkey(vkey))}`] as const,
      ),
      [
        'checked',
        `${mark} the log key signs the checkpoint of ${checkpoint.size}${kind === 'events' ? ', and leaf 0 names the statement keys' : ''}`,
      ],
      ['file', `${printable(file)}${isNew ? '' : ' (pinned the same already)'}`],
    ]),
  );
  if (otherUrl !== undefined) {
    err.write(
      `The log names ${printable(otherUrl)} as its URL. Pinned is the one that you gave: what is sent under this file goes there.\n`,
    );
  }
  err.write('Compare the keys with what the operator tells you by another way than this URL.\n');
}

/** A key as people compare it: all of it where it is short, else its hash. */
function formatLogKey(text: string): string {
  const { name, keyId, type } = parseVkey(text);
  if (type !== KEY_TYPE.mldsa44) return printable(text);
  return `${printable(name)}+${formatKeyId(keyId)} of type ${type}, SHA-256 ${formatBase64(hashBytes(encodeUtf8(text)))}`;
}
