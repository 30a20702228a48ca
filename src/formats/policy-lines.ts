/**
 * The lines of a checkpoint that a policy needs: the log's own Ed25519 line (its lines of ML-DSA-44 where it has no other
 * and the policy lists their keys), and the fewest lines of witnesses that meet
 * the quorum. A receipt that is to be short, or to be read by a strict verifier, carries these alone.
 *
 *   log.example/bank                                             text, byte for byte
 *   …
 *   — log.example/bank Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+Z…     kept
 *   — log.example/bank IoYuUg…                                   the same log's ML-DSA-44 line: left out
 *   — witness.example/w1 jWbPPwAAAABkGFDL…                       kept, of a quorum of one
 *   — witness.example/w2 Xyz…                                    left out
 */

import { parseTimestampedSignature } from './cosignature.ts';
import { ED25519_SIGNATURE_BYTES } from './ed25519.ts';
import { formatNote, type NoteSignature, parseNote } from './note.ts';
import { type Policy, smallestQuorum, witnessOf } from './tlog-policy.ts';

/** Who is believed about a checkpoint, and which of its lines were verified. */
export interface PolicyLines {
  /** The lines that `openCheckpoint` has verified. Only these are kept. */
  readonly verified: readonly NoteSignature[];
  readonly policy: Policy;
  readonly origin: string;
}

/**
 * The signed note with the log's Ed25519 line and as few lines of witnesses as meet the policy: of several such choices
 * the one whose lines were all there earliest, by their own times. Where the policy is not met, all lines of its witnesses
 * stay. Lines keep their order. Throws what `parseNote` throws, and `RangeError` where no line of the log's own was verified.
 */
export function trimToPolicy(checkpoint: Uint8Array, { verified, policy, origin }: PolicyLines): Uint8Array {
  const { text } = parseNote(checkpoint);
  const own = ownOf({ verified, policy, origin });
  if (own.length === 0) throw new RangeError('verified expected a line of the log');
  const needed = neededOf(
    policy,
    verified.filter((line) => line.name !== origin),
  );
  return formatNote({ text, signatures: verified.filter((line) => own.includes(line) || needed.has(line)) });
}

/** The lines by the log itself: everybody verifies Ed25519, so others are needed only where there is none. */
function ownOf({ verified, policy, origin }: PolicyLines): readonly NoteSignature[] {
  const own = verified.filter(({ name }) => name === origin);
  const ed25519 = own.filter(({ signature }) => signature.length === ED25519_SIGNATURE_BYTES);
  if (ed25519.length > 0) return ed25519;
  return own.filter(({ keyId }) =>
    policy.logs.some(({ vkey }) => vkey.name === origin && vkey.keyId === keyId),
  );
}

/** The lines that a quorum needs; all lines of the policy's witnesses where there is none. */
function neededOf(policy: Policy, lines: readonly NoteSignature[]): ReadonlySet<NoteSignature> {
  const byWitness = new Map<string, NoteSignature>();
  for (const line of lines) {
    const witness = witnessOf(policy, line);
    if (witness) byWitness.set(witness.name, line);
  }
  const fewest = smallestQuorum(policy, new Set(byWitness.keys()));
  if (!fewest) return new Set(byWitness.values());
  const timed = [...byWitness].map(([name, line]) => ({ name, timeS: timeOf(line) }));
  const timesS = [...new Set(timed.map(({ timeS }) => timeS))].sort((a, b) => a - b);
  for (const untilS of timesS) {
    const there = timed.filter(({ timeS }) => timeS <= untilS).map(({ name }) => name);
    const found = smallestQuorum(policy, new Set(there));
    if (found?.length === fewest.length) return new Set(found.map((name) => byWitness.get(name)!));
  }
  return new Set();
}

function timeOf({ signature }: NoteSignature): number {
  return parseTimestampedSignature(signature).timestampS;
}
