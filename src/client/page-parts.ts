/** What the pages that verify have in common: how a check looks, and how files come in. */

import { NewelError } from '../errors.ts';
import { readJsonObject } from './json-input.ts';
import { MAX_RECEIPT_BYTES } from './receipt.ts';
import { type Check, checkReceipt, type ReceiptReport } from './report.ts';
import { formatUtc } from './time-words.ts';
import type { Trust } from './trust.ts';

/** A file that was given to a page, or why there is none. */
export type Input = { readonly name: string } & ({ readonly text: string } | { readonly flaw: string });

/** A check of whatever it is. */
type AnyCheck = Omit<Check, 'name'> & { readonly name: string };

const MARKS: Readonly<Record<Check['result'], readonly [mark: string, words: string]>> = {
  ok: ['✔', 'holds'],
  failed: ['✘', 'fails'],
  skipped: ['–', 'not checked'],
};

/** Has `take` called with what is dropped anywhere on the page. Without it the browser would leave the page for it. */
export function onDrop(take: (files: FileList | null | undefined) => void): void {
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files);
  });
}

export async function readInput(file: File): Promise<Input> {
  const { name, size } = file;
  if (size > MAX_RECEIPT_BYTES) return { name, flaw: `it is longer than ${MAX_RECEIPT_BYTES} bytes` };
  try {
    return { name, text: await file.text() };
  } catch {
    return { name, flaw: 'it cannot be read' };
  }
}

export function isTrustFile(text: string): boolean {
  try {
    return Object.hasOwn(readJsonObject(text, 'file', MAX_RECEIPT_BYTES), 'vkeys');
  } catch {
    return false;
  }
}

/** What is found about one receipt, to be read from top to bottom. */
export function receiptFindings(input: Input, trust: Trust): HTMLElement[] {
  if ('flaw' in input) return [unreadable(input, input.flaw)];
  try {
    const report = checkReceipt(input.text, { trust });
    return [headingOf(report, 'receipt of '), checkList(report.checks), ...shownEvent(report)];
  } catch (error) {
    return [unreadable(input, flawOf(error))];
  }
}

/** `what` stands before the event's id. */
export function headingOf({ ok, eventId, type, statement }: ReceiptReport, what: string): HTMLElement {
  const said = [type, statement && formatUtc(statement.receivedTimeS)].filter(Boolean).join(', ');
  const heading = make('h3', ok ? 'ok' : 'failed');
  const text = ` ${what}${eventId}${said === '' ? '' : ` (${said})`}`;
  heading.append(markOf(ok ? 'ok' : 'failed'), make('span', '', text));
  return heading;
}

export function checkList(checks: readonly AnyCheck[]): HTMLElement {
  const list = make('ul', 'checks');
  list.append(...checks.map(lineOf));
  return list;
}

function lineOf({ name, result, detail, note, warning }: AnyCheck): HTMLElement {
  const line = make('li', result);
  line.dataset['check'] = name;
  line.append(make('b', '', name), markOf(result), make('span', '', ` ${detail}`));
  if (note !== undefined) line.append(make('span', 'soft', ` · ${note}`));
  if (warning !== undefined) line.append(make('strong', '', ` ! ${warning}`));
  return line;
}

export function shownEvent({ level, event }: ReceiptReport): HTMLElement[] {
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

export function flawOf(error: unknown): string {
  if (error instanceof NewelError) return `${error.message}.`;
  throw error;
}

/** An element with text in it: whatever a file holds, none of it becomes markup. */
export function make(tag: string, className: string, text = ''): HTMLElement {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.textContent = text;
  return element;
}

export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`bug: the page has no ${id}`);
  return element;
}
