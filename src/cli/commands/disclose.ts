/** `newel disclose`: some claims of some events, for somebody, as an evidence pack that verifies offline. */

import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Api } from '../../client/api.ts';
import {
  type Disclosure,
  type Discloses,
  MAX_DISCLOSURE_BYTES,
  parseDisclosure,
  parseDryRun,
} from '../../client/disclosure.ts';
import { MAX_PACK_EVENTS } from '../../client/evidence-manifest.ts';
import { checkPack, type PackFiles } from '../../client/evidence-pack.ts';
import { chooseClaims, type ClaimChoice, PRESETS } from '../../event/claims.ts';
import { AUDIENCE_FORM, NONCE_FORM } from '../../event/statement-names.ts';
import { NewelError } from '../../errors.ts';
import { decodeUtf8 } from '../../formats/text.ts';
import { readClientConfig, readToken, TOKEN_OPTIONS } from '../client-config.ts';
import { type Call, type Command, usage } from '../command.ts';
import { nodeEd25519 } from '../ed25519-node.ts';
import { assertAtMost, readEventIds } from '../event-ids.ts';
import { makeEvidenceFiles } from '../evidence-files.ts';
import { readPackScript } from '../evidence-page.ts';
import { EXIT } from '../exit-code.ts';
import { formatJsonLine } from '../json-line.ts';
import { writePack } from '../pack-input.ts';
import { parseTrustOf } from '../pinned-trust.ts';
import { formatPin, openRemote, type Remote, REMOTE_OPTIONS } from '../remote.ts';
import { formatCount, formatFields, paint, printable } from '../terminal.ts';

const DEFAULT_OUT = 'evidence.zip';
/** A log that presents a thousand events takes a few seconds. */
const TIMEOUT_MS = 60_000;
const RETRIES = 2;
const NONCE_BYTES = 16;

export const disclose: Command = discloseWith(readPackScript);

/** The command, whose packs have this script in their page. */
export function discloseWith(readScript: () => string): Command {
  return {
    name: 'disclose',
    summary: 'show some claims of events to somebody, as an evidence pack',
    usage: [
      'EVENT_ID|RECEIPT|-… --preset NAME --audience A [--nonce N] [--out DIR|FILE.zip]',
      'EVENT_ID|RECEIPT|-… --claims type,src.ip --audience A … [--dry-run]',
    ],
    about:
      'Has the log present events with the claims that are chosen and no others, verifies what comes, and writes it as an\n' +
      'evidence pack: statements, proofs on one checkpoint, the trust file, a manifest, a README, and a page that verifies\n' +
      'it all offline. Says first what is disclosed and what travels along. Events are named by their ids, by receipts, or\n' +
      `by files of either; - reads what is piped in; at most ${MAX_PACK_EVENTS}. A claim is a path: type, trigger, src.ip; src.* is src and\n` +
      `all inside it, * is everything. Presets: ${Object.keys(PRESETS).join(', ')}. Every disclosure is itself logged.`,
    options: {
      ...REMOTE_OPTIONS,
      ...TOKEN_OPTIONS,
      preset: { value: 'NAME', help: `the claims for a purpose: ${Object.keys(PRESETS).join(', ')}` },
      claims: { value: 'PATHS', help: 'the claims, with commas between them' },
      audience: { value: 'TEXT', help: 'for whom: by custom a host name or URI of theirs' },
      nonce: { value: 'TEXT', help: 'what they gave you to put in, so that it is fresh (default: random)' },
      out: {
        value: 'NAME',
        help: `a new folder, or a new zip where it ends in .zip (default: ${DEFAULT_OUT})`,
      },
      'dry-run': { help: 'disclose nothing: ask whether it could be, and say what it would be' },
    },
    positionals: [1, Number.POSITIVE_INFINITY],
    run: (call) => runDisclose(call, readScript),
  };
}

async function runDisclose(call: Call, readScript: () => string): Promise<number> {
  const { terminal } = call;
  const choice = choiceOf(call);
  const chosen = chosenOf(choice);
  const audience = call.text('audience');
  if (audience === undefined) throw usage(disclose, '--audience is missing: to whom?');
  if (!AUDIENCE_FORM.test(audience)) throw usage(disclose, '--audience is 1 to 255 visible ASCII characters');
  const nonce = call.text('nonce') ?? randomBytes(NONCE_BYTES).toString('base64url');
  if (!NONCE_FORM.test(nonce)) throw usage(disclose, '--nonce is 1 to 128 visible ASCII characters');
  const isDryRun = call.has('dry-run');
  const out = call.text('out') ?? DEFAULT_OUT;
  // Before the log presents anything: what cannot be kept is not to be asked for.
  const script = isDryRun ? '' : readScript();
  if (!isDryRun) await assertNew(resolve(terminal.cwd, out));
  const eventIds = await readEventIds(terminal, call.positionals);
  assertAtMost(eventIds, MAX_PACK_EVENTS);

  if (!isDryRun) terminal.err.write(formatDiscloses(chosen, eventIds.length, audience));
  const remote = await openRemote(call);
  const asked: Asked = { remote, eventIds, choice, audience, nonce };
  if (isDryRun) return dryRun(call, asked, chosen);
  const disclosure = parseDisclosure(await request(call, asked, false));
  assertAsked(disclosure, asked, chosen);
  const files = await makeVerified(disclosure, remote, script);
  await writePack(resolve(terminal.cwd, out), files);
  return say(call, disclosure, out);
}

interface Asked {
  readonly remote: Remote;
  readonly eventIds: readonly string[];
  readonly choice: ClaimChoice;
  readonly audience: string;
  readonly nonce: string;
}

async function dryRun(call: Call, asked: Asked, chosen: Discloses): Promise<number> {
  const { terminal, json } = call;
  const discloses = parseDryRun(await request(call, asked, true));
  assertSameClaims(discloses, chosen);
  const { claims, travelsAlong, open } = discloses;
  terminal.out.write(
    json
      ? formatJsonLine({
          dry_run: true,
          events: asked.eventIds.length,
          audience: asked.audience,
          discloses: { claims, travels_along: travelsAlong, open },
        })
      : formatDiscloses(discloses, asked.eventIds.length, asked.audience),
  );
  return EXIT.ok;
}

/** The answer of the log. Throws its own error, and `unreachable` with the URL. */
async function request(call: Call, asked: Asked, isDryRun: boolean): Promise<Uint8Array> {
  const { remote, eventIds, choice, audience, nonce } = asked;
  const { url, pinnedBy } = remote;
  if (pinnedBy === undefined) call.terminal.err.write(`log keys ${formatPin(remote)}\n`);
  const config = await readClientConfig(call.terminal);
  const token = await readToken(call, url, config);
  const api = new Api({ url, token, fetch: globalThis.fetch, timeoutMs: TIMEOUT_MS, retries: RETRIES });
  const body = JSON.stringify({
    event_ids: eventIds,
    ...choice,
    audience,
    nonce,
    ...(isDryRun && { dry_run: true }),
  });
  try {
    return await api.request({
      method: 'POST',
      path: '/v1/disclosures',
      body,
      maxBytes: MAX_DISCLOSURE_BYTES,
    });
  } catch (error) {
    if (!(error instanceof NewelError) || error.code !== 'unreachable') throw error;
    throw new NewelError('unreachable', `${url}: ${error.message}`, { cause: error.cause });
  }
}

/** Throws `inconsistent` where the log answers with something else than what it was asked for. */
function assertAsked(disclosure: Disclosure, { eventIds, audience, nonce }: Asked, chosen: Discloses): void {
  assertSameClaims(disclosure.discloses, chosen);
  const items = disclosure.items.map(({ eventId }) => eventId);
  const isSame =
    disclosure.audience === audience &&
    disclosure.nonce === nonce &&
    items.toSorted().join() === eventIds.toSorted().join();
  if (!isSame) throw differs('other events, or for somebody else');
}

function assertSameClaims(discloses: Discloses, chosen: Discloses): void {
  const isSame =
    discloses.claims.join() === chosen.claims.join() &&
    discloses.travelsAlong.join() === chosen.travelsAlong.join() &&
    discloses.open.join() === chosen.open.join();
  if (!isSame) throw differs('other claims');
}

function differs(what: string): NewelError {
  return new NewelError(
    'inconsistent',
    `the log discloses ${what} than it was asked for; nothing is written`,
  );
}

/** The files of the pack, every event of which holds, under the keys that are believed here and those in the pack. */
async function makeVerified(
  disclosure: Disclosure,
  { url, source, trust, pinnedBy }: Remote,
  script: string,
): Promise<PackFiles> {
  const served = await source.read('v1/log');
  if (!served) throw new NewelError('unreachable', `${url} has no /v1/log to put into the pack`);
  const { vkeys } = parseTrustOf(served, `${url}/v1/log`);
  const files = await makeEvidenceFiles({ disclosure, trustFile: decodeUtf8(served), vkeys, script });
  const judges = pinnedBy === undefined ? [{}] : [{}, { trust }];
  for (const judge of judges) {
    const { error } = checkPack(files, { ...judge, ed25519: nodeEd25519 });
    if (error) throw error;
  }
  return files;
}

function say(
  { terminal, json }: Call,
  { log, audience, nonce, items, discloses }: Disclosure,
  out: string,
): number {
  const { claims, travelsAlong, open } = discloses;
  terminal.out.write(
    json
      ? formatJsonLine({
          file: out,
          log,
          audience,
          nonce,
          discloses: { claims, travels_along: travelsAlong, open },
          events: items.map(({ eventId }) => eventId),
        })
      : `${paint(terminal, terminal.out, 'green', '✔')} ${printable(out)}  ${formatCount(items.length, 'event')} of ${printable(log)} for ${audience}, nonce ${nonce}\n`,
  );
  return EXIT.ok;
}

function formatDiscloses(
  { claims, travelsAlong, open }: Discloses,
  events: number,
  audience: string,
): string {
  const fields = [
    ['claims', claims.join(', ')],
    ['with them', travelsAlong.length === 0 ? '(nothing)' : travelsAlong.join(', ')],
    ['always open', open.join(', ')],
  ] as const;
  return `disclosed of ${formatCount(events, 'event')} to ${audience}:\n${formatFields(
    fields.map(([name, value]) => [`  ${name}`, printable(value)] as const),
  )}`;
}

function choiceOf(call: Call): ClaimChoice {
  const preset = call.text('preset');
  const claims = call.text('claims');
  if ((preset === undefined) === (claims === undefined)) {
    throw usage(disclose, 'either --preset or --claims');
  }
  return preset !== undefined ? { preset } : { claims: claims!.split(',') };
}

/** Throws `usage` for what names no claims. */
function chosenOf(choice: ClaimChoice): ReturnType<typeof chooseClaims> {
  try {
    return chooseClaims(choice);
  } catch (error) {
    if (error instanceof NewelError) throw usage(disclose, error.message);
    throw error;
  }
}

async function assertNew(path: string): Promise<void> {
  try {
    await access(path);
  } catch {
    return;
  }
  throw usage(disclose, `${path} exists: give another name as --out, so that nothing is overwritten`);
}
