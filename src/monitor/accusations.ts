/**
 * What was accused of already, and how much more is kept. A log that goes on contradicting itself is convicted by the
 * first of it, and the disk is not for the rest; but nobody takes the room of anybody else's conviction: each kind counts
 * apart, and each accused one.
 */

import type { VerifiedEvidence } from '../client/verify-evidence.ts';
import { formatHex } from '../formats/hex.ts';

/** Bundles of one kind that are kept of one accused. */
export const MAX_BUNDLES_OF_ACCUSED = 16;

/** `full`: it is new, and there is no room for it. */
export type AccusationState = 'new' | 'known' | 'full';

export class Accusations {
  readonly #known = new Set<string>();
  readonly #counts = new Map<string, number>();

  stateOf(verified: VerifiedEvidence): AccusationState {
    if (this.#known.has(accusationOf(verified))) return 'known';
    return (this.#counts.get(accusedOf(verified)) ?? 0) >= MAX_BUNDLES_OF_ACCUSED ? 'full' : 'new';
  }

  add(verified: VerifiedEvidence): void {
    const accusation = accusationOf(verified);
    if (this.#known.has(accusation)) return;
    this.#known.add(accusation);
    const accused = accusedOf(verified);
    this.#counts.set(accused, (this.#counts.get(accused) ?? 0) + 1);
  }
}

/** What a bundle is about: the same accusation may be made with other lines on the same heads. */
export function accusationOf(verified: VerifiedEvidence): string {
  const { sizes, roots } = verified;
  const trees = sizes.map((size, i) => `${size} ${formatHex(roots[i]!)}`).sort();
  return [accusedOf(verified), ...trees].join('\n');
}

function accusedOf({ kind, keys }: VerifiedEvidence): string {
  return [kind, ...keys.toSorted()].join('\n');
}
