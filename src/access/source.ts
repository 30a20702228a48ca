/** The sources that callers speak for: who made an event, and so who may read it. */

/** Sources that one caller may have. */
export const MAX_SOURCES = 64;

const SOURCE = /^[\x21-\x7e]{1,255}$/;
/** In any case: what people read as the log's own is nobody else's. */
const OWN = /^newel:/i;

/** Whether a value has the form of a source. */
export function isSource(source: unknown): source is string {
  return typeof source === 'string' && SOURCE.test(source);
}

/** Whether it is kept for the events that the log itself makes, so that no caller may have it. */
export function isOwnSource(source: string): boolean {
  return OWN.test(source);
}
