/**
 * Subject identifiers (RFC 9493 §3.2): a person or thing by one of eight closed formats.
 *
 *   {"format":"iss_sub","iss":"https://idp.bank.example","sub":"u-8841"}
 *   {"format":"aliases","identifiers":[{"format":"email","email":"…"},{"format":"opaque","id":"…"}]}
 */

import type { ObjectOf } from './member.ts';

/** The formats that stand alone, and their members beside `format`. All are required. */
export const SUBJECT_FORMATS = {
  account: {
    uri: { is: 'text', form: 'acct', max: 512, class: 'personal', required: true, about: 'An account.' },
  },
  email: {
    email: { is: 'text', form: 'email', max: 254, class: 'personal', required: true, about: 'An address.' },
  },
  iss_sub: {
    iss: { is: 'text', form: 'line', max: 512, class: 'personal', required: true, about: 'An issuer.' },
    sub: {
      is: 'text',
      form: 'line',
      max: 255,
      class: 'personal',
      required: true,
      about: 'Its name of the subject.',
    },
  },
  opaque: { id: { is: 'text', form: 'line', max: 255, class: 'personal', required: true, about: 'An id.' } },
  phone_number: {
    phone_number: {
      is: 'text',
      form: 'phone',
      class: 'personal',
      required: true,
      about: 'A telephone number.',
    },
  },
  did: {
    url: { is: 'text', form: 'did_url', max: 512, class: 'personal', required: true, about: 'A DID URL.' },
  },
  uri: {
    uri: {
      is: 'text',
      form: 'uri',
      max: 512,
      class: 'personal',
      required: true,
      about: 'A URI.',
    },
  },
} as const;

export type SubjectFormat = keyof typeof SUBJECT_FORMATS;

type SingleIdentifier = {
  [Format in SubjectFormat]: { format: Format } & ObjectOf<(typeof SUBJECT_FORMATS)[Format]>;
}[SubjectFormat];

export type SubjectIdentifier =
  | SingleIdentifier
  /** Several identifiers of one subject, none of them `aliases` again. */
  | { format: 'aliases'; identifiers: SingleIdentifier[] };

/** Identifiers that `aliases` may hold. */
export const MAX_ALIASES = 8;

/**
 * One text for each subject: its JSON, members in the order of the schema and aliases sorted. Two identifiers of one person
 * in different formats are two texts; nothing is looked up, folded or normalised.
 */
export function canonicalSubject(identifier: SubjectIdentifier): string {
  if (identifier.format === 'aliases') {
    return `{"format":"aliases","identifiers":[${identifier.identifiers.map(canonicalSubject).sort().join(',')}]}`;
  }
  const given: Readonly<Record<string, string>> = identifier;
  const names = Object.keys(SUBJECT_FORMATS[identifier.format]);
  const members = names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(given[name])}`);
  return `{"format":${JSON.stringify(identifier.format)},${members.join(',')}}`;
}
