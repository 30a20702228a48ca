/** Who calls: what a token proves about its bearer, and no more. */

/** Three separate duties: `submit` adds entries, `audit` reads what is not public, `admin` runs the log. */
export const ROLES = ['submit', 'audit', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Principal {
  /** The token's name, for people and log lines. */
  readonly name: string;
  readonly role: Role;
  /** The sources that a `submit` bearer may speak for, at least one; without effect on the other roles. */
  readonly sources: readonly string[];
}

/** Whether `text` is one of `ROLES`. */
export function isRole(text: unknown): text is Role {
  return ROLES.some((role) => role === text);
}
