import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WRITE_BUFFERS_BYTES } from '../../src/log/limits.ts';
import { ProvedMark } from '../../src/log/proved-mark.ts';
import { provedMarkKey, readUint64, roundKey } from '../../src/storage/keys.ts';
import { openLevelStore } from '../../src/storage/level.ts';
import { openTestLog } from '../support/test-log.ts';
import { parseWal } from '../support/wal.ts';

const MiB = 2 ** 20;

test('the mark is due once at what recovery proved, then where three write buffers were written since', () => {
  const mark = new ProvedMark(7);
  assert.equal(mark.due(), 7);
  assert.equal(mark.due(), undefined);
  const buffers = WRITE_BUFFERS_BYTES / MiB;
  for (let round = 8; round < 8 + buffers; round++) {
    mark.committed(round, MiB);
    assert.equal(mark.due(), undefined, `round ${round}`);
  }
  mark.committed(8 + buffers, MiB);
  assert.equal(mark.due(), undefined, 'exactly three buffers after round 8 is not more than three');
  mark.committed(9 + buffers, 1);
  assert.equal(mark.due(), 8);
});

test('small rounds are not remembered one by one, and the mark is never ahead of its bytes', () => {
  const mark = new ProvedMark(0);
  mark.due();
  let written = 0;
  const writtenAfter: number[] = [];
  for (let round = 1; round <= 40_000; round++) {
    mark.committed(round, 2000);
    written += 2000;
    writtenAfter[round] = written;
    const due = mark.due();
    if (due !== undefined) assert.ok(written - writtenAfter[due]! > WRITE_BUFFERS_BYTES);
  }
});

test("what LevelDB's write-ahead log still holds is after the mark", { timeout: 300_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'newel-mark-'));
  try {
    const store = await openLevelStore(join(folder, 'db'), { create: true });
    const t = await openTestLog({ store });
    let moved = 0;
    for (let i = 0; i < 60; i++) {
      const entries = Array.from({ length: 16 }, (_, n) => {
        const entry = new Uint8Array(65_535);
        for (let at = 0; at < entry.length; at += 4) entry[at] = (at * 31 + n * 7 + i) & 255;
        return entry;
      });
      await Promise.all(entries.map((entry) => t.append(entry)));
      const [value] = await store.getMany([provedMarkKey]);
      const mark = readUint64(value!, 0);
      if (mark === 0) continue;
      moved = mark;
      for (const name of await readdir(join(folder, 'db'))) {
        if (!name.endsWith('.log')) continue;
        // LevelDB may delete a log that it needs no more between the two looks; then it holds nothing.
        const bytes = await readFile(join(folder, 'db', name)).catch(() => Buffer.alloc(0));
        const records = parseWal(bytes);
        const inLog = records.some(({ data }) => Buffer.from(data).includes(roundKey(mark)));
        assert.ok(!inLog, `round ${mark} is the mark, and still in the write-ahead log`);
      }
    }
    assert.ok(moved > 10, `the mark moved to ${moved}`);
    await t.log.close();
    await store.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
