import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readVectors } from '../support/vectors.ts';

const files = readVectors('spec', '.').files();

test('every file of vectors is described in spec/vectors/README.md', () => {
  const page = files.find(({ name }) => name === 'README.md');
  const text = Buffer.from(page!.bytes).toString('utf8');
  const described = [...text.matchAll(/`([a-z0-9-]+\/[a-z0-9-]+\.json)`/g)].map(([, name]) => name!);
  const present = files.filter(({ name }) => name !== 'README.md').map(({ name }) => name);
  assert.deepEqual([...new Set(described)].sort(), present.sort());
});

test('every file of vectors is run by a test, and its cases have names of their own', () => {
  const folder = new URL('../', import.meta.url);
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))
    .join('\n');
  for (const file of files) {
    if (!file.name.endsWith('.json')) continue;
    const topic = file.name.slice(0, file.name.lastIndexOf('/'));
    assert.ok(
      tests.includes(`'${file.name}'`) || tests.includes(`'${topic}'`),
      `${file.name} is run by no test`,
    );
    const cases = file.json() as { desc: string }[];
    assert.equal(new Set(cases.map(({ desc }) => desc)).size, cases.length, `${file.name} has a desc twice`);
  }
});
