/** The frame of the few HTML pages: one style sheet inside, nothing from outside, and a policy that says so. */

import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { html, raw } from 'hono/html';
import { CACHE, type Init, initOf, respond } from './respond.ts';

/** What `html` makes; a promise only where a promise was put into it. */
export type Html = ReturnType<typeof html>;

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --ground: #fbfbf9; --card: #fff; --mark: #0b6e5f; --bad: #b3261e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #98a3b3; --line: #2b333f; --ground: #12161c; --card: #181e26; --mark: #5fd0bb; --bad: #ff8a80 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2.5rem 1.25rem 4rem; max-width: 46rem; background: var(--ground); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", sans-serif }
header { display: flex; gap: 1rem; align-items: center; margin-bottom: 2rem }
header svg { flex: none; width: 2.75rem; height: 2.75rem; color: var(--mark) }
h1 { margin: 0; font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere }
h2 { margin: 2.25rem 0 .6rem; font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; color: var(--soft) }
p { margin: .7rem 0 }
a { color: var(--mark); text-underline-offset: .15em }
.soft { color: var(--soft) }
.card { padding: .9rem 1.1rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--card) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: 0 }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
code, pre { font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere }
pre { margin: .7rem 0; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: .6rem; background: var(--card);
  overflow-x: auto; white-space: pre-wrap }
ul { margin: 0; padding: 0; list-style: none }
li { padding: .35rem 0; border-top: 1px solid var(--line) }
li:first-child { border-top: 0 }
footer { margin-top: 3rem; color: var(--soft); font-size: .9rem }
h3 { margin: 1rem 0 .4rem; font-size: 1rem; overflow-wrap: anywhere }
input, textarea { font: inherit; color: inherit; max-width: 100% }
textarea { width: 100%; padding: .5rem .7rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--ground);
  font: .86em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace }
label { display: block }
details { margin: .7rem 0 }
summary { cursor: pointer; color: var(--mark) }
.checks li { display: flex; flex-wrap: wrap; gap: 0 .5rem; align-items: baseline }
.checks b { flex: none; width: 6.5rem; font-weight: 500 }
.ok .mark { color: var(--mark) }
.failed, .failed .mark { color: var(--bad) }
.skipped .mark { color: var(--soft) }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; gap: 0 } dd { margin-bottom: .5rem } }
`;

/** Its hash is of every byte between the tags, so that nothing may be put in between. */
const STYLE_ELEMENT = raw(`<style>${STYLE}</style>`);
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Without the one directive that only a header can have. */
function policyOf(scriptSource: string): string {
  return `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; script-src ${scriptSource}; connect-src 'none'; img-src data:; base-uri 'none'; form-action 'none'`;
}

function initWith(policy: string): Init {
  return initOf(200, {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': CACHE.short,
    'Content-Security-Policy': `${policy}; frame-ancestors 'none'`,
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  });
}

const PAGE: Init = initWith(policyOf("'none'"));

/** A script that stands in a page, and the headers that let this one run and no other. */
export interface PageScript {
  readonly element: Html;
  /** The policy again, for a copy of the page on disk, which has no headers. */
  readonly meta: Html;
  readonly init: Init;
}

/** Throws `RangeError` for a text that would end its own element. */
export function pageScript(text: string): PageScript {
  if (/<\/script|<!--/i.test(text)) throw new RangeError('script expected without a tag of HTML in it');
  const policy = policyOf(`'sha256-${createHash('sha256').update(text).digest('base64')}'`);
  return {
    element: raw(`<script>${text}</script>`),
    meta: html`<meta http-equiv="Content-Security-Policy" content="${policy}" />`,
    init: initWith(policy),
  };
}

/** JSON for a script to read: of a type that no browser runs, and without a character that could end it. */
export function dataElement(id: string, value: unknown): Html {
  const json = JSON.stringify(value).replaceAll('<', '\\u003c');
  return html`<script type="application/json" id="${id}">
    ${raw(json)}
  </script>`;
}

/** A post on its stair: what the name means. */
const MARK = raw(
  '<svg viewBox="0 0 32 32" fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">' +
    '<path d="M3 28h8v-6h7v-6h7v-6h4"/><path d="M11 22V8m7 8V5m7 5V3"/><circle cx="11" cy="5.6" r="2"/></svg>',
);

/** The HTML of a page. A script's policy stands in it too, for a copy on disk. */
export async function formatPage(title: string, body: Html, script?: PageScript): Promise<string> {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        ${script?.meta ?? ''}
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        ${STYLE_ELEMENT}
      </head>
      <body>
        <header>
          ${MARK}
          <h1>${title}</h1>
        </header>
        ${body} ${script?.element ?? ''}
      </body>
    </html>`;
  return `${(await page).toString()}\n`;
}

export async function respondPage(
  c: Context,
  title: string,
  body: Html,
  script?: PageScript,
): Promise<Response> {
  return respond(c, await formatPage(title, body, script), script?.init ?? PAGE);
}
