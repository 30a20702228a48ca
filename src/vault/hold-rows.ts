/** The rows that an event moves (its data key, the numbers of its source, its transaction), held until it is durable. */

import type { LinkState } from '../event/link.ts';
import type { Hold } from './held.ts';
import type { DataKey, Keyring } from './keyring.ts';
import type { Prepared } from './prepare.ts';
import type { Numbered } from './source-numbers.ts';
import type { Live, States } from './states.ts';
import type { Terms } from './terms.ts';

export interface HoldingParts {
  readonly keyring: Keyring;
  readonly terms: Terms;
  readonly sequences: States<Numbered>;
  readonly links: States<LinkState>;
}

export interface Held {
  readonly dataKey: DataKey;
  readonly sequence: { readonly tag: Uint8Array; readonly live: Live<Numbered> } | undefined;
  readonly link: { readonly tag: Uint8Array; readonly live: Live<LinkState> } | undefined;
  release(): void;
}

/** Rejects where one of them cannot be read; then none is held. */
export async function holdRows(
  { keyring, terms, sequences, links }: HoldingParts,
  { subject, source, seq, txn, link }: Prepared,
): Promise<Held> {
  const holds: Hold<unknown>[] = [];
  const release = (): void => {
    for (const hold of holds) hold.release();
  };
  const keep = async <T>(holding: Promise<Hold<T>>): Promise<T> => {
    const hold = await holding;
    holds.push(hold);
    return hold.value;
  };
  const sequenceTag = seq === undefined ? undefined : terms.tag('sequence', source);
  const linkTag = link === undefined || txn === undefined ? undefined : terms.tag('link', txn);
  const [dataKey, sequence, transaction] = await Promise.allSettled([
    keep(keyring.hold(subject === undefined ? { source } : { subject })),
    sequenceTag && keep(sequences.hold(sequenceTag)),
    linkTag && keep(links.hold(linkTag)),
  ]);
  for (const settled of [dataKey, sequence, transaction]) {
    if (settled.status === 'fulfilled') continue;
    release();
    throw settled.reason;
  }
  return {
    dataKey: valueOf(dataKey),
    sequence: sequenceTag && { tag: sequenceTag, live: valueOf(sequence)! },
    link: linkTag && { tag: linkTag, live: valueOf(transaction)! },
    release,
  };
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}
