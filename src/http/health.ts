/** For whoever keeps the process running: is it alive, and may it be sent entries. Queries are ignored. */

import type { Hono } from 'hono';
import { respondProblem } from './problems.ts';
import { respondJson } from './respond.ts';
import { addRoute } from './route.ts';
import { refusalOf, type Site } from './site.ts';

export function addHealthRoutes(app: Hono, site: Site): void {
  addRoute(app, site, '/healthz', (c) => respondJson(c, { status: 'alive' }, 'none'));
  addRoute(app, site, '/readyz', (c) => {
    const witnesses = witnessesOf(site);
    const refusal = refusalOf(site);
    if (!refusal) return respondJson(c, { status: 'ready', ...witnesses }, 'none');
    // No failure of the request: what stopped the log is told when it stops, not to every probe.
    const isToBegin = refusal.code === 'not_ready';
    return respondProblem(
      c,
      site,
      isToBegin ? 'not_ready' : 'storage_failed',
      isToBegin ? refusal.message : NOT_READY,
      { members: witnesses },
    );
  });
}

/** How far they are from meeting the policy, and which of them do not answer. */
function witnessesOf(site: Site): Record<string, unknown> {
  const states = site.witnesses?.();
  if (!states) return {};
  const { published } = site.log;
  const fast = site.log.publication('fast');
  const wanting = site.log.wantingOf(published.size - 1);
  return {
    published: published.size,
    witnessed: fast?.size ?? 0,
    ...(wanting && { have: wanting.have, need: wanting.need }),
    witnesses: states.map(({ name, state, size, why }) => ({
      name,
      state,
      size,
      ...(why !== undefined && { why }),
    })),
  };
}

const NOT_READY = 'the log takes no entries: it has stopped after a failed write, or is shutting down';
