/**
 * Upgrading a receipt: the same event and leaf, on a head that more have signed. The log is asked until the level is met or
 * the time is over; each head that it answers with is shown to be of one tree with the head that the receipt stood on, since
 * whoever has two receipts of one leaf has two signed heads, and may be the one who finds that they cannot both be true.
 */

import { NewelError } from '../errors.ts';
import { formatBase64 } from '../formats/base64.ts';
import { proveOneTree, type KnownHead } from './consistency.ts';
import type { Level } from './level.ts';
import { LevelNotMetError } from './outcome-errors.ts';
import { pause } from './pause.ts';
import { assertSameReceipt, type Proven, type ProvenReceipt, reaches } from './proven-receipt.ts';
import type { LogSource } from './source.ts';

/** The longest wait for witnesses that a log agrees to, in seconds. */
export const MAX_WAIT_S = 10;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5000;

export interface Upgrade {
  /** The receipt that there is, which holds. */
  readonly first: Proven;
  readonly level: Level;
  /** The receipt as the log has it now, verified. The log is asked to wait so many seconds for witnesses. */
  readonly ask: (waitS: number) => Promise<Proven>;
  /** The log's tiles. */
  readonly source: LogSource;
  /** Pairs of heads that are known to be of one tree. */
  readonly known: KnownPairs;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The receipt at the level, verified. Asks once at least. Throws `LevelNotMetError` when the time is over;
 * `inconsistent` for another leaf or statement, `InconsistentHeadsError` for a fork; and what `ask`, or reading tiles,
 * fails with, unless a tile is not there yet and there is time left.
 */
export async function upgradeReceipt(upgrade: Upgrade): Promise<ProvenReceipt> {
  const { first, level, ask, timeoutMs, signal } = upgrade;
  const endMs = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt++) {
    const leftMs = endMs - performance.now();
    const found = await ask(Math.min(MAX_WAIT_S, Math.max(0, Math.floor(leftMs / 1000))));
    assertSameReceipt(found.receipt, first.receipt);
    const failure = await readFailure(upgrade, found);
    if (!failure && reaches(found.receipt.level, level)) return found.receipt;
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
    if (performance.now() + pauseMs > endMs) throw failure ?? notMet(found.receipt);
    await pause(pauseMs, signal);
  }
}

/** What kept the heads from being compared. Throws where they were, and are not of one tree. */
async function readFailure(
  { first, source, known }: Upgrade,
  found: Proven,
): Promise<NewelError | undefined> {
  if (known.has(first.head, found.head)) return undefined;
  try {
    await proveOneTree(source, first.head, found.head);
  } catch (error) {
    if (error instanceof NewelError && error.code === 'unreachable') return error;
    throw error;
  }
  known.add(first.head, found.head);
  return undefined;
}

function notMet(receipt: ProvenReceipt): LevelNotMetError {
  const { have = 0, need = 0, reason = 'unknown' } = receipt.pending ?? {};
  const message = `${have} of ${need} witnesses that the policy needs have signed so far (${reason})`;
  return new LevelNotMetError(message, receipt);
}

const MAX_KNOWN_PAIRS = 1024;

/** Pairs of heads that were compared: receipts of one batch stand on the same two. */
export class KnownPairs {
  readonly #keys = new Set<string>();

  has(one: KnownHead, other: KnownHead): boolean {
    return this.#keys.has(keyOf(one, other));
  }

  add(one: KnownHead, other: KnownHead): void {
    if (this.#keys.size >= MAX_KNOWN_PAIRS) this.#keys.clear();
    this.#keys.add(keyOf(one, other));
  }
}

function keyOf(one: KnownHead, other: KnownHead): string {
  return [one, other].map(({ size, root }) => `${size} ${formatBase64(root)}`).join(' ');
}
