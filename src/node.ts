/**
 * What a submitter on Node has beside the package root: receipts as files, of which there is the old one or the new one
 * after a crash, never a part. Only their owner can read them: the statement in a receipt is the event.
 *
 *   DIR/evt_3q2-7wAAAAAAAAAAAAAAAA.receipt.json      0600
 */

import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode, makeFolders } from './access/durable-file.ts';
import { formatReceipt, isEventId, parseReceipt, type Receipt } from './client/receipt.ts';
import type { ReceiptStore } from './client/receipt-store.ts';
import { NewelError } from './errors.ts';
import { syncFolder } from './storage/sync-folder.ts';

export type { Receipt } from './client/receipt.ts';
export type { ReceiptStore } from './client/receipt-store.ts';

const SUFFIX = '.receipt.json';
const OWNER_ONLY = 0o600;

export class FileReceiptStore implements ReceiptStore {
  readonly #folder: string;

  /** Receipts in `folder`, which is made, 0700, when the first one is put there. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The path of an event's receipt. Throws `malformed` for what is not an `event_id`, which could name any file. */
  pathOf(eventId: string): string {
    if (!isEventId(eventId)) {
      throw new NewelError('malformed', 'event_id is not evt_ and 22 base64url characters');
    }
    return join(this.#folder, `${eventId}${SUFFIX}`);
  }

  async put(receipt: Receipt): Promise<void> {
    const kept = parseReceipt(receipt);
    const path = this.pathOf(kept.event_id);
    await makeFolders(this.#folder);
    // A name of its own: many may put the same receipt at once, and the last one stays.
    const next = `${path}.${randomBytes(8).toString('hex')}.new`;
    try {
      await writeDurably(await open(next, 'wx', OWNER_ONLY), formatReceipt(kept));
      await rename(next, path);
    } catch (error) {
      await rm(next, { force: true });
      throw error;
    }
    await syncFolder(this.#folder);
  }

  async get(eventId: string): Promise<Receipt | undefined> {
    const path = this.pathOf(eventId);
    let bytes: Uint8Array;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
    const receipt = parseReceipt(bytes);
    if (receipt.event_id !== eventId) {
      throw new NewelError('storage_failed', `${path} is the receipt of another event`);
    }
    return receipt;
  }

  async *list(): AsyncGenerator<string, void> {
    let names: string[];
    try {
      names = await readdir(this.#folder);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    for (const name of names) {
      const eventId = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : '';
      if (isEventId(eventId)) yield eventId;
    }
  }
}

async function writeDurably(file: FileHandle, text: string): Promise<void> {
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
