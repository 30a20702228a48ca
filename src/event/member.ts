/**
 * What a schema says of one member, as data. The validation, the TypeScript types, the JSON Schema, the disclosures and
 * the tables of spec/event.md are all made of it, so that none of them can say something else.
 */

import type { EnumerationName, EnumerationValue } from './enumerations.ts';
import type { TextFormName } from './text-form.ts';
import type { HolderJwk } from './holder.ts';
import type { SubjectIdentifier } from './subject-identifier.ts';
import type { Extension, Labels } from './extension.ts';

/**
 * Who may see a value: `public` anybody; `internal` those who run the systems; `personal` says something of a person,
 * a device, a session; `sensitive` does harm by itself (money, risk, free text). An object has the highest class in it.
 */
export type DataClass = 'public' | 'internal' | 'personal' | 'sensitive';

/** What every kind of value has in common as a member of an object. */
interface Described {
  readonly class: DataClass;
  /** What it is, for those who fill it in. */
  readonly about: string;
  /** Its object is refused without it. */
  readonly required?: true;
  /** `null` is a value too. */
  readonly nullable?: true;
  /** It is a disclosure of its own, with this number for ever. */
  readonly slot?: number;
}

export type Value =
  | { readonly is: 'constant'; readonly value: string }
  /** `max` in code points, where the form has no length of its own. */
  | { readonly is: 'text'; readonly form: TextFormName; readonly max?: number }
  /** A value of one list, or of either of two. */
  | { readonly is: 'choice'; readonly of: EnumerationName; readonly or?: EnumerationName }
  | { readonly is: 'integer' | 'number'; readonly min: number; readonly max: number }
  | { readonly is: 'boolean' }
  /** A text of the form `time`, or a whole number of seconds or milliseconds since 1970. */
  | { readonly is: 'instant' }
  | { readonly is: 'subject_identifier' | 'holder' | 'labels' | 'extension' };

/** The class of an object is that of its members. */
export type Member =
  | (Described & Value)
  | (Described & { readonly is: 'list'; readonly of: Value })
  | (Omit<Described, 'class'> & { readonly is: 'object'; readonly members: Members });

export interface Members {
  readonly [name: string]: Member;
}

/** Items that a list may have. */
export const MAX_ITEMS = 32;

/** The type of the values that `M` describes. */
type ValueOf<M> = M extends { readonly is: 'constant'; readonly value: infer Constant }
  ? Constant
  : M extends { readonly is: 'text' }
    ? string
    : M extends { readonly is: 'choice'; readonly of: infer Name extends EnumerationName }
      ? | EnumerationValue<Name>
        | (M extends { readonly or: infer Or extends EnumerationName } ? EnumerationValue<Or> : never)
      : M extends { readonly is: 'integer' | 'number' }
        ? number
        : M extends { readonly is: 'instant' }
          ? string | number
          : M extends { readonly is: 'boolean' }
            ? boolean
            : M extends { readonly is: 'list'; readonly of: infer Item }
              ? ValueOf<Item>[]
              : M extends { readonly is: 'object'; readonly members: infer Inner }
                ? ObjectOf<Inner>
                : M extends { readonly is: 'subject_identifier' }
                  ? SubjectIdentifier
                  : M extends { readonly is: 'holder' }
                    ? HolderJwk
                    : M extends { readonly is: 'labels' }
                      ? Labels
                      : M extends { readonly is: 'extension' }
                        ? Extension
                        : never;

type MemberOf<M> = M extends { readonly nullable: true } ? ValueOf<M> | null : ValueOf<M>;

type RequiredNames<Ms> = {
  [Name in keyof Ms]: Ms[Name] extends { readonly required: true } ? Name : never;
}[keyof Ms];

type Flatten<T> = { [Name in keyof T]: T[Name] };

/** The type of the objects that have the members `Ms`. */
export type ObjectOf<Ms> = Flatten<
  { -readonly [Name in RequiredNames<Ms>]: MemberOf<Ms[Name]> } & {
    -readonly [Name in Exclude<keyof Ms, RequiredNames<Ms>>]?: MemberOf<Ms[Name]>;
  }
>;

const CLASSES: readonly DataClass[] = ['public', 'internal', 'personal', 'sensitive'];

/** The class of a member: of an object the highest in it. */
export function classOf(member: Member): DataClass {
  if (member.is !== 'object') return member.class;
  return CLASSES[Math.max(...Object.values(member.members).map((inner) => CLASSES.indexOf(classOf(inner))))]!;
}
