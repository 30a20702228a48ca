/**
 * What was accused of already, and how much more is kept. A log that goes on contradicting itself is convicted by the
 * first of it, and the disk is not for the rest; but nobody takes the room of anybody else's conviction: each kind counts
 * apart, and each accused key. A bundle that accuses several is kept where it is new of one that has room.
 */

import type { VerifiedEvidence } from '../client/verify-evidence.ts';
import { formatHex } from '../formats/hex.ts';

/** Bundles of one kind that are kept of one accused key. */
export const MAX_BUNDLES_OF_ACCUSED = 16;

/** `full`: it is new, and there is no room for it. */
export type AccusationState = 'new' | 'known' | 'full';

export class Accusations {
  /** Each kind, key and pair of trees. */
  readonly #known = new Set<string>();
  /** By kind and key. */
  readonly #counts = new Map<string, number>();

  stateOf(verified: VerifiedEvidence): AccusationState {
    const unknown = this.#unknownOf(verified);
    if (unknown.length === 0) return 'known';
    const hasRoom = unknown.some((accused) => (this.#counts.get(accused) ?? 0) < MAX_BUNDLES_OF_ACCUSED);
    return hasRoom ? 'new' : 'full';
  }

  add(verified: VerifiedEvidence): void {
    for (const accused of this.#unknownOf(verified)) {
      this.#known.add(accusationAgainst(accused, verified));
      this.#counts.set(accused, (this.#counts.get(accused) ?? 0) + 1);
    }
  }

  /** Whoever this is the first of, over these trees: each by kind and key. */
  #unknownOf(verified: VerifiedEvidence): string[] {
    return verified.keys
      .map((key) => `${verified.kind}\n${key}`)
      .filter((accused) => !this.#known.has(accusationAgainst(accused, verified)));
  }
}

/** What a bundle is about: the same accusation may be made with other lines on the same heads. */
export function accusationOf(verified: VerifiedEvidence): string {
  const { kind, keys } = verified;
  return accusationAgainst([kind, ...keys.toSorted()].join('\n'), verified);
}

function accusationAgainst(accused: string, { sizes, roots }: VerifiedEvidence): string {
  const trees = sizes.map((size, i) => `${size} ${formatHex(roots[i]!)}`).sort();
  return [accused, ...trees].join('\n');
}
