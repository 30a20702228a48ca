/**
 * What leads to data keys, held against what they have: no owner has a key that is gone, no key that was erased is left, and
 * each has as many events as it says.
 *
 *   84 owner → 85 key → 87 count, 86 events       8e key under erasure
 */

import { NewelError } from '../errors.ts';
import { findStray, type RowsToCheck } from './check-rows.ts';
import { lookUp, nameInKey, nameOf, pagesOf } from './row-pages.ts';
import {
  dataKeyKey,
  erasureKey,
  EVENT_ID_BYTES,
  KEY_ID_BYTES,
  keyCountKey,
  ownerKey,
  parseDataKeyRow,
  parseIndex,
  retiredKey,
} from './rows.ts';

const NOTHING = new Uint8Array(0);

/** What is wrong, in words, once each record was looked at. */
export async function checkKeys(parts: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for (const check of [checkOwners, checkDataKeys, checkKeyEvents, checkCounts, checkRetired]) {
    findings.push(...(await check(parts)));
  }
  return findings;
}

/** 84 → 85, 87: no owner has a data key that is gone, going, or of another. */
async function checkOwners({ store }: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x84)) {
    const ids = rows.map(({ value }) => value);
    const [dataKeys, counts, retired] = await lookUp(store, ids, [dataKeyKey, keyCountKey, retiredKey]);
    for (const [i, { key }] of rows.entries()) {
      const dataKey = dataKeys[i];
      if (!dataKey) findings.push('an owner has a data key that is not there');
      else if (nameOf(ownerKey(ownerTagOf(dataKey))) !== nameOf(key))
        findings.push('an owner has a data key that is of another');
      if (!counts[i]) findings.push('an owner has a data key without a count');
      if (retired[i]) findings.push('an owner has a data key whose events are being erased');
    }
  }
  return findings;
}

/** 85 → 84 or 8e, 87: what was erased has no data key any more. */
async function checkDataKeys({ store }: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x85)) {
    const ids = rows.map(nameInKey);
    const [counts, retired] = await lookUp(store, ids, [keyCountKey, retiredKey]);
    const [owned] = await lookUp(
      store,
      rows.map(({ value }) => ownerTagOf(value)),
      [ownerKey],
    );
    for (const [i, id] of ids.entries()) {
      if (!counts[i]) findings.push('a data key has no count');
      if (!retired[i] && nameOf(owned[i] ?? NOTHING) !== nameOf(id))
        findings.push('a data key is that of no owner, and of no erasure under way');
    }
  }
  return findings;
}

/** 86 → 83: a data key leads to its events and to nothing else. That it leads to each of them is known by then. */
async function checkKeyEvents({ store, seen }: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  let last = { name: '', rows: 0 };
  const endKey = (): void => {
    const events = seen.byKey.get(last.name) ?? 0;
    if (last.rows !== events && last.rows > 0)
      findings.push(`a data key leads to ${last.rows} events, and has ${events}`);
  };
  for await (const rows of pagesOf(store, 0x86)) {
    for (const { key } of rows) {
      const name = nameOf(key.subarray(1, 1 + KEY_ID_BYTES));
      if (name !== last.name) {
        endKey();
        last = { name, rows: 0 };
      }
      last.rows += 1;
    }
  }
  endKey();
  return findings.length === 0 ? [] : [...findings, ...(await findStray(store, 0x86, 'its data key'))];
}

/** 87 → 85, and the count. */
async function checkCounts({ store, seen }: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x87)) {
    const ids = rows.map(nameInKey);
    const [dataKeys, retired] = await lookUp(store, ids, [dataKeyKey, retiredKey]);
    for (const [i, { value }] of rows.entries()) {
      if (!dataKeys[i]) findings.push('there is the count of a data key that is not there');
      // Its events are being erased, and are not counted any more.
      if (retired[i]) continue;
      const found = seen.byKey.get(nameOf(ids[i]!)) ?? 0;
      const count = parseIndex(value);
      if (count !== found) findings.push(`a data key says that it has ${count} events, and has ${found}`);
    }
  }
  return findings;
}

/** 8e → 8b, 85: what is said to be under erasure is there, and so is the erasure. */
async function checkRetired({ store }: RowsToCheck): Promise<string[]> {
  const findings: string[] = [];
  for await (const rows of pagesOf(store, 0x8e)) {
    const [erasures] = await lookUp(
      store,
      rows.map(({ value }) => value),
      [erasureKey],
    );
    const [dataKeys] = await lookUp(store, rows.map(nameInKey), [dataKeyKey]);
    for (const [i, { value }] of rows.entries()) {
      if (!erasures[i] || value.length !== EVENT_ID_BYTES)
        findings.push('a data key is being erased by an erasure that is not there');
      if (!dataKeys[i]) findings.push('a data key that is not there is said to be under erasure');
    }
  }
  return findings;
}

/** Empty where the row is damaged: what is under the key says so. */
function ownerTagOf(dataKey: Uint8Array): Uint8Array {
  try {
    return parseDataKeyRow(dataKey).ownerTag;
  } catch (error) {
    if (!(error instanceof NewelError)) throw error;
    return NOTHING;
  }
}
