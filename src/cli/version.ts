/** Which program this is, from its package.json: two folders above, in the sources as in `dist`. */

import { readFileSync } from 'node:fs';

export interface Software {
  readonly name: string;
  readonly version: string;
}

export function readSoftware(): Software {
  const found: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  if (typeof found === 'object' && found !== null && 'name' in found && 'version' in found) {
    return { name: String(found.name), version: String(found.version) };
  }
  throw new Error('bug: package.json has no name and version');
}
