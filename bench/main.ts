/**
 * The bench: how fast the shipped server is beside what it could be, and how large.
 *
 *   npm run build && npm run bench                     all
 *   npm run bench -- add tiles --rounds 3              some
 *
 * It prints ratios and asserts nothing about speed. It fails where something is wrong: an answer that is not a 200, an
 * acknowledged entry that is not in the tree, a flipped bit that nobody finds.
 */

import { parseArgs } from 'node:util';
import { add } from './add.ts';
import { events } from './events.ts';
import { flips } from './flips.ts';
import { million } from './million.ts';
import { monitor } from './monitor.ts';
import { privateZone } from './private.ts';
import { secrets } from './secrets.ts';
import { size } from './size.ts';
import { sayMachine, say } from './support/report.ts';
import { DEFAULTS, type Scenario, Workbench } from './support/workbench.ts';
import { tiles } from './tiles.ts';
import { witnesses } from './witnesses.ts';

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  add,
  events,
  tiles,
  million,
  monitor,
  private: privateZone,
  secrets,
  witnesses,
  flips,
  size,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    connections: { type: 'string' },
    leaves: { type: 'string' },
    seed: { type: 'string' },
    dir: { type: 'string' },
  },
});

const options = {
  rounds: numberOf('rounds', 1) ?? DEFAULTS.rounds,
  roundMs: (numberOf('seconds', 0.1) ?? DEFAULTS.roundMs / 1000) * 1000,
  connections: numberOf('connections', 1) ?? DEFAULTS.connections,
  leaves: numberOf('leaves', 1000) ?? DEFAULTS.leaves,
  seed: numberOf('seed', 0) ?? DEFAULTS.seed,
  dir: values.dir ?? DEFAULTS.dir,
};
const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
const unknown = names.find((name) => !Object.hasOwn(SCENARIOS, name));
if (unknown !== undefined) {
  throw new Error(`there is no scenario ${unknown}; there are ${Object.keys(SCENARIOS).join(', ')}`);
}

// So that what runs at an exit runs: children are ended, folders removed.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1));

sayMachine();
const bench = await Workbench.open(options);
try {
  for (const name of names) {
    say(`\n── ${name} ──\n`);
    const startedMs = performance.now();
    if (!(await SCENARIOS[name]!(bench))) process.exitCode = 1;
    say(`(${((performance.now() - startedMs) / 1000).toFixed(0)} s)`);
  }
} finally {
  await bench.close();
}

function numberOf(
  name: 'rounds' | 'seconds' | 'connections' | 'leaves' | 'seed',
  min: number,
): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  const isWhole = name === 'seconds' || Number.isSafeInteger(value);
  if (!/^[0-9.]+$/.test(text) || !isWhole || value < min)
    throw new Error(`--${name} is not a number from ${min}`);
  return value;
}
