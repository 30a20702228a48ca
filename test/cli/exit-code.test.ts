import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXIT, exitCodeOf } from '../../src/cli/exit-code.ts';
import { type ErrorCode, NewelError } from '../../src/errors.ts';

test('what may be tried again is not told as if something were false', () => {
  const cases: readonly (readonly [ErrorCode, number])[] = [
    ['usage', EXIT.usage],
    ['unreachable', EXIT.unreadable],
    ['malformed', EXIT.unreadable],
    ['too_large', EXIT.unreadable],
    ['not_ready', EXIT.unreadable],
    ['queue_full', EXIT.unreadable],
    ['rate_limited', EXIT.unreadable],
    ['level_not_met', EXIT.below],
    ['root_mismatch', EXIT.refused],
    ['log_refused', EXIT.refused],
    ['forbidden', EXIT.refused],
  ];
  for (const [code, exit] of cases) assert.equal(exitCodeOf(new NewelError(code, '')), exit, code);
  assert.equal(exitCodeOf(new Error('x')), EXIT.refused);
});
