/** The claims of a statement that are open: the same when it is made and whenever its payload is made again. */

import type { OpenClaims } from '../event/statement.ts';
import { objectOf } from './content.ts';
import { formatEventId } from './event-id.ts';
import type { EventRecord } from './record.ts';

/** Who issues a log's statements, and for which log. */
export interface Issuing {
  readonly issuer: string;
  readonly origin: string;
}

export function openClaimsOf(
  { issuer, origin }: Issuing,
  eventId: Uint8Array,
  { receivedTimeMs, schema, holder }: Pick<EventRecord, 'receivedTimeMs' | 'schema' | 'holder'>,
): OpenClaims {
  const iat = Math.floor(receivedTimeMs / 1000);
  const claims: OpenClaims = { iss: issuer, log: origin, iat, jti: formatEventId(eventId), schema };
  return holder === undefined ? claims : { ...claims, cnf: { jwk: objectOf(holder) } };
}
