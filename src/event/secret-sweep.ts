/**
 * The walk through an event: each value with its place and its name, each text with the rules, and a copy without what was
 * found. Finding and redacting are one walk, so that neither sees what the other does not.
 */

import { NewelError } from '../errors.ts';
import { isJsonObject, type JsonObject, type JsonValue, parseJson, setMember } from '../formats/json.ts';
import { type CardNumber, isCardName, isCardNumber, isIdentifierName } from './card-number.ts';
import { Findings } from './secret-findings.ts';
import { isPrivateJwkName, kindOfMember, ruleOfKinds, withKind } from './secret-kinds.ts';
import { isListedName, type NameKind, ownsCode, ruleOfNamed } from './secret-names.ts';
import { LEAF, OPEN, type Place, placeOfEvent, placeOfUnlisted } from './secret-places.ts';
import { markerOf, type SecretRule } from './secret-rules.ts';
import { type CardJudge, findInText, redactText } from './secret-text.ts';

/** Objects and arrays inside one another, of an event and of the JSON in its texts; `parseJson` has a bound of its own. */
const MAX_DEPTH = 96;
/** Texts of JSON inside texts of JSON. */
const MAX_TEXT_DEPTH = 3;
/** Bytes written as a list of numbers. */
const MIN_BYTES = 16;
/** A card's number as a list of its groups. */
const MIN_CARD_GROUPS = 3;
const MAX_CARD_GROUPS = 5;
const CARD_GROUP = /^[0-9]{3,6}$/;
/** Under no name that says that a value is a secret. */
const UNNAMED: readonly NameKind[] = [];

/** One pass over a value: findings in the order of the event, and a copy of what has any. */
export class Sweep implements CardJudge {
  readonly findings: Findings;
  readonly #textDepth: number;
  /** The objects around a value, the innermost last; of an array none. */
  readonly #around: JsonObject[] = [];

  constructor(max: number, textDepth = 0) {
    this.findings = new Findings(max);
    this.#textDepth = textDepth;
  }

  event(event: JsonValue): JsonValue {
    return this.value(event, isJsonObject(event) ? placeOfEvent(event) : LEAF);
  }

  /** `kinds` are those of the names that it stands under, however far around it, the innermost first and none twice. */
  value(value: JsonValue, place: Place, kinds: readonly NameKind[] = UNNAMED): JsonValue {
    if (this.findings.isFull || this.findings.depth > MAX_DEPTH) return value;
    if (typeof value === 'string') return this.#text(value, place, kinds);
    if (typeof value === 'number') {
      const rule = ruleOfKinds(kinds, value);
      return rule === undefined ? value : this.#replace(value, rule, place);
    }
    if (typeof value !== 'object' || value === null) return value;
    if (kinds[0] === 'jwk') return this.#replace(value, 'private_jwk', place);
    if (!Array.isArray(value)) return this.#object(value, place, kinds);
    if (kinds.includes('webauthn') && value.length >= MIN_BYTES && value.every(isByte)) {
      return this.#replace(value, 'webauthn', place);
    }
    if (this.#isCardInGroups(value, kinds)) return this.#replace(value, 'card_number', place);
    return this.#array(value, place, kinds);
  }

  #text(text: string, place: Place, kinds: readonly NameKind[]): JsonValue {
    const named = ruleOfKinds(kinds, text);
    if (named !== undefined) return this.#replace(text, named, place);
    const inner = this.#ruleOfJson(text, kinds);
    if (inner !== undefined) return inner === 'none' ? text : this.#replace(text, inner, place);
    const hits = findInText(text, this);
    if (hits.length === 0) return text;
    for (const rule of new Set(hits.map((hit) => hit.rule))) {
      if (place.isIdentity) this.findings.reportLeft(rule);
      else this.findings.report(rule, hits.filter((hit) => hit.rule === rule).length);
    }
    if (place.isIdentity) return text;
    const redacted = redactText(text, hits);
    // Where taking one away has made another one show, nothing of the text is kept.
    const isClean =
      findInText(redacted, this).length === 0 &&
      ruleOfKinds(kinds, redacted) === undefined &&
      (this.#ruleOfJson(redacted, kinds) ?? 'none') === 'none';
    return isClean ? redacted : markerOf(hits[0]!.rule);
  }

  /** Under the name of a card alone: lists of other things have groups of four digits too, such as categories of merchants. */
  #isCardInGroups(array: readonly JsonValue[], kinds: readonly NameKind[]): boolean {
    if (array.length < MIN_CARD_GROUPS || array.length > MAX_CARD_GROUPS) return false;
    const groups = array.filter((item) => typeof item === 'string' || typeof item === 'number').map(String);
    if (groups.length < array.length || !groups.every((group) => CARD_GROUP.test(group))) return false;
    if (kinds.includes('card')) return ruleOfNamed('card', groups.join(' ')) !== undefined;
    return isCardName(this.findings.nameAt(0)) && isCardNumber(groups.join(''));
  }

  /** A text that is JSON itself is read as that: `none` where nothing is in it, `undefined` where it is no JSON. */
  #ruleOfJson(text: string, kinds: readonly NameKind[]): SecretRule | 'none' | undefined {
    if (this.#textDepth >= MAX_TEXT_DEPTH || !isLikeJson(text)) return undefined;
    let value: JsonValue;
    try {
      value = parseJson(text);
    } catch (error) {
      if (error instanceof NewelError) return undefined;
      throw error;
    }
    const sweep = new Sweep(1, this.#textDepth + 1);
    sweep.value(value, OPEN, kinds);
    const { counts, left } = sweep.findings;
    const [rule] = counts.keys();
    return rule ?? (left[0]?.rule as SecretRule | undefined) ?? 'none';
  }

  #array(array: JsonValue[], place: Place, kinds: readonly NameKind[]): JsonValue[] {
    let copy: JsonValue[] | undefined;
    for (const [i, item] of array.entries()) {
      const swept = this.findings.at(i, false, () => this.value(item, place, kinds));
      if (swept !== item) (copy ??= array.slice())[i] = swept;
    }
    return copy ?? array;
  }

  #object(object: JsonObject, place: Place, kinds: readonly NameKind[]): JsonObject {
    let changed: Map<string, JsonValue> | undefined;
    this.#around.push(object);
    for (const name of Object.keys(object)) {
      const value = object[name]!;
      const listed = place.listed.get(name);
      const swept =
        listed === undefined
          ? this.#unlisted(object, name, place, kinds)
          : this.#member(name, value, listed, kinds, true);
      if (swept !== value) (changed ??= new Map()).set(name, swept);
    }
    this.#around.pop();
    return changed === undefined ? object : withMembers(object, changed);
  }

  /** A member that the schema does not list: its name may say that it holds a secret, or be one. */
  #unlisted(object: JsonObject, name: string, place: Place, inherited: readonly NameKind[]): JsonValue {
    const rules = new Set(findInText(name, this).map(({ rule }) => rule));
    for (const rule of rules) this.findings.reportLeft(rule);
    const kind = this.#kindOfMember(object, name);
    const isTold =
      rules.size === 0 && (place.isOpen || isListedName(name) || (kind === 'jwk' && isPrivateJwkName(name)));
    const kinds = withKind(inherited, kind);
    return this.#member(name, object[name]!, placeOfUnlisted(place), kinds, isTold);
  }

  /** What the name of a member says; the `code` of an error or a country is none. */
  #kindOfMember(object: JsonObject, name: string): NameKind | undefined {
    const kind = kindOfMember(object, name);
    return kind === 'code' && ownsCode(this.findings.nameAt(0)) ? undefined : kind;
  }

  #member(
    name: string,
    value: JsonValue,
    place: Place,
    kinds: readonly NameKind[],
    isTold: boolean,
  ): JsonValue {
    return this.findings.at(name, !isTold, () => this.value(value, place, kinds));
  }

  /** Among names: a card is spoken of, or it is the number of something else; else how it stands in its text decides. */
  isCard({ as }: CardNumber): boolean {
    if (as === 'named') return true;
    const type = this.#around.at(-1)?.['type'];
    const name = this.findings.nameAt(0);
    if (
      isCardName(name) ||
      isCardName(this.findings.nameAt(1)) ||
      (typeof type === 'string' && isCardName(type))
    ) {
      return true;
    }
    return as !== 'bare' && !isIdentifierName(name);
  }

  #replace(value: JsonValue, rule: SecretRule, place: Place): JsonValue {
    if (place.isIdentity) {
      this.findings.reportLeft(rule);
      return value;
    }
    this.findings.report(rule, 1);
    return markerOf(rule);
  }
}

function isLikeJson(text: string): boolean {
  if (text.length < 5) return false;
  const trimmed = /^\s?[[{]/.test(text) ? text.trim() : text;
  const first = trimmed.charAt(0);
  return (first === '{' && trimmed.endsWith('}')) || (first === '[' && trimmed.endsWith(']'));
}

function isByte(value: JsonValue): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= -128 && value <= 255;
}

function withMembers(object: JsonObject, changed: ReadonlyMap<string, JsonValue>): JsonObject {
  const copy: JsonObject = {};
  for (const [name, value] of Object.entries(object)) {
    setMember(copy, name, changed.has(name) ? changed.get(name)! : value);
  }
  return copy;
}
