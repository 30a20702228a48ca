/**
 * The tables and the worked example of spec/event.md are what the code says. After a change of it:
 * UPDATE_SPEC=1 node --import tsx --test test/event/page.test.ts
 */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { format } from 'prettier';
import { ENUMERATIONS } from '../../src/event/enumerations.ts';
import { FLAT_MEMBERS, FLAT_METHODS, FLAT_RESULTS, FLAT_TYPES } from '../../src/event/flat.ts';
import { disclosureOf } from '../../src/event/json-schema.ts';
import { classOf, type Member, type Members } from '../../src/event/member.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { REQUIRED_BY_TYPE } from '../../src/event/rules.ts';
import type { SlotDisclosure } from '../../src/event/statement.ts';
import { ruleOf } from '../../src/event/wording.ts';
import { SUBJECT_FORMATS } from '../../src/event/subject-identifier.ts';
import { digestOf, encodeDisclosure } from '../../src/formats/sd-jwt.ts';
import { readCases } from '../formats/cases.ts';

const FILE = new URL('../../spec/event.md', import.meta.url);

interface StatementCase {
  readonly desc: string;
  readonly event: unknown;
  readonly open: unknown;
  readonly random: string;
  readonly want: {
    readonly payload: string;
    readonly disclosures: readonly SlotDisclosure[];
    readonly encodedPayload: string;
    readonly commitment: string;
    readonly leaf: string;
  };
}

type Rows = readonly (readonly string[])[];

function memberRows(members: Members, path = '', isTop = true): string[][] {
  return Object.entries(members).flatMap(([name, member]) => [
    [`\`${path}${name}\``, valueOf(member), classOf(member), disclosed(member, isTop, path), member.about],
    ...(member.is === 'object' ? memberRows(member.members, `${path}${name}.`, false) : []),
  ]);
}

function valueOf(member: Member): string {
  const rule = ruleOf(member).replace('must be ', '');
  const value =
    ('of' in member && typeof member.of === 'string') || member.is === 'list' ? listOf(member) : rule;
  return `${member.required ? 'required; ' : ''}${value}`;
}

function listOf(member: Member): string {
  if (member.is === 'choice') {
    const names = member.or === undefined ? [member.of] : [member.or, member.of];
    return `one of ${names.map((name) => `[${name}](#values)`).join(', ')}${member.nullable ? ', or null' : ''}`;
  }
  assert.ok(member.is === 'list');
  return `list: ${valueOf({ about: '', class: 'public', ...member.of })}`;
}

function disclosed(member: Member, isTop: boolean, path: string): string {
  const how = disclosureOf(member, isTop);
  if (how === 'own') return `own, slot ${member.slot}`;
  return how === 'open' ? 'open' : `with \`${path.slice(0, -1)}\``;
}

const TABLES: Record<string, { head: readonly string[]; rows: Rows }> = {
  members: {
    head: ['member', 'value', 'class', 'disclosed', 'is'],
    rows: memberRows(EVENT_MEMBERS),
  },
  values: {
    head: ['list', 'values'],
    rows: Object.entries(ENUMERATIONS).map(([name, values]) => [
      name,
      values.map((one) => `\`${one}\``).join(', '),
    ]),
  },
  flat: {
    head: ['member', 'value', 'class', 'is'],
    rows: Object.entries<Member>(FLAT_MEMBERS).map(([name, member]) => [
      `\`${name}\``,
      valueOf(member),
      classOf(member),
      member.about,
    ]),
  },
};

const [, , smallest] = readCases('statement/encode.json') as unknown as StatementCase[];
const [init] = readCases<{ leaf: string }>('log-statement/parse.json');

function example(): string {
  const { event, random, want } = smallest!;
  const bytes = Buffer.from(random, 'hex');
  const type = want.disclosures.find(({ slot }) => slot === 3)!;
  const encoded = encodeDisclosure(type.json);
  const decoy = bytes.subarray(800 + 32 * 2, 800 + 32 * 3);
  return `It is the vector “${smallest!.desc}” of \`vectors/statement/encode.json\`, which has the randomness too.

\`\`\`json
${JSON.stringify(event)}
\`\`\`

\`type\` is present and has slot 3; its salt are the bytes from 48 on.

\`\`\`
salt        ${bytes.subarray(48, 64).toString('hex')}
JSON        ${type.json}
disclosure  ${encoded}
digest      ${digestOf(encoded)}
\`\`\`

\`tenant\` is absent and has slot 2; its decoy are the bytes from 864 on.

\`\`\`
bytes       ${decoy.toString('hex')}
decoy       ${decoy.toString('base64url')}
\`\`\`

Four disclosures and 28 decoys, sorted, make the payload:

\`\`\`
${want.payload}
\`\`\`

Its base64url, after \`newel/event/v1\` and a newline, is hashed; the leaf is

\`\`\`
commitment  ${want.commitment}
leaf        ${want.leaf}
\`\`\`

And the leaf 0 of that log, the first vector of \`vectors/log-statement/parse.json\`:

\`\`\`
${init!.leaf}
\`\`\``;
}

function tableOf({ head, rows }: (typeof TABLES)[string]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function sectionOf(page: string, name: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  assert.ok(page.includes(begin) && page.includes(end), name);
  return page.slice(page.indexOf(begin) + begin.length, page.indexOf(end)).trim();
}

if (process.env['UPDATE_SPEC']) {
  let page = readFileSync(FILE, 'utf8');
  const sections = {
    ...Object.fromEntries(Object.entries(TABLES).map(([name, table]) => [name, tableOf(table)])),
    example: example(),
  };
  for (const [name, text] of Object.entries(sections)) {
    page = page.replace(
      new RegExp(`<!-- ${name} -->.*<!-- /${name} -->`, 's'),
      () => `<!-- ${name} -->\n\n${text}\n\n<!-- /${name} -->`,
    );
  }
  const options = { parser: 'markdown', printWidth: 110, singleQuote: true, proseWrap: 'preserve' } as const;
  writeFileSync(FILE, await format(page, options));
}

const page = readFileSync(FILE, 'utf8');

for (const [name, { head, rows }] of Object.entries(TABLES)) {
  test(`the table of ${name} is what the code says`, () => {
    const lines = sectionOf(page, name).split('\n');
    const cells = lines.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    assert.deepEqual([cells[0], ...cells.slice(2)], [head, ...rows]);
  });
}

test('the worked example is the vector', () => {
  const collapse = (text: string): string => text.replace(/\s+/g, '');
  assert.equal(collapse(sectionOf(page, 'example')), collapse(example()));
});

test('the page names what there is: rules by type, formats, the mapping of the flat profile', () => {
  const cells = new Map(
    [...page.matchAll(/^\| (.+?) +\| (.+?) +\|$/gm)].map(([, first, second]) => [first!, second!]),
  );
  for (const [type, paths] of Object.entries(REQUIRED_BY_TYPE)) {
    const isStepUp = type.startsWith('stepup.');
    const own = paths.filter((path: string) => !(isStepUp && (path === 'subject' || path === 'txn')));
    for (const path of own) assert.ok(cells.get(`\`${type}\``)?.includes(`\`${path}\``), `${type}: ${path}`);
  }
  for (const format of Object.keys(SUBJECT_FORMATS)) assert.ok(cells.has(`\`${format}\``), format);
  for (const name of Object.keys(FLAT_MEMBERS)) assert.ok(cells.has(`\`${name}\``), name);
  for (const [short, type] of Object.entries(FLAT_TYPES))
    assert.ok(cells.get(`\`${short}\``)?.includes(type), short);
  for (const status of Object.keys(FLAT_RESULTS)) {
    assert.ok(
      [...cells.keys()].some((cell) => cell.includes(`\`${status}\``)),
      status,
    );
  }
  for (const [short, method] of Object.entries(FLAT_METHODS)) {
    assert.match(page, new RegExp(`\`${short}\`[^.;]*→ \`${method}\``));
  }
});
