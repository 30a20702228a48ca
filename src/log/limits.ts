/** The defaults of the write path, with their reasons in `spec/log.md`. */

import { WRITE_BUFFER_BYTES } from '../storage/write-buffer.ts';
import type { PoolLimits } from './pool.ts';

const MiB = 2 ** 20;

export const POOL_LIMITS: PoolLimits = {
  maxRoundEntries: 4096,
  maxRoundBytes: 8 * MiB,
  maxQueueEntries: 8192,
  maxQueueBytes: 64 * MiB,
};

/** A round with so many bytes written after it has left LevelDB's write-ahead log. */
export const WRITE_BUFFERS_BYTES: number = 3 * WRITE_BUFFER_BYTES;

/** How often the slot `none` is published at most, while the tree grows. */
export const PUBLISH_INTERVAL_MS = 1000;
/** How often the witnesses of the slot `fast` are asked at most, while the tree grows. */
export const WITNESS_INTERVAL_MS = 250;
/** How long a publication waits for its witnesses; what comes later is kept with it all the same. */
export const WITNESS_DEADLINE_MS = 500;
/** The same of the slot `public`, whose witnesses count requests. */
export const PUBLIC_DEADLINE_MS = 10_000;
/** Lines of witnesses that one checkpoint can have beside the log's own: a note has at most 100. */
export const MAX_WITNESSES = 96;
/** How often an unchanged head is published again. */
export const REPUBLISH_INTERVAL_MS = 600_000;
/** All published checkpoints are kept this long; then one a minute of growth, for ever. */
export const KEEP_ALL_MS: number = 7 * 24 * 3_600_000;
export const KEEP_ONE_EVERY_MS = 60_000;
/** The promise in `/v1/log`: every head in a receipt is consistent with a checkpoint published this soon. */
export const MAX_PUBLISH_DELAY_MS = 60_000;

/** A clock that is behind the last head by less is waited for; by more, the log refuses to open. */
export const CLOCK_WAIT_MS = 10_000;

/** Full tiles that are kept in memory once they were verified: 16 MiB. */
export const CACHED_TILES = 2048;
