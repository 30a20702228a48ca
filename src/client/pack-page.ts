/**
 * The page of an evidence pack (`verify.html`): it verifies the pack that stands in it as soon as it is opened, from a
 * disk, without a network. What is on the page comes from `cli/evidence-page.ts`:
 *
 *   #pack                     the summary of the manifest, and the files that are verified, as JSON
 *   #verifier                 everything below, shown when this runs
 *   #verdict                  what was found about the pack, and #events about each event
 *   #trust-state #trust-file  whose keys are believed; a trust file that was pinned earlier, to be believed instead
 *   #receipts                 what was found about receipts; files may be dropped anywhere on the page
 */

import { isJsonObject, type JsonValue } from '../formats/json.ts';
import { MAX_PACK_BYTES } from './evidence-manifest.ts';
import type { PackedEvent } from './evidence-checks.ts';
import { openEmbedded, type OpenedPack, type PackReport } from './evidence-pack.ts';
import { readJsonObject } from './json-input.ts';
import {
  byId,
  checkList,
  flawOf,
  headingOf,
  type Input,
  isTrustFile,
  make,
  onDrop,
  readInput,
  receiptFindings,
  shownEvent,
} from './page-parts.ts';
import { parseTrust, type Trust } from './trust.ts';

/** How long the page does not answer while it verifies. */
const TURN_MS = 50;

const box = byId('verifier', HTMLElement);
const verdict = byId('verdict', HTMLElement);
const events = byId('events', HTMLElement);
const trustFile = byId('trust-file', HTMLInputElement);
const trustState = byId('trust-state', HTMLElement);
const receipts = byId('receipts', HTMLElement);

const { summary, files } = readPack(byId('pack', HTMLElement).textContent);
let pinned: Trust | undefined;
/** The pinned one, or that of the pack. */
let believed: Trust | undefined;
/** Counts verifications: one that is not the newest any more stops. */
let runs = 0;

trustFile.addEventListener('change', () => void take(trustFile.files));
onDrop((dropped) => void take(dropped));
box.hidden = false;
void verify();

/** Files that were chosen or dropped: trust files are believed from now on, all others are receipts. */
async function take(dropped: FileList | null | undefined): Promise<void> {
  const inputs = await Promise.all(Array.from(dropped ?? [], readInput));
  const others = inputs.filter((input) => !('text' in input && isTrustFile(input.text)));
  for (const input of inputs) if (!others.includes(input)) pin(input);
  const trust = believed;
  if (trust && others.length > 0)
    receipts.replaceChildren(...others.flatMap((input) => receiptFindings(input, trust)));
}

function pin(input: Input): void {
  if (!('text' in input)) return;
  try {
    pinned = parseTrust(input.text);
    void verify();
  } catch (error) {
    trustState.textContent = `${input.name}: ${flawOf(error)} Nothing has changed.`;
  }
}

async function verify(): Promise<void> {
  const run = ++runs;
  let pack: OpenedPack;
  try {
    pack = openEmbedded(summary, files, { trust: pinned });
  } catch (error) {
    verdict.replaceChildren(make('p', 'failed', `✘ ${flawOf(error)}`));
    return;
  }
  believed = pack.trust;
  sayTrust(pack);
  const found: PackedEvent[] = [];
  let turnMs = performance.now();
  for (const eventId of pack.summary.events) {
    found.push(pack.check(eventId));
    if (performance.now() - turnMs < TURN_MS) continue;
    verdict.replaceChildren(
      make('p', 'soft', `${found.length} of ${pack.summary.events.length} are verified …`),
    );
    await new Promise((resolve) => setTimeout(resolve));
    if (run !== runs) return;
    turnMs = performance.now();
  }
  show(pack.conclude(found));
}

function sayTrust({ trust, isPinned }: OpenedPack): void {
  trustState.textContent = isPinned
    ? `Keys: from your own trust file, of ${trust.origin}.`
    : `Keys: those in the pack itself, of ${trust.origin}: ${trust.vkeys.join(', ')}. Whoever made the pack chose them. ` +
      'A pack that holds under them agrees with itself; that it is of the log you mean, shows when you compare them with ' +
      'what the operator has published, or use a trust file that you had before.';
}

function show(report: PackReport): void {
  const heading = make(
    'h3',
    report.ok ? 'ok' : 'failed',
    report.ok ? '✔ The pack holds' : '✘ The pack does not hold',
  );
  verdict.replaceChildren(heading, checkList(report.checks), summaryOf(report));
  events.replaceChildren(...report.events.map(blockOf));
}

/** What was disclosed, and to whom; of the manifest, and so only where the pack holds. */
function summaryOf({ ok, summary: said }: PackReport): HTMLElement {
  const list = make('dl', 'card');
  if (!ok) {
    list.hidden = true;
    return list;
  }
  const rows: readonly (readonly [string, string])[] = [
    ['Events', String(said.events.length)],
    ['For', said.audience],
    ['Nonce', said.nonce],
    ['Made', said.created_time],
    ['Claims', said.claims.join(', ')],
    ['With them', said.travels_along.join(', ')],
  ];
  for (const [name, value] of rows) list.append(make('dt', '', name), make('dd', '', value));
  return list;
}

/** What was found about one event: closed where it holds. */
function blockOf({ report }: PackedEvent): HTMLElement {
  const block = document.createElement('details');
  block.className = 'event';
  block.open = !report.ok;
  const title = make('summary', '');
  title.append(headingOf(report, ''));
  block.append(title, checkList(report.checks), ...shownEvent(report));
  return block;
}

function readPack(text: string): {
  readonly summary: JsonValue;
  readonly files: ReadonlyMap<string, string>;
} {
  const json = readJsonObject(text, 'pack', MAX_PACK_BYTES);
  const { manifest = null, files: listed = null } = json;
  const texts = isJsonObject(listed) ? Object.entries(listed) : [];
  return {
    summary: manifest,
    files: new Map(texts.filter((pair): pair is [string, string] => typeof pair[1] === 'string')),
  };
}
