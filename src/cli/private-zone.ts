/** The private zone of a served log of events: the vault, the thread that prepares events for it, the tokens it writes about. */

import { Worker } from 'node:worker_threads';
import type { Tokens } from '../access/tokens.ts';
import { systemClock } from '../log/clock.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { errorFields, type Lines } from '../telemetry/lines.ts';
import { openVault } from '../vault/open-vault.ts';
import type { Preparing } from '../vault/prepare.ts';
import { PreparePool } from '../vault/prepare-pool.ts';
import type { StatementEd25519 } from '../vault/statement-key.ts';
import type { Vault } from '../vault/vault.ts';
import { nodeEd25519, signAside } from './ed25519-node.ts';
import type { Folder } from './folder.ts';
import type { ServeSettings } from './settings.ts';
import type { VaultKeys } from './vault-keys.ts';

export interface PrivateZoneParts {
  readonly folder: Folder;
  readonly issuer: string;
  readonly keys: VaultKeys;
  /** One that writes. */
  readonly log: Log;
  readonly store: Store;
  readonly tokens: Tokens;
  readonly settings: Pick<ServeSettings, 'epochMs'>;
  readonly lines: Lines;
}

export interface PrivateZone {
  readonly vault: Vault;
  /** Says what is left to say, in the log, which still has to be open. */
  close(): Promise<void>;
}

export const STATEMENT_ED25519: StatementEd25519 = { ...nodeEd25519, signAside };

/** Room for what is in the making, so that little of it is copied to where it lasts. */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 96 };

/** Throws what `openVault` throws. */
export async function openPrivateZone(parts: PrivateZoneParts): Promise<PrivateZone> {
  const { folder, issuer, keys, log, store, tokens, settings, lines } = parts;
  let pool: PreparePool | undefined;
  const vault = await openVault({
    ...keys,
    log,
    store,
    issuer,
    now: () => systemClock.now(),
    ed25519: STATEMENT_ED25519,
    sources: folder.sources ?? {},
    epochMs: settings.epochMs,
    prepareIn: (preparing) => (pool = startPool(preparing, lines))?.prepare,
    onFailure: (error) => lines.say('error', 'upkeep of the private zone failed', errorFields(error)),
  }).catch(async (error: unknown) => {
    await pool?.close();
    throw error;
  });
  tokens.watch((list) => {
    const listed = list.map(({ hash: _hash, ...token }) => token);
    vault.noteTokens(listed).catch((error: unknown) => {
      lines.say('error', 'a change of the tokens could not be logged', errorFields(error));
    });
  });
  return {
    vault,
    async close() {
      try {
        await vault.close();
      } finally {
        await pool?.close();
      }
    },
  };
}

/** From sources there is none: Node does not load TypeScript in a thread, and events are prepared where they arrive. */
function startPool(preparing: Preparing, lines: Lines): PreparePool | undefined {
  if (import.meta.url.endsWith('.ts')) return undefined;
  const entry = new URL('./prepare-worker.js', import.meta.url);
  const start = (): Worker =>
    new Worker(entry, { workerData: preparing, resourceLimits: WORKER_LIMITS, env: {} });
  return new PreparePool(start, preparing, (error) =>
    lines.say(
      'error',
      'the thread that prepares events died; they are prepared without it',
      errorFields(error),
    ),
  );
}
