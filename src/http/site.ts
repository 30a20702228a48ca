/** What the routes are told about the log that they show. */

import { NewelError } from '../errors.ts';
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

/** How a witness does, as far as this log knows. */
export interface WitnessHealth {
  readonly name: string;
  /** `ok`, `failing`, `open` (given up for a while), `over_budget` or `unknown`. */
  readonly state: string;
  /** The size that it has cosigned last. */
  readonly size: number;
  readonly why?: string;
}

export interface Site {
  readonly log: Log;
  /** The public URL, without a trailing slash. Every URL in an answer begins with it, whatever the request said. */
  readonly url: string;
  /** Every key that signs the log's checkpoints, as vkeys. */
  readonly vkeys: readonly string[];
  /** Of the log's own Ed25519 key: nothing signed leaves unchecked. */
  readonly verifier: Verifier;
  /** Of its second key, and of the witnesses' keys. */
  readonly otherVerifiers?: readonly Verifier[];
  /** The text of the tlog-policy. */
  readonly policy: string;
  /** The text of the policy of the slot `public`, where there is one. */
  readonly publicPolicy?: string;
  /** Whether the private routes are served; by default they are. */
  readonly isOpen?: () => boolean;
  /** What is known of the witnesses, for whoever keeps the process running. */
  readonly witnesses?: () => readonly WitnessHealth[];
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

/** Why nothing would be taken now; `undefined` where it would. */
export function refusalOf({ log, isOpen }: Site): NewelError | undefined {
  if (log.refusal || isOpen?.() !== false) return log.refusal;
  return new NewelError('not_ready', 'the log is about to begin');
}
