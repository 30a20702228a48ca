/**
 * Test vectors, read where they lie: ours in `spec/vectors`, third-party ones in `../shared/vectors`, a folder beside
 * the project that a plain clone does not have.
 *
 * Where the shared folder is absent a test says so in one line and is not run, except where `CI` is set: there it
 * fails, as it always does for vectors of ours.
 *
 *   const vectors = readVectors('shared', 'merkle/inclusion');
 *   test('vectors: inclusion', { skip: vectors.absent }, () => {
 *     for (const file of vectors.files()) … file.json() …
 *   });
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = { spec: 'spec/vectors', shared: '../shared/vectors' } as const;

export interface VectorFile {
  /** Path below the folder asked for, with `/`: "1/happy-path.json". */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** The file as JSON; throws where it is none. */
  json(): unknown;
}

export interface Vectors {
  /** For the `skip` option of a test: why it cannot run here, or false. Never a reason where `CI` is set, nor for vectors of ours. */
  readonly absent: string | false;
  /** The files in the order of their names, never none; throws where there are none. */
  files(): VectorFile[];
}

/** All files below `folder`, or the one file that `folder` names. */
export function readVectors(source: keyof typeof FOLDERS, folder: string): Vectors {
  const path = join(PROJECT, FOLDERS[source], folder);
  const reason = `test vectors are absent: ${FOLDERS[source]}/${folder}`;
  const mustBeThere = source === 'spec' || Boolean(process.env['CI']);
  return {
    absent: mustBeThere || existsSync(path) ? false : reason,
    files() {
      if (!existsSync(path)) throw new Error(reason);
      const files = list(path);
      if (files.length === 0) throw new Error(reason);
      return files;
    },
  };
}

function list(path: string): VectorFile[] {
  if (statSync(path).isFile()) return [open(path, basename(path))];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => open(file, relative(path, file).split(sep).join('/')));
}

function open(file: string, name: string): VectorFile {
  const bytes = new Uint8Array(readFileSync(file));
  return {
    name,
    bytes,
    json: () => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown,
  };
}
