/**
 * What a log shows, says and writes down, as bytes that canaries are looked for in (`canary-scanner.ts`): answers, every
 * public file, the files of a folder, the rows of a database.
 */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { hashLeaf } from '../../src/core/hash.ts';
import { formatHex } from '../../src/formats/hex.ts';
import { PROBLEMS } from '../../src/http/problems.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import type { Store } from '../../src/storage/store.ts';
import type { CanaryScanner } from './canary-scanner.ts';
import { type RawResponse, sendToPort } from './http-target.ts';
import { OPENAPI } from './openapi.ts';

const CONNECTIONS = 8;

/** Bytes that somebody may get to see, and where they are from. */
export interface Evidence {
  readonly where: string;
  readonly bytes: Uint8Array;
}

/** All that was found where nothing may be. */
export function leaksIn(scanner: CanaryScanner, evidence: readonly Evidence[]): string[] {
  return evidence.flatMap(({ where, bytes }) =>
    scanner
      .find(bytes)
      .map(({ canary, spelling, at }) => `${where}, byte ${at}: ${spelling} of ${canary.place}`),
  );
}

export function evidenceOf(where: string, { status, headers, body }: RawResponse): Evidence {
  const head = [...headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  return { where, bytes: Buffer.concat([Buffer.from(`${status}\n${head}\n\n`), body]) };
}

export async function inParallel<T>(
  items: readonly T[],
  run: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      await run(items[index]!, index);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

/** What is public, of a tree of `size`, by the routes of the OpenAPI document that have a parameter or need a query. */
const PUBLIC_TARGETS: Readonly<Record<string, (size: number, hashes: readonly string[]) => string[]>> = {
  '/tile/{path}': (size) => {
    const targets: string[] = [];
    for (const level of ['0', '1', 'entries']) {
      const width = level === '1' ? Math.floor(size / 256) : size;
      for (let n = 0; n * 256 < width; n++) {
        const index = String(n).padStart(3, '0');
        const last = Math.min(256, width - n * 256);
        if (last === 256) targets.push(`/tile/${level}/${index}`);
        for (const partial of new Set([1, Math.ceil(last / 2), last])) {
          if (partial < 256) targets.push(`/tile/${level}/${index}.p/${partial}`);
        }
      }
    }
    return targets;
  },
  '/v1/checkpoint': () => ['/v1/checkpoint?policy=none'],
  '/v1/leaves': (size) => [
    '/v1/leaves',
    ...Array.from({ length: Math.ceil(size / 1000) }, (_, i) => `/v1/leaves?start=${1000 * i}&limit=1000`),
  ],
  '/v1/leaves/{leaf}': (size, hashes) => [...numbers(size), ...hashes].map((leaf) => `/v1/leaves/${leaf}`),
  '/v1/leaves/{leaf}/proof': (size, hashes) =>
    [...numbers(size), ...hashes.slice(0, 8)].map((leaf) => `/v1/leaves/${leaf}/proof`),
  '/v1/proofs/inclusion': (size, hashes) => [
    ...numbers(size).map((index) => `/v1/proofs/inclusion?leaf_index=${index}&tree_size=${size}`),
    ...hashes.slice(0, 8).map((hash) => `/v1/proofs/inclusion?hash=${hash}&tree_size=${size}`),
  ],
  '/v1/proofs/consistency': (size) =>
    numbers(size).map((first) => `/v1/proofs/consistency?first=${first}&second=${size}`),
  '/problems/{code}': () => Object.keys(PROBLEMS).map((code) => `/problems/${code}`),
};

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

/** The public GET routes of the document, as it writes them. */
function publicPaths(): string[] {
  const paths = OPENAPI['paths'] as unknown as Record<string, Record<string, { security?: object[] }>>;
  return Object.keys(paths).filter((path) => {
    const { get } = paths[path]!;
    return get !== undefined && !get.security?.some((way) => Object.keys(way).length > 0);
  });
}

/** Everything that a stranger can read of a log whose published tree has `size` leaves, as bytes. */
export async function readPublic(
  port: number,
  size: number,
  except: readonly string[] = [],
): Promise<Evidence[]> {
  const send = sendToPort(port);
  const evidence: Evidence[] = [];
  const get = async (target: string): Promise<Uint8Array> => {
    const response = await send({ method: 'GET', target, headers: [] });
    assert.equal(response.status, 200, target);
    evidence.push(evidenceOf(`GET ${target}`, response));
    return response.body;
  };
  const { items } = JSON.parse(Buffer.from(await get('/v1/leaves?start=0&limit=1000')).toString()) as {
    items: { leaf_input: string }[];
  };
  const hashes = items.map(({ leaf_input }) => formatHex(hashLeaf(Buffer.from(leaf_input, 'base64'))));
  const paths = publicPaths().filter((path) => !except.includes(path));
  const targets = paths.flatMap((path) => {
    const targetsOf = PUBLIC_TARGETS[path];
    assert.ok(targetsOf || !path.includes('{'), `${path} is a public route that this test does not know`);
    return targetsOf ? targetsOf(size, hashes) : [path];
  });
  await inParallel(targets, async (target) => void (await get(target)));
  return evidence;
}

/** Every file below a folder. */
export async function readFolder(folder: string): Promise<Evidence[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Promise.all(
    files.map(async (file) => ({ where: `file ${relative(folder, file)}`, bytes: await readFile(file) })),
  );
}

/** Every row of a database, key and value: its files have them compressed. */
export async function readRows(store: Store): Promise<Evidence[]> {
  const range = { from: new Uint8Array(), to: new Uint8Array(128).fill(0xff), limit: 1_000_000 };
  const rows = await store.scan(range);
  return rows.map(({ key, value }) => ({
    where: `row ${Buffer.from(key).toString('hex')}`,
    bytes: Buffer.concat([key, value]),
  }));
}

/** What `use` makes of a database that nobody serves. */
export async function withStore<T>(folder: string, use: (store: Store) => Promise<T>): Promise<T> {
  const store = await openLevelStore(folder, { create: false });
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}
