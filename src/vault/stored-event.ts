/** An event as the vault hands it out: what is asked for seldom is made when it is. */

import type { Notice } from '../event/notice.ts';
import type { JsonObject } from '../formats/json.ts';
import { presentStatement } from './disclose.ts';
import type { OpenRecord } from './record.ts';
import type { StatementSigner } from './statement-key.ts';
import type { Presentation, PresentedTo, StatementAlg, StoredEvent } from './vault.ts';

/** What an event is made of when it is handed out: from a submission, or from its record. */
export interface EventParts {
  readonly eventId: string;
  readonly id: string;
  readonly source: string;
  readonly receivedTimeMs: number;
  readonly notices: readonly Notice[];
  /** Asked for only where something of it is. */
  readonly record: () => OpenRecord;
  readonly content: () => JsonObject;
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly payload: string;
  /** Its disclosures as they follow the signature; asked for only for a statement. */
  readonly shown: () => string;
}

export function storedEvent(parts: EventParts, signer: StatementSigner): StoredEvent {
  return new Handed(parts, signer);
}

/** A class for its getters: every object with getters of its own would have a shape of its own. */
class Handed implements StoredEvent {
  readonly eventId: string;
  readonly id: string;
  readonly source: string;
  readonly leafIndex: number;
  readonly leaf: Uint8Array;
  readonly receivedTimeMs: number;
  readonly notices: readonly Notice[];
  readonly #parts: EventParts;
  readonly #signer: StatementSigner;

  constructor(parts: EventParts, signer: StatementSigner) {
    this.eventId = parts.eventId;
    this.id = parts.id;
    this.source = parts.source;
    this.leafIndex = parts.index;
    this.leaf = parts.leaf;
    this.receivedTimeMs = parts.receivedTimeMs;
    this.notices = parts.notices;
    this.#parts = parts;
    this.#signer = signer;
  }

  get profile(): StoredEvent['profile'] {
    return this.#parts.record().profile;
  }

  get content(): JsonObject {
    return this.#parts.content();
  }

  statement(alg: StatementAlg): Promise<string> {
    return this.#signer.sign(alg, this.#parts.payload, this.#parts.shown());
  }

  present(isShown: (path: readonly string[]) => boolean, presentedTo: PresentedTo): Promise<Presentation> {
    const { payload, record } = this.#parts;
    return presentStatement(
      { payload, disclosures: record().disclosures },
      isShown,
      presentedTo,
      this.#signer,
    );
  }
}
