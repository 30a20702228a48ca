/** What a reader of a log of events needs to know of an entry without knowing events: that it is a leaf, and of which version. */

import { parseLeaf } from '../event/leaf.ts';

/**
 * The leaf version of an entry of a log of events: 0 a log statement, 1 an event, any other one that is not known here and
 * is to be counted and passed over (the registry in spec/event.md). Throws `malformed` for an entry that is no leaf.
 */
export function leafVersionOf(entry: Uint8Array): number {
  return parseLeaf(entry).version;
}
