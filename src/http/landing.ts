/** `GET /`: the log for people. Which log it is, by which keys, how far it has come, and how to check that. */

import type { Context, Hono } from 'hono';
import { html } from 'hono/html';
import { formatBase64 } from '../formats/base64.ts';
import { ownHeadsOf } from './heads.ts';
import { dataElement, type Html, type PageScript, pageScript, respondPage } from './page.ts';
import { formatTime } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { trustFileOf } from './trust.ts';
import { readVerifierScript } from './verifier-script.ts';

export function addLandingRoute(app: Hono, site: Site): void {
  const text = site.statements && (site.verifierScript ?? readVerifierScript());
  const script = text === undefined ? undefined : pageScript(text);
  addRoute(app, site, '/', (c) => showLanding(c, site, script));
}

const KIND_WORDS = {
  opaque: 'A transparency log of opaque entries.',
  events: 'A transparency log of step-up authentication events.',
} as const;

function showLanding(c: Context, site: Site, script: PageScript | undefined): Promise<Response> {
  const { log, url, vkeys, software, now } = site;
  const { origin, kind } = log.identity;
  const { size, root, timeMs } = log.published;
  const body = html`
    <p>${KIND_WORDS[kind]} Append-only: what is in it can be proven, and cannot be taken out unnoticed.</p>
    <h2>Newest checkpoint</h2>
    <dl class="card">
      <dt>Leaves</dt>
      <dd>${new Intl.NumberFormat('en').format(size)}</dd>
      <dt>Root</dt>
      <dd><code>${formatBase64(root)}</code></dd>
      <dt>Published</dt>
      <dd>
        <time datetime="${formatTime(timeMs)}">${ageInWords(now() - timeMs)}</time>
        <span class="soft">(${formatTime(timeMs)})</span>
      </dd>
      <dt>Witnessed</dt>
      <dd>${witnessedWords(site)}</dd>
    </dl>
    <h2>${vkeys.length === 1 ? 'Key' : 'Keys'}</h2>
    ${vkeys.map(keyBox)} ${script ? verifierBox(site) : ''}
    <h2>Read</h2>
    <ul class="card">
      ${LINKS.map(([path, what]) => link(path, what))} ${size > 0 ? leafLinks(size) : ''}
    </ul>
    <h2>Follow</h2>
    <p>Keep what you pin, then compare: a later checkpoint must extend an earlier one.</p>
    <pre>
curl -fs ${url}/v1/log > log.json
newel head --url ${url}
newel fsck --url ${url}</pre>
    <p>
      Any client of <a href="https://c2sp.org/tlog-tiles" rel="noreferrer">C2SP tlog-tiles</a> reads this log:
      <code>/checkpoint</code>, <code>/tile/&lt;L&gt;/&lt;N&gt;</code>, <code>/tile/entries/&lt;N&gt;</code>.
    </p>
    <footer>${software.name} ${software.version}</footer>
  `;
  return respondPage(c, origin, body, script);
}

/** Who has cosigned what, and how lately. */
function witnessedWords(site: Site): Html {
  const heads = ownHeadsOf(site);
  if (heads.policy.quorum === 'none') return html`by nobody: the policy names no witnesses`;
  const newest = site.log.publication('fast');
  if (!newest) return html`not yet`;
  const names = heads
    .open(newest.checkpoint)
    .signatures.filter(({ name }) => name !== site.log.identity.origin)
    .map(({ name }) => name);
  return html`
    ${new Intl.NumberFormat('en').format(newest.size)} leaves, by ${[...new Set(names)].join(', ')},
    <time datetime="${formatTime(newest.timeMs)}">${ageInWords(site.now() - newest.timeMs)}</time>
  `;
}

/** Characters of a key that are shown at once: a post-quantum one has some 1,800. */
const SHOWN_KEY_CHARS = 400;

function keyBox(vkey: string): Html {
  if (vkey.length <= SHOWN_KEY_CHARS) return html`<pre>${vkey}</pre>`;
  const [name = '', keyId = ''] = vkey.split('+');
  return html`<details>
    <summary><code>${name}+${keyId}</code>, ML-DSA-44</summary>
    <pre>${vkey}</pre>
  </details>`;
}

/** Where `client/page.ts` works. It is shown when that runs. */
function verifierBox(site: Site): Html {
  return html`
    <h2>Verify a receipt</h2>
    <noscript>This needs JavaScript. <code>newel verify</code> does the same.</noscript>
    <div class="card" id="verifier" hidden>
      <p>
        Drop a receipt anywhere on this page. It is verified here, in the page: nothing is sent, and a copy of
        this page on your disk does the same.
      </p>
      <p>
        <label for="receipt-file">Choose a receipt</label>
        <input type="file" id="receipt-file" accept=".json,application/json" multiple />
      </p>
      <p>
        <label for="receipt-text">or paste it</label>
        <textarea id="receipt-text" rows="3" spellcheck="false" autocomplete="off"></textarea>
      </p>
      <p id="trust-state" role="status"></p>
      <details>
        <summary>Whose word this takes</summary>
        <p>
          A server that lies can hand out keys to match. To pin means to save
          <a href="./v1/log"><code>/v1/log</code></a> once, to compare it with what the operator has published
          elsewhere, and to believe that file from then on, whatever a server says later.
        </p>
        <p>
          <label for="trust-file">Use a trust file of your own</label>
          <input type="file" id="trust-file" accept=".json,application/json" />
        </p>
      </details>
      <div id="verdict" role="status" aria-live="polite"></div>
    </div>
    ${dataElement('trust', trustFileOf(site))}
  `;
}

const LINKS = [
  ['/checkpoint', 'the newest published tree head, signed'],
  ['/v1/log', 'origin, keys, policy and limits: the one thing to pin'],
  ['/v1/tree-head', 'the heads as JSON'],
  ['/v1/leaves?limit=10', 'leaves with their entries'],
] as const;

function leafLinks(size: number): Html {
  const last = `/v1/leaves/${size - 1}`;
  return html`${link(last, 'the newest leaf, with its audit path')}
  ${link(`${last}/proof`, 'its proof, to be kept and checked offline')}`;
}

function link(path: string, what: string): Html {
  // Relative, so that it holds behind a proxy that serves this under a prefix.
  return html`<li>
    <a href=".${path}"><code>${path}</code></a> <span class="soft">${what}</span>
  </li>`;
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const;

/** An age in its largest whole unit: "3 minutes ago". */
export function ageInWords(ageMs: number): string {
  const [name, unitMs] = UNITS.find(([, ms]) => ageMs >= ms) ?? ['second', 1000];
  const count = Math.floor(ageMs / unitMs);
  if (count <= 0) return 'just now';
  return `${count} ${name}${count === 1 ? '' : 's'} ago`;
}
