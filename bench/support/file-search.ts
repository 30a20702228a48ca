/** Looking for byte strings in files, all at once: which of them are anywhere in a folder. */

import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const CHUNK_BYTES = 16 * 2 ** 20;

/** Names of the patterns (each of `length` bytes) that are found in the files of the folder. */
export async function findInFiles(
  folder: string,
  patterns: ReadonlyMap<string, Uint8Array>,
  length: number,
): Promise<ReadonlySet<string>> {
  const byText = new Map([...patterns].map(([name, bytes]) => [Buffer.from(bytes).toString('latin1'), name]));
  const starts = new Uint8Array(65_536);
  for (const bytes of patterns.values()) {
    if (bytes.length !== length) throw new RangeError(`pattern of ${length} bytes expected`);
    starts[bytes[0]! * 256 + bytes[1]!] = 1;
  }
  const found = new Set<string>();
  for (const name of await readdir(folder)) {
    const file = await open(join(folder, name), 'r');
    const buffer = Buffer.alloc(CHUNK_BYTES);
    try {
      for (let position = 0; ;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
        for (let at = 0; at + length <= bytesRead; at++) {
          if (starts[buffer[at]! * 256 + buffer[at + 1]!] === 0) continue;
          const match = byText.get(buffer.toString('latin1', at, at + length));
          if (match !== undefined) found.add(match);
        }
        if (bytesRead < CHUNK_BYTES) break;
        position += CHUNK_BYTES - length + 1;
      }
    } finally {
      await file.close();
    }
  }
  return found;
}
