import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepts } from '../../src/http/accept.ts';

const CASES: [accept: string | undefined, accepted: boolean][] = [
  [undefined, true],
  ['', true],
  ['*/*', true],
  ['application/json', true],
  ['APPLICATION/JSON', true],
  ['application/*', true],
  ['application/json; charset=utf-8', true],
  ['application/json;q=0.001', true],
  ['text/html, application/json;q=0.5', true],
  ['text/html, */*;q=0.1', true],
  [' text/html ,\tapplication/json ', true],
  ['text/html', false],
  ['text/*', false],
  ['application/problem+json', false],
  ['application/json;q=0', false],
  ['application/json;q=0.000', false],
  ['*/*;q=0', false],
  // The most specific range decides, in whatever order.
  ['application/json;q=0, */*', false],
  ['*/*, application/json;q=0', false],
  ['*/*;q=0, application/json', true],
  ['application/*;q=0, application/json;q=0.1', true],
  ['*/*;q=1, application/*;q=0', false],
  // Of two that are equally specific, the better one.
  ['application/json;q=0, application/json', true],
  // A header that cannot be read excludes nothing.
  ['json', true],
  ['text/html, json', true],
  ['text/html,,', false],
];

for (const [accept, accepted] of CASES) {
  test(`Accept: ${accept ?? '(none)'}`, () => {
    assert.equal(accepts(accept, 'application/json'), accepted);
  });
}
