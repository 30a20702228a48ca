/**
 * Claims of a JWT, read where a configuration says that they are. Issuers put them in different places:
 *
 *   roles                    a member of the payload, by its name as it stands: also `https://bank.example/roles`
 *   /realm_access/roles      a place in it, as a JSON Pointer (RFC 6901), where the first character is a slash
 */

/** What is at `place` in the payload; `undefined` where nothing is. Only a member's own name leads anywhere. */
export function claimOf(payload: object, place: string): unknown {
  const names = place.startsWith('/') ? pointerNames(place) : [place];
  let value: unknown = payload;
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** Texts of a claim: an array of them, or one text with single spaces between them, as `scope` has it (RFC 8693 §4.2). */
export function textsOf(claim: unknown): readonly string[] {
  if (typeof claim === 'string') return claim.split(' ').filter((text) => text !== '');
  if (!Array.isArray(claim) || !claim.every((one) => typeof one === 'string')) return [];
  return claim;
}

function pointerNames(pointer: string): string[] {
  const names = pointer.slice(1).split('/');
  return names.map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'));
}
