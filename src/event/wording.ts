/** The rule of a member in words, as errors, the JSON Schema and spec/event.md say it. It never speaks of a value. */

import { ENUMERATIONS } from './enumerations.ts';
import { MAX_TIME_S } from './instant.ts';
import { MAX_ITEMS, type Member, type Value } from './member.ts';
import { TEXT_FORMS } from './text-form.ts';

/** A list up to here is spelled out in an error. */
const MAX_SPELLED_OUT = 12;

/** Continues the name of a member: "must be …". */
export function ruleOf(member: Member): string {
  const rule = `must be ${wordsOf(member)}`;
  return member.nullable ? `${rule}, or null` : rule;
}

function wordsOf(member: Member): string {
  if (member.is === 'object') return 'an object';
  if (member.is === 'list') return `an array of at most ${MAX_ITEMS} items`;
  return wordsOfValue(member);
}

function wordsOfValue(value: Value): string {
  switch (value.is) {
    case 'constant':
      return JSON.stringify(value.value);
    case 'text': {
      const { words, max } = TEXT_FORMS[value.form];
      return max === undefined ? `text of 1 to ${value.max} ${words}` : words;
    }
    case 'choice': {
      const names = value.or === undefined ? [value.of] : [value.or, value.of];
      const values = namesOf(value);
      if (values.length <= MAX_SPELLED_OUT) return `one of ${values.join(', ')}`;
      return `one of the ${values.length} values that spec/event.md lists as ${names.join(' and ')}`;
    }
    case 'integer':
      return `a whole number from ${value.min} to ${value.max}`;
    case 'number':
      return `a number from ${value.min} to ${value.max}`;
    case 'boolean':
      return 'true or false';
    case 'instant':
      return `${TEXT_FORMS.time.words}; or a whole number: seconds since 1970 up to ${MAX_TIME_S}, milliseconds above`;
    case 'subject_identifier':
      return 'an object, a subject identifier (RFC 9493)';
    case 'holder':
      return 'an object, a public JWK';
    case 'labels':
    case 'extension':
      return 'an object';
  }
}

/** The values of a choice. */
export function namesOf({
  of,
  or,
}: {
  of: keyof typeof ENUMERATIONS;
  or?: keyof typeof ENUMERATIONS;
}): readonly string[] {
  return or === undefined ? ENUMERATIONS[of] : [...ENUMERATIONS[or], ...ENUMERATIONS[of]];
}
