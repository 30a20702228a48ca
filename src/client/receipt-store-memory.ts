/** Receipts for as long as the process runs. */

import { formatReceipt, parseReceipt, type Receipt } from './receipt.ts';
import type { ReceiptStore } from './receipt-store.ts';

export class MemoryReceiptStore implements ReceiptStore {
  /** Texts, so that what is kept is nobody's to change. */
  readonly #texts = new Map<string, string>();

  async put(receipt: Receipt): Promise<void> {
    const kept = parseReceipt(receipt);
    this.#texts.set(kept.event_id, formatReceipt(kept));
  }

  async get(eventId: string): Promise<Receipt | undefined> {
    const text = this.#texts.get(eventId);
    return text === undefined ? undefined : parseReceipt(text);
  }

  async *list(): AsyncGenerator<string, void> {
    // A copy: what is put while somebody reads the list is not theirs to meet.
    yield* Array.from(this.#texts.keys());
  }
}
