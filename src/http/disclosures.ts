/**
 * `POST /v1/disclosures`: some claims of some events, for somebody. Each event is presented (its statement with those
 * claims, and a JWT that says for whom), and all of them are proven against one checkpoint, which is in the answer once.
 *
 *   {"event_ids":["evt_…"],"claims":["type","src.ip"],"audience":"auditor.example","nonce":"n-0S6_WzA2Mj"}
 *   {"discloses":{"claims":["src","src.ip","type"],"travels_along":["src.is_proxy"],"open":["iss",…]},
 *    "log":"log.example/bank","audience":"auditor.example","nonce":"n-0S6_WzA2Mj","issued_time":"…","tree_size":42,
 *    "level":"signed","checkpoint":"log.example/bank\n42\n…","items":[{"event_id":"evt_…","leaf_index":41,
 *    "leaf_hash":"…","statement":"eyJ…~","presentation":"eyJ…","proof":"c2sp.org/tlog-proof@v1\nindex 41\n…\n\n"}]}
 *
 * The `proof` of an item with the checkpoint behind it is a C2SP tlog-proof.
 */

import type { Context, Hono } from 'hono';
import type { PrivateRoute } from '../access/permissions.ts';
import type { Principal } from '../access/principal.ts';
import { hashLeaf } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import type { JsonObject } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';
import { formatTlogProof } from '../formats/tlog-proof.ts';
import {
  type ChosenClaims,
  chooseClaims,
  type Presentation,
  type PresentedTo,
  type StoredEvent,
  type Vault,
} from '../vault/vault.ts';
import { accessOf } from './accesses.ts';
import { chargedCallerOf } from './caller.ts';
import { disclosureAsked, type DisclosureRequest } from './disclosure-request.ts';
import { OwnHeads } from './heads.ts';
import { provenPath } from './leaf-proof.ts';
import { readableEvent } from './readable-event.ts';
import { formatAscii } from './receipts.ts';
import { CACHE, formatJson, formatTime, type Init, initOf, JSON_TYPE, NOSNIFF } from './respond.ts';
import { respondLarge } from './respond-large.ts';
import { addRoute } from './route.ts';
import type { Site } from './site.ts';
import { queryOf } from './target.ts';
import type { WriteSite } from './write-site.ts';

const ROUTE: PrivateRoute = 'POST /v1/disclosures';
const PATH = '/v1/disclosures';

/** Bytes that an answer may have: some ten times what 1,000 events of usual size take. */
const MAX_ANSWER_BYTES: number = 16 * 1024 * 1024;
/** Events that are read and signed at a time. */
const AT_ONCE = 16;

export function addDisclosureRoute(app: Hono, site: Site, write: WriteSite, vault: Vault): void {
  const route = new DisclosureRoute(site, write, vault);
  addRoute(app, site, PATH, (c) => route.disclose(c), { method: 'POST', produces: JSON_TYPE });
}

const DISCLOSED: Init = initOf(200, {
  'Content-Type': JSON_TYPE,
  'Cache-Control': CACHE.none,
  ...NOSNIFF,
});

interface PresentedEvent extends Presentation {
  readonly event: Pick<StoredEvent, 'eventId' | 'leafIndex'>;
  readonly leafHash: Uint8Array;
}

class DisclosureRoute {
  readonly #site: Site;
  readonly #write: WriteSite;
  readonly #vault: Pick<Vault, 'find' | 'logAccess'>;
  readonly #heads: OwnHeads;

  constructor(site: Site, write: WriteSite, vault: Vault) {
    this.#site = site;
    this.#write = write;
    this.#vault = vault;
    this.#heads = new OwnHeads(site);
  }

  async disclose(c: Context): Promise<Response> {
    const principal = await chargedCallerOf(c, this.#write, ROUTE);
    queryOf(c, []);
    const request = await disclosureAsked(c);
    const chosen = chooseClaims(request.choice);
    return respondLarge(c, this.#site, MAX_ANSWER_BYTES, async () => {
      const body = request.isDryRun
        ? await this.#plan(principal, request, chosen)
        : await this.#present(principal, request, chosen);
      await this.#vault.logAccess(accessOf(principal, ROUTE, request.eventIds));
      return { body, init: DISCLOSED };
    });
  }

  /** What would be disclosed of these events, all of which the principal may read. */
  async #plan(principal: Principal, { eventIds }: DisclosureRequest, chosen: ChosenClaims): Promise<string> {
    for (const eventId of eventIds) await readableEvent(this.#vault, eventId, principal, ROUTE);
    return formatJson({ dry_run: true, events: eventIds.length, discloses: disclosesOf(chosen) });
  }

  async #present(principal: Principal, request: DisclosureRequest, chosen: ChosenClaims): Promise<string> {
    const { eventIds, audience, nonce } = request;
    const iat = Math.floor(this.#site.now() / 1000);
    const presented: PresentedEvent[] = [];
    let chars = 0;
    for (let first = 0; first < eventIds.length; first += AT_ONCE) {
      const some = await Promise.all(
        eventIds
          .slice(first, first + AT_ONCE)
          .map((eventId) => this.#presentOne(eventId, principal, chosen, { audience, nonce, iat })),
      );
      presented.push(...some);
      for (const { statement } of some) chars += statement.length;
      if (chars > MAX_ANSWER_BYTES) throw tooLarge();
    }
    const text = await this.#format(presented, { audience, nonce, iat }, chosen);
    if (text.length > MAX_ANSWER_BYTES) throw tooLarge();
    return text;
  }

  async #presentOne(
    eventId: string,
    principal: Principal,
    chosen: ChosenClaims,
    presentedTo: PresentedTo,
  ): Promise<PresentedEvent> {
    const event = await readableEvent(this.#vault, eventId, principal, ROUTE);
    const { leafIndex, leaf } = event;
    const { statement, presentation } = await event.present((path) => chosen.isShown(path), presentedTo);
    return { event: { eventId, leafIndex }, leafHash: hashLeaf(leaf), statement, presentation };
  }

  /** The answer: all proofs on one checkpoint, the newest published one that covers them or the newest signed one. */
  async #format(
    presented: readonly PresentedEvent[],
    { audience, nonce, iat }: PresentedTo,
    chosen: ChosenClaims,
  ): Promise<string> {
    const { log } = this.#site;
    const { published, revealed } = log;
    const isPublished = presented.every(({ event }) => event.leafIndex < published.size);
    const note = isPublished ? published.checkpoint : revealed.checkpoint;
    const head = this.#heads.open(note);
    const items = await Promise.all(
      presented.map(async ({ event: { eventId, leafIndex }, leafHash, statement, presentation }) => {
        const path = await provenPath(this.#site, leafIndex, head, leafHash);
        return {
          event_id: eventId,
          leaf_index: leafIndex,
          leaf_hash: formatBase64(leafHash),
          statement,
          presentation,
          proof: formatTlogProof({ index: leafIndex, path, checkpoint: NO_CHECKPOINT }),
        };
      }),
    );
    const names = {
      discloses: disclosesOf(chosen),
      log: log.identity.origin,
      audience,
      nonce,
      issued_time: formatTime(1000 * iat),
      tree_size: head.size,
      level: head.level,
    };
    const checkpoint = formatAscii(decodeUtf8(note));
    return `${JSON.stringify(names).slice(0, -1)},"checkpoint":${checkpoint},"items":${JSON.stringify(items)}}\n`;
  }
}

/** It is in the answer once, and not behind each path. */
const NO_CHECKPOINT = new Uint8Array(0);

function disclosesOf({ claims, travelsAlong, open }: ChosenClaims): JsonObject {
  return { claims: [...claims], travels_along: [...travelsAlong], open: [...open] };
}

function tooLarge(): NewelError {
  const detail = `what would be disclosed has more than ${MAX_ANSWER_BYTES} bytes: name fewer events at a time`;
  return new NewelError('too_large', detail);
}
