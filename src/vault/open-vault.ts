/**
 * Making a vault and opening it. What init wrote has to be what this process was given: the log statement at leaf 0
 * names origin, issuer and statement keys, and the master key opens the index key.
 */

import { formatLogStatement, parseLogStatement } from '../event/log-statement.ts';
import { NewelError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Store } from '../storage/store.ts';
import { Events } from './events.ts';
import { Keyring, newVaultRow } from './keyring.ts';
import { type Prepare, prepareEvent } from './prepare.ts';
import { type StatementEd25519, type StatementKeys, StatementSigner } from './statement-key.ts';
import { Submissions } from './submit.ts';
import type { Vault } from './vault.ts';

/** The largest event that is taken, as it is sent. */
export const MAX_EVENT_BYTES: number = 64 * 1024;
/** What a record may have for each byte of its event: escapes, base64 and the bytes as sent. */
const RECORD_GROWTH = 4;
/** Salts, names and frames of a record, however small its event is. */
const RECORD_BASE_BYTES = 8192;

export interface VaultOptions {
  readonly log: Log;
  /** The one that the log writes to: for reading. */
  readonly store: Store;
  /** 32 bytes. */
  readonly master: Uint8Array;
  readonly statementKeys: StatementKeys;
  readonly issuer: string;
  readonly ed25519: StatementEd25519;
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number;
  /** Where events are prepared; here, unless it is given. */
  readonly prepare?: Prepare;
}

/** Writes leaf 0, the log statement, and with it what a vault begins with. The log must be empty. */
export async function createVault(
  options: Omit<VaultOptions, 'store' | 'now'> & { readonly maxPublishDelayMs: number },
): Promise<void> {
  const { log, master, statementKeys, issuer, ed25519, maxPublishDelayMs } = options;
  if (log.revealed.size !== 0) throw new Error('bug: a vault is made in an empty log');
  const entry = formatLogStatement({
    kind: 'init',
    origin: log.identity.origin,
    issuer,
    statement_keys: new StatementSigner(statementKeys, ed25519).jwks.keys.map(({ kid }) => kid!),
    schemas: ['stepup/1'],
    max_publish_delay: maxPublishDelayMs / 1000,
  });
  await log.append({ entry, companions: () => [newVaultRow(master)] });
}

/** Throws `log_refused`, saying what is not as init left it. */
export async function openVault(options: VaultOptions): Promise<Vault> {
  const { log, store, master, issuer, now } = options;
  const signer = new StatementSigner(options.statementKeys, options.ed25519);
  await assertLogStatement(
    log,
    issuer,
    signer.jwks.keys.map(({ kid }) => kid!),
  );
  const issuing = { issuer, origin: log.identity.origin };
  const { prepare = (draft) => prepareEvent(draft, issuing) } = options;
  const parts = { log, store, issuing, signer, keyring: await Keyring.open(store, master) };
  const events = new Events(parts);
  const submissions = new Submissions(parts, events, prepare, now);
  return {
    issuer,
    jwks: signer.jwks,
    schemas: ['stepup/1'],
    maxEventBytes: MAX_EVENT_BYTES,
    reserve: (bodyBytes) => log.reserve(RECORD_GROWTH * bodyBytes + RECORD_BASE_BYTES),
    submit: (submission) => submissions.submit(submission),
    find: (eventId) => events.find(eventId),
  };
}

async function assertLogStatement(log: Log, issuer: string, kids: readonly string[]): Promise<void> {
  if (log.revealed.size === 0)
    throw refused('the log has no log statement at leaf 0, so its init did not end');
  const [entry] = await log.readEntries(0, 1);
  const statement = parseLogStatement(entry!);
  if (statement.origin !== log.identity.origin || statement.issuer !== issuer) {
    throw refused(
      'the log statement at leaf 0 names another origin or issuer than newel.json: bring that file back as init wrote it',
    );
  }
  // What is served as a statement key is trusted by whoever saves it, so the tree has to name each.
  const isNamed = kids.every((kid) => statement.statement_keys.includes(kid));
  if (!isNamed || new Set(kids).size < kids.length) {
    throw refused(
      'keys/statement.jwks has a key that the log statement at leaf 0 does not name, or one twice: bring it back as init wrote it',
    );
  }
}

function refused(message: string): NewelError {
  return new NewelError('log_refused', message);
}
