/** Our vectors of evidence bundles: `spec/vectors/evidence`. */

import assert from 'node:assert/strict';
import { formatEvidenceBundle, parseEvidenceBundle } from '../../src/client/evidence-bundle.ts';
import { headKeys } from '../../src/client/head-lines.ts';
import { judgeEvidence } from '../../src/client/verify-evidence.ts';
import { nobleEd25519 } from '../../src/formats/ed25519.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/formats/text.ts';
import { parseVkey } from '../../src/formats/vkey.ts';
import { runCases, toHex } from '../formats/cases.ts';

runCases<{ bundle: string }>('evidence/parse.json', ({ bundle: text }) => {
  const bundle = parseEvidenceBundle(encodeUtf8(text));
  assert.equal(formatEvidenceBundle(bundle), text);
  const { evidence, origin, heads, root, proof, seen } = bundle;
  return {
    evidence,
    origin,
    heads: heads.map(decodeUtf8),
    ...(root && { root: toHex(root) }),
    ...(proof && { proof: proof.map(toHex) }),
    seen: seen.map(({ source, timeMs }) => ({ source, time: new Date(timeMs).toISOString() })),
  };
});

interface VerifyInput {
  readonly bundle: string;
  readonly origin: string;
  readonly vkeys: readonly string[];
  readonly witnesses: readonly string[];
}

runCases<VerifyInput>('evidence/verify.json', ({ bundle: text, origin, vkeys, witnesses }) => {
  const arithmetic = { ed25519: nobleEd25519, mldsa44: nobleMldsa44 };
  const keys = headKeys({ log: vkeys.map(parseVkey), witnesses: witnesses.map(parseVkey) }, arithmetic);
  const found = judgeEvidence(parseEvidenceBundle(text), origin, keys);
  assert.ok(found.words.length > 2, 'it says so in words');
  for (const key of found.keys)
    assert.ok(
      found.words.some((sentence) => sentence.includes(key)),
      key,
    );
  return {
    kind: found.kind,
    keys: found.keys,
    sizes: found.sizes,
    roots: found.roots.map(toHex),
    times: found.timesS.map((timeS) => timeS ?? null),
  };
});
