import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** A new name is durable only when its folder is. Windows has no such call, and needs none for development. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
