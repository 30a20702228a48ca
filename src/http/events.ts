/**
 * `/v1/events`: a step-up event goes in and its receipt comes out; both can be read again by whoever may.
 *
 * The order of a submission is that of design §5: who it is, then room in the queue, then the body. So a log that is
 * full says so before it has read anything, and what is being read has its place for certain.
 */

import type { Context, Hono } from 'hono';
import type { Principal } from '../access/principal.ts';
import { hashLeaf } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import type { StatementAlg, StoredEvent, Vault } from '../vault/vault.ts';
import { declaredLength } from './body.ts';
import { assertJsonType, assertNoArray } from './json-body.ts';
import { assertLevel } from './level.ts';
import { parsePrefer } from './prefer.ts';
import { Receipts } from './receipts.ts';
import { CACHE, formatJson, formatTime, type Init, initOf, JSON_TYPE, NOSNIFF, respond } from './respond.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { headerOf, pathOf, queryOf, targetOf } from './target.ts';
import { UploadShares } from './upload-shares.ts';
import type { WriteSite } from './write-site.ts';

const PATH = '/v1/events';

export function addEventRoutes(app: Hono, site: Site, write: WriteSite, vault: Vault): void {
  const routes = new EventRoutes(site, write, vault);
  const reading = { isPublic: false, produces: JSON_TYPE };
  addRoute(app, site, PATH, (c) => routes.submit(c), { method: 'POST', produces: JSON_TYPE });
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

class EventRoutes {
  readonly #write: WriteSite;
  readonly #vault: Vault;
  readonly #origin: string;
  readonly #shares: UploadShares;
  readonly #receipts: Receipts;

  constructor(site: Site, write: WriteSite, vault: Vault) {
    this.#write = write;
    this.#vault = vault;
    this.#origin = site.log.identity.origin;
    this.#shares = new UploadShares(site.log.limits);
    this.#receipts = new Receipts(site);
  }

  async submit(c: Context): Promise<Response> {
    const principal = this.#authenticate(c);
    if (principal.role !== 'submit') {
      throw new NewelError('forbidden', 'submitting an event needs a token of the role submit');
    }
    const alg = algOf(c);
    const idempotencyKey = idempotencyKeyOf(c);
    const isMinimal = parsePrefer(headerOf(c, 'prefer')).get('return') === 'minimal';
    const bytes = declaredLength(c, this.#vault.maxEventBytes);
    const reservation = this.#vault.reserve(bytes);
    try {
      assertJsonType(c);
      const body = await this.#shares.read(c, bytes, { name: principal.name, reservation });
      assertNoArray(body);
      const { created, event, head } = await this.#vault.submit({
        body,
        sources: principal.sources,
        submitter: principal.name,
        reservation,
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
      const receipt = await this.#receipts.format(event, { alg, isMinimal }, head?.checkpoint);
      if (!created) return respond(c, receipt, isMinimal ? KNOWN_MINIMAL : KNOWN);
      const headers = isMinimal ? MINIMAL_HEADERS : SUBMITTED_HEADERS;
      const Location = `${PATH}/${event.eventId}`;
      return respond(c, receipt, { status: 201, headers: { ...headers, Location } });
    } finally {
      // Of no effect once the event has taken its place.
      reservation.release();
    }
  }

  async show(c: Context): Promise<Response> {
    const principal = this.#reader(c);
    queryOf(c, []);
    const event = await this.#find(c, principal);
    const { eventId, id, source, profile, leafIndex, leaf, receivedTimeMs, content } = event;
    const body = {
      event_id: eventId,
      id,
      source,
      profile,
      log: this.#origin,
      leaf_index: leafIndex,
      leaf_hash: formatBase64(hashLeaf(leaf)),
      received_time: formatTime(receivedTimeMs),
      event: content,
    };
    return respond(c, formatJson(body), READ);
  }

  async showReceipt(c: Context): Promise<Response> {
    const principal = this.#reader(c);
    const alg = algOf(c);
    const event = await this.#find(c, principal);
    return respond(c, await this.#receipts.format(event, { alg, isMinimal: false }), READ);
  }

  #authenticate(c: Context): Principal {
    return this.#write.authenticate(headerOf(c, 'authorization'));
  }

  #reader(c: Context): Principal {
    const principal = this.#authenticate(c);
    if (principal.role === 'admin') {
      throw new NewelError('forbidden', 'reading events needs a token of the role submit or audit');
    }
    return principal;
  }

  /** Throws `not_found`, in the same words whether there is no such event or none for this principal. */
  async #find(c: Context, { role, sources }: Principal): Promise<StoredEvent> {
    const event = await this.#vault.find(pathOf(targetOf(c.req.raw, c.env)).split('/')[3] ?? '');
    if (event && (role === 'audit' || sources.includes(event.source))) return event;
    throw new NewelError('not_found', 'there is no such event, or none that this token may read');
  }
}

const ALGS: readonly StatementAlg[] = ['Ed25519', 'EdDSA'];

/** The algorithm's name that is asked for, once the level that is asked for has been checked too. */
function algOf(c: Context): StatementAlg {
  const query = queryOf(c, ['level', 'alg']);
  assertLevel(query.level);
  const alg = ALGS.find((name) => name === (query.alg ?? 'Ed25519'));
  if (alg === undefined) throw new NewelError('malformed', `alg is one of ${ALGS.join(', ')}`);
  return alg;
}

/** As characters of an `id`. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,128}$/;

function idempotencyKeyOf(c: Context): string | undefined {
  const key = headerOf(c, 'idempotency-key');
  if (key === undefined || IDEMPOTENCY_KEY.test(key)) return key;
  throw new NewelError('malformed', 'Idempotency-Key is not 1 to 128 visible ASCII characters');
}
