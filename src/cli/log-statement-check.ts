/**
 * Leaf 0 of a log of events is what the log says of itself: origin, issuer, statement keys, schemas, how soon it
 * publishes. It is in the tree that the log's key signs, so a trust file that says otherwise is not this log's.
 */

import { isDeepStrictEqual } from 'node:util';
import type { LogSource } from '../client/source.ts';
import { checkExtends } from '../client/tree.ts';
import type { Trust } from '../client/trust.ts';
import { verifyProof } from '../client/verify.ts';
import { equalBytes } from '../core/bytes.ts';
import { NewelError } from '../errors.ts';
import { parseLogStatement } from '../event/log-statement.ts';
import { parseBase64 } from '../formats/base64.ts';
import type { Checkpoint } from '../formats/checkpoint.ts';
import { isJsonObject, parseJson } from '../formats/json.ts';
import { decodeUtf8 } from '../formats/text.ts';

/**
 * `checkpoint` is a head of the log that was verified: leaf 0 is proven in a tree that is one with it. Throws
 * `inconsistent` where it is not, or where leaf 0 names others than the trust file does; `unreachable` where the log does
 * not show it; and what `verifyProof`, `checkExtends` and `parseLogStatement` throw.
 */
export async function checkLogStatement(
  source: LogSource,
  trust: Trust,
  checkpoint: Pick<Checkpoint, 'size' | 'root'>,
): Promise<void> {
  const [leaf, proof] = await Promise.all([source.read('v1/leaves/0'), source.read('v1/leaves/0/proof')]);
  if (!leaf || !proof) throw new NewelError('unreachable', 'the log does not show its leaf 0');
  const entry = entryOf(leaf);
  const { leafIndex, checkpoint: proven } = await verifyProof({ proof, entry, trust });
  if (leafIndex !== 0) throw new NewelError('proof_invalid', 'the log proves another leaf than leaf 0');
  const said = parseLogStatement(entry);
  if (said.origin !== trust.origin) throw differs('another origin');
  if (said.issuer !== trust.issuer) throw differs('another issuer');
  if ([...trust.statementKeys.keys()].some((kid) => !said.statement_keys.includes(kid)))
    throw differs('other statement keys');
  if (!isDeepStrictEqual(new Set(said.schemas), new Set(trust.schemas))) throw differs('other schemas');
  if (said.max_publish_delay * 1000 !== trust.maxPublishDelayMs) throw differs('another max_publish_delay');
  const [older, newer] = proven.size <= checkpoint.size ? [proven, checkpoint] : [checkpoint, proven];
  if (older.size === newer.size && equalBytes(older.root, newer.root)) return;
  await checkExtends(source, older, newer);
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
