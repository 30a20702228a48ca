/**
 * Following a log: every head is shown to extend the one before, by a proof computed from the log's own tiles, before
 * anybody sees it. What convicts a log are two heads that it signed and that no tree has both of.
 */

import { NewelError } from '../errors.ts';
import { equalBytes } from '../core/bytes.ts';
import type { Checkpoint } from '../formats/checkpoint.ts';
import { pause } from './pause.ts';
import type { LogSource } from './source.ts';
import { checkExtends, fetchCheckpoint, NotExtendedError, type OpenedCheckpoint } from './tree.ts';
import type { Trust } from './trust.ts';

/** A head that is known already: one that was kept, or that of a verified receipt. */
export type KnownHead = Pick<Checkpoint, 'size' | 'root'> & Partial<Pick<OpenedCheckpoint, 'note'>>;

/** Two heads of one log that are not of one tree, as the log's own tiles show. Keep both. */
export class InconsistentHeadsError extends NewelError {
  override name = 'InconsistentHeadsError';
  /** The smaller one, unless the log went back. */
  readonly older: KnownHead;
  readonly newer: KnownHead;
  /** What the newer tree begins with instead of the older one, and the proof of it; of two sizes only, where tiles show it. */
  readonly begins: { readonly root: Uint8Array; readonly proof: readonly Uint8Array[] } | undefined;

  constructor(message: string, older: KnownHead, newer: KnownHead, options?: ErrorOptions) {
    super('inconsistent', message, options);
    this.older = older;
    this.newer = newer;
    const { cause } = this;
    this.begins = cause instanceof NotExtendedError ? { root: cause.root, proof: cause.proof } : undefined;
  }
}

export interface FollowOptions {
  readonly source: LogSource;
  readonly trust: Trust;
  /** Every head is to be of one tree with this one. */
  readonly from?: KnownHead | undefined;
  readonly intervalMs: number;
  /** Failed readings, one after another, that are passed over. */
  readonly retries: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The heads that the log publishes from now on, each larger than the one before and consistent with it. A head that is
 * smaller is not shown: a cache, or a publication that has yet to catch up with a receipt; it is consistent too, or the
 * log has `max_publish_delay` to come back to where it was.
 *
 * Throws `InconsistentHeadsError` with both heads; `unreachable` after too many failed readings; `signer_unknown`,
 * `signature_invalid`, `malformed` or `root_mismatch` for what the log serves; the signal's reason.
 */
export async function* followHeads(options: FollowOptions): AsyncGenerator<OpenedCheckpoint, never> {
  const { source, trust, intervalMs, retries, signal } = options;
  let last = options.from;
  let behindSinceMs: number | undefined;
  for (let failures = 0; ; await pause(intervalMs, signal)) {
    signal?.throwIfAborted();
    let head: OpenedCheckpoint;
    let order: Order;
    try {
      head = await fetchCheckpoint(source, trust.verifiers, trust.origin);
      order = await compare(source, last, head);
      failures = 0;
    } catch (error) {
      if (!(error instanceof NewelError) || error.code !== 'unreachable' || ++failures > retries) throw error;
      continue;
    }
    if (order === 'behind' && last) {
      behindSinceMs ??= performance.now();
      if (performance.now() - behindSinceMs <= trust.maxPublishDelayMs) continue;
      const seconds = trust.maxPublishDelayMs / 1000;
      const message = `the log went back from ${last.size} leaves to ${head.size}, and stayed there for ${seconds} s`;
      throw new InconsistentHeadsError(message, last, head);
    }
    behindSinceMs = undefined;
    if (order === 'same') continue;
    last = head;
    yield head;
  }
}

type Order = 'same' | 'ahead' | 'behind';

/** How a head stands to the last one, once both were shown to be of one tree as far as the log serves it. */
async function compare(
  source: LogSource,
  last: KnownHead | undefined,
  head: OpenedCheckpoint,
): Promise<Order> {
  if (!last) return 'ahead';
  if (head.size > last.size) {
    await assertExtends(source, last, head);
    return 'ahead';
  }
  if (head.size === last.size) {
    assertSameRoot(last, head);
    return 'same';
  }
  try {
    await assertExtends(source, head, last);
  } catch (error) {
    // The tiles of the larger tree need not be there yet.
    if (!(error instanceof NewelError) || error.code !== 'unreachable') throw error;
  }
  return 'behind';
}

/**
 * The proof that two heads are of one tree, whichever of them is the larger; empty where they have one size, or one of them
 * no leaves. Throws `InconsistentHeadsError`, or what reading the tiles of the larger one fails with.
 */
export async function proveOneTree(
  source: LogSource,
  one: KnownHead,
  other: KnownHead,
): Promise<readonly Uint8Array[]> {
  if (one.size < other.size) return assertExtends(source, one, other);
  if (one.size > other.size) return assertExtends(source, other, one);
  assertSameRoot(one, other);
  return [];
}

function assertSameRoot(older: KnownHead, newer: KnownHead): void {
  if (equalBytes(older.root, newer.root)) return;
  const message = `two trees of ${older.size} leaves with different roots were signed`;
  throw new InconsistentHeadsError(message, older, newer);
}

async function assertExtends(
  source: LogSource,
  older: KnownHead,
  newer: KnownHead,
): Promise<readonly Uint8Array[]> {
  try {
    return await checkExtends(source, older, newer);
  } catch (cause) {
    if (!(cause instanceof NewelError) || cause.code !== 'inconsistent') throw cause;
    throw new InconsistentHeadsError(cause.message, older, newer, { cause });
  }
}
