/**
 * The receipt of an event: its statement, its proof, and their names, as one JSON object (design §8).
 *
 *   {"event_id":"evt_…","id":"01JD4X…","source":"https://bank.example/payments","log":"log.example/bank",
 *    "leaf_index":41,"leaf_hash":"…","tree_size":42,"level":"signed","received_time":"2026-11-20T12:00:08.123Z",
 *    "proof_url":"https://log.example/bank/v1/leaves/41/proof","statement":"eyJ…~","proof":"c2sp.org/tlog-proof@v1\n…"}
 *
 * Before it leaves, our own verifier has checked it: the signature of the head, once a head, and the path of each leaf.
 */

import { hashLeaf } from '../core/hash.ts';
import { formatBase64 } from '../formats/base64.ts';
import { formatTlogProof } from '../formats/tlog-proof.ts';
import type { StatementAlg, StoredEvent } from '../vault/vault.ts';
import { OwnHeads } from './heads.ts';
import { coveringNote, provenPath } from './leaf-proof.ts';
import { formatJson, formatTime } from './respond.ts';
import type { Site } from './site.ts';

export interface ReceiptForm {
  readonly alg: StatementAlg;
  /** Without statement and proof. */
  readonly isMinimal: boolean;
}

export class Receipts {
  readonly #site: Site;
  readonly #heads: OwnHeads;

  constructor(site: Site) {
    this.#site = site;
    this.#heads = new OwnHeads(site);
  }

  /**
   * The receipt on a checkpoint: the one given, or the earliest kept one that covers the leaf.
   * Throws `storage_failed` or `root_mismatch` where what is stored does not hold together.
   */
  async format(
    event: StoredEvent,
    { alg, isMinimal }: ReceiptForm,
    checkpoint?: Uint8Array,
  ): Promise<string> {
    const { eventId, id, source, leafIndex } = event;
    const { log, url } = this.#site;
    const note = checkpoint ?? (await coveringNote(this.#site, this.#heads, leafIndex));
    const head = this.#heads.open(note);
    const leafHash = hashLeaf(event.leaf);
    const names = {
      event_id: eventId,
      id,
      source,
      log: log.identity.origin,
      leaf_index: leafIndex,
      leaf_hash: formatBase64(leafHash),
      tree_size: head.size,
      level: head.level,
      received_time: formatTime(event.receivedTimeMs),
      proof_url: `${url}/v1/leaves/${leafIndex}/proof`,
    };
    if (isMinimal) return formatJson(names);
    const [path, statement] = await Promise.all([
      provenPath(this.#site, leafIndex, head, leafHash),
      event.statement(alg),
    ]);
    const proof = formatTlogProof({ index: leafIndex, path, checkpoint: note });
    // A statement has no character that JSON escapes.
    return `${JSON.stringify(names).slice(0, -1)},"statement":"${statement}","proof":${formatAscii(proof)}}\n`;
  }
}

/** A text as JSON in ASCII: the dash of a note would make all that is joined with it twice as large in memory. */
function formatAscii(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
