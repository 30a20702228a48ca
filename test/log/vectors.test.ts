/** Our vectors of what is on disk: `spec/vectors/storage`. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { formatHex, parseHex } from '../../src/formats/hex.ts';
import { GUARD_SLOT_BYTES, formatGuardSlot, parseGuardSlot } from '../../src/log/guard.ts';
import { formatRoundRecord, hashRoundRecord, parseRoundRecord } from '../../src/log/round-record.ts';
import {
  checkpointKey,
  entriesKey,
  headKey,
  identityKey,
  roundKey,
  type Slot,
  slotKey,
  tileKey,
} from '../../src/storage/keys.ts';
import { readVectors } from '../support/vectors.ts';

function cases<T>(name: string): T[] {
  return readVectors('spec', `storage/${name}`).files()[0]!.json() as T[];
}

interface RecordCase {
  readonly desc: string;
  readonly record: string;
  readonly want?: {
    first: number;
    size: number;
    timeMs: number;
    root: string;
    previous: string;
    hash: string;
  };
  readonly wantErr?: string;
}

for (const { desc, record, want, wantErr } of cases<RecordCase>('round-record.json')) {
  test(`'storage/round-record.json': ${desc}`, () => {
    const bytes = parseHex(record);
    if (!want) {
      assert.throws(() => parseRoundRecord(bytes), { code: wantErr });
      return;
    }
    const parsed = parseRoundRecord(bytes);
    const { root, previous } = parsed;
    const hash = formatHex(hashRoundRecord(bytes));
    assert.deepEqual({ ...parsed, root: formatHex(root), previous: formatHex(previous), hash }, want);
    assert.deepEqual(formatRoundRecord(parsed), bytes);
  });
}

interface SlotCase {
  readonly desc: string;
  readonly slot: string;
  readonly want: Record<string, unknown> | null;
}

for (const { desc, slot, want } of cases<SlotCase>('guard-slot.json')) {
  test(`'storage/guard-slot.json': ${desc}`, () => {
    const bytes = new Uint8Array(GUARD_SLOT_BYTES).fill(0x0a);
    bytes.set(encodeUtf8(slot));
    const head = parseGuardSlot(bytes);
    assert.deepEqual(head ? { ...head, root: formatHex(head.root) } : null, want);
    if (head) assert.deepEqual(formatGuardSlot(head), bytes);
  });
}

const KEYS: Record<string, (...args: never[]) => Uint8Array> = {
  identity: () => identityKey,
  head: () => headKey,
  tile: tileKey,
  entries: entriesKey,
  round: roundKey,
  checkpoint: checkpointKey,
  slot: (slot: Slot) => slotKey(slot),
};

for (const { desc, key, args, want } of cases<{ desc: string; key: string; args: never[]; want: string }>(
  'keys.json',
)) {
  test(`'storage/keys.json': ${desc}`, () => {
    assert.equal(formatHex(KEYS[key]!(...args)), want);
  });
}
