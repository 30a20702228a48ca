/**
 * Epochs: what the data keys are sealed under, for a week each. Whoever has an old copy of the database and the master
 * key still opens nothing whose epoch's key is gone, so destroying that key is what erases.
 *
 *   keys/epochs     [{"epoch":2,"created":"2026-11-20T12:00:08.123Z","key":"<base64url of the key sealed under the master key>"}]
 *
 * Mostly there is one. While the data keys are being sealed anew there are two; then the old one is gone from the file.
 */

import { NewelError } from '../errors.ts';
import { formatBase64Url, parseBase64Url } from '../formats/base64url.ts';
import { isJsonObject, type JsonValue, parseJson } from '../formats/json.ts';
import { randomBytes } from './random.ts';
import { KEY_BYTES, openKey, sealKey } from './seal.ts';

export interface Epoch {
  /** From 1. */
  readonly number: number;
  /** Milliseconds since 1970, UTC. */
  readonly createdMs: number;
  readonly key: Uint8Array;
}

/** Where the epochs are kept: outside the database, and outside every backup of it. */
export interface EpochFile {
  /** The newest last; at least one. */
  read(): Promise<readonly Epoch[]>;
  /** Resolves when the file has these, durable, and no other. */
  replace(epochs: readonly Epoch[]): Promise<void>;
}

/** How long an epoch is sealed under, unless the settings say otherwise. */
export const EPOCH_MS: number = 7 * 86_400_000;

const MAX_EPOCH = 2 ** 32 - 1;

export function newEpoch(last: Epoch | undefined, nowMs: number): Epoch {
  return { number: (last?.number ?? 0) + 1, createdMs: nowMs, key: randomBytes(KEY_BYTES) };
}

/** The text of the file. */
export function formatEpochs(epochs: readonly Epoch[], master: Uint8Array): string {
  const list = epochs.map(({ number, createdMs, key }) => ({
    epoch: number,
    created: new Date(createdMs).toISOString(),
    key: formatBase64Url(sealKey(master, key, contextOf(number))),
  }));
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** Throws `malformed`, or `storage_failed` where the master key is another. */
export function parseEpochs(text: string, master: Uint8Array): readonly Epoch[] {
  const list = parseJson(text);
  if (!Array.isArray(list) || list.length === 0 || list.length > 2) throw flaw('is not a list of epochs');
  const epochs = list.map((item) => parseEpoch(item, master));
  if (epochs.length === 2 && epochs[0]!.number >= epochs[1]!.number) throw flaw('is not in order');
  return epochs;
}

function parseEpoch(item: JsonValue, master: Uint8Array): Epoch {
  if (!isJsonObject(item)) throw flaw('has an epoch that is no object');
  const { epoch, created, key } = item;
  const createdMs = typeof created === 'string' ? Date.parse(created) : NaN;
  if (typeof epoch !== 'number' || !Number.isInteger(epoch) || epoch < 1 || epoch > MAX_EPOCH) {
    throw flaw('has an epoch without a number');
  }
  if (typeof key !== 'string' || !Number.isFinite(createdMs)) throw flaw('has an epoch without key or time');
  return { number: epoch, createdMs, key: openKey(master, parseBase64Url(key, 'key'), contextOf(epoch)) };
}

function contextOf(epoch: number): Uint8Array {
  return Buffer.from(`newel/epoch-key/v1/${epoch}`);
}

function flaw(what: string): NewelError {
  return new NewelError('malformed', what);
}
