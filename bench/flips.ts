/**
 * A check, not a measurement: over 1,000 random bits are flipped in what a log of a million leaves serves, and
 * fsck must name every file that has one, or the flip is proven harmless: the flipped checkpoint still opens under
 * the log's key as the very same tree. Seeded, so that a failure can be seen again.
 *
 * Passes with many flips run on the large log. Files of which a tree has only one (the partial ones) would need a
 * whole pass for each flip; most of those run on a log of 70,000 leaves, which has them all, on as many levels.
 */

import { equalBytes } from '../src/core/bytes.ts';
import { fsck, type FsckReport } from '../src/log/fsck.ts';
import { storeSource } from '../src/log/store-source.ts';
import type { LogSource } from '../src/client/source.ts';
import { readFolder } from '../src/cli/folder.ts';
import { openFolderStore, readLogKey } from '../src/cli/open-log.ts';
import type { Verifier } from '../src/formats/note.ts';
import { type BuiltLog, buildLog } from './support/build-log.ts';
import {
  checkpointPasses,
  crossedPass,
  edgePass,
  FILE_CLASSES,
  type FileClass,
  type Flip,
  type Pass,
  separatePass,
} from './support/flip-plan.ts';
import { formatSeconds, grouped, say, table } from './support/report.ts';
import { SeededRandom } from './support/seeded-random.ts';
import type { Workbench } from './support/workbench.ts';

const SMALL_LOG_LEAVES = 70_000;
const CHECKPOINT_FLIPS = 100;
const SEPARATE_PASSES = 4;
const EDGE_PASSES = 50;
const CROSSED_PASSES = 4;

interface Subject {
  readonly source: LogSource;
  readonly verifier: Verifier;
  readonly origin: string;
  readonly size: number;
  /** What fsck says of the log as it is. */
  readonly clean: FsckReport;
  readonly close: () => Promise<void>;
}

interface Verdict {
  readonly flip: Flip;
  readonly result: 'found' | 'harmless' | 'missed';
  /** Which bit it was. */
  readonly where: string;
}

interface Outcome {
  readonly verdicts: readonly Verdict[];
  /** Files that were named in a separate pass though no bit of them was flipped. */
  readonly blamed: readonly string[];
}

export async function flips(bench: Workbench): Promise<boolean> {
  const { seed } = bench.options;
  say(`seed ${seed} (the same flips again: npm run bench -- flips --seed ${seed})`);
  const random = new SeededRandom(seed);
  const tally = new Tally();

  const large = await openSubject(await bench.largeLog());
  try {
    const separate = Array.from({ length: SEPARATE_PASSES }, (_, turn) =>
      separatePass(random, large.size, turn),
    );
    const crossed = crossedPass(random, large.size);
    await runPasses('the checkpoint', large, checkpointPasses(random, CHECKPOINT_FLIPS), tally);
    await runPasses('many files, apart', large, separate, tally);
    await runPasses('many files, crossed', large, [crossed], tally);
  } finally {
    await large.close();
  }
  const small = await openSubject(await buildLog(bench.newDir(), SMALL_LOG_LEAVES));
  try {
    const edge = Array.from({ length: EDGE_PASSES }, (_, turn) => edgePass(random, small.size, turn));
    await runPasses('the right edge', small, edge, tally);
    const crossed = Array.from({ length: CROSSED_PASSES }, () => crossedPass(random, small.size));
    await runPasses('many files, crossed', small, crossed, tally);
  } finally {
    await small.close();
  }
  return tally.print();
}

/** Opens the log's public files from its store and checks that they are whole. */
async function openSubject(log: BuiltLog): Promise<Subject> {
  const folder = await readFolder(log.dir);
  const { verifier } = await readLogKey(folder);
  const store = await openFolderStore(folder);
  const source = storeSource(store);
  const startedMs = performance.now();
  let told = 0;
  const clean = await fsck(source, {
    verifiers: [verifier],
    origin: folder.origin,
    onProgress: () => (told += 1),
  });
  const durationMs = performance.now() - startedMs;
  if (clean.findings.length > 0 || clean.size !== log.size || told === 0) {
    throw new Error(`the log is not clean before a bit is flipped: ${JSON.stringify(clean.findings)}`);
  }
  say(
    `${grouped(log.size)} leaves: clean in ${formatSeconds(durationMs)}, ${grouped(told)} calls of progress`,
  );
  return { source, verifier, origin: folder.origin, size: log.size, clean, close: () => store.close() };
}

async function runPasses(
  what: string,
  subject: Subject,
  passes: readonly Pass[],
  tally: Tally,
): Promise<void> {
  const startedMs = performance.now();
  let count = 0;
  for (const pass of passes) {
    tally.add(await runPass(subject, pass));
    count += pass.flips.length;
  }
  const durationMs = performance.now() - startedMs;
  say(`  ${what}: ${count} flips in ${passes.length} passes, ${formatSeconds(durationMs)}`);
}

async function runPass({ source, verifier, origin, clean }: Subject, pass: Pass): Promise<Outcome> {
  const flipped = new FlippedSource(source, pass.flips);
  const report = await fsck(flipped, { verifiers: [verifier], origin });
  const named = new Set(report.findings.map(({ path }) => path));
  const verdicts = pass.flips.map((flip): Verdict => {
    const where = flipped.describe(flip);
    if (!flipped.wasRead(flip)) return { flip, where, result: 'missed' };
    if (named.has(flip.path)) return { flip, where, result: 'found' };
    return { flip, where, result: isHarmless(flip, report, clean) ? 'harmless' : 'missed' };
  });
  const paths = new Set(pass.flips.map(({ path }) => path));
  return { verdicts, blamed: pass.isSeparate ? [...named].filter((path) => !paths.has(path)) : [] };
}

/** A flip outside what the log's own signature covers changes nothing: fsck has checked the very same tree. */
function isHarmless({ fileClass }: Flip, report: FsckReport, clean: FsckReport): boolean {
  return fileClass === 'checkpoint' && report.size === clean.size && equalBytes(report.root, clean.root);
}

/** The log with some bits flipped, whenever and however often a file is read. */
class FlippedSource implements LogSource {
  readonly #source: LogSource;
  readonly #flips: ReadonlyMap<string, Flip>;
  readonly #bits = new Map<string, number>();

  constructor(source: LogSource, all: readonly Flip[]) {
    this.#source = source;
    this.#flips = new Map(all.map((flip) => [flip.path, flip]));
    if (this.#flips.size !== all.length) throw new Error('bug: two flips of one file in one pass');
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#source.read(path);
    const flip = this.#flips.get(path);
    if (!flip || !bytes) return bytes;
    const bit = Math.floor(flip.at * bytes.length * 8);
    this.#bits.set(path, bit);
    const changed = Uint8Array.from(bytes);
    changed[bit >> 3] = changed[bit >> 3]! ^ (1 << (bit & 7));
    return changed;
  }

  wasRead({ path }: Flip): boolean {
    return this.#bits.has(path);
  }

  describe({ path }: Flip): string {
    const bit = this.#bits.get(path);
    return bit === undefined ? 'which fsck has not read' : `bit ${bit & 7} of byte ${bit >> 3}`;
  }
}

/** Verdicts by class of file. */
class Tally {
  readonly #verdicts: Verdict[] = [];
  readonly #blamed: string[] = [];

  add({ verdicts, blamed }: Outcome): void {
    this.#verdicts.push(...verdicts);
    this.#blamed.push(...blamed);
  }

  /** The table, and what is wrong. Returns whether nothing is. */
  print(): boolean {
    const count = (fileClass: FileClass, result: Verdict['result']): number =>
      this.#verdicts.filter((verdict) => verdict.flip.fileClass === fileClass && verdict.result === result)
        .length;
    const rows = FILE_CLASSES.map((fileClass) => {
      const counts = (['found', 'harmless', 'missed'] as const).map((result) => count(fileClass, result));
      const flipped = counts.reduce((sum, each) => sum + each, 0);
      return [fileClass, ...[flipped, ...counts].map(String)];
    });
    const sums = [1, 2, 3, 4].map((column) => rows.reduce((sum, row) => sum + Number(row[column]), 0));
    table([['', 'flipped', 'found', 'harmless', 'missed'], ...rows, ['all', ...sums.map(String)]]);
    const missed = this.#verdicts.filter(({ result }) => result === 'missed');
    for (const { flip, where } of missed) say(`MISSED: ${flip.path}, ${where}`);
    for (const path of this.#blamed) say(`BLAMED, though it is whole: ${path}`);
    const unused = rows.filter((row) => row[1] === '0').map(([fileClass]) => fileClass);
    if (unused.length > 0) say(`NOT TRIED: ${unused.join('; ')}`);
    return missed.length === 0 && this.#blamed.length === 0 && unused.length === 0;
  }
}
