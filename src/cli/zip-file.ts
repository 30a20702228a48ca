/**
 * Zip files as Newel writes them: files stored as they are, in the order of their names, without times, comments or
 * anything between. What is read has to be exactly what would be written of it, so that no two programs can see two
 * different contents in one zip; any other zip can be unpacked, and its folder be looked at.
 *
 *   local header, bytes   …   central directory   end of it
 */

import { unzipSync, zipSync } from 'fflate';
import { NewelError } from '../errors.ts';

/** Of local time, which is what a zip has: the same digits everywhere. */
const NO_TIME: Date = new Date(1980, 0, 1);

/** What a zip of other files may have at most, and be read. */
export interface ZipLimits {
  readonly maxFiles: number;
  readonly isName: (name: string) => boolean;
}

export function formatZip(files: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return zipSync(Object.fromEntries(sorted), { level: 0, mtime: NO_TIME });
}

/** Whether bytes begin as a zip does. */
export function isZip(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4)).equals(Buffer.from('PK\x03\x04', 'latin1'));
}

/**
 * The files of a zip that `formatZip` wrote. Nothing is unpacked that is packed, and no more is copied than there is. Throws `too_large` for more files than
 * are taken, `malformed` for anything else that `formatZip` would not write of names that are taken.
 */
export function parseZip(
  bytes: Uint8Array,
  { maxFiles, isName }: ZipLimits,
): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  let count = 0;
  let total = 0;
  try {
    const found = unzipSync(bytes, {
      filter({ name, compression, size, originalSize }) {
        if (++count > maxFiles) throw new NewelError('too_large', `zip has more than ${maxFiles} files`);
        if (!isName(name)) throw malformed('has a file of a name that is not taken');
        total += size;
        if (total > bytes.length) throw malformed('has files that lie over one another');
        if (compression !== 0 || size !== originalSize) throw malformed('has files that are packed');
        return true;
      },
    });
    for (const [name, content] of Object.entries(found)) files.set(name, content);
  } catch (cause) {
    if (cause instanceof NewelError) throw cause;
    throw new NewelError('malformed', 'zip cannot be read', { cause });
  }
  if (!Buffer.from(formatZip(files)).equals(bytes))
    throw malformed('is not in the one form that newel writes');
  return files;
}

function malformed(found: string): NewelError {
  return new NewelError('malformed', `zip ${found}: unpack it, and verify the folder`);
}
