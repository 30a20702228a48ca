/** `GET /problems/<code>`: where the `type` of a problem leads. */

import type { Context, Hono } from 'hono';
import { html } from 'hono/html';
import { NewelError } from '../errors.ts';
import { respondPage } from './page.ts';
import { isProblemCode, PROBLEMS } from './problems.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { pathOf, targetOf } from './target.ts';

export function addProblemRoutes(app: Hono, site: Site): void {
  addRoute(app, site, '/problems/:code', showProblem);
}

function showProblem(c: Context): Promise<Response> {
  const code = pathOf(targetOf(c.req.raw, c.env)).split('/')[2] ?? '';
  if (!isProblemCode(code)) throw new NewelError('not_found', 'there is no problem of this code');
  const { status, title, help } = PROBLEMS[code];
  const body = html`
    <dl class="card">
      <dt>Code</dt>
      <dd><code>${code}</code></dd>
      <dt>Status</dt>
      <dd>${status}</dd>
    </dl>
    <p>${help}</p>
    <footer><a href="../">the log</a></footer>
  `;
  return respondPage(c, title, body);
}
