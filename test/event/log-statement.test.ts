import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLogStatement, type LogStatement, parseLogStatement } from '../../src/event/log-statement.ts';
import { parseLeaf } from '../../src/event/leaf.ts';
import { fromHex, readCases, runCases, toHex } from '../formats/cases.ts';

runCases<{ leaf: string }>('log-statement/parse.json', ({ leaf }) => {
  const statement = parseLogStatement(fromHex(leaf));
  assert.equal(toHex(formatLogStatement(statement)), leaf);
  assert.deepEqual(parseLeaf(fromHex(leaf)), { version: 0, kind: 'init', statement });
  return statement;
});

test('what could not be read back is not written', () => {
  const [{ want }] = readCases('log-statement/parse.json') as unknown as [{ want: LogStatement }];
  const wrong: Partial<Record<keyof LogStatement, unknown>>[] = [
    { origin: '' },
    { statement_keys: [] },
    { statement_keys: ['short'] },
    { schemas: [] },
    { max_publish_delay: 0.5 },
    { max_publish_delay: -1 },
    { origin: '\ud800' },
  ];
  for (const change of wrong) {
    assert.throws(() => formatLogStatement({ ...want, ...change } as LogStatement), RangeError);
  }
});
