/** From what a log has disclosed to the files of an evidence pack. The same answer makes the same files, byte for byte. */

import { createHash } from 'node:crypto';
import type { Disclosure } from '../client/disclosure.ts';
import {
  CHECKPOINT_NAME,
  EVIDENCE_FORMAT,
  type EvidenceSummary,
  formatManifest,
  MANIFEST_NAME,
  namesOfEvent,
  namesOfPack,
  PAGE_NAME,
  README_NAME,
  TRUST_NAME,
} from '../client/evidence-manifest.ts';
import type { PackFiles } from '../client/evidence-pack.ts';
import { formatEvidencePage } from './evidence-page.ts';
import { formatReadme } from './evidence-readme.ts';

export interface EvidenceParts {
  readonly disclosure: Disclosure;
  /** The trust file as the log serves it. */
  readonly trustFile: string;
  readonly vkeys: readonly string[];
  /** Of the page. */
  readonly script: string;
}

/** The files of a pack, of which nothing is verified yet. */
export async function makeEvidenceFiles(parts: EvidenceParts): Promise<PackFiles> {
  const { disclosure, trustFile, vkeys, script } = parts;
  const { log, audience, nonce, issuedTime, discloses, checkpoint, items } = disclosure;
  const summary: EvidenceSummary = {
    format: EVIDENCE_FORMAT,
    origin: log,
    created_time: issuedTime,
    audience,
    nonce,
    claims: discloses.claims,
    travels_along: discloses.travelsAlong,
    events: items.toSorted((a, b) => a.leafIndex - b.leafIndex).map(({ eventId }) => eventId),
  };
  const verified = new Map([
    [TRUST_NAME, trustFile],
    [CHECKPOINT_NAME, checkpoint],
  ]);
  for (const { eventId, statement, presentation, proof } of items) {
    const names = namesOfEvent(eventId);
    verified.set(names.statement, statement).set(names.presentation, presentation).set(names.proof, proof);
  }
  const texts = new Map([
    ...verified,
    [README_NAME, formatReadme(summary, vkeys)],
    [PAGE_NAME, await formatEvidencePage(summary, verified, script)],
  ]);
  const files = new Map(
    namesOfPack(summary.events).map((name) => [name, Buffer.from(texts.get(name)!, 'utf8')] as const),
  );
  const listed = [...files].map(([name, bytes]) => ({
    name,
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));
  const manifest = formatManifest({ ...summary, files: listed });
  return new Map([[MANIFEST_NAME, Buffer.from(manifest, 'utf8')], ...files]);
}
