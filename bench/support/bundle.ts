/** What a browser would load: one file, bundled and minified. */

import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';

const PROJECT: string = fileURLToPath(new URL('../../', import.meta.url));

export interface Bundle {
  readonly text: string;
  /** Bytes of the bundle that each file makes, the largest first; paths from the project's folder. */
  readonly parts: readonly (readonly [path: string, bytes: number])[];
}

export interface BundleOptions {
  readonly format?: 'esm' | 'iife';
  readonly minify?: boolean;
  /** Of the variable that an `iife` gives what it exports to. */
  readonly globalName?: string;
}

/** Bundles a file of the project, or a module that is given as text and imports from the project's folder. */
export async function bundle(
  source: string | { readonly file: string },
  { format = 'esm', minify = true, globalName = '' }: BundleOptions = {},
): Promise<Bundle> {
  const result = await build({
    absWorkingDir: PROJECT,
    ...(typeof source === 'string'
      ? { stdin: { contents: source, resolveDir: PROJECT, loader: 'ts' } }
      : { entryPoints: [source.file] }),
    bundle: true,
    minify,
    ...(globalName !== '' && { globalName }),
    format,
    target: 'es2022',
    write: false,
    metafile: true,
    logLevel: 'silent',
  });
  const [output] = Object.values(result.metafile.outputs);
  const parts = Object.entries(output!.inputs)
    .map(([path, { bytesInOutput }]) => [path, bytesInOutput] as const)
    .toSorted(([, a], [, b]) => b - a);
  return { text: result.outputFiles[0]!.text, parts };
}

/** What somebody writes who only verifies. */
export const VERIFIER = `export { parseTrust, verifyReceipt } from './src/client/index.ts';`;
/** Bytes, compressed, that the verifier should not exceed. */
export const VERIFIER_TARGET_BYTES = 20_000;
