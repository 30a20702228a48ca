/** Corrections: events that say what another event of their source should have said. They name it by either of its ids. */

import type { Search } from './search.ts';
import type { StoredEvent } from './vault.ts';

/** In the order of the log. What other sources call corrections of it takes no place from them. */
export async function correctionsOf(search: Search, event: StoredEvent): Promise<readonly StoredEvent[]> {
  const found = await Promise.all(
    [...new Set([event.eventId, event.id])].map((corrects) =>
      search.allOf({ terms: { corrects, type: 'correction', source: event.source } }),
    ),
  );
  return found.flat().sort((a, b) => a.leafIndex - b.leafIndex);
}
