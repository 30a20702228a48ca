/**
 * Who read what: every access to the private zone becomes part of a `log.accessed` event. Reads are gathered, one event a
 * principal and minute; what changes or hands out something is said before its answer leaves.
 */

import { accessEventOf } from '../event/log-events.ts';
import { formatEventId, newEventId } from './event-id.ts';
import { hmac } from './hmac.ts';
import type { SayEvent } from './own-events.ts';
import type { Access } from './vault.ts';

/** Principals whose reads are gathered at once; the next one's are said at once. */
const MAX_GATHERED = 1024;
/** Events whose ids are gathered for one event; more of them and it is said at once. */
const MAX_IDS = 100_000;

interface Gathered {
  readonly principal: string;
  readonly role: string;
  readonly routes: Map<string, number>;
  readonly eventIds: Set<string>;
  count: number;
  readonly firstTimeMs: number;
  lastTimeMs: number;
}

export interface AccessesParts {
  readonly indexKey: Uint8Array;
  readonly say: SayEvent;
  readonly now: () => number;
  readonly onFailure: (error: unknown) => void;
}

export class Accesses {
  readonly #parts: AccessesParts;
  /** By role and principal. */
  #gathered = new Map<string, Gathered>();
  #saying: Promise<void> = Promise.resolve();

  constructor(parts: AccessesParts) {
    this.#parts = parts;
  }

  note(access: Access): void {
    const name = `${access.role} ${access.principal}`;
    const gathered = this.#gathered.get(name) ?? this.#begin(access);
    this.#gathered.set(name, gathered);
    add(gathered, access, this.#parts.now());
    if (gathered.eventIds.size >= MAX_IDS || this.#gathered.size > MAX_GATHERED) void this.sayAll();
  }

  /** Resolves when it is durable. */
  async log(access: Access): Promise<void> {
    const one = this.#begin(access);
    add(one, access, this.#parts.now());
    await this.#say(one);
  }

  /** Says what is gathered. What cannot be said now stays gathered. */
  sayAll(): Promise<void> {
    this.#saying = this.#saying.then(async () => {
      const gathered = this.#gathered;
      this.#gathered = new Map();
      for (const [name, one] of gathered) {
        try {
          await this.#say(one);
        } catch (error) {
          this.#parts.onFailure(error);
          this.#putBack(name, one);
        }
      }
    });
    return this.#saying;
  }

  #begin({ principal, role }: Access): Gathered {
    const timeMs = this.#parts.now();
    return {
      principal,
      role,
      routes: new Map(),
      eventIds: new Set(),
      count: 0,
      firstTimeMs: timeMs,
      lastTimeMs: timeMs,
    };
  }

  #putBack(name: string, one: Gathered): void {
    const newer = this.#gathered.get(name);
    this.#gathered.set(name, one);
    if (!newer) return;
    for (const [route, count] of newer.routes) one.routes.set(route, (one.routes.get(route) ?? 0) + count);
    for (const id of newer.eventIds) one.eventIds.add(id);
    one.count += newer.count;
    one.lastTimeMs = newer.lastTimeMs;
  }

  async #say({ principal, role, routes, eventIds, count, firstTimeMs, lastTimeMs }: Gathered): Promise<void> {
    const { indexKey, say, now } = this.#parts;
    const ids = [...eventIds].sort().join(' ');
    await say(
      accessEventOf(
        { id: `access:${formatEventId(newEventId())}`, timeMs: now() },
        {
          principal,
          role,
          routes: Object.fromEntries(routes),
          count,
          eventIdsHash: `hmac-sha256:${Buffer.from(hmac(indexKey, `accessed ${ids}`)).toString('base64url')}`,
          firstTimeMs,
          lastTimeMs,
        },
      ),
    );
  }
}

function add(gathered: Gathered, { route, eventIds }: Access, nowMs: number): void {
  gathered.routes.set(route, (gathered.routes.get(route) ?? 0) + 1);
  for (const id of eventIds) gathered.eventIds.add(id);
  gathered.count += 1;
  gathered.lastTimeMs = nowMs;
}
