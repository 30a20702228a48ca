/** Subjects by themselves, as queries and erasures name them. */

import { EventInvalidError } from '../errors.ts';
import type { JsonValue } from '../formats/json.ts';
import { EVENT_MEMBERS } from './members.ts';
import { canonicalSubject } from './subject-identifier.ts';
import { validatorOf } from './validation.ts';

const { sub_id } = EVENT_MEMBERS.subject.members;
const validate = validatorOf({ subject: { ...sub_id } });

/** The one text of a subject identifier (RFC 9493). Throws `EventInvalidError` for what is none. */
export function parseSubject(value: JsonValue): string {
  const { value: valid, faults } = validate({ subject: value });
  if (faults !== undefined) throw new EventInvalidError(faults);
  return canonicalSubject((valid as { subject: Parameters<typeof canonicalSubject>[0] }).subject);
}
