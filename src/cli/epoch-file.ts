/** `keys/epochs` (0600): the keys that data keys are sealed under, a week each, sealed under the master key (`vault/epochs.ts`). */

import { readFile } from 'node:fs/promises';
import { createFile, replaceFile } from '../access/durable-file.ts';
import { NewelError } from '../errors.ts';
import { type Epoch, type EpochFile, formatEpochs, newEpoch, parseEpochs } from '../vault/epochs.ts';
import { assertPrivate } from './log-key.ts';

/** Makes the file, with the first epoch. */
export async function createEpochFile(path: string, master: Uint8Array, nowMs: number): Promise<EpochFile> {
  await createFile(path, formatEpochs([newEpoch(undefined, nowMs)], master));
  return epochFile(path, master);
}

export function epochFile(path: string, master: Uint8Array): EpochFile {
  return {
    async read(): Promise<readonly Epoch[]> {
      await assertPrivate(path);
      try {
        return parseEpochs(await readFile(path, 'utf8'), master);
      } catch (cause) {
        const what =
          cause instanceof NewelError
            ? `is damaged, or of another master key (${cause.message})`
            : 'cannot be read';
        throw new NewelError(
          'log_refused',
          `the keys ${path} ${what}: bring back the newest copy of that file`,
          {
            cause,
          },
        );
      }
    },
    replace: (epochs) => replaceFile(path, formatEpochs(epochs, master)),
  };
}
