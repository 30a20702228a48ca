/**
 * The script that verifies receipts in the landing page: `client/page.ts`, bundled when the package is built. Nothing is
 * bundled while the server runs.
 */

import { readFileSync } from 'node:fs';

const PATH = new URL('../client/page.min.js', import.meta.url);

/** The script, beside the built server; `undefined` where that runs from its sources. */
export function readVerifierScript(): string | undefined {
  try {
    return readFileSync(PATH, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
