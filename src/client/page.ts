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

import { byId, flawOf, type Input, isTrustFile, onDrop, readInput, receiptFindings } from './page-parts.ts';
import { parseTrust, type Trust } from './trust.ts';

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
onDrop((files) => void take(files));
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
  verdict.replaceChildren(...inputs.flatMap((input) => receiptFindings(input, trust)));
}
