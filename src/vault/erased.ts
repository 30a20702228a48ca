/** What is told where an event was: that it was erased, and to whom it belonged only by a question. */

import { NewelError } from '../errors.ts';
import type { Marker } from './rows.ts';
import type { Terms } from './terms.ts';

/** An event that was erased. Whether it was of a source can be asked, since not everybody may know that it was there. */
export class EventErasedError extends NewelError {
  override name = 'EventErasedError';
  readonly isOf: (source: string) => boolean;

  constructor({ sourceTerm }: Pick<Marker, 'sourceTerm'>, terms: Terms) {
    super('event_erased', 'the event was erased');
    this.isOf = (source) => Buffer.from(terms.term('source', source)).equals(sourceTerm);
  }
}
