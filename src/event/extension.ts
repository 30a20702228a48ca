/**
 * The two members whose names the submitter chooses: `labels`, flat and small, and `ext`, any JSON under names that
 * belong to somebody.
 *
 *   "labels": {"env":"prod","drill":false}
 *   "ext": {"com.example.risk":{"model":"v7"}, "https://bank.example/ns/branch":"0017"}
 */

import type { JsonValue } from '../formats/json.ts';
import { encodeUtf8, isWellFormed } from '../formats/text.ts';
import { MAX_ITEMS } from './member.ts';
import { RESERVED_NAMES } from './statement-names.ts';

export type Labels = Record<string, string | number | boolean>;
export type Extension = Record<string, JsonValue>;

/** Sources of regular expressions with the flag `u`. */
export const LABEL_NAME = '^[A-Za-z][A-Za-z0-9._/-]{0,63}$';
export const LABEL_TEXT = '^[^\\p{Cc}\\p{Cs}]*$';
/** A name of a domain backwards, with a dot in it, or a URI. */
export const EXTENSION_NAME =
  '^(?:[A-Za-z][A-Za-z0-9-]*(?:\\.[A-Za-z0-9_-]+)+|[A-Za-z][A-Za-z0-9+.-]*:[!-~]+)$';
/** Characters of a label that is a text. */
export const MAX_LABEL = 255;
/** Bytes of UTF-8 that `ext` may have as JSON without white space. */
export const MAX_EXTENSION_BYTES = 8192;
/** Objects and arrays inside one another, `ext` itself included. */
export const MAX_EXTENSION_DEPTH = 6;
const MAX_EXTENSION_NAME = 255;

const labelName = new RegExp(LABEL_NAME, 'u');
const labelText = new RegExp(LABEL_TEXT, 'u');
const extensionName = new RegExp(EXTENSION_NAME, 'u');

/** Which rule a value breaks as `labels`; `undefined` for one that is fine. */
export function flawOfLabels(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
  const labels = Object.entries(value) as [string, unknown][];
  if (labels.length > MAX_ITEMS) return `must have at most ${MAX_ITEMS} labels`;
  for (const [name, label] of labels) {
    if (!labelName.test(name)) {
      return 'must have names of 1 to 64 letters, digits, ".", "_", "-" and "/", the first of them a letter';
    }
    if (typeof label === 'boolean' || (typeof label === 'number' && Number.isFinite(label))) continue;
    if (typeof label !== 'string' || !isShort(label) || !labelText.test(label)) {
      return `must have values that are true, false, numbers, or text of at most ${MAX_LABEL} characters without control characters`;
    }
  }
  return undefined;
}

function isShort(text: string): boolean {
  if (text.length <= MAX_LABEL) return true;
  return text.length <= 2 * MAX_LABEL && Array.from(text).length <= MAX_LABEL;
}

/** Which rule a value breaks as `ext`; `undefined` for one that is fine. */
export function flawOfExtension(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object';
  for (const name of Object.keys(value)) {
    if (name.length > MAX_EXTENSION_NAME || !extensionName.test(name)) {
      return 'must have names that belong to somebody: a domain backwards (com.example.risk) or a URI, at most 255 characters';
    }
  }
  const flaw = flawInside(value as JsonValue, 1);
  if (flaw !== undefined) return flaw;
  const json = JSON.stringify(value);
  if (json.length > MAX_EXTENSION_BYTES || encodeUtf8(json).length > MAX_EXTENSION_BYTES) {
    return `must have at most ${MAX_EXTENSION_BYTES} bytes as JSON without white space`;
  }
  return undefined;
}

function flawInside(value: JsonValue, depth: number): string | undefined {
  if (typeof value === 'string')
    return isWellFormed(value) ? undefined : 'has text with a lone surrogate in it';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_EXTENSION_DEPTH) return `must not be nested deeper than ${MAX_EXTENSION_DEPTH}`;
  if (Array.isArray(value)) return firstFlaw(value, depth);
  for (const name of Object.keys(value)) {
    if (RESERVED_NAMES.has(name)) {
      return `must not have a member named ${[...RESERVED_NAMES].join(', ')} at any depth: a statement uses these names itself`;
    }
    if (!isWellFormed(name)) return 'has a member name with a lone surrogate in it';
  }
  return firstFlaw(Object.values(value), depth);
}

function firstFlaw(values: readonly JsonValue[], depth: number): string | undefined {
  for (const value of values) {
    const flaw = flawInside(value, depth + 1);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}
