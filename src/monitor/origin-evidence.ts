/** What is proven about one log: judged before it is kept, on the disk before it is told, and each accusation once. */

import { type EvidenceBundle, formatEvidenceBundle, parseEvidenceBundle } from '../client/evidence-bundle.ts';
import { judgeEvidence, type VerifiedEvidence } from '../client/verify-evidence.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { accusationOf, Accusations } from './accusations.ts';
import type { GossipedLog, HeadsSignal } from './gossiped-log.ts';
import { type HeadRows, rowKey } from './head-rows.ts';

export interface OriginEvidenceParts {
  readonly rows: HeadRows;
  readonly originHash: Uint8Array;
  /** By whose keys it is judged: asked for anew each time. */
  readonly log: () => GossipedLog;
  readonly onSignal: (signal: HeadsSignal) => void;
}

export class OriginEvidence {
  readonly #parts: OriginEvidenceParts;
  readonly #bundles: EvidenceBundle[] = [];
  readonly #accusations = new Accusations();
  /** The write under way; the next one waits for it. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(parts: OriginEvidenceParts) {
    this.#parts = parts;
  }

  /** In the order that it was found. */
  get bundles(): readonly EvidenceBundle[] {
    return this.#bundles;
  }

  /** Reads what is kept. A bundle that does not convict any more is told and passed over. */
  async load(): Promise<void> {
    const { rows, originHash, log, onSignal } = this.#parts;
    const take = (value: Uint8Array): void => {
      const bundle = parseEvidenceBundle(value);
      this.#accusations.add(this.#judge(bundle));
      this.#bundles.push(bundle);
    };
    await rows.readEach('evidence', originHash, take, (error) =>
      onSignal({ event: 'unreadable', origin: log().origin, error }),
    );
  }

  /** Keeps a bundle and tells of it, unless it is known. Throws what `judgeEvidence` throws where it does not convict. */
  async add(bundle: EvidenceBundle): Promise<VerifiedEvidence> {
    const verified = this.#judge(bundle);
    const adding = this.#writing.then(() => this.#addVerified(bundle, verified));
    this.#writing = adding.catch(() => {});
    await adding;
    return verified;
  }

  async #addVerified(bundle: EvidenceBundle, verified: VerifiedEvidence): Promise<void> {
    const { rows, originHash, onSignal } = this.#parts;
    const state = this.#accusations.stateOf(verified);
    if (state === 'full') onSignal({ event: 'unkept', bundle, verified });
    if (state !== 'new') return;
    const key = rowKey('evidence', originHash, encodeUtf8(accusationOf(verified)));
    await rows.write({ puts: [{ key, value: encodeUtf8(formatEvidenceBundle(bundle)) }] });
    this.#accusations.add(verified);
    this.#bundles.push(bundle);
    onSignal({ event: 'evidence', bundle, verified });
  }

  #judge(bundle: EvidenceBundle): VerifiedEvidence {
    const { origin, keys } = this.#parts.log();
    return judgeEvidence(bundle, origin, keys);
  }
}
