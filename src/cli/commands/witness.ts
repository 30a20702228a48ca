/** `newel witness`: a witness for this log and other people's. */

import { resolve } from 'node:path';
import { formatKeyId, formatVkey, KEY_TYPE, type Vkey } from '../../formats/vkey.ts';
import { createLines, LEVELS, parseLevel } from '../../telemetry/lines.ts';
import { type Call, type Command, parseGiven, usage } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { formatJsonLine } from '../json-line.ts';
import { createWitnessFolder } from '../create-witness-folder.ts';
import { formatAddress, parseAddress, parsePublicUrl } from '../address.ts';
import { runService } from '../stop-signals.ts';
import { formatFields, shellQuote } from '../terminal.ts';
import { readSoftware } from '../version.ts';
import { readWitnessFolder } from '../witness-folder.ts';
import { openWitnessGossip, type WitnessGossipOptions } from '../witness-gossip.ts';
import { startWitness } from '../witness-service.ts';

const DEFAULT_LISTEN = '127.0.0.1:8090';
/** More of a key than anybody compares. */
const LONG_WORD = /(\S{64})\S{448,}/g;
/** Options that belong to one of the two alone. */
const OF_INIT = ['name', 'public-url'] as const;
const OF_SERVE = ['logs', 'log-level', 'metrics', 'gossip', 'peer', 'tiles'] as const;

export const witness: Command = {
  name: 'witness',
  summary: 'make and serve a witness of logs',
  usage: [
    `init --data DIR --name NAME [--listen ${DEFAULT_LISTEN}] [--public-url URL]`,
    'serve --data DIR [--listen ADDR] [--logs FILE] [--metrics ADDR] [--log-level info]',
    'serve --data DIR … --gossip [--peer URL …] [--tiles ORIGIN=URL …]',
  ],
  about:
    'A witness remembers of each log the newest tree that it has cosigned, and cosigns only one that extends it.\n' +
    'init makes its folder: keys, an empty list of logs, the database that is its memory; and prints what a log puts into\n' +
    'its policy. serve answers logs by the C2SP tlog-witness protocol until SIGTERM or SIGINT; the list of logs, in the\n' +
    'format of the public witness network, is read again when it changes. It never makes a database: a witness that has\n' +
    'lost what it cosigned must not sign with the same keys again. Never restore an older copy of the folder.\n' +
    'With --gossip it also keeps and exchanges heads, with its peers and with whoever posts one to /v1/heads; what proves\n' +
    'that a log has forked, or that a key went back in time, is kept in DIR/evidence, for newel verify and for others.',
  options: {
    data: { value: 'DIR', help: 'the folder of the witness' },
    name: { value: 'NAME', help: 'the name in its cosignatures, for ever, like witness.example/w1' },
    listen: {
      value: 'ADDR',
      help: `where it listens (default: ${DEFAULT_LISTEN}; of serve: as init was told)`,
    },
    'public-url': { value: 'URL', help: 'the URL that logs reach it at, for the lines of their policies' },
    logs: { value: 'FILE', help: 'the list of logs that it cosigns (default: logs in the folder)' },
    gossip: { help: 'exchange heads, of at most 64 logs' },
    peer: {
      value: 'URL',
      help: 'a monitor or witness to exchange heads with; several times',
      multiple: true,
    },
    tiles: {
      value: 'ORIGIN=URL',
      help: 'where the tiles of a log are read, to compare heads (default: https://ORIGIN); several times',
      multiple: true,
    },
    metrics: {
      value: 'ADDR',
      help: 'a socket of its own for /metrics, for Prometheus, which needs no token there',
    },
    'log-level': { value: 'LEVEL', help: `${LEVELS.join(', ')} (default: info)` },
  },
  positionals: [0, 1],
  run: runWitness,
};

function runWitness(call: Call): Promise<number> {
  const [verb] = call.positionals;
  if (verb !== 'init' && verb !== 'serve') throw usage(witness, 'init or serve?');
  const other = (verb === 'init' ? OF_SERVE : OF_INIT).find(
    (option) => call.has(option) || call.text(option) !== undefined,
  );
  if (other !== undefined) throw usage(witness, `--${other} is not for ${verb}`);
  const data = call.text('data');
  if (data === undefined) throw usage(witness, '--data is needed: the folder of the witness');
  const dir = resolve(call.terminal.cwd, data);
  return verb === 'init' ? init(call, dir) : serve(call, dir);
}

async function init(call: Call, dir: string): Promise<number> {
  const name = call.text('name');
  if (name === undefined) throw usage(witness, '--name is needed, like witness.example/w1');
  const listen = call.parsed('listen', parseAddress) ?? parseAddress(DEFAULT_LISTEN);
  const url = call.parsed('public-url', parsePublicUrl);
  const made = { dir, name, listen, ...(url === undefined ? {} : { url }) };
  const { folder, keys, policy } = await createWitnessFolder(made);
  const { out, err } = call.terminal;
  if (call.json) {
    const vkeys = keys.map(({ vkey }) => formatVkey(vkey));
    out.write(formatJsonLine({ name, vkeys, folder: dir, policy }));
    return EXIT.ok;
  }
  out.write(
    formatFields([
      ['name', name],
      ['keys', keys.map(({ vkey }) => keyWords(vkey)).join(', ')],
      ['folder', `${dir} (never restore an older copy of it)`],
      ['logs', `${folder.paths.logs} (to be filled)`],
    ]),
  );
  // Nobody reads a key of ML-DSA-44, and whoever takes it takes it from the file or a pipe.
  const shown = out.isTerminal ? policy.map((line) => line.replace(LONG_WORD, '$1…')) : policy;
  out.write(
    `\nFor the policy of a log, ${out.isTerminal ? 'whole' : 'also'} in ${folder.paths.policy}:\n${shown.map((line) => `${line}\n`).join('')}`,
  );
  err.write(`Next: newel witness serve --data ${shellQuote(call.text('data') ?? dir)}\n`);
  return EXIT.ok;
}

/** The key id and what kind of key it is. */
function keyWords({ keyId, type }: Vkey): string {
  return `${formatKeyId(keyId)} (${type === KEY_TYPE.mldsa44 ? 'ML-DSA-44' : 'Ed25519'})`;
}

async function serve(call: Call, dir: string): Promise<number> {
  const { terminal } = call;
  const listen = call.parsed('listen', parseAddress);
  const metrics = call.parsed('metrics', parseAddress);
  const logs = call.text('logs');
  const level = call.parsed('log-level', parseLevel) ?? 'info';
  const gossip = gossipOf(call);
  const folder = await readWitnessFolder(dir);
  const lines = createLines({ level, write: (line) => terminal.err.write(line) });
  lines.say('info', 'starting', { version: readSoftware().version, witness: folder.name, folder: dir });
  return runService({
    lines,
    start: () =>
      startWitness({
        folder,
        lines,
        ...(listen ? { listen } : {}),
        ...(metrics ? { metrics } : {}),
        ...(logs === undefined ? {} : { logs: resolve(terminal.cwd, logs) }),
        ...(gossip ? { extend: (opened) => openWitnessGossip(opened, gossip) } : {}),
      }),
    onServing({ listening, metricsUrl, keys, logs: listed }) {
      const { host, port, url } = listening;
      const scraped = metricsUrl === undefined ? {} : { metrics: metricsUrl };
      const fields = { listening: formatAddress({ host, port }), ...scraped, keys, logs: listed, url };
      lines.say('info', 'serving', fields);
    },
    still: 'answers to those that came',
  });
}

function gossipOf(call: Call): WitnessGossipOptions | undefined {
  const peers = call.texts('peer').map((text) => parseGiven(witness, '--peer', text, parsePublicUrl));
  const tiles = new Map<string, string>();
  for (const text of call.texts('tiles')) {
    const [, origin, url] = /^(.+)=(https?:.*)$/s.exec(text) ?? [];
    if (origin === undefined || url === undefined)
      throw usage(witness, '--tiles is not like log.example/bank=https://log.example/bank');
    tiles.set(origin, parseGiven(witness, '--tiles', url, parsePublicUrl));
  }
  if (call.has('gossip')) return { peers, tiles };
  if (peers.length > 0 || tiles.size > 0) throw usage(witness, '--peer and --tiles go with --gossip');
  return undefined;
}
