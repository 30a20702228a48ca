/**
 * Leaf 0 of a log of events is what the log says of itself: origin, issuer, statement keys. It is in the tree that the
 * log's key signs, so a trust file that names other statement keys is not this log's.
 */

import type { LogSource } from '../client/source.ts';
import type { Trust } from '../client/trust.ts';
import { verifyProof } from '../client/verify.ts';
import { NewelError } from '../errors.ts';
import { parseLogStatement } from '../event/log-statement.ts';
import { parseBase64 } from '../formats/base64.ts';
import { isJsonObject, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';

/**
 * Throws `inconsistent` where leaf 0 names others than the trust file does, `unreachable` where the log does not show
 * it, and what `verifyProof` and `parseLogStatement` throw.
 */
export async function checkLogStatement(source: LogSource, trust: Trust): Promise<void> {
  const [leaf, proof] = await Promise.all([source.read('v1/leaves/0'), source.read('v1/leaves/0/proof')]);
  if (!leaf || !proof) throw new NewelError('unreachable', 'the log does not show its leaf 0');
  const entry = entryOf(leaf);
  const { leafIndex } = await verifyProof({ proof, entry, trust });
  if (leafIndex !== 0) throw new NewelError('proof_invalid', 'the log proves another leaf than leaf 0');
  const { origin, issuer, statement_keys: keys } = parseLogStatement(entry);
  if (origin !== trust.origin) throw differs('another origin');
  if (issuer !== trust.issuer) throw differs('another issuer');
  const unnamed = [...trust.statementKeys.keys()].find((kid) => !keys.includes(kid));
  if (unnamed !== undefined) throw differs('other statement keys');
}

function entryOf(answer: Uint8Array): Uint8Array {
  const value = parseJson(decodeUtf8(answer));
  const input = isJsonObject(value) ? value['leaf_input'] : undefined;
  if (typeof input !== 'string')
    throw new NewelError('malformed', 'the log answers with a leaf that has no leaf_input');
  return parseBase64(input, 'leaf_input');
}

function differs(named: string): NewelError {
  return new NewelError('inconsistent', `leaf 0 of the log names ${named} than its /v1/log`);
}
