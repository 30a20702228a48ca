import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { bundle, VERIFIER, VERIFIER_TARGET_BYTES } from '../../bench/support/bundle.ts';

test('what a browser loads to verify a receipt is small, and only what it needs', async (t) => {
  const { text, parts } = await bundle(VERIFIER);
  const bytes = gzipSync(text, { level: 9 }).length;
  t.diagnostic(`${text.length} bytes minified, ${bytes} compressed`);
  assert.ok(bytes <= VERIFIER_TARGET_BYTES, `${bytes} bytes`);
  assert.ok(bytes > VERIFIER_TARGET_BYTES / 4, 'the verifier is in it');
  const foreign = parts.filter(([path, used]) => used > 0 && !/^(src\/|node_modules\/@noble\/)/.test(path));
  assert.deepEqual(foreign, [['<stdin>', 0]].slice(1));
});

test('a submitter’s bundle has no schema library and nothing of Node in it', async () => {
  const { text, parts } = await bundle(`export * from './src/client/index.ts';`);
  assert.ok(parts.every(([path]) => !path.includes('valibot') && !path.startsWith('node:')));
  assert.ok(!text.includes('require('));
});
