/**
 * The import table of the house, enforced a second time (the linter is the first): each room imports what it may, and
 * what a browser loads for the client never reaches Node, the server or the database.
 */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  cpSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, test } from 'node:test';

const ROOT = resolve(import.meta.dirname, '..');
const SRC = join(ROOT, 'src');

/** What a room may import besides itself and `errors.ts`: rooms, single files, and packages. */
const TABLE: Record<
  string,
  { rooms?: readonly string[]; files?: readonly string[]; packages?: readonly RegExp[] }
> = {
  core: { packages: [/^@noble\/hashes\//] },
  formats: { rooms: ['core'], packages: [/^@noble\//] },
  event: { rooms: ['formats', 'core'], packages: [/^valibot$/] },
  client: { rooms: ['event', 'formats', 'core'] },
  storage: { rooms: ['core'], packages: [/^node:/, /^level$/] },
  log: { rooms: ['storage', 'client', 'formats', 'core'], packages: [/^node:/, /^@noble\/hashes\//] },
  vault: {
    rooms: ['event', 'formats'],
    files: ['log/log.ts', 'storage/store.ts'],
    packages: [/^node:/, /^cbor-x$/],
  },
  access: { rooms: ['formats'], files: ['storage/store.ts'], packages: [/^node:/, /^jose$/] },
  witness: {
    rooms: ['client', 'storage', 'formats', 'core'],
    packages: [/^node:/, /^@noble\/hashes\//],
  },
  monitor: {
    rooms: ['client', 'storage', 'formats', 'core'],
    packages: [/^node:/, /^@noble\/hashes\//],
  },
  telemetry: {
    files: [
      'log/signals.ts',
      'http/signals.ts',
      'access/signals.ts',
      'witness/signals-asking.ts',
      'witness/signals.ts',
    ],
    packages: [/^pino$/, /^prom-client$/],
  },
  http: {
    rooms: ['formats', 'core'],
    files: [
      'log/log.ts',
      'log/limits.ts',
      'access/principal.ts',
      'access/permissions.ts',
      'vault/vault.ts',
      'witness/witness.ts',
      'monitor/heads.ts',
    ],
    packages: [/^node:/, /^hono/, /^@hono\/node-server$/, /^@noble\/hashes\//],
  },
  cli: {
    rooms: readdirSync(SRC).filter((name) => !name.endsWith('.ts')),
    files: ['node.ts'],
    packages: [/./],
  },
};

const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|import\('([^']+)'\)/g;

/** A whole statement: with `type` inside the braces the file is loaded all the same. */
const TYPES_ALONE = /(?:^|\n)\s*(?:import|export)\s+type\s[^;]*?from\s+'[^']+';/g;

function importsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(SPECIFIER)].map(
    (match) => (match[1] ?? match[2] ?? match[3])!,
  );
}

/** What is loaded with a file: not what it has types of alone. */
function loadsOf(file: string): string[] {
  const source = readFileSync(file, 'utf8').replaceAll(TYPES_ALONE, '\n');
  return [...source.matchAll(SPECIFIER)].map((match) => (match[1] ?? match[2] ?? match[3])!);
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function isAllowed(room: string, file: string, specifier: string): boolean {
  const { rooms = [], files = [], packages = [] } = TABLE[room]!;
  if (!specifier.startsWith('.')) return packages.some((pattern) => pattern.test(specifier));
  const target = relative(SRC, resolve(dirname(file), specifier)).replaceAll('\\', '/');
  const [targetRoom] = target.split('/');
  return (
    targetRoom === room || target === 'errors.ts' || rooms.includes(targetRoom!) || files.includes(target)
  );
}

describe('the import table', () => {
  for (const room of readdirSync(SRC).filter((name) => !name.endsWith('.ts'))) {
    test(`${room} imports what it may`, () => {
      assert.ok(TABLE[room], `${room} is in the table`);
      const wrong = filesOf(join(SRC, room)).flatMap((file) =>
        importsOf(file)
          .filter((specifier) => !isAllowed(room, file, specifier))
          .map((specifier) => `${relative(ROOT, file)} imports ${specifier}`),
      );
      assert.deepEqual(wrong, []);
    });
  }

  test('errors.ts imports nothing', () => {
    assert.deepEqual(importsOf(join(SRC, 'errors.ts')), []);
  });

  test('what the client reaches runs in a browser', () => {
    const reached = new Set<string>();
    const packages = new Set<string>();
    const visit = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const specifier of loadsOf(file)) {
        if (specifier.startsWith('.')) visit(resolve(dirname(file), specifier));
        else packages.add(specifier);
      }
    };
    visit(join(SRC, 'client/index.ts'));
    assert.ok(reached.size > 10, 'the closure is walked');
    assert.deepEqual(
      [...packages].filter((name) => !name.startsWith('@noble/')),
      [],
    );
  });
});

describe('the linter enforces the table too', () => {
  /** In each room, an import that it must not have. */
  const WRONG: Record<string, string> = {
    core: '../formats/base64.ts',
    formats: '../client/source.ts',
    client: 'node:fs',
    storage: '../formats/base64.ts',
    log: '../http/listen.ts',
    access: '../log/log.ts',
    telemetry: '../log/log.ts',
    http: '../storage/level.ts',
  };
  const isAvailable = existsSync(join(ROOT, 'node_modules/.bin/oxlint'));

  test('a wrong import in any room fails', { skip: isAvailable ? false : 'oxlint is not installed' }, () => {
    const copy = mkdtempSync(join(tmpdir(), 'newel-layers-'));
    try {
      for (const name of ['src', '.oxlintrc.json', 'tsconfig.json', 'package.json']) {
        cpSync(join(ROOT, name), join(copy, name), { recursive: true });
      }
      symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
      for (const [room, specifier] of Object.entries(WRONG)) {
        writeFileSync(join(copy, 'src', room, 'wrong.ts'), `import '${specifier}';\n`);
      }
      const lint = (...args: string[]): string => {
        try {
          return execFileSync(join(copy, 'node_modules/.bin/oxlint'), args, { cwd: copy, encoding: 'utf8' });
        } catch (error) {
          const failed: unknown = error;
          assert.ok(failed instanceof Error && 'stdout' in failed);
          return String(failed.stdout);
        }
      };
      const output = lint('--format=unix', 'src');
      for (const room of Object.keys(WRONG)) {
        assert.match(
          output,
          new RegExp(
            `src/${room}/wrong\\.ts.*no-restricted-imports|no-restricted-imports.*src/${room}/wrong\\.ts`,
          ),
        );
      }
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  });
});
