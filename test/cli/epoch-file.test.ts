import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tryReplacing } from '../../src/access/durable-file.ts';
import { createEpochFile, epochFile } from '../../src/cli/epoch-file.ts';
import { newEpoch } from '../../src/vault/epochs.ts';
import { newDiskLog, serveDiskLog } from '../support/served-log.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MASTER = new Uint8Array(32).fill(0x4d);

test('is replaced whole, for its owner alone, over what an interrupted replacement left', async (t) => {
  const dir = await tempFolder(t);
  const path = join(dir, 'epochs');
  const file = await createEpochFile(path, MASTER, 1000);
  const [first] = await file.read();
  for (let number = 2; number < 5; number++) {
    await writeFile(`${path}.new`, 'half of a te');
    const [last] = (await file.read()).slice(-1);
    const next = newEpoch(last, 1000 * number);
    await file.replace([last!, next]);
    assert.deepEqual(
      (await epochFile(path, MASTER).read()).map((epoch) => epoch.number),
      [number - 1, number],
    );
    await file.replace([next]);
    const [read, ...more] = await file.read();
    assert.deepEqual(
      [read!.number, read!.createdMs, Buffer.from(read!.key), more],
      [next.number, next.createdMs, Buffer.from(next.key), []],
    );
    assert.deepEqual(await readdir(dir), ['epochs']);
    if (process.platform !== 'win32') assert.equal((await stat(path)).mode & 0o777, 0o600);
  }
  assert.equal(first!.number, 1);
});

test('what it was before is overwritten, not only unlinked', async (t) => {
  if (process.platform === 'win32') return t.skip('a file that is open cannot be renamed over');
  const path = join(await tempFolder(t), 'epochs');
  const file = await createEpochFile(path, MASTER, 1000);
  const [first] = await file.read();
  const before = await readFile(path, 'utf8');
  const old = await open(path, 'r');
  try {
    await file.replace([newEpoch(first, 2000)]);
    const { bytesRead, buffer } = await old.read(Buffer.alloc(before.length), 0, before.length, 0);
    assert.equal(bytesRead, before.length);
    assert.ok(buffer.every((byte) => byte === 0));
  } finally {
    await old.close();
  }
});

test('whether it could be replaced is found out without a trace', async (t) => {
  const dir = await tempFolder(t);
  const path = join(dir, 'epochs');
  await createEpochFile(path, MASTER, 1000);
  const text = await readFile(path, 'utf8');
  await writeFile(`${path}.new`, 'half of a te');
  await tryReplacing(path);
  assert.deepEqual([await readdir(dir), await readFile(path, 'utf8')], [['epochs'], text]);
  await mkdir(`${path}.new`);
  await assert.rejects(tryReplacing(path));
  await rm(`${path}.new`, { recursive: true });
  await rename(path, `${path}-away`);
  await assert.rejects(tryReplacing(path), { code: 'ENOENT' });
  await assert.rejects(tryReplacing(join(dir, 'no', 'epochs')), { code: 'ENOENT' });
});

test('that it cannot be replaced is said at the start, and nothing where it can', async (t) => {
  const parent = await tempFolder(t);
  for (const isStuck of [false, true]) {
    const { dir, folder } = await newDiskLog(parent, `log-${isStuck}`, { kind: 'events' });
    if (isStuck) await mkdir(`${folder.paths.epochs}.new`);
    const { said } = await serveDiskLog(t, dir);
    const warnings = said
      .map((line) => JSON.parse(line) as { level: string; msg: string; error?: string })
      .filter(({ msg }) => msg.startsWith('keys/epochs cannot be replaced: '));
    assert.equal(warnings.length, isStuck ? 1 : 0);
    for (const { level, error } of warnings) {
      assert.equal(level, 'warn');
      assert.ok(error);
    }
  }
});
