/** Makes the folder that `--data` names. */

import { hasCode, makeFolders } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';

/**
 * Makes it, with the parents that it lacks, for its owner alone. Resolves to the first folder that was made, `undefined`
 * where it was there. Throws `usage`, saying what is in the way.
 */
export async function makeDataFolder(dir: string): Promise<string | undefined> {
  try {
    return await makeFolders(dir);
  } catch (cause) {
    const isFile = hasCode(cause, 'EEXIST') || hasCode(cause, 'ENOTDIR');
    const words = isFile
      ? `${dir} cannot be a folder, for there is a file of that name or on the way to it: give another as --data`
      : `the folder ${dir} cannot be made: give another as --data, in a place where this user may make one`;
    throw new NewelError('usage', words, { cause });
  }
}
