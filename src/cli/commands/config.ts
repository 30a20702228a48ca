/** `newel config`: what `serve` would use, and where each value comes from. */

import type { Call, Command } from '../command.ts';
import { DATA_OPTION, dataDir } from '../data-folder.ts';
import { EXIT } from '../exit-code.ts';
import { readFolder } from '../folder.ts';
import { formatJsonLine } from '../json-line.ts';
import { resolveSettings, SETTING_OPTIONS } from '../settings.ts';
import { formatTable, paint } from '../terminal.ts';

export const config: Command = {
  name: 'config',
  summary: 'print the settings of serve and where each comes from',
  usage: ['[--data DIR] [any flag of serve]'],
  about:
    'Prints each setting that serve would use with the same flags and environment, and the source of its value.',
  options: { data: DATA_OPTION, ...SETTING_OPTIONS },
  positionals: [0, 0],
  run: runConfig,
};

async function runConfig(call: Call): Promise<number> {
  const { terminal } = call;
  const folder = await readFolder(dataDir(call));
  const { rows } = resolveSettings({
    folder,
    flag: (name) => call.text(name),
    env: terminal.env,
    cwd: terminal.cwd,
  });
  const oidcSource = folder.oidc ? 'newel.json' : 'default';
  if (call.json) {
    const shown = rows.map(({ flag, env, value, unit, source }) => ({
      setting: flag,
      value: value ?? null,
      unit: unit ?? null,
      source,
      env,
    }));
    const oidc = {
      setting: 'oidc',
      value: folder.oidc?.issuer ?? null,
      unit: null,
      source: oidcSource,
      env: null,
    };
    terminal.out.write(formatJsonLine([...shown, oidc]));
    return EXIT.ok;
  }
  const oidc = { flag: 'oidc', value: folder.oidc?.issuer, unit: undefined, source: oidcSource };
  const table = [...rows, oidc].map(({ flag, value, unit, source }) => [
    flag,
    value === undefined ? '–' : `${value}${unit === undefined ? '' : ` ${unit}`}`,
    source === 'default' ? paint(terminal, terminal.out, 'dim', source) : source,
  ]);
  terminal.out.write(formatTable(table));
  return EXIT.ok;
}
