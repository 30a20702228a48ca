/**
 * What newel.json says of sources: how their events are taken. A source that is not there has the defaults.
 *
 *   "sources": {"https://bank.example/payments": {"secrets": "reject" | "redact", "sequence": "lenient" | "strict"}}
 */

import { isSource } from '../access/source.ts';
import type { NewelError } from '../errors.ts';
import type { SourceRules } from '../vault/open-vault.ts';

export type { SourceRules } from '../vault/open-vault.ts';

/** Throws what `flaw` makes of what is wrong. */
export function parseSourceRules(
  value: unknown,
  flaw: (what: string) => NewelError,
): Readonly<Record<string, SourceRules>> {
  if (!isObject(value)) throw flaw('has sources that are not an object: {"SOURCE": {"secrets": "redact"}}');
  return Object.fromEntries(
    Object.entries(value).map(([source, rules]) => [source, rulesOf(source, rules, flaw)]),
  );
}

function rulesOf(source: string, value: unknown, flaw: (what: string) => NewelError): SourceRules {
  if (!isSource(source))
    throw flaw('has among its sources one that is not 1 to 255 visible ASCII characters');
  if (!isObject(value)) throw flaw(`has for source ${source} no object`);
  const { secrets, sequence, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw flaw(`has for source ${source} an unknown member ${JSON.stringify(unknown)}`);
  if (secrets !== undefined && secrets !== 'reject' && secrets !== 'redact')
    throw flaw(`has for source ${source} secrets that are neither reject nor redact`);
  if (sequence !== undefined && sequence !== 'strict' && sequence !== 'lenient')
    throw flaw(`has for source ${source} a sequence that is neither strict nor lenient`);
  return { ...(secrets && { secrets }), ...(sequence && { sequence }) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
