/**
 * `verify.html` of an evidence pack: the verifier (`client/pack-page.ts`) and the pack in one file, which asks nobody for
 * anything and is kept by its own policy from doing so.
 */

import { readFileSync } from 'node:fs';
import { html } from 'hono/html';
import { hasCode } from '../access/durable-file.ts';
import { type EvidenceSummary, orderSummary } from '../client/evidence-manifest.ts';
import { NewelError } from '../errors.ts';
import { dataElement, formatPage, pageScript } from '../http/page.ts';

/** Beside the built program; for one that runs from its sources, what was built of them last. */
const SCRIPTS = ['../client/pack-page.min.js', '../../dist/client/pack-page.min.js'].map(
  (path) => new URL(path, import.meta.url),
);

/** The script of the page, bundled when the package is built. Throws `usage` where it was not. */
export function readPackScript(): string {
  for (const path of SCRIPTS) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  throw new NewelError(
    'usage',
    'this newel has not been built, and has no page to put into a pack: npm run build',
  );
}

/** The page of a pack: `files` are those that it verifies, as texts. */
export function formatEvidencePage(
  summary: EvidenceSummary,
  files: ReadonlyMap<string, string>,
  script: string,
): Promise<string> {
  const body = html`
    <p>
      Some events of the transparency log <b>${summary.origin}</b>, shown in part to
      <b>${summary.audience}</b>. This page has them in it and verifies them here: it sends nothing and asks
      for nothing, and works without a network.
    </p>
    <noscript>This needs JavaScript. <code>newel verify</code> does the same.</noscript>
    <div id="verifier" hidden>
      <h2>What was found</h2>
      <div class="card" id="verdict" role="status" aria-live="polite"></div>
      <h2>Whose word this takes</h2>
      <div class="card">
        <p id="trust-state" role="status"></p>
        <p>
          <label for="trust-file">Use a trust file of your own (log.json)</label>
          <input type="file" id="trust-file" accept=".json,application/json" />
        </p>
        <p class="soft">
          A page can say anything. If you do not trust whoever made this pack, open the page of a pack that
          you trust, or run <code>newel verify</code> from a source of your own.
        </p>
      </div>
      <h2>Events</h2>
      <div class="card" id="events"></div>
      <p class="soft">Receipts that are dropped on this page are verified under the same keys.</p>
      <div id="receipts" role="status" aria-live="polite"></div>
    </div>
    ${dataElement('pack', { manifest: orderSummary(summary), files: Object.fromEntries(files) })}
  `;
  return formatPage('Evidence pack', body, pageScript(script));
}
