/** A submission once it is durable, and how a second copy of it is known: by its bytes, else by its content. */

import { timingSafeEqual } from 'node:crypto';
import { NewelError } from '../errors.ts';
import type { SignedHead } from '../log/log.ts';
import { formatCanonical } from './canonical.ts';
import { contentOf } from './content.ts';
import { hmac } from './hmac.ts';
import type { Prepared } from './prepare.ts';
import { decodeRecord, type EventRecord } from './record.ts';
import type { StoredEvent, Submitted } from './vault.ts';

export interface Taken {
  readonly event: StoredEvent;
  /** Of the round that took it, where that was now. */
  readonly head: SignedHead | undefined;
  readonly contentKey: Uint8Array;
  readonly contentMac: Uint8Array;
  readonly record: () => EventRecord;
}

/** Throws `id_conflict` where an earlier event of that id has other content than what is sent now. */
export function sameAs(taken: Taken, text: string, { encodedRecord }: Prepared): Submitted {
  const isSame =
    timingSafeEqual(hmac(taken.contentKey, text), taken.contentMac) ||
    canonicalOf(decodeRecord(encodedRecord)) === canonicalOf(taken.record());
  if (!isSame) throw conflict();
  return { created: false, event: taken.event, head: undefined };
}

/** Throws `id_conflict` where two submissions of one id have other content, neither of which is taken yet. */
export function assertSame(
  first: { readonly text: string; readonly prepared: Prepared },
  second: { readonly text: string; readonly prepared: Prepared },
): void {
  if (first.text === second.text) return;
  const of = ({ encodedRecord }: Prepared): string => canonicalOf(decodeRecord(encodedRecord));
  if (of(first.prepared) !== of(second.prepared)) throw conflict();
}

/** What makes two submissions the same: everything but the order of members and the spelling of numbers and strings. */
function canonicalOf(record: EventRecord): string {
  return formatCanonical([record.profile, contentOf(record), record.holder ?? null]);
}

function conflict(): NewelError {
  return new NewelError('id_conflict', 'an event of this source has this id already, and other content');
}
