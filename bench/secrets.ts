/**
 * Looking an event through for secrets, beside a plain `JSON.parse` of its text: the wire transfer of spec/examples, event
 * by event, and the fullest example. None has a secret in it, as nearly no event has: every rule is asked, and none ends early.
 */

import { readFileSync } from 'node:fs';
import { findSecrets, redactSecrets } from '../src/event/secrets.ts';
import { type JsonValue, parseJson } from '../src/formats/json.ts';
import { formatFloor, grouped, say, table } from './support/report.ts';
import type { Workbench } from './support/workbench.ts';

const EXAMPLES = new URL('../spec/examples/', import.meta.url);
/** Passes over all events in a round; a round is a few tens of milliseconds. */
const PASSES = 300;
const WARM_UP_ROUNDS = 10;
const MIN_ROUNDS = 15;
/** For an event of `FLOOR_BYTES`. */
const FLOOR_US = 25;
const FLOOR_BYTES = 1500;

interface Subject {
  readonly name: string;
  readonly texts: readonly string[];
}

interface Timing {
  readonly name: string;
  readonly bytes: number;
  readonly parseUs: number;
  readonly findUs: number;
  readonly redactUs: number;
  readonly ratio: number;
}

export async function secrets({ options }: Workbench): Promise<boolean> {
  const rounds = Math.max(options.rounds, MIN_ROUNDS);
  const timings = subjects().map((subject) => measure(subject, rounds));
  table([
    ['', 'bytes', 'JSON.parse µs', 'findSecrets µs', 'redactSecrets µs', 'ratio'],
    ...timings.map(({ name, bytes, parseUs, findUs, redactUs, ratio }) => [
      name,
      grouped(bytes),
      parseUs.toFixed(2),
      findUs.toFixed(2),
      redactUs.toFixed(2),
      ratio.toFixed(2),
    ]),
  ]);
  const [{ findUs, bytes }] = timings as [Timing];
  const us = (findUs * FLOOR_BYTES) / bytes;
  say(
    `${us.toFixed(1)} µs for ${FLOOR_BYTES} bytes; ${formatFloor(`${FLOOR_US} µs`, us < FLOOR_US)}, medians of ${rounds} rounds`,
  );
  const found = subjects().flatMap(({ texts }) => texts.flatMap((text) => findSecrets(parseJson(text))));
  if (found.length > 0) say(`WRONG: ${found.length} findings in events that have no secret`);
  return found.length === 0;
}

function subjects(): Subject[] {
  const read = (file: string): string => readFileSync(new URL(file, EXAMPLES), 'utf8').trimEnd();
  const full = JSON.stringify(JSON.parse(read('full.json')));
  return [
    { name: 'the wire transfer', texts: read('wire-transfer.ndjson').split('\n') },
    { name: 'the fullest', texts: [full] },
  ];
}

/** Rounds of the three go A B C A B C, so that what else the machine does is in all of them. */
function measure({ name, texts }: Subject, rounds: number): Timing {
  const works: readonly (() => unknown)[] = [
    () => texts.map((text) => JSON.parse(text) as unknown),
    // Parsed anew for each round, as events come.
    () => findEach(events),
    () => redactEach(events),
  ];
  let events: JsonValue[] = [];
  const timesUs: [number[], number[], number[]] = [[], [], []];
  for (let round = -WARM_UP_ROUNDS; round < rounds; round++) {
    events = texts.map((text) => parseJson(text));
    for (const [i, work] of works.entries()) {
      const startedMs = performance.now();
      for (let pass = 0; pass < PASSES; pass++) work();
      const us = ((performance.now() - startedMs) * 1000) / (PASSES * texts.length);
      if (round >= 0) timesUs[i]!.push(us);
    }
  }
  const [parseUs, findUs, redactUs] = timesUs.map(median) as [number, number, number];
  const ratio = median(timesUs[1].map((us, i) => us / timesUs[0][i]!));
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / texts.length;
  return { name, bytes, parseUs, findUs, redactUs, ratio };
}

function findEach(events: readonly JsonValue[]): number {
  let count = 0;
  for (const event of events) count += findSecrets(event).length;
  return count;
}

function redactEach(events: readonly JsonValue[]): number {
  let count = 0;
  for (const event of events) count += redactSecrets(event).redacted.length;
  return count;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)]!;
}
