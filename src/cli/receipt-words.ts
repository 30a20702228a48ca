/**
 * What a receipt proves and what it does not, for a reader who is no cryptographer. Only what was checked is said, so
 * where a check failed it proves nothing.
 */

import type { ReceiptReport } from '../client/report.ts';
import { formatUtc } from '../client/time-words.ts';
import type { Trust } from '../client/trust.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '../formats/json.ts';
import { formatCount, formatTable, printable } from './terminal.ts';

export interface ReceiptWords {
  /** The event, member by member, as far as it is shown. Empty where nothing is proven. */
  readonly event: readonly (readonly [name: string, value: string])[];
  /** Sentences. */
  readonly proves: readonly string[];
  readonly doesNotProve: readonly string[];
}

export function wordsOf(report: ReceiptReport, trust: Trust): ReceiptWords {
  const origin = printable(trust.origin);
  const { statement, checkpoint, level, receipt, cosigners, witnessedTimeS, event } = report;
  if (level === undefined || !statement || !checkpoint || !event) return NOTHING;
  const time = formatUtc(statement.receivedTimeS);
  const witnessed = level === 'witnessed' && witnessedTimeS !== undefined;
  const warnings = report.checks.flatMap(({ warning }) => warning ?? []);
  const proves = [
    `${origin} says that it received this event at ${time}, with exactly the content shown. It signed that with its key ${statement.kid}, and cannot take it back.`,
    `The event is entry ${receipt.leaf_index} of the log. The entry is public and tells nothing about the event, but it fits this one and no other.`,
    `${origin} signed a list of ${formatCount(checkpoint.size, 'entry', 'entries')} with this one in it. It cannot change, move or remove the entry any more without contradicting that signature, and this receipt is the evidence.`,
    ...(witnessed
      ? [
          `Independent witnesses have seen that list and signed it too: ${cosigners.map(printable).join(', ')}. Enough of them, by the policy, that the log cannot show others a list without this entry.`,
          `They had done so by ${formatUtc(witnessedTimeS)}, by their own clocks: the entry is no younger than that.`,
        ]
      : []),
  ];
  const doesNotProve = [
    'That what the event says is true. The log vouches for what it was told, and when.',
    'When it happened. The time of receipt is by the clock of the log, the times in the event are by the clock of its source.',
    ...warnings.map((warning) => `Exactly when the log received it: ${printable(warning)}.`),
    'That nothing was left out: neither other events, nor parts of this one that whoever gave you the receipt may have removed.',
    ...(witnessed
      ? []
      : [
          `That everybody is shown the same list. ${signersOf(report)}: that is its own word (level: signed). If it showed others another list, this receipt would convict it, but somebody has to compare: newel consistency does.`,
        ]),
  ];
  return { event: membersOf(event), proves, doesNotProve };
}

/** Who has signed the list of a receipt that is not witnessed. */
function signersOf({ cosigners }: ReceiptReport): string {
  return cosigners.length === 0
    ? 'Nobody but the log has signed it'
    : `Beside the log it was signed by ${cosigners.map(printable).join(', ')}, fewer than the policy asks for`;
}

const NOTHING: ReceiptWords = {
  event: [],
  proves: [],
  doesNotProve: ['Anything. A check failed, so whatever else it says is worth nothing.'],
};

export function formatWords({ event, proves, doesNotProve }: ReceiptWords): string {
  const parts = [
    event.length > 0 ? `The event\n${formatTable(event.map(([name, value]) => [`  ${name}`, value]))}` : '',
    formatList('What it proves', proves),
    formatList('What it does not prove', doesNotProve),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function formatList(title: string, sentences: readonly string[]): string {
  if (sentences.length === 0) return '';
  return `${title}\n${sentences.map((sentence) => wrap(sentence)).join('')}`;
}

const MAX_LINE_CHARS = 100;
const FIRST_INDENT = '  · ';
const INDENT = '    ';

function wrap(sentence: string): string {
  const lines: string[] = [];
  let line = FIRST_INDENT;
  let isEmpty = true;
  for (const word of sentence.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > MAX_LINE_CHARS) {
      lines.push(line);
      line = INDENT;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].map((text) => `${text}\n`).join('');
}

/** What a reader looks for first. */
const FIRST: readonly string[] = ['type', 'time', 'outcome', 'source', 'id'];

/** The members of an event, those inside others by their path. A statement has them in no order that means anything. */
function membersOf(event: JsonObject): (readonly [string, string])[] {
  const rank = (name: string): number => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const names = Object.keys(event).sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return names.flatMap((name) => leavesOf(event[name]!, name));
}

function leavesOf(value: JsonValue, path: string): (readonly [string, string])[] {
  if (isJsonObject(value)) {
    return Object.entries(value).flatMap(([name, member]) => leavesOf(member, `${path}.${name}`));
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return [[printable(path), printable(text)]];
}
