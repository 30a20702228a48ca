/**
 * The box on a log's landing page that verifies receipts, in the page: nothing is sent, and nothing is asked for. A copy
 * of the page that was saved to disk does the same. What is on the page comes from `http/landing.ts`:
 *
 *   #trust                       the trust file that came with the page, as JSON
 *   #verifier                    the box, shown when this runs
 *   #receipt-file #receipt-text  a receipt, chosen or pasted; files may be dropped anywhere on the page
 *   #trust-file                  a trust file that was pinned earlier, to be believed instead
 *   #trust-state #verdict        whose keys are believed, and what was found
 */

import { NewelError } from '../errors.ts';
import { readJsonObject } from './json-input.ts';
import { MAX_RECEIPT_BYTES } from './receipt.ts';
import { type Check, checkReceipt, type ReceiptReport } from './report.ts';
import { parseTrust, type Trust } from './trust.ts';

/** A receipt to be checked, or why there is none. */
type Input = { readonly name: string } & ({ readonly text: string } | { readonly flaw: string });

const MARKS: Readonly<Record<Check['result'], readonly [mark: string, words: string]>> = {
  ok: ['✔', 'holds'],
  failed: ['✘', 'fails'],
  skipped: ['–', 'not checked'],
};

const box = byId('verifier', HTMLElement);
const receiptFile = byId('receipt-file', HTMLInputElement);
const receiptText = byId('receipt-text', HTMLTextAreaElement);
const trustFile = byId('trust-file', HTMLInputElement);
const trustState = byId('trust-state', HTMLElement);
const verdict = byId('verdict', HTMLElement);

let trust: Trust = parseTrust(byId('trust', HTMLElement).textContent);
let isPinned = false;
let inputs: readonly Input[] = [];

receiptFile.addEventListener('change', () => void take(receiptFile.files));
trustFile.addEventListener('change', () => void take(trustFile.files));
receiptText.addEventListener('input', () => {
  const text = receiptText.value.trim();
  check(text === '' ? [] : [{ name: 'the text', text }]);
});
// Without this the browser would leave the page for whatever is dropped on it.
document.addEventListener('dragover', (event) => event.preventDefault());
document.addEventListener('drop', (event) => {
  event.preventDefault();
  void take(event.dataTransfer?.files);
});
sayTrust();
box.hidden = false;

/** Files that were chosen or dropped: trust files are believed from now on, all others are receipts. */
async function take(files: FileList | null | undefined): Promise<void> {
  const taken = await Promise.all(Array.from(files ?? [], readInput));
  const receipts = taken.filter((input) => !('text' in input && isTrustFile(input.text)));
  const pins = taken.filter((input) => 'text' in input && !receipts.includes(input));
  for (const pin of pins) pinTrust(pin);
  check(receipts.length > 0 ? receipts : inputs);
}

async function readInput(file: File): Promise<Input> {
  const { name, size } = file;
  if (size > MAX_RECEIPT_BYTES) return { name, flaw: `it is longer than ${MAX_RECEIPT_BYTES} bytes` };
  try {
    return { name, text: await file.text() };
  } catch {
    return { name, flaw: 'it cannot be read' };
  }
}

function isTrustFile(text: string): boolean {
  try {
    return Object.hasOwn(readJsonObject(text, 'file', MAX_RECEIPT_BYTES), 'vkeys');
  } catch {
    return false;
  }
}

function pinTrust(input: Input): void {
  if (!('text' in input)) return;
  try {
    trust = parseTrust(input.text);
    isPinned = true;
    sayTrust();
  } catch (error) {
    trustState.textContent = `${input.name}: ${flawOf(error)} Nothing has changed.`;
  }
}

function sayTrust(): void {
  trustState.textContent = isPinned
    ? `Keys: from your own trust file, of ${trust.origin}.`
    : `Keys: those that came with this page, of ${trust.origin}. The server that hands out receipts handed them out too: ` +
      'a receipt that holds under them shows that the server agrees with itself, and little more.';
}

function check(next: readonly Input[]): void {
  inputs = next;
  verdict.replaceChildren(...inputs.flatMap(findings));
}

/** What is found about one receipt, to be read from top to bottom. */
function findings(input: Input): HTMLElement[] {
  if ('flaw' in input) return [unreadable(input, input.flaw)];
  let report: ReceiptReport;
  try {
    report = checkReceipt(input.text, { trust });
  } catch (error) {
    return [unreadable(input, flawOf(error))];
  }
  const list = make('ul', 'checks');
  list.append(...report.checks.map(lineOf));
  return [headingOf(report), list, ...shownEvent(report)];
}

function headingOf({ ok, eventId, type, statement }: ReceiptReport): HTMLElement {
  const time = statement && new Date(statement.receivedTimeS * 1000).toISOString();
  const said = [type, time && `${time.slice(0, 10)} ${time.slice(11, 19)} UTC`].filter(Boolean).join(', ');
  const heading = make('h3', ok ? 'ok' : 'failed');
  const text = ` receipt of ${eventId}${said === '' ? '' : ` (${said})`}`;
  heading.append(markOf(ok ? 'ok' : 'failed'), make('span', '', text));
  return heading;
}

function lineOf({ name, result, detail, note }: Check): HTMLElement {
  const line = make('li', result);
  line.dataset['check'] = name;
  line.append(make('b', '', name), markOf(result), make('span', '', ` ${detail}`));
  if (note !== undefined) line.append(make('span', 'soft', ` · ${note}`));
  return line;
}

function shownEvent({ level, event }: ReceiptReport): HTMLElement[] {
  // Before all of it is true, none of it has been said by the log.
  if (level === undefined || !event) return [];
  const details = make('details', '');
  details.append(make('summary', '', 'What it says'), make('pre', '', JSON.stringify(event, undefined, 1)));
  return [details];
}

function markOf(result: Check['result']): HTMLElement {
  const [mark, words] = MARKS[result];
  const element = make('span', 'mark', mark);
  element.setAttribute('role', 'img');
  element.setAttribute('aria-label', words);
  return element;
}

function unreadable({ name }: Input, flaw: string): HTMLElement {
  const line = make('p', 'failed');
  line.append(markOf('failed'), make('span', '', ` ${name}: ${flaw}`));
  return line;
}

function flawOf(error: unknown): string {
  if (error instanceof NewelError) return `${error.message}.`;
  throw error;
}

/** An element with text in it: whatever a file holds, none of it becomes markup. */
function make(tag: string, className: string, text = ''): HTMLElement {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.textContent = text;
  return element;
}

function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`bug: the page has no ${id}`);
  return element;
}
