/**
 * How much a receipt proves (design §4): `signed` by the log, or `witnessed` as its policy demands; and what of that a
 * request asks for.
 *
 *   ?level=witnessed     what is to hold          Prefer: wait=2     seconds to wait for it, at most 10
 *   ?lines=policy        of the witness lines, the fewest that the policy needs; all by default
 */

import type { Context } from 'hono';
import { NewelError } from '../errors.ts';
import { parseDecimal } from '../formats/decimal.ts';
import type { OwnHeads } from './heads.ts';
import { parsePrefer } from './prefer.ts';
import { headerOf } from './target.ts';

const LEVELS = ['signed', 'witnessed'] as const;
export type Level = (typeof LEVELS)[number];

const LINES = ['all', 'policy'] as const;

/** What a request asks for. */
export interface Wanted {
  readonly level: Level;
  /** Which witness lines the checkpoint is to have. */
  readonly lines: (typeof LINES)[number];
  /** How long to wait for the level; none for what is there at once. */
  readonly waitMs: number;
}

/** Where nothing is asked for. */
export const SIGNED: Wanted = { level: 'signed', lines: 'all', waitMs: 0 };

/** Query keys that `wantedOf` reads. */
export const WANTED_KEYS = ['level', 'lines'] as const;

const DEFAULT_WAIT_S = 2;
const MAX_WAIT_S = 10;

/**
 * Reads what a query and `Prefer` ask for. Throws `malformed`, and `no_witnesses` for `witnessed` where the policy names
 * none: nothing is called witnessed that nobody witnessed.
 */
export function wantedOf(
  c: Context,
  heads: OwnHeads,
  { level = 'signed', lines = 'all' }: { readonly level?: string; readonly lines?: string },
): Wanted {
  const known = LEVELS.find((name) => name === level);
  if (known === undefined) throw new NewelError('malformed', `level is one of ${LEVELS.join(', ')}`);
  const kept = LINES.find((name) => name === lines);
  if (kept === undefined) throw new NewelError('malformed', `lines is one of ${LINES.join(', ')}`);
  if (known === 'signed') return { ...SIGNED, lines: kept };
  if (heads.policy.quorum === 'none') {
    throw new NewelError(
      'no_witnesses',
      'the policy of this log names no witnesses, so that no receipt of it is ever witnessed',
    );
  }
  return { level: known, lines: kept, waitMs: waitMsOf(headerOf(c, 'prefer')) };
}

/** A preference that cannot be read is none. */
function waitMsOf(header: string | undefined): number {
  const wait = parsePrefer(header).get('wait');
  if (wait === undefined) return 1000 * DEFAULT_WAIT_S;
  try {
    return 1000 * Math.min(parseDecimal(wait, 'wait'), MAX_WAIT_S);
  } catch {
    return 1000 * DEFAULT_WAIT_S;
  }
}
