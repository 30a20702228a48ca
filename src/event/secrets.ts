/**
 * Secrets in an event, found before anything is committed: a log that cannot forget is no place for a password, and whoever
 * sends one has made a mistake. The rules are those of spec/secrets.md; there is none on how random a text looks.
 *
 *   findSecrets(event)     [{"pointer":"/ext/com.example.app/password","rule":"field_name"}]
 *   redactSecrets(event)   {"ext":{"com.example.app":{"password":"[REDACTED:field_name]"}}}
 *
 * A finding says where and by which rule, and nothing of the value: it leads to the member, or as far towards it as names
 * may be repeated. `event` is any JSON value as `parseJson` reads it, valid or not, of either profile.
 */

import type { SecretFinding } from '../errors.ts';
import type { JsonValue } from '../formats/json.ts';
import { MAX_FINDINGS } from './secret-findings.ts';
import type { SecretRule } from './secret-rules.ts';
import { Sweep } from './secret-sweep.ts';

export interface Redaction {
  /** The event with `[REDACTED:rule]` where a secret was. The very same value where there was none. */
  readonly event: JsonValue;
  /** How often each rule found one, in the order of the event; without those that are left. */
  readonly redacted: readonly { readonly rule: SecretRule; readonly count: number }[];
  /**
   * Secrets that cannot be replaced, the first 20: names of members, and what is in an identity, as two events would have the
   * same one afterwards. The event must be refused for them.
   */
  readonly left: readonly SecretFinding[];
}

/** The secrets in an event, the first 20 in its order; none is the answer for an event that may be logged. */
export function findSecrets(event: JsonValue): readonly SecretFinding[] {
  const sweep = new Sweep(MAX_FINDINGS);
  sweep.event(event);
  return sweep.findings.found;
}

/**
 * The event without its secrets. The input stays as it is. In what comes out `findSecrets` finds nothing but what is
 * `left`; a second redaction changes nothing. It may be no valid event any more, which is for the schema to say.
 */
export function redactSecrets(event: JsonValue): Redaction {
  const sweep = new Sweep(Infinity);
  const redacted = sweep.event(event);
  return {
    event: redacted,
    redacted: [...sweep.findings.counts].map(([rule, count]) => ({ rule, count })),
    left: sweep.findings.left,
  };
}
