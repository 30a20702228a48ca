/**
 * Tokens that were made, changed or revoked, as `log.accessed` events. The list is a file that the operator edits, also
 * while nothing runs; so what it has is held against what was last said of it, which is durable with the saying. The
 * first list that is seen, that of init, is where it begins.
 */

import { accessEventOf } from '../event/log-events.ts';
import type { JsonObject } from '../formats/json.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { formatEventId, newEventId } from './event-id.ts';
import { hmac } from './hmac.ts';
import { Mutex } from './mutex.ts';
import type { SayEvent } from './own-events.ts';
import { tokensSaidKey } from './rows.ts';
import type { Sealing } from './states.ts';
import type { ListedToken } from './vault.ts';

/** Changes that one event names. */
const AT_ONCE = 40;
/** Who edits the file; no caller has this name. */
const EDITOR = 'tokens.json';

export interface TokenChangesParts {
  readonly log: Pick<Log, 'write'>;
  readonly store: Store;
  readonly sealing: Sealing;
  readonly indexKey: Uint8Array;
  readonly say: SayEvent;
  readonly now: () => number;
}

export class TokenChanges {
  readonly #parts: TokenChangesParts;
  readonly #oneAtATime = new Mutex();

  constructor(parts: TokenChangesParts) {
    this.#parts = parts;
  }

  /** Says how the list differs from the one last said; nothing where it does not. */
  say(tokens: readonly ListedToken[]): Promise<void> {
    return this.#oneAtATime.take(async () => {
      const { log, store, sealing, say } = this.#parts;
      const [stored] = await store.getMany([tokensSaidKey]);
      const known = Object.fromEntries(tokens.map((token) => [token.name, this.#fingerprint(token)]));
      if (!stored) return log.write({ puts: [sealing.jsonRow(tokensSaidKey, known)] });
      const changes = changesOf(sealing.openJson(tokensSaidKey, stored) as JsonObject, known, tokens);
      for (let at = 0; at < changes.length; at += AT_ONCE) {
        const isLast = at + AT_ONCE >= changes.length;
        const puts = isLast ? [sealing.jsonRow(tokensSaidKey, known)] : [];
        await say(this.#eventOf(changes.slice(at, at + AT_ONCE)), () => ({ puts }));
      }
    });
  }

  /** Resolves when what is being said is said. */
  async close(): Promise<void> {
    await this.#oneAtATime.take(async () => {});
  }

  #eventOf(changes: readonly string[]): ReturnType<typeof accessEventOf> {
    const timeMs = this.#parts.now();
    return accessEventOf(
      { id: `tokens:${formatEventId(newEventId())}`, timeMs },
      {
        principal: EDITOR,
        role: 'admin',
        routes: Object.fromEntries(changes.map((change) => [change, 1])),
        count: changes.length,
        eventIdsHash: '',
        firstTimeMs: timeMs,
        lastTimeMs: timeMs,
      },
    );
  }

  /** Tells one from another of the same name; of no use for guessing what is in it. */
  #fingerprint(token: ListedToken): string {
    return Buffer.from(hmac(this.#parts.indexKey, `token ${JSON.stringify(token)}`)).toString('base64url');
  }
}

function changesOf(
  said: JsonObject,
  known: Readonly<Record<string, string>>,
  tokens: readonly ListedToken[],
): string[] {
  const revoked = Object.keys(said).filter((name) => !Object.hasOwn(known, name));
  const made = tokens.filter(({ name }) => said[name] !== known[name]);
  return [
    ...revoked.map((name) => `token revoke ${name}`),
    ...made.map(
      ({ name, role }) => `token ${Object.hasOwn(said, name) ? 'replace' : 'create'} ${name} (${role})`,
    ),
  ];
}
