/**
 * kill -9 on a witness under load, again and again. What it ever answered is kept outside the process: no answer is
 * forgotten, none is contradicted, and it goes on from where it was.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCheckpoint } from '../../src/formats/checkpoint.ts';
import { cosignatureVerifier } from '../../src/formats/cosignature.ts';
import { formatHex } from '../../src/formats/hex.ts';
import { nobleMldsa44 } from '../../src/formats/mldsa-noble.ts';
import { openNote, parseSignatureLines, type Verifier } from '../../src/formats/note.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parseVkey } from '../../src/formats/vkey.ts';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import { hashOrigin } from '../../src/witness/witness-rows.ts';
import { runCli, startCli } from '../support/cli.ts';
import { SLOW } from '../support/slow.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { timeOf } from '../support/test-witness.ts';
import { WitnessedLog } from '../support/witnessed-log.ts';

const ROUNDS = SLOW ? 200 : 12;
const LEAVES = 4096;
/** Of each log at a time. */
const CONNECTIONS = 3;

interface Cosigned {
  readonly size: number;
  readonly isForked: boolean;
  readonly timeS: number;
}

/** A log, and all that the witness ever answered it. */
interface Watched {
  readonly log: WitnessedLog;
  readonly cosigned: Cosigned[];
  /** The largest size that was answered: with 200, as a conflict, or as the newest checkpoint. */
  seen: number;
  /** Which tree the witness has chosen. */
  isForked: boolean;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

test(`kill -9 under load, ${ROUNDS} times: nothing that was cosigned is forgotten or contradicted`, async (t) => {
  const cwd = await tempFolder(t);
  const made = await runCli(['witness', 'init', '--data', 'w', '--name', 'witness.example/w', '--json'], {
    cwd,
  });
  const { vkeys } = JSON.parse(made.out) as { vkeys: string[] };
  const verifiers = vkeys.map((vkey) =>
    cosignatureVerifier(parseVkey(vkey), { ed25519: nodeEd25519, mldsa44: nobleMldsa44 }),
  );
  const watched = ['log.example/a', 'log.example/b'].map((origin): Watched => ({
    log: new WitnessedLog(origin, { leaves: LEAVES }),
    cosigned: [],
    seen: 0,
    isForked: false,
  }));
  await writeFile(join(cwd, 'w/logs'), `logs/v0\n${watched.map(({ log }) => log.listed()).join('')}`);
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());

  for (let round = 0; round <= ROUNDS; round++) {
    const { child, waitFor } = startCli(t, ['witness', 'serve', '--data', 'w', '--listen', '127.0.0.1:0'], {
      cwd,
    });
    const [line] = await waitFor('err', /^.*"msg":"serving"\}$/m);
    const port = Number(new URL((JSON.parse(line) as { url: string }).url).port);
    const call: Call = (method, path, body) => send(agent, port, method, path, body);
    for (const one of watched) await looksBack(call, one, verifiers);
    if (round === ROUNDS) {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      assert.deepEqual((await closed)[0], 0);
      break;
    }
    const gone = once(child, 'close');
    const loads = watched.flatMap((one) =>
      Array.from({ length: CONNECTIONS }, (_, i) => load(call, one, verifiers, round * CONNECTIONS + i)),
    );
    await new Promise((resolve) => setTimeout(resolve, (round * 61) % 400));
    child.kill('SIGKILL');
    await gone;
    await Promise.all(loads);
  }

  for (const { cosigned, seen } of watched) {
    t.diagnostic(`${cosigned.length} cosigned up to ${seen}`);
    assert.ok(cosigned.length > ROUNDS, 'there was load');
    // The two trees of a log part at leaf 5.
    assert.equal(new Set(cosigned.filter(({ size }) => size > 5).map(({ isForked }) => isForked)).size, 1);
    const byTime = cosigned.toSorted((a, b) => a.timeS - b.timeS || a.size - b.size);
    for (const [i, { size }] of byTime.entries())
      assert.ok(i === 0 || size >= byTime[i - 1]!.size, 'a rollback');
  }
});

type Call = (method: string, path: string, body?: Uint8Array) => Promise<Answer>;

/** After a start: the newest checkpoint is no smaller than any that was answered, and of the same tree. */
async function looksBack(call: Call, one: Watched, verifiers: readonly Verifier[]): Promise<void> {
  const { log, cosigned } = one;
  const { status, text } = await call('GET', `/${formatHex(hashOrigin(log.origin))}/checkpoint`);
  if (status === 404) {
    assert.equal(one.seen, 0, 'all is forgotten');
    return;
  }
  const opened = openNote(encodeUtf8(text), verifiers);
  assert.equal(opened.verified.length, verifiers.length);
  const { size } = parseCheckpoint(opened.text);
  assert.ok(size >= one.seen, `${size} after ${one.seen}`);
  const isForked = opened.text !== log.text(size);
  assert.equal(opened.text, log.text(size, { isForked }));
  cosigned.push({ size, isForked: size > 5 && isForked, timeS: timeOf(opened.verified[0]!) });
  one.seen = size;
  one.isForked = size > 5 && isForked;
  const other = await call('POST', '/add-checkpoint', log.body(size, size + 1, { isForked: !isForked }));
  assert.equal(other.status, size > 5 ? 422 : 200, other.text);
  if (other.status === 200) keep(one, other.text, { size: size + 1, isForked: !isForked }, verifiers);
}

/** Asks for larger trees until the process is gone; now and then of the other tree. */
async function load(call: Call, one: Watched, verifiers: readonly Verifier[], seed: number): Promise<void> {
  const { log } = one;
  for (let i = 0; ; i++) {
    const dice = Math.imul(seed * 131 + i, 2654435761) >>> 4;
    const oldSize = one.seen;
    const size = Math.min(LEAVES, oldSize + (dice % 3));
    const isForked = (dice % 5 === 0) !== one.isForked;
    let answer: Answer;
    try {
      answer = await call('POST', '/add-checkpoint', log.body(oldSize, size, { isForked }));
    } catch {
      return;
    }
    assert.ok([200, 409, 422, 429].includes(answer.status), `${answer.status} ${answer.text}`);
    if (answer.status === 409) one.seen = Math.max(one.seen, Number(answer.text));
    if (answer.status === 200) keep(one, answer.text, { size, isForked }, verifiers);
  }
}

function keep(
  one: Watched,
  lines: string,
  { size, isForked }: { readonly size: number; readonly isForked: boolean },
  verifiers: readonly Verifier[],
): void {
  const text = one.log.text(size, { isForked });
  const [line] = parseSignatureLines(lines);
  assert.ok(verifiers[0]!.verify(encodeUtf8(text), line!.signature));
  one.cosigned.push({ size, isForked: size > 5 && isForked, timeS: timeOf(line!) });
  one.seen = Math.max(one.seen, size);
  if (size > 5) one.isForked = isForked;
}

function send(agent: Agent, port: number, method: string, path: string, body?: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode!, text: Buffer.concat(chunks).toString() }),
      );
      response.on('error', reject);
      response.on('aborted', () => reject(new Error('aborted')));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
