import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { strToU8, zipSync } from 'fflate';
import { formatZip, isZip, parseZip, type ZipLimits } from '../../src/cli/zip-file.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { hasCode } from '../formats/cases.ts';
import { tempFolder } from '../support/temp-folder.ts';

const LIMITS: ZipLimits = { maxFiles: 4, isName: (name) => /^[a-z]+(\/[a-z]+)?$/.test(name) };
const FILES = new Map([
  ['b', encodeUtf8('hello')],
  ['a/x', new Uint8Array(0)],
  ['c', encodeUtf8('PK\u0001\u0002 a header that is none')],
]);
const STORED = { level: 0, mtime: new Date(1980, 0, 1) } as const;

describe('a zip', () => {
  test('is read back, and is the same whatever the order and the time zone', () => {
    const zip = formatZip(FILES);
    assert.ok(isZip(zip));
    assert.deepEqual(
      [...parseZip(zip, LIMITS)].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]),
      [...FILES]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, bytes]) => [name, Buffer.from(bytes).toString()]),
    );
    assert.deepEqual(formatZip(new Map([...FILES].toReversed())), zip);
    const script = `import('${new URL('../../src/cli/zip-file.ts', import.meta.url).href}').then(({ formatZip }) =>
      process.stdout.write(Buffer.from(formatZip(new Map([['b', Buffer.from('hello')]]))).toString('hex')))`;
    const hexIn = (TZ: string): string =>
      execFileSync(process.execPath, ['--import', 'tsx', '-e', script], {
        env: { ...process.env, TZ },
        encoding: 'utf8',
      });
    assert.equal(hexIn('Pacific/Auckland'), hexIn('America/Los_Angeles'));
  });

  test('any bit of it changed is refused', () => {
    const zip = formatZip(FILES);
    for (let i = 0; i < 8 * zip.length; i++) {
      const changed = zip.slice();
      changed[i >> 3]! ^= 1 << (i & 7);
      assert.throws(() => parseZip(changed, LIMITS), { name: 'NewelError' }, `bit ${i}`);
    }
    for (let length = 0; length < zip.length; length++) {
      assert.throws(() => parseZip(zip.subarray(0, length), LIMITS), { name: 'NewelError' });
    }
    assert.throws(() => parseZip(Buffer.concat([zip, Buffer.of(0)]), LIMITS), hasCode('malformed'));
    assert.throws(() => parseZip(Buffer.concat([Buffer.of(0), zip]), LIMITS), hasCode('malformed'));
  });

  const names = ['../x', '/x', 'a/../x', 'a\\x', 'C:x', '.', '__proto__', 'constructor.', ''];
  for (const name of names) {
    test(`with a file called ${JSON.stringify(name)} is refused`, () => {
      const zip = zipSync(Object.fromEntries([['placeholder', strToU8('x')]]), STORED);
      // The name is written into both headers by hand: no writer of zips would make some of them.
      const hostile = Buffer.from(
        Buffer.from(zip).toString('latin1').replaceAll('placeholder', name.padEnd(11, '/')),
        'latin1',
      );
      assert.throws(() => parseZip(hostile, LIMITS), hasCode('malformed'));
    });
  }

  test('that is packed, has another time, or too many files is refused before anything is unpacked', () => {
    const bomb = zipSync({ a: new Uint8Array(10_000_000) }, { level: 9 });
    assert.ok(bomb.length < 20_000);
    assert.throws(() => parseZip(bomb, LIMITS), hasCode('malformed'));
    assert.throws(() => parseZip(zipSync({ a: strToU8('x') }, { level: 0 }), LIMITS), hasCode('malformed'));
    const many = zipSync(Object.fromEntries(Array.from('abcde', (name) => [name, strToU8('x')])), STORED);
    assert.throws(() => parseZip(many, LIMITS), hasCode('too_large'));
  });

  test('whose files lie over one another is refused before they are copied', () => {
    const zip = Buffer.from(zipSync({ a: new Uint8Array(5000), b: new Uint8Array(5000) }, STORED));
    // The second central header points at the first file, and claims all that there is.
    const central = zip.lastIndexOf(Buffer.from('PK\x01\x02', 'latin1'));
    zip.writeUInt32LE(0, central + 42);
    for (const at of [central + 20, central + 24]) zip.writeUInt32LE(10_000, at);
    assert.throws(() => parseZip(zip, LIMITS), /lie over one another/);
  });

  test('with a name twice is refused', () => {
    const zip = Buffer.from(zipSync({ aa: strToU8('x'), bb: strToU8('y') }, STORED));
    const twice = Buffer.from(zip.toString('latin1').replaceAll('bb', 'aa'), 'latin1');
    assert.throws(() => parseZip(twice, LIMITS), hasCode('malformed'));
  });

  test('is taken by another program', async (t) => {
    try {
      execFileSync('unzip', ['-v'], { stdio: 'ignore' });
    } catch (error) {
      if (process.env['CI']) throw error;
      return t.skip('there is no unzip');
    }
    const path = join(await tempFolder(t), 'x.zip');
    await writeFile(path, formatZip(FILES));
    assert.equal(execFileSync('unzip', ['-p', path, 'b'], { encoding: 'utf8' }), 'hello');
    assert.match(execFileSync('unzip', ['-t', path], { encoding: 'utf8' }), /No errors detected/);
  });
});
