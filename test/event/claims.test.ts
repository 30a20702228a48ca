/**
 * Claims by name. The tables of spec/disclosure.md are what the code says. After a change of it:
 * UPDATE_SPEC=1 node --import tsx --test test/event/claims.test.ts
 */

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { format } from 'prettier';
import {
  chooseClaims,
  CLAIM_PATHS,
  type ClaimChoice,
  MAX_CHOSEN,
  OPEN_CLAIMS,
  PRESETS,
  travelsAlong,
} from '../../src/event/claims.ts';
import { disclosureOf } from '../../src/event/json-schema.ts';
import type { Members } from '../../src/event/member.ts';
import { EVENT_MEMBERS } from '../../src/event/members.ts';
import { SLOT_COUNT } from '../../src/event/slots.ts';
import { NewelError } from '../../src/errors.ts';
import { runCases } from '../formats/cases.ts';

const FILE = new URL('../../spec/disclosure.md', import.meta.url);

const code = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

const TABLES: Readonly<Record<string, readonly (readonly string[])[]>> = {
  presets: [
    ['preset', 'claims'],
    ...Object.entries(PRESETS).map(([name, { claims, without }]) => [
      `\`${name}\``,
      without.length === 0 ? code(claims) : `${code(claims)} without ${code(without)}`,
    ]),
  ],
  along: [
    ['with', 'travel along'],
    ...CLAIM_PATHS.flatMap((path) => {
      const along = travelsAlong([path]);
      return along.length === 0 ? [] : [[`\`${path}\``, code(along)]];
    }),
  ],
};

if (process.env['UPDATE_SPEC']) {
  let page = readFileSync(FILE, 'utf8');
  for (const [name, [head = [], ...rows]] of Object.entries(TABLES)) {
    const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
    page = page.replace(
      new RegExp(`<!-- ${name} -->.*<!-- /${name} -->`, 's'),
      () => `<!-- ${name} -->\n\n${lines.join('\n')}\n\n<!-- /${name} -->`,
    );
  }
  const options = { parser: 'markdown', printWidth: 110, singleQuote: true, proseWrap: 'preserve' } as const;
  writeFileSync(FILE, await format(page, options));
}

describe('spec/disclosure.md', () => {
  const page = readFileSync(FILE, 'utf8');
  for (const [name, rows] of Object.entries(TABLES)) {
    test(`has the table of ${name}`, () => {
      const section = page.split(`<!-- ${name} -->`)[1]!.split(`<!-- /${name} -->`)[0]!;
      const cells = section
        .trim()
        .split('\n')
        .map((line) =>
          line
            .split('|')
            .slice(1, -1)
            .map((cell) => cell.trim()),
        );
      assert.deepEqual([cells[0], ...cells.slice(2)], rows);
    });
  }

  test('names what is open in every statement', () => {
    const [, sentence = ''] = /are \*\*open\*\*, whatever is chosen: (.+?) where the submitter/s.exec(page)!;
    assert.deepEqual(
      [...sentence.matchAll(/`([a-z]+)`/g)].map(([, name]) => name),
      OPEN_CLAIMS,
    );
  });
});

runCases<ClaimChoice>('presentation/claims.json', (choice) => {
  const { claims, travelsAlong: along } = chooseClaims(choice);
  return { claims, travels_along: along };
});

/** Every member of an event by path, and how it is disclosed; made without the code under test. */
function membersOf(members: Members, prefix = ''): [path: string, isOwn: boolean][] {
  return Object.entries(members).flatMap(([name, member]) => {
    const path = `${prefix}${name}`;
    const inner = member.is === 'object' ? membersOf(member.members, `${path}.`) : [];
    return [[path, disclosureOf(member, prefix === '') === 'own'] as [string, boolean], ...inner];
  });
}

describe('claims', () => {
  test('are the disclosures of the schema', () => {
    const own = membersOf(EVENT_MEMBERS).flatMap(([path, isOwn]) => (isOwn ? [path] : []));
    assert.deepEqual([...CLAIM_PATHS].sort(), own.sort());
    assert.equal(CLAIM_PATHS.length, SLOT_COUNT);
  });

  test('each names exactly itself and what is around it', () => {
    for (const path of CLAIM_PATHS) {
      const names = path.split('.');
      const around = names.map((_, i) => names.slice(0, i + 1).join('.'));
      const chosen = chooseClaims({ claims: [path] });
      assert.deepEqual(chosen.claims, around.toSorted());
      for (const other of CLAIM_PATHS) assert.equal(chosen.isShown(other.split('.')), around.includes(other));
      assert.deepEqual(chosen.open, OPEN_CLAIMS);
    }
  });

  test('all of them bring every member there is but those that are open', () => {
    const { claims, travelsAlong: along } = chooseClaims({ claims: ['*'] });
    const leaves = membersOf(EVENT_MEMBERS).map(([path]) => path);
    const isOpen = (path: string): boolean => path === 'schema' || path === 'holder';
    assert.deepEqual([...claims, ...along].sort(), leaves.filter((path) => !isOpen(path)).sort());
  });

  test('what identifies somebody travels along with nothing of the preset auditor', () => {
    const { claims, travelsAlong: along } = chooseClaims({ preset: 'auditor' });
    for (const path of [...claims, ...along]) {
      assert.doesNotMatch(
        path,
        /^(src|device|subject|session|http_request|txn|id|source|tenant|ext|labels)\b/,
      );
      assert.ok(
        !['action.id', 'action.resource', 'authentication.evidence_hash', 'challenge.id'].includes(path),
      );
    }
  });

  test('a path that is none is not repeated; one of the schema is, with what it travels in', () => {
    const canary = 'canary-8f3a5c17e9b24d60';
    assert.throws(
      () => chooseClaims({ claims: ['type', canary] }),
      (error) =>
        error instanceof NewelError && !error.message.includes(canary) && /place 1/.test(error.message),
    );
    assert.throws(
      () => chooseClaims({ preset: canary }),
      (error) => error instanceof NewelError && !error.message.includes(canary),
    );
    assert.throws(() => chooseClaims({ claims: ['trigger.reason'] }), /travels in trigger$/);
    assert.throws(() => chooseClaims({ claims: Array(MAX_CHOSEN + 1).fill('type') as string[] }), {
      code: 'malformed',
    });
    for (const name of ['constructor', '__proto__', 'toString']) {
      assert.throws(() => chooseClaims({ preset: name }), { code: 'malformed' });
      assert.throws(() => chooseClaims({ claims: [name] }), { code: 'malformed' });
    }
  });
});
