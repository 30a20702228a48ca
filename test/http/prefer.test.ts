import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parsePrefer } from '../../src/http/prefer.ts';
import { spentCpuMs } from '../support/spent-cpu.ts';

describe('parsePrefer', () => {
  const READ: [header: string | undefined, preferences: Record<string, string>][] = [
    [undefined, {}],
    ['', {}],
    [' , ,', {}],
    ['return=minimal', { return: 'minimal' }],
    ['Return = "Minimal"', { return: 'minimal' }],
    ['wait=2, return=minimal', { wait: '2', return: 'minimal' }],
    ['return=minimal; a; b="c, d";;e = f , wait=2', { return: 'minimal', wait: '2' }],
    [',, return=minimal ,', { return: 'minimal' }],
    ['respond-async', { 'respond-async': '' }],
    ['a=""', { a: '' }],
    // RFC 7240 §2: of two, the first.
    ['return=representation, return=minimal', { return: 'representation' }],
    // A parameter is no preference.
    ['priority=1; return=minimal', { priority: '1' }],
    [String.raw`a="x \", return=minimal", wait=1`, { a: 'x ", return=minimal', wait: '1' }],
  ];
  for (const [header, preferences] of READ) {
    test(`reads ${header}`, () => assert.deepEqual(Object.fromEntries(parsePrefer(header)), preferences));
  }

  const UNREADABLE = [
    'return minimal',
    'return=minimal wait=2',
    '=minimal',
    'return=',
    'return==minimal',
    '"return"=minimal',
    'return="minimal',
    'return=mini/mal',
    'return=minimal; =',
    'return=minimal\u0000',
    'return=minimäl',
  ];
  for (const header of UNREADABLE) {
    test(`asks for nothing with ${JSON.stringify(header)}`, () => {
      assert.equal(parsePrefer(header).size, 0);
      assert.equal(parsePrefer(`return=minimal, ${header}`).size, 0, 'nor does what stands before it count');
    });
  }

  test('reads any header, in time that grows with its length', () => {
    const piece = fc.constantFrom(' ', '\t', ',', ';', '=', '"', '\\', 'a', 'return', 'minimal', 'é');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const [name, value] of parsePrefer(pieces.join(''))) {
          assert.match(name, /^[a-z]+$/);
          assert.equal(value, value.toLowerCase());
        }
      }),
    );
    const ms = spentCpuMs(() => {
      for (const unit of ['a;', ' ', 'a ', '; ', '\\"', 'a=" ', ', ', 'a= ']) {
        parsePrefer(unit.repeat(8000));
        parsePrefer(`a="${unit.repeat(8000)}`);
      }
    });
    assert.ok(ms < 1000, `${ms} ms`);
  });
});
