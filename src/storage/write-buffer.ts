/**
 * LevelDB's write buffer. What was written more than three of them ago (one filling, one being flushed, one of
 * margin) has left the write-ahead log for a table.
 */
export const WRITE_BUFFER_BYTES: number = 8 * 2 ** 20;
