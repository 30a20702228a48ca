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
import { decodeUtf8 } from '../formats/text.ts';
import { formatTlogProof } from '../formats/tlog-proof.ts';
import type { Wanting } from '../log/log.ts';
import type { StatementAlg, StoredEvent } from '../vault/vault.ts';
import { type OwnHeads, ownHeadsOf } from './heads.ts';
import { coveringNote, provenPath, witnessedNote } from './leaf-proof.ts';
import { SIGNED, type Wanted } from './level.ts';
import { formatTime } from './respond.ts';
import type { Site } from './site.ts';

export interface ReceiptForm {
  readonly alg: StatementAlg;
  /** Without statement and proof. */
  readonly isMinimal: boolean;
  /** What was asked for; `signed` by default. */
  readonly wanted?: Wanted;
}

export interface ReceiptParts {
  /** Members of the receipt as JSON, without the braces around them. */
  readonly names: string;
  /** The checkpoint. */
  readonly note: Uint8Array;
  /** Whether the level that was asked for is not reached. */
  readonly isPending: boolean;
  /** The rest, unless it is left out. Neither has a character that JSON escapes but line ends. */
  readonly shown:
    | {
        readonly statement: string;
        /** The proof up to its blank line: the checkpoint behind it makes it whole. */
        readonly proofHead: string;
      }
    | undefined;
}

export interface FormattedReceipt {
  readonly text: string;
  /** Whether the level that was asked for is not reached. */
  readonly isPending: boolean;
}

const NOTHING = new Uint8Array(0);

export class Receipts {
  readonly #site: Site;
  readonly #heads: OwnHeads;

  constructor(site: Site) {
    this.#site = site;
    this.#heads = ownHeadsOf(site);
  }

  /**
   * The receipt on a checkpoint: the one given, or the earliest kept one that covers the leaf.
   * Throws `storage_failed` or `root_mismatch` where what is stored does not hold together.
   */
  async format(event: StoredEvent, form: ReceiptForm, checkpoint?: Uint8Array): Promise<FormattedReceipt> {
    const { names, shown, note, isPending } = await this.parts(event, form, checkpoint);
    if (!shown) return { text: `{${names}}\n`, isPending };
    const proof = `${shown.proofHead}${decodeUtf8(note)}`;
    const text = `{${names},"statement":"${shown.statement}","proof":${formatAscii(proof)}}\n`;
    return { text, isPending };
  }

  /**
   * Waits, as long as it was asked for, until the leaf is witnessed. `request` ends that where its client is gone; its
   * signal is made by asking for it, so only who waits does.
   */
  async wait(
    { leafIndex }: Pick<StoredEvent, 'leafIndex'>,
    wanted: Wanted,
    request?: { readonly signal: AbortSignal },
  ): Promise<void> {
    if (wanted.level !== 'witnessed') return;
    const { log } = this.#site;
    await log.whenWitnessed(leafIndex, wanted.waitMs, request?.signal);
    // What has stopped for good makes no more promises; the event may be sent again.
    if (log.failure) throw log.failure;
  }

  /** The same in its parts, for an answer in which several receipts stand on one checkpoint. Throws as `format` does. */
  async parts(
    event: StoredEvent,
    { alg, isMinimal, wanted = SIGNED }: ReceiptForm,
    checkpoint?: Uint8Array,
  ): Promise<ReceiptParts> {
    const { eventId, id, source, leafIndex, notices } = event;
    const { log, url } = this.#site;
    const note = await this.#noteOf(leafIndex, wanted, checkpoint);
    const head = this.#heads.open(note);
    const leafHash = hashLeaf(event.leaf);
    const isPending = wanted.level === 'witnessed' && head.level !== 'witnessed';
    const names = JSON.stringify({
      event_id: eventId,
      id,
      source,
      log: log.identity.origin,
      leaf_index: leafIndex,
      leaf_hash: formatBase64(leafHash),
      tree_size: head.size,
      level: head.level,
      ...(isPending && { pending: { level: wanted.level, ...pendingOf(log.wantingOf(leafIndex)) } }),
      received_time: formatTime(event.receivedTimeMs),
      proof_url: `${url}/v1/leaves/${leafIndex}/proof`,
      ...(notices.length > 0 && { notices }),
    }).slice(1, -1);
    if (isMinimal) return { names, note, isPending, shown: undefined };
    const [path, statement] = await Promise.all([
      provenPath(this.#site, leafIndex, head, leafHash),
      event.statement(alg),
    ]);
    const proofHead = formatTlogProof({ index: leafIndex, path, checkpoint: NOTHING });
    return { names, note, isPending, shown: { statement, proofHead } };
  }

  async #noteOf(index: number, { level, lines }: Wanted, checkpoint?: Uint8Array): Promise<Uint8Array> {
    const witnessed = level === 'witnessed' ? await witnessedNote(this.#site, this.#heads, index) : undefined;
    const note = witnessed ?? checkpoint ?? (await coveringNote(this.#site, this.#heads, index));
    return this.#heads.trim(note, lines);
  }
}

function pendingOf(wanting: Wanting | undefined): Pick<Wanting, 'reason' | 'have' | 'need'> {
  const { reason = 'deadline', have = 0, need = 0 } = wanting ?? {};
  return { reason, have, need };
}

/** A text as JSON in ASCII: the dash of a note would make all that is joined with it twice as large in memory. */
export function formatAscii(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
