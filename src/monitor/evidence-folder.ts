/**
 * Where proof is kept: DIR/evidence/<name>.evidence.json, each file whole or not there. A bundle is verified before it is
 * written, by the same code that whoever it is handed to runs; one that would convict nobody is never kept.
 *
 *   log.example-bank-fork-1000-2000-5f1c0a9e.evidence.json       kind, the two sizes, the first hash digits of the bundle
 *
 * What is there counts: as long as a file of a log lies there, the log is convicted.
 */

import { constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { type EvidenceBundle, formatEvidenceBundle, parseEvidenceBundle } from '../client/evidence-bundle.ts';
import type { Trust } from '../client/trust.ts';
import { type VerifiedEvidence, verifyEvidenceBundle } from '../client/verify-evidence.ts';
import { hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatHex } from '../formats/hex.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { Accusations } from './accusations.ts';

const SUFFIX = '.evidence.json';
const MAX_NAME_CHARS = 80;

export interface KeptEvidence {
  readonly path: string;
  readonly bundle: EvidenceBundle;
  readonly proves: VerifiedEvidence;
}

/** The files of one log. */
interface KeptOfLog {
  count: number;
  /** Those of earlier processes, until the first new one comes. */
  readonly unjudged: EvidenceBundle[];
  readonly accusations: Accusations;
}

export class EvidenceFolder {
  readonly path: string;
  /** By origin. */
  readonly #kept = new Map<string, KeptOfLog>();
  /** The write under way; the next one waits for it. */
  #writing: Promise<unknown> = Promise.resolve();

  private constructor(path: string) {
    this.path = path;
  }

  /** Makes the folder if it is not there. Files that are no bundles are passed over. */
  static async open(path: string): Promise<EvidenceFolder> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const folder = new EvidenceFolder(path);
    for (const name of await readdir(path)) {
      if (!name.endsWith(SUFFIX)) continue;
      try {
        const bundle = parseEvidenceBundle(await readFile(join(path, name)));
        const kept = folder.#keptOf(bundle.origin);
        kept.count += 1;
        kept.unjudged.push(bundle);
      } catch (error) {
        if (!(error instanceof NewelError)) throw error;
      }
    }
    return folder;
  }

  /** How many bundles there are of a log. */
  count(origin: string): number {
    return this.#kept.get(origin)?.count ?? 0;
  }

  /**
   * Keeps a bundle, durable when this resolves. `known` where one that accuses of the same is there already; `full` where
   * enough others are of the same kind and accused. Throws what `verifyEvidenceBundle` throws for one that convicts nobody.
   */
  async keep(bundle: EvidenceBundle, trust: Trust): Promise<KeptEvidence | 'known' | 'full'> {
    const proves = verifyEvidenceBundle(bundle, { trust });
    const kept = this.#keptOf(bundle.origin);
    judgeEarlier(kept, trust);
    const state = kept.accusations.stateOf(proves);
    if (state !== 'new') return state;
    kept.accusations.add(proves);
    kept.count += 1;
    const text = formatEvidenceBundle(bundle);
    const path = join(this.path, nameOf(bundle, proves, text));
    const writing = this.#writing.then(() => writeWhole(this.path, path, text));
    this.#writing = writing.catch(() => {});
    await writing;
    return { path, bundle, proves };
  }

  #keptOf(origin: string): KeptOfLog {
    const kept = this.#kept.get(origin) ?? { count: 0, unjudged: [], accusations: new Accusations() };
    this.#kept.set(origin, kept);
    return kept;
  }
}

/** What files accuse of is known by whose keys they are judged; one that convicts nobody takes no room. */
function judgeEarlier({ unjudged, accusations }: KeptOfLog, trust: Trust): void {
  for (const bundle of unjudged.splice(0)) {
    try {
      accusations.add(verifyEvidenceBundle(bundle, { trust }));
    } catch (error) {
      if (!(error instanceof NewelError)) throw error;
    }
  }
}

function nameOf({ origin }: EvidenceBundle, { kind, sizes }: VerifiedEvidence, text: string): string {
  const log = origin.replaceAll(/[^A-Za-z0-9.-]+/g, '-').slice(0, MAX_NAME_CHARS);
  const hash = formatHex(hashBytes(encodeUtf8(text))).slice(0, 8);
  // A leading dot would hide it.
  return `${log.replace(/^\.+/, '')}-${kind}-${sizes.join('-')}-${hash}${SUFFIX}`;
}

async function writeWhole(folder: string, path: string, text: string): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  if (process.platform === 'win32') return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
