/** What cuts the body of a batch into events as it arrives: `ndjson.ts` at line ends, `json-items.ts` between the elements of an array. */

import type { NewelError } from '../errors.ts';

/** An event as it stands in the body, or what is wrong in its place; the next one goes on after it. */
export type Element =
  | { readonly body: Uint8Array; readonly error?: undefined }
  | { readonly body?: undefined; readonly error: NewelError };

export interface Splitter {
  /** The events that end in `chunk`, whose bytes nobody changes any more. Throws where the body cannot go on from there. */
  push(chunk: Uint8Array): Iterable<Element>;
  /** What the end of the body ends. Throws where it may not end there. */
  end(): Iterable<Element>;
}
