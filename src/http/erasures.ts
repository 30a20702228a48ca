/**
 * `/v1/erasures`: an erasure is accepted, done in the background, and can be looked after. Whoever runs the log asks for
 * it and reads no event by it: what comes back are counts, leaf indexes and the receipts of the events that say what was
 * erased, which name nobody.
 */

import type { Context, Hono } from 'hono';
import type { PrivateRoute } from '../access/permissions.ts';
import { NewelError } from '../errors.ts';
import type { Erasure, Vault } from '../vault/vault.ts';
import { accessOf, noteRead } from './accesses.ts';
import { chargedCallerOf } from './caller.ts';
import { erasureAsked } from './erasure-request.ts';
import { pageOf } from './event-query.ts';
import { Receipts } from './receipts.ts';
import { CACHE, formatJson, formatTime, initOf, JSON_TYPE, NOSNIFF, respond } from './respond.ts';
import { RetentionTrials } from './retention-trials.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { numberOf, pathOf, queryOf, targetOf } from './target.ts';
import type { WriteSite } from './write-site.ts';

const PATH = '/v1/erasures';
/** Receipts in an answer, at most. */
const MAX_RECEIPTS = 20;
/** Seconds after which to ask again, by what is being done; clearing the files waits for more to clear with it. */
const RETRY_AFTER: Readonly<Partial<Record<Erasure['state'], string>>> = { erasing: '1', compacting: '10' };

const ANSWERED = { 'Content-Type': JSON_TYPE, 'Cache-Control': CACHE.none, ...NOSNIFF } as const;
const READ = {
  'Content-Type': JSON_TYPE,
  'Cache-Control': CACHE.private,
  ...NOSNIFF,
  Vary: 'Authorization',
} as const;

export function addErasureRoutes(app: Hono, site: Site, write: WriteSite, vault: Vault): void {
  const routes = new ErasureRoutes(site, write, vault);
  const reading = { isPublic: false, produces: JSON_TYPE };
  addRoute(app, site, PATH, (c) => routes.ask(c), { method: 'POST', produces: JSON_TYPE });
  addRoute(app, site, PATH, (c) => routes.list(c), reading);
  addRoute(app, site, `${PATH}/:erasure_id`, (c) => routes.show(c), reading);
}

class ErasureRoutes {
  readonly #site: Site;
  readonly #write: WriteSite;
  readonly #vault: Vault;
  readonly #receipts: Receipts;
  readonly #trials: RetentionTrials;

  constructor(site: Site, write: WriteSite, vault: Vault) {
    this.#site = site;
    this.#write = write;
    this.#vault = vault;
    this.#receipts = new Receipts(site);
    this.#trials = new RetentionTrials(site.now);
  }

  async ask(c: Context): Promise<Response> {
    const route: PrivateRoute = 'POST /v1/erasures';
    const principal = await chargedCallerOf(c, this.#write, route);
    queryOf(c, []);
    const { target, reason, isDryRun } = await erasureAsked(c);
    if (!isDryRun && 'keptMs' in target) this.#trials.assertTried(target.keptMs);
    // Said before it is done: what cannot be said is not done.
    await this.#vault.logAccess(accessOf(principal, route, 'eventIds' in target ? target.eventIds : []));
    if (isDryRun) {
      const events = await this.#vault.countErasure(target);
      if ('keptMs' in target) this.#trials.add(target.keptMs);
      return respond(c, formatJson({ dry_run: true, events }), initOf(200, ANSWERED));
    }
    const erasure = await this.#vault.erase({ target, reason, requestedBy: principal.name });
    const Location = `${PATH}/${erasure.erasureId}`;
    const headers = { ...ANSWERED, Location, ...retryAfter(erasure) };
    return respond(c, formatJson(this.#bodyOf(erasure)), { status: 202, headers });
  }

  async list(c: Context): Promise<Response> {
    const route: PrivateRoute = 'GET /v1/erasures';
    const principal = await chargedCallerOf(c, this.#write, route);
    const page = pageOf(queryOf(c, ['limit', 'cursor']));
    const { erasures, next } = await this.#vault.listErasures(page);
    const items = erasures.map(summaryOf);
    noteRead(this.#vault, accessOf(principal, route, []), []);
    return respond(c, formatJson({ items, next: next ?? null }), initOf(200, READ));
  }

  async show(c: Context): Promise<Response> {
    const route: PrivateRoute = 'GET /v1/erasures/<id>';
    const principal = await chargedCallerOf(c, this.#write, route);
    const start = receiptsStartOf(c);
    const erasureId = pathOf(targetOf(c.req.raw, c.env)).split('/')[3] ?? '';
    const erasure = await this.#vault.findErasure(erasureId);
    if (!erasure) throw new NewelError('not_found', 'there is no such erasure');
    const shown = formatJson(this.#bodyOf(erasure));
    const body = start === undefined ? shown : await this.#withReceipts(shown, erasure, start);
    noteRead(this.#vault, accessOf(principal, route, []), []);
    return respond(c, body, initOf(200, { ...READ, ...retryAfter(erasure) }));
  }

  /** `shown` with the receipts from `start` on, and where the rest begins. */
  async #withReceipts(shown: string, { tombstones }: Erasure, start: number): Promise<string> {
    const asked = tombstones.slice(start, start + MAX_RECEIPTS);
    const receipts = await Promise.all(asked.map(({ eventId }) => this.#receiptOf(eventId)));
    const end = start + asked.length;
    const next = end < tombstones.length ? end : null;
    return `${shown.trimEnd().slice(0, -1)},"receipts":[${receipts.join(',')}],"next":${next}}\n`;
  }

  async #receiptOf(eventId: string): Promise<string> {
    const event = await this.#vault.find(eventId);
    if (!event) throw new NewelError('storage_failed', 'an event that says what was erased is missing');
    const { text: receipt } = await this.#receipts.format(event, { alg: 'Ed25519', isMinimal: false });
    return receipt.trimEnd();
  }

  #bodyOf(erasure: Erasure): Record<string, unknown> {
    const tombstones = erasure.tombstones.map(({ eventId, leafIndex, erased }) => ({
      event_id: eventId,
      leaf_index: leafIndex,
      erased,
      receipt_url: `${this.#site.url}/v1/events/${eventId}/receipt`,
    }));
    return { ...summaryOf(erasure), tombstones };
  }
}

/** An erasure without what grows with its events. */
function summaryOf(erasure: Erasure): Record<string, unknown> {
  const { erasureId, state, reason, requestedTimeMs, events, erased, failure } = erasure;
  const { doneTimeMs, keysDestroyedByMs, areKeysOverdue } = erasure;
  return {
    erasure_id: erasureId,
    state,
    reason,
    requested_time: formatTime(requestedTimeMs),
    events,
    erased,
    ...(doneTimeMs !== undefined && { done_time: formatTime(doneTimeMs) }),
    ...(keysDestroyedByMs !== undefined && { keys_destroyed_by: formatTime(keysDestroyedByMs) }),
    ...(areKeysOverdue && { keys_overdue: true }),
    ...(failure !== undefined && { failure }),
  };
}

/** Which receipt to begin with, where receipts are asked for. */
function receiptsStartOf(c: Context): number | undefined {
  const query = queryOf(c, ['receipts', 'start']);
  const { receipts = 'false' } = query;
  if (receipts !== 'true' && receipts !== 'false')
    throw new NewelError('malformed', 'receipts is true or false');
  const start = numberOf(query.start, 'start', 0);
  if (receipts === 'true') return start;
  if (query.start !== undefined) throw new NewelError('malformed', 'start goes with receipts=true');
  return undefined;
}

/** As long as something is still to be done. */
function retryAfter({ state }: Erasure): { 'Retry-After'?: string } {
  const seconds = RETRY_AFTER[state];
  return seconds === undefined ? {} : { 'Retry-After': seconds };
}
