/**
 * spec/requirements.md answers every statement that the requirements were drawn from, once, and what it names is there:
 * files, members and values of the event, routes, commands and their options, grounds.
 */

import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { ENUMERATIONS } from '../src/event/enumerations.ts';
import { FLAT_MEMBERS } from '../src/event/flat.ts';
import type { Members } from '../src/event/member.ts';
import { EVENT_MEMBERS } from '../src/event/members.ts';
import { runCli } from './support/cli.ts';
import { describedRoutes, OPENAPI } from './support/openapi.ts';

const ROOT = resolve(import.meta.dirname, '..');
const PAGE = readFileSync(join(ROOT, 'spec/requirements.md'), 'utf8');

/** How many statements each of the five texts makes, S0 first. */
const STATEMENTS: readonly number[] = [20, 20, 17, 17, 23];
const IDS: readonly string[] = STATEMENTS.flatMap((count, text) =>
  Array.from({ length: count }, (_, i) => `S${text}.${i + 1}`),
);

/** What is easily overlooked where it shares a row with something larger. */
const OVERLOOKED: readonly string[] = [
  'S0.13', // both times of a transfer
  'S1.13', // the flat event
  'S1.18', // rehearsals
  'S1.19', // access to the log
  'S2.9', // corrections
  'S2.12', // who may see
  'S3.11', // exceptions and policies
  'S3.13', // signals back into decisions
  'S3.15', // simulated attacks
  'S4.10', // a risk that changes
  'S4.11', // when the session began
  'S4.12, S4.13', // method, and how long it took
  'S4.16', // clocks
  'S4.17', // parts that fail
  'S4.21', // models
];

interface Row {
  readonly no: string;
  readonly requirement: string;
  readonly from: string;
  readonly metBy: string;
}

const TOPIC_HEADER = /^\| no +\| requirement +\| from +\| met by +\|$/;
const GROUND_ROW = /^\| `([a-z]+\/)` +\| (\S.*?) +\|$/gm;
const GROUND = /^[a-z]+\/$/;
const GROUNDS_ONLY = /^`[a-z]+\/`(?:, `[a-z]+\/`)*(?: \([^()`]+\))?$/;
const TEST_FILE = /^test\/[a-z0-9/-]+\.test\.ts$/;
const OURS = /^(?:src|test|spec|bench)\//;

/** The rows of all tables of requirements, in the order of the page. */
function rowsOf(page: string): Row[] {
  const rows: Row[] = [];
  let isTopic = false;
  for (const line of page.split('\n')) {
    if (!line.startsWith('|')) isTopic = false;
    else if (TOPIC_HEADER.test(line)) isTopic = true;
    else if (isTopic && !/^[| -]+$/.test(line)) {
      const cells = line.split('|').map((cell) => cell.trim());
      assert.equal(cells.length, 6, `a row has four cells: ${line}`);
      const [, no, requirement, from, metBy] = cells;
      rows.push({ no: no!, requirement: requirement!, from: from!, metBy: metBy! });
    }
  }
  return rows;
}

/** What stands between backticks. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]*)`/g)].map((match) => match[1]!);
}

function pathsOf(members: Members, path = ''): string[] {
  return Object.entries(members).flatMap(([name, member]) => [
    `${path}${name}`,
    ...(member.is === 'object' ? pathsOf(member.members, `${path}${name}.`) : []),
  ]);
}

const MEMBERS_AND_VALUES: ReadonlySet<string> = new Set<string>([
  ...pathsOf(EVENT_MEMBERS),
  ...pathsOf(FLAT_MEMBERS),
  ...Object.values(ENUMERATIONS).flat(),
]);

const ROUTES: ReadonlySet<string> = new Set(
  describedRoutes().map((route) => route.replaceAll(/:\w+|\*/g, '<>')),
);

function isFile(path: string): boolean {
  return !path.includes('..') && (statSync(join(ROOT, path), { throwIfNoEntry: false })?.isFile() ?? false);
}

/** Whether the program has such a command, and the command these options, by its own help. */
async function isCommand(name: string): Promise<boolean> {
  const [, command, ...options] = name.split(' ');
  const { code, out } = await runCli([command ?? '', '--help'], { cwd: ROOT });
  return (
    code === 0 &&
    out.startsWith(`  newel ${command}`) &&
    options.every((option) => out.split('\n').some((line) => line.trimStart().split(' ')[0] === option))
  );
}

async function exists(name: string, grounds: ReadonlySet<string>): Promise<boolean> {
  if (OURS.test(name)) return isFile(name);
  if (/^[A-Z]+ \//.test(name)) return ROUTES.has(name.replaceAll(/<\w+>/g, '<>'));
  if (name.startsWith('newel ')) return await isCommand(name);
  if (GROUND.test(name)) return grounds.has(name);
  return MEMBERS_AND_VALUES.has(name);
}

/** What is wrong with how a row is answered. */
function flawsOfAnswer({ metBy }: Row): string[] {
  const flaws: string[] = [];
  const [met = '', later, ...more] = metBy.startsWith('later: ')
    ? ['', metBy.slice('later: '.length)]
    : metBy.split('; later: ');
  const isPartly = met.startsWith('partly: ');
  if (more.length > 0) flaws.push('says later twice');
  if (met !== '' && isPartly !== (later !== undefined))
    flaws.push('says partly without later, or later without partly');
  if (later !== undefined && !GROUNDS_ONLY.test(later)) flaws.push('names no ground for later');
  if (met === '' && later === undefined) flaws.push('is neither met nor later');
  if (met !== '' && !namesIn(met).some((name) => TEST_FILE.test(name))) flaws.push('is shown by no test');
  if (met !== '' && namesIn(met).every((name) => TEST_FILE.test(name)))
    flaws.push('names nothing that meets it');
  if (namesIn(met).some((name) => GROUND.test(name))) flaws.push('has a ground for what is met');
  return flaws;
}

/** What is wrong with the page. */
async function flawsOf(page: string): Promise<string[]> {
  const flaws: string[] = [];
  const rows = rowsOf(page);
  const grounds = new Set([...page.matchAll(GROUND_ROW)].map((match) => match[1]!));
  const named = new Set(rows.flatMap(({ metBy }) => namesIn(metBy)));
  for (const [i, row] of rows.entries()) {
    const { no, requirement, from, metBy } = row;
    if (no !== `R-${String(i + 1).padStart(2, '0')}`) flaws.push(`row ${i + 1} is numbered ${no}`);
    if (!/^\S.{20,}$/.test(requirement)) flaws.push(`${no} asks for nothing`);
    if (!/^S\d\.\d+(?:, S\d\.\d+)*$/.test(from)) flaws.push(`${no} is from nowhere`);
    flaws.push(...flawsOfAnswer(row).map((flaw) => `${no} ${flaw}`));
    const names = [...namesIn(requirement), ...namesIn(metBy)];
    const isThere = await Promise.all(names.map((name) => exists(name, grounds)));
    flaws.push(
      ...names.filter((_, at) => !isThere[at]).map((name) => `${no} names ${name}, which is not there`),
    );
  }
  const from = rows.flatMap((row) => row.from.split(', '));
  for (const id of new Set([...IDS, ...from])) {
    const times = from.filter((other) => other === id).length;
    if (!IDS.includes(id)) flaws.push(`${id} is no statement`);
    else if (times !== 1) flaws.push(`${id} is behind ${times} rows`);
  }
  for (const ids of OVERLOOKED) {
    if (!rows.some((row) => row.from === ids)) flaws.push(`${ids} has no row of its own`);
  }
  for (const ground of grounds)
    if (!named.has(ground)) flaws.push(`nothing is to come on the ground ${ground}`);
  return flaws;
}

describe('spec/requirements.md', () => {
  test('answers every statement once, and names what is there', async () => {
    assert.deepEqual(await flawsOf(PAGE), []);
  });

  test('says every requirement once', () => {
    const requirements = rowsOf(PAGE).map(({ requirement }) => requirement);
    assert.ok(requirements.length > 0);
    assert.equal(new Set(requirements).size, requirements.length);
  });

  test('is right that no route changes or deletes', () => {
    const methods = new Set(
      Object.values(OPENAPI['paths'] ?? {}).flatMap((item) => Object.keys(item as object)),
    );
    assert.deepEqual([...methods].filter((method) => method !== 'parameters').sort(), ['get', 'post']);
  });

  test('links to pages that are there', () => {
    const links = [...PAGE.matchAll(/\]\(([^)]+)\)/g)].map((match) => match[1]!);
    assert.ok(links.length > 0);
    for (const link of links) assert.ok(isFile(`spec/${link}`), link);
  });
});

describe('the check of the page finds', () => {
  /** The page with the met-by cell of a row in place of its own. */
  const withAnswer = (no: string, answer: (metBy: string) => string): string => {
    const row = rowsOf(PAGE).find((one) => one.no === no)!;
    return PAGE.replace(row.metBy, () => answer(row.metBy));
  };
  const metRow = rowsOf(PAGE).find(({ metBy }) => !/^(?:partly|later): /.test(metBy))!.no;
  const partlyRow = rowsOf(PAGE).find(({ metBy }) => metBy.startsWith('partly: '))!.no;
  const laterRow = rowsOf(PAGE).find(({ metBy }) => metBy.startsWith('later: '))!.no;
  const swapped =
    (from: string, to: string): (() => string) =>
    () => {
      assert.ok(PAGE.includes(from), from);
      return PAGE.replace(from, () => to);
    };

  const wrong: readonly (readonly [what: string, page: () => string, flaw: RegExp])[] = [
    ['a number that is missing', swapped('| R-02', '| R-03'), /^row 2 is numbered R-03$/],
    ['a row that is missing', () => PAGE.replace(/^\| R-05.*\n/m, ''), /^S1\.2 is behind 0 rows$/],
    ['a statement twice', swapped('S0.15, S2.8', 'S0.15, S2.8, S0.15'), /^S0\.15 is behind 2 rows$/],
    ['a statement that nobody made', swapped('S0.15, S2.8', 'S0.15, S2.8, S5.1'), /^S5\.1 is no statement$/],
    ['an overlooked one among others', swapped('| S2.9 ', '| S2.9, S2.8 '), /^S2\.9 has no row of its own$/],
    [
      'a file',
      swapped('`test/core/tree.test.ts`', '`test/core/trees.test.ts`'),
      /trees\.test\.ts, which is not/,
    ],
    ['a folder', swapped('`spec/log.md`', '`spec/vectors`'), /names spec\/vectors, which is not there$/],
    [
      'a way out',
      swapped('`spec/log.md`', '`spec/../spec/log.md`'),
      /names spec\/\.\..*, which is not there$/,
    ],
    ['a member', swapped('`session.created_time`', '`session.create_time`'), /names session\.create_time, /],
    [
      'a route',
      swapped('`GET /v1/proofs/inclusion`', '`GET /v1/proofs/exclusion`'),
      /names GET .*exclusion, /,
    ],
    ['a method', swapped('`POST /v1/disclosures`', '`GET /v1/disclosures`'), /names GET \/v1\/disclosures, /],
    ['a command', swapped('`newel consistency`', '`newel consistence`'), /names newel consistence, /],
    [
      'an option',
      swapped('`newel erase --retention`', '`newel erase --retain`'),
      /names newel erase --retain, /,
    ],
    [
      'a ground',
      () => withAnswer(laterRow, () => 'later: `elsewhere/`'),
      /names elsewhere\/, which is not there$/,
    ],
    [
      'a ground without use',
      swapped('| `vault/`', '| `cellar/`'),
      /^nothing is to come on the ground cellar\/$/,
    ],
    ['no answer', () => withAnswer(metRow, () => '–'), / is shown by no test$/],
    ['nothing at all', () => withAnswer(laterRow, () => ''), / is neither met nor later$/],
    ['no ground', () => withAnswer(laterRow, () => 'later: some day'), / names no ground for later$/],
    [
      'half an answer',
      () => withAnswer(partlyRow, (text) => text.split('; later: ')[0]!),
      / says partly without /,
    ],
    ['no test', () => withAnswer(metRow, () => '`schema`'), / is shown by no test$/],
    [
      'a test alone',
      () => withAnswer(metRow, () => '`test/core/tree.test.ts`'),
      / names nothing that meets it$/,
    ],
  ];
  for (const [what, page, flaw] of wrong) {
    test(what, async () => {
      const changed = page();
      assert.notEqual(changed, PAGE);
      const flaws = await flawsOf(changed);
      assert.ok(
        flaws.some((one) => flaw.test(one)),
        `found ${JSON.stringify(flaws)}`,
      );
    });
  }
});
