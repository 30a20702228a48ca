/**
 * Where proof is kept: DIR/evidence/<name>.evidence.json, each file whole or not there. A bundle is verified before it is
 * written, by the same code that whoever it is handed to runs; one that would convict nobody is never kept.
 *
 *   log.example-bank-fork-1000-2000-5f1c0a9e.evidence.json       kind, the two sizes, the first hash digits of the bundle
 *
 * What is there and convicts counts, whoever has put it there: as long as such a file lies there, the log is convicted.
 */

import { mkdir, open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type EvidenceBundle,
  formatEvidenceBundle,
  MAX_EVIDENCE_BYTES,
  parseEvidenceBundle,
} from '../client/evidence-bundle.ts';
import type { Trust } from '../client/trust.ts';
import { type VerifiedEvidence, verifyEvidenceBundle } from '../client/verify-evidence.ts';
import { hashBytes } from '../core/hash.ts';
import { NewelError } from '../errors.ts';
import { formatHex } from '../formats/hex.ts';
import { encodeUtf8 } from '../formats/text.ts';
import { syncFolder } from '../storage/sync-folder.ts';
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
  /** That convict. */
  count: number;
  /** Those of earlier processes, until it is known by whose keys they are judged. */
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

  /** Makes the folder if it is not there. What is no file, and files that are no bundles, are passed over. */
  static async open(path: string): Promise<EvidenceFolder> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const folder = new EvidenceFolder(path);
    for (const name of await readdir(path)) {
      const bundle = name.endsWith(SUFFIX) ? await readBundle(join(path, name)) : undefined;
      if (bundle) folder.#keptOf(bundle.origin).unjudged.push(bundle);
    }
    return folder;
  }

  /** How many bundles there are that convict a log, or a witness of it, by these keys. */
  count(trust: Trust): number {
    const kept = this.#keptOf(trust.origin);
    judgeEarlier(kept, trust);
    return kept.count;
  }

  /**
   * Keeps a bundle, durable when this resolves. `known` where one that accuses of the same is there already; `full` where
   * enough others are of the same kind and accused. Throws what `verifyEvidenceBundle` throws for one that convicts nobody.
   */
  async keep(bundle: EvidenceBundle, trust: Trust): Promise<KeptEvidence | 'known' | 'full'> {
    const proves = verifyEvidenceBundle(bundle, { trust });
    const kept = this.#keptOf(bundle.origin);
    judgeEarlier(kept, trust);
    const writing = this.#writing.then(() => this.#keepVerified(bundle, proves, kept));
    this.#writing = writing.catch(() => {});
    return await writing;
  }

  /** Counts it once it is durable: what could not be written is written when it is proven again. */
  async #keepVerified(
    bundle: EvidenceBundle,
    proves: VerifiedEvidence,
    kept: KeptOfLog,
  ): Promise<KeptEvidence | 'known' | 'full'> {
    const state = kept.accusations.stateOf(proves);
    if (state !== 'new') return state;
    const text = formatEvidenceBundle(bundle);
    const path = join(this.path, nameOf(bundle, proves, text));
    await writeWhole(this.path, path, text);
    kept.accusations.add(proves);
    kept.count += 1;
    return { path, bundle, proves };
  }

  #keptOf(origin: string): KeptOfLog {
    const kept = this.#kept.get(origin) ?? { count: 0, unjudged: [], accusations: new Accusations() };
    this.#kept.set(origin, kept);
    return kept;
  }
}

/** `undefined` for what is no file, or no bundle. */
async function readBundle(path: string): Promise<EvidenceBundle | undefined> {
  try {
    const found = await stat(path);
    if (!found.isFile() || found.size > MAX_EVIDENCE_BYTES) return undefined;
    return parseEvidenceBundle(await readFile(path));
  } catch (error) {
    // It may be a link to nothing, or have been moved away just now.
    if (error instanceof NewelError || codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** What files accuse of is known by whose keys they are judged; one that convicts nobody is not counted, and takes no room. */
function judgeEarlier(kept: KeptOfLog, trust: Trust): void {
  for (const bundle of kept.unjudged.splice(0)) {
    try {
      kept.accusations.add(verifyEvidenceBundle(bundle, { trust }));
      kept.count += 1;
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
  await syncFolder(folder);
}
