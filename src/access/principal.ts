/** Who calls: what a token proves about its bearer, and no more. */

/** Three separate duties: `submit` adds entries, `audit` reads what is not public, `admin` runs the log. */
export const ROLES = ['submit', 'audit', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Principal {
  /**
   * Who is held to account: the token's name, or `oidc:` and the subject of a JWT. No token's name has a colon. Kept in
   * the records of what it submits and in the log's own events about what it reads.
   */
  readonly name: string;
  readonly role: Role;
  /** The sources that a `submit` bearer may speak for, at least one; without effect on the other roles. */
  readonly sources: readonly string[];
  /** Events and reads a second that it may send; the log's own limit where it has none. */
  readonly rate?: number;
}

/** What a rate is counted in. */
export type RateUnit = 'events' | 'requests';

/** Whether `text` is one of `ROLES`. */
export function isRole(text: unknown): text is Role {
  return ROLES.some((role) => role === text);
}
