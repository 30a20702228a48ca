/** The folder that receipts are written to. */

import { access, constants } from 'node:fs/promises';
import { makeFolders } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';

/** Makes it, for its owner alone, where it is missing. Throws `unreachable` where nothing can be written to it. */
export async function makeOutFolder(path: string): Promise<string> {
  try {
    await makeFolders(path);
    // Before anything is sent: what is logged or erased is so even where its receipt cannot be kept.
    await access(path, constants.W_OK | constants.X_OK);
    return path;
  } catch (cause) {
    throw new NewelError('unreachable', `${path} cannot be written to: give another folder as --out`, {
      cause,
    });
  }
}
