/** Evidence that convicts: judged by the keys of whoever judges, offline, and never by what the bundle says of itself. */

import { NewelError } from '../errors.ts';
import { type EvidenceBundle, FORK, type Judgement } from './evidence-bundle.ts';
import { judgeFork } from './fork-evidence.ts';
import { type HeadKey, headKeysOf, readTrueLines } from './head-lines.ts';
import { judgeRollback } from './rollback-evidence.ts';
import { toTrust, type TrustInput } from './trust.ts';

export interface EvidenceOptions {
  /** Whose keys are believed: the log's, and those of the witnesses in its policy. */
  readonly trust: TrustInput;
}

/** What a bundle proves. */
export interface VerifiedEvidence extends Judgement {
  readonly origin: string;
  /** Leaves of each head, in the order of the bundle. */
  readonly sizes: readonly [number, number];
  readonly roots: readonly [Uint8Array, Uint8Array];
}

/**
 * Verifies that a bundle convicts: of a fork, the log; of a rollback, whoever signed both lines. Throws where it does not:
 * `signer_unknown` where it is of another log, or not by keys of the trust file; `signature_invalid`; `proof_invalid` and
 * `root_mismatch` where both heads may well be true; `malformed`, `too_large`.
 */
export function verifyEvidenceBundle(bundle: EvidenceBundle, options: EvidenceOptions): VerifiedEvidence {
  const trust = toTrust(options.trust);
  return judgeEvidence(bundle, trust.origin, headKeysOf(trust));
}

/** The same under keys that are known otherwise than by a trust file. */
export function judgeEvidence(
  bundle: EvidenceBundle,
  origin: string,
  keys: readonly HeadKey[],
): VerifiedEvidence {
  if (bundle.origin !== origin) {
    throw new NewelError('signer_unknown', 'evidence is about another log than the one whose keys are known');
  }
  const [first, second] = bundle.heads.map((note) => readTrueLines(note, origin, keys));
  if (!first || !second) throw new Error('bug: a bundle has two heads');
  const judge = bundle.evidence === FORK ? judgeFork : judgeRollback;
  return {
    ...judge(bundle, [first, second]),
    origin,
    sizes: [first.size, second.size],
    roots: [first.root, second.root],
  };
}
