/** What a browser loads to verify a receipt: how large it is, and what makes it so. */

import { brotliCompressSync, gzipSync } from 'node:zlib';
import { bundle, VERIFIER, VERIFIER_TARGET_BYTES } from './support/bundle.ts';
import { grouped, say, table } from './support/report.ts';

const CONTENDERS: readonly [what: string, source: Parameters<typeof bundle>[0]][] = [
  ['verifyReceipt, parseTrust', VERIFIER],
  [
    'Newel, verifyReceipt, parseTrust',
    `export { Newel, parseTrust, verifyReceipt } from './src/client/index.ts';`,
  ],
  ['the box on the landing page', { file: 'src/client/page.ts' }],
  ['the page of an evidence pack', { file: 'src/client/pack-page.ts' }],
  ['all of the package root', `export * from './src/client/index.ts';`],
];
const SHOWN_PARTS = 10;

export async function size(): Promise<boolean> {
  const rows: string[][] = [['', 'raw', 'minified', 'gzip', 'brotli']];
  for (const [what, source] of CONTENDERS) {
    const [{ text: raw }, { text }] = [await bundle(source, { minify: false }), await bundle(source)];
    const compressed = [gzipSync(text, { level: 9 }), brotliCompressSync(text)];
    rows.push([what, ...[raw, text, ...compressed].map(({ length }) => grouped(length))]);
  }
  table(rows);

  const { text, parts } = await bundle(VERIFIER);
  say('\nverifyReceipt, parseTrust: bytes of the minified bundle by file');
  table(parts.slice(0, SHOWN_PARTS).map(([path, bytes]) => [path, grouped(bytes)]));
  const gzip = gzipSync(text, { level: 9 }).length;
  const isMet = gzip <= VERIFIER_TARGET_BYTES;
  say(
    `target ${grouped(VERIFIER_TARGET_BYTES)} bytes compressed with gzip: ${isMet ? 'met' : 'NOT met'}, ` +
      `ratio ${(gzip / VERIFIER_TARGET_BYTES).toFixed(3)}`,
  );
  return true;
}
