/** Where a submitter keeps receipts: by `event_id`, as they came. */

import type { Receipt } from './receipt.ts';

/**
 * A store verifies nothing; what it gives back is to be verified like any other receipt. It never gives back a part of
 * one, nor another event's.
 */
export interface ReceiptStore {
  /**
   * Keeps a receipt, in the place of an earlier one of the same event. When it resolves the receipt is as durable as the
   * store makes anything. Rejects with `malformed` or `too_large` for what `parseReceipt` refuses.
   */
  put(receipt: Receipt): Promise<void>;
  /** The receipt of an event; `undefined` where there is none. */
  get(eventId: string): Promise<Receipt | undefined>;
  /** The `event_id` of each receipt that is kept all along, in no order that means anything. */
  list(): AsyncIterable<string>;
}
