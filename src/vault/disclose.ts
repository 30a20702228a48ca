/**
 * Presenting a statement: some of its disclosures, and for whom. A disclosure that is shown brings those around it, since
 * without them no digest would stand for it.
 *
 *   <JWT>~<disclosure>~…~            the statement
 *   <header>.<payload>.<signature>   payload {"iss":…,"iat":…,"aud":…,"nonce":…,"sd_hash":…}, by the statement key
 *
 * `sd_hash` is the digest of the statement as it is presented, to its last tilde (RFC 9901 §4.3.1). It is not called key
 * binding: whoever holds the key of `cnf` adds that.
 */

import { TOP_LEVEL, type Level } from '../event/slots.ts';
import type { SlotDisclosure } from '../event/statement.ts';
import { NewelError } from '../errors.ts';
import { parseSdJwt } from '../formats/sd-jwt.ts';
import { processPayload } from '../formats/sd-jwt-verify.ts';
import { objectOf } from './content.ts';
import { digestOf, encodeDisclosure } from './disclosure.ts';
import { damagedRecord } from './rows.ts';
import { showDisclosures, type StatementSigner } from './statement-key.ts';
import type { Presentation, PresentedTo } from './vault.ts';

/** What is presented. */
export interface Presentable {
  /** The statement's payload as JSON text, shown to be what the leaf commits to. */
  readonly payload: string;
  readonly disclosures: readonly SlotDisclosure[];
}

export type IsShown = (path: readonly string[]) => boolean;

/** Where the disclosure of a slot stands: its path in the event, and the slots around it. */
interface Place {
  readonly path: readonly string[];
  readonly within: readonly number[];
}

const PLACES: ReadonlyMap<number, Place> = new Map(placesOf(TOP_LEVEL, [], []));

/**
 * The statement with the disclosures that `isShown` says, and the JWT that says for whom. Both have been checked before
 * they are handed out: by whom they are signed, and that they show no claim beside those and what these stand in.
 */
export async function presentStatement(
  { payload, disclosures }: Presentable,
  isShown: IsShown,
  { audience, nonce, iat }: PresentedTo,
  signer: StatementSigner,
): Promise<Presentation> {
  const kept = keptSlots(disclosures, isShown);
  const shown = disclosures.filter(({ slot }) => kept.has(slot)).map(({ json }) => encodeDisclosure(json));
  const statement = await signer.sign('Ed25519', payload, showDisclosures(shown));
  const { iss } = objectOf(payload);
  if (typeof iss !== 'string') throw damagedRecord();
  const presentation = await signer.signPresentation({
    iss,
    iat,
    aud: audience,
    nonce,
    sd_hash: digestOf(statement),
  });
  assertShows(statement, kept);
  if (!signer.isSigned(statement.split('~', 1)[0]!) || !signer.isSigned(presentation)) {
    throw new NewelError('storage_failed', 'a presentation does not verify under the key that signed it');
  }
  return { statement, presentation };
}

function keptSlots(disclosures: readonly SlotDisclosure[], isShown: IsShown): ReadonlySet<number> {
  const kept = new Set<number>();
  for (const { slot } of disclosures) {
    const place = PLACES.get(slot);
    if (!place || !isShown(place.path)) continue;
    kept.add(slot);
    for (const around of place.within) kept.add(around);
  }
  return kept;
}

/** What the statement says is read as a verifier reads it, and has to be the claims of these slots. */
function assertShows(statement: string, kept: ReadonlySet<number>): void {
  const wanted = [...kept].map((slot) => PLACES.get(slot)!.path.join('.')).sort();
  const found: string[] = [];
  processPayload(parseSdJwt(statement), (_disclosure, path) => void found.push(path.join('.')));
  if (found.sort().join() !== wanted.join()) {
    throw new NewelError('storage_failed', 'a presentation shows other claims than those that were chosen');
  }
}

function placesOf(
  { slots }: Level,
  prefix: readonly string[],
  within: readonly number[],
): (readonly [slot: number, place: Place])[] {
  return slots.flatMap(({ slot, name, inner }) => {
    const path = [...prefix, name];
    return [[slot, { path, within }] as const, ...(inner ? placesOf(inner, path, [...within, slot]) : [])];
  });
}
