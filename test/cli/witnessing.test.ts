import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeEd25519 } from '../../src/cli/ed25519-node.ts';
import type { Policies } from '../../src/cli/policies.ts';
import { Witnessing } from '../../src/cli/witnessing.ts';
import { encodeUtf8 } from '../../src/formats/text.ts';
import { parsePolicy } from '../../src/formats/tlog-policy.ts';
import { formatVkey, KEY_TYPE, newVkey } from '../../src/formats/vkey.ts';
import { createLines } from '../../src/telemetry/lines.ts';
import { openTestLog } from '../support/test-log.ts';

test('witnesses whose answers cross a network in clear are named at the start, unless they are ignored', async () => {
  const urls = [
    'https://w0.example',
    'http://w1.example/prefix',
    'http://127.0.0.1:8090',
    'HTTP://[::1]:8090/',
    'http://localhost/x',
    'http://localhost.w5.example',
    'http://127.0.0.1.w6.example',
    'http://w7.example',
  ];
  const witnesses = urls.map((url, i) => {
    const publicKey = nodeEd25519.publicKey(new Uint8Array(32).fill(i + 1));
    return `witness w${i} ${formatVkey(newVkey(`w${i}.example`, KEY_TYPE.cosignatureEd25519, publicKey))} ${url}\n`;
  });
  const text = `${witnesses.join('')}group all all ${urls.map((_, i) => `w${i}`).join(' ')}\nquorum all\n`;
  const policy = parsePolicy(encodeUtf8(text));
  const policies: Policies = {
    fast: { text, policy },
    public: undefined,
    witnesses: policy.witnesses,
    verifiers: [],
  };
  const written: string[] = [];
  const { log, origin } = await openTestLog();
  const witnessing = new Witnessing({
    origin,
    policies,
    settings: {
      publishIntervalMs: 1000,
      witnessIntervalMs: 250,
      witnessDeadlineMs: 500,
      publicRequestsPerDay: 100,
    },
    ignored: new Set(['w7']),
    lines: createLines({ level: 'warn', write: (line) => written.push(line) }),
    onSignal: () => {},
  });
  witnessing.attach(log, new Map());
  const warned = written.map((line) => JSON.parse(line) as { level: string; names: string[]; msg: string });
  assert.deepEqual(
    warned.map(({ level, names }) => ({ level, names })),
    [{ level: 'warn', names: ['w1', 'w5', 'w6'] }],
  );
  assert.match(warned[0]!.msg, /asked over http/);
  await witnessing.close();
  await log.close();
});
