/**
 * `/v1/events`: a step-up event goes in and its receipt comes out; both can be read again by whoever may.
 *
 * The order of a submission is that of design §5: who it is and how much it may send, then room in the queue, then the
 * body. So a log that is full says so before it has read anything, and what is being read has its place for certain.
 */

import type { Context, Hono } from 'hono';
import type { PrivateRoute } from '../access/permissions.ts';
import type { Principal } from '../access/principal.ts';
import { NewelError } from '../errors.ts';
import type { StatementAlg, StoredEvent, Vault } from '../vault/vault.ts';
import { accessOf, noteRead } from './accesses.ts';
import { Batches } from './batch.ts';
import { BATCH_LIMITS } from './batch-limits.ts';
import { callerOf, chargedCallerOf } from './caller.ts';
import { type EventBodyParts, openEventBody } from './event-body.ts';
import { assertJsonType, isNdjson } from './json-body.ts';
import { type OwnHeads, ownHeadsOf } from './heads.ts';
import { type Wanted, WANTED_KEYS, wantedOf } from './level.ts';
import { parsePrefer } from './prefer.ts';
import { readableEvent } from './readable-event.ts';
import { Receipts } from './receipts.ts';
import { CACHE, formatJson, type Init, initOf, JSON_TYPE, NDJSON_TYPE, NOSNIFF, respond } from './respond.ts';
import { addRoute, assertAccepted } from './route.ts';
import type { Site } from './site.ts';
import { eventsIn, storedEventBody, withCorrections } from './stored-event.ts';
import { headerOf, pathOf, queryOf, targetOf } from './target.ts';
import { UploadShares } from './upload-shares.ts';
import type { WriteSite } from './write-site.ts';

const PATH = '/v1/events';

export function addEventRoutes(app: Hono, site: Site, write: WriteSite, vault: Vault): void {
  const routes = new EventRoutes(site, write, vault);
  const reading = { isPublic: false, produces: JSON_TYPE };
  addRoute(app, site, PATH, (c) => routes.submit(c), { method: 'POST' });
  addRoute(app, site, `${PATH}/:event_id`, (c) => routes.show(c), reading);
  addRoute(app, site, `${PATH}/:event_id/receipt`, (c) => routes.showReceipt(c), reading);
}

const SUBMITTED_HEADERS = { 'Content-Type': JSON_TYPE, 'Cache-Control': CACHE.none, ...NOSNIFF } as const;
const MINIMAL_HEADERS = { ...SUBMITTED_HEADERS, 'Preference-Applied': 'return=minimal' } as const;
/** Of an event that was here before. */
const KNOWN: Init = initOf(200, SUBMITTED_HEADERS);
const KNOWN_MINIMAL: Init = initOf(200, MINIMAL_HEADERS);
const READ: Init = initOf(200, {
  'Content-Type': JSON_TYPE,
  'Cache-Control': CACHE.private,
  ...NOSNIFF,
  Vary: 'Authorization',
});

/** Seconds after which to ask for a receipt again that is not what was asked for yet. */
const AGAIN = { 'Retry-After': '1' } as const;
const READ_PENDING: Init = initOf(202, { ...READ.headers, ...AGAIN });

class EventRoutes {
  readonly #write: WriteSite;
  readonly #vault: Vault;
  readonly #origin: string;
  readonly #bodies: EventBodyParts;
  readonly #heads: OwnHeads;
  readonly #receipts: Receipts;
  readonly #batches: Batches;

  constructor(site: Site, write: WriteSite, vault: Vault) {
    this.#write = write;
    this.#vault = vault;
    this.#origin = site.log.identity.origin;
    const limits = { ...BATCH_LIMITS, ...write.batchLimits };
    const shares = new UploadShares(site.log.limits);
    this.#bodies = { vault, shares, maxBatchBytes: limits.maxBytes, pace: limits.pace };
    this.#heads = ownHeadsOf(site);
    this.#receipts = new Receipts(site);
    this.#batches = new Batches(site, write, vault, { receipts: this.#receipts, limits });
  }

  async submit(c: Context): Promise<Response> {
    const isLines = isNdjson(c);
    assertAccepted(c, isLines ? NDJSON_TYPE : JSON_TYPE);
    const principal = await callerOf(c, this.#write, 'POST /v1/events');
    const { alg, isAtomic, wanted } = this.#submissionOf(c);
    const idempotencyKey = idempotencyKeyOf(c);
    const preferred = parsePrefer(headerOf(c, 'prefer')).get('return');
    const batch = { principal, alg, isAtomic, wanted, preferred };
    if (isLines) return this.#batches.answer(c, { ...batch, charged: 0 });
    assertJsonType(c);
    this.#write.charge(principal, 1);
    const opened = await openEventBody(c, principal.name, this.#bodies);
    if ('array' in opened) return this.#batches.answer(c, { ...batch, array: opened.array, charged: 1 });
    const { event: body, reservation } = opened;
    const isMinimal = preferred === 'minimal';
    try {
      const { created, event, head } = await this.#vault.submit({
        body,
        sources: principal.sources,
        submitter: principal.name,
        reservation,
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
      await this.#receipts.wait(event, wanted, c.req.raw);
      const form = { alg, isMinimal, wanted };
      const { text, isPending } = await this.#receipts.format(event, form, head?.checkpoint);
      if (!created && !isPending) return respond(c, text, isMinimal ? KNOWN_MINIMAL : KNOWN);
      const headers = isMinimal ? MINIMAL_HEADERS : SUBMITTED_HEADERS;
      const Location = `${PATH}/${event.eventId}`;
      if (isPending) return respond(c, text, { status: 202, headers: { ...headers, Location, ...AGAIN } });
      return respond(c, text, { status: 201, headers: { ...headers, Location } });
    } finally {
      // Of no effect once the event has taken its place.
      reservation.release();
    }
  }

  async show(c: Context): Promise<Response> {
    const route = 'GET /v1/events/<event_id>';
    const principal = await chargedCallerOf(c, this.#write, route);
    queryOf(c, []);
    const event = await this.#find(c, principal, route);
    const read = await withCorrections(this.#vault, [event]);
    const body = storedEventBody(read[0]!, this.#origin);
    noteRead(this.#vault, accessOf(principal, route, []), eventsIn(read));
    return respond(c, formatJson(body), READ);
  }

  async showReceipt(c: Context): Promise<Response> {
    const route = 'GET /v1/events/<event_id>/receipt';
    const principal = await chargedCallerOf(c, this.#write, route);
    const { alg, wanted } = this.#formOf(queryOf(c, [...WANTED_KEYS, 'alg']), c);
    const event = await this.#find(c, principal, route);
    await this.#receipts.wait(event, wanted, c.req.raw);
    const { text, isPending } = await this.#receipts.format(event, { alg, isMinimal: false, wanted });
    noteRead(this.#vault, accessOf(principal, route, []), [event]);
    return respond(c, text, isPending ? READ_PENDING : READ);
  }

  /** What a submission asks for, and whether all of it is to be taken or none. */
  #submissionOf(c: Context): Form & { readonly isAtomic: boolean } {
    const query = queryOf(c, [...WANTED_KEYS, 'alg', 'atomic']);
    const { atomic = 'false' } = query;
    if (atomic !== 'true' && atomic !== 'false') throw new NewelError('malformed', 'atomic is true or false');
    return { ...this.#formOf(query, c), isAtomic: atomic === 'true' };
  }

  #formOf(query: FormQuery, c: Context): Form {
    const wanted = wantedOf(c, this.#heads, query);
    const alg = ALGS.find((name) => name === (query.alg ?? 'Ed25519'));
    if (alg === undefined) throw new NewelError('malformed', `alg is one of ${ALGS.join(', ')}`);
    return { alg, wanted };
  }

  #find(c: Context, principal: Principal, route: PrivateRoute): Promise<StoredEvent> {
    const eventId = pathOf(targetOf(c.req.raw, c.env)).split('/')[3] ?? '';
    return readableEvent(this.#vault, eventId, principal, route);
  }
}

const ALGS: readonly StatementAlg[] = ['Ed25519', 'EdDSA'];

interface FormQuery {
  readonly level?: string;
  readonly lines?: string;
  readonly alg?: string;
}

/** What a receipt is to be like. */
interface Form {
  readonly alg: StatementAlg;
  readonly wanted: Wanted;
}

/** As characters of an `id`. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,128}$/;

function idempotencyKeyOf(c: Context): string | undefined {
  const key = headerOf(c, 'idempotency-key');
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key;
  throw new NewelError('malformed', 'Idempotency-Key is not 1 to 128 visible ASCII characters');
}
