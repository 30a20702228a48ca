/** What the routes are told about the log that they show. */

import type { Ed25519Jwk } from '../formats/jwk.ts';
import type { Verifier } from '../formats/note.ts';
import type { Log } from '../log/log.ts';
import type { AnswerRoom } from './answer-room.ts';
import type { AnsweredRequest } from './signals.ts';

/** What anyone may know about the statements of a log of events. */
export interface Statements {
  /** `iss` of every statement. */
  readonly issuer: string;
  /** Public keys that sign or signed statements, the current one first. */
  readonly jwks: { readonly keys: readonly Ed25519Jwk[] };
  /** Schemas of events that are accepted. */
  readonly schemas: readonly string[];
  /** Bytes that an event may have, as it is sent. */
  readonly maxEventBytes: number;
}

export interface Site {
  readonly log: Log;
  /** The public URL, without a trailing slash. Every URL in an answer begins with it, whatever the request said. */
  readonly url: string;
  /** Every key that signs the log's checkpoints, as vkeys. */
  readonly vkeys: readonly string[];
  /** Of the log's own Ed25519 key: nothing signed leaves unchecked. */
  readonly verifier: Verifier;
  /** The text of the tlog-policy. */
  readonly policy: string;
  /** Only of a log of events. */
  readonly statements?: Statements;
  /** The script of the landing page's verifier; by default the one that the package was built with. */
  readonly verifierScript?: string;
  readonly software: { readonly name: string; readonly version: string };
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  /** Whether an `Authorization` header lets its bearer read what is revealed and not yet published. Never throws. */
  readonly mayReadRevealed?: (authorization: string | undefined) => boolean;
  /** Where large answers wait; by default the one of the process. */
  readonly answerRoom?: AnswerRoom;
  /** Told of each request when its answer is made. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  /** Told of each failure that is not the client's, once. By default it goes to the console. */
  readonly onError?: (error: unknown) => void;
}
