/** `Accept` (RFC 9110 §12.5.1), for routes with one representation: may it be sent? */

const RANGE = /^\s*([^\s/;,]+)\/([^\s/;,]+)\s*(?:;(.*))?$/;
const WEIGHT = /^\s*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*$/i;

/**
 * Whether a client that sends `accept` takes `type` (without parameters). The most specific range that matches
 * decides. A header that cannot be read excludes nothing.
 */
export function accepts(accept: string | undefined, type: string): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  const [main, sub] = type.split('/');
  let best = -1;
  let weight = 0;
  for (const item of accept.split(',')) {
    if (item.trim() === '') continue;
    const range = RANGE.exec(item.toLowerCase());
    if (range === null) return true;
    const [, rangeMain, rangeSub, parameters = ''] = range;
    const specific = (rangeMain === '*' ? 0 : 1) + (rangeSub === '*' ? 0 : 1);
    const matches = (rangeMain === '*' || rangeMain === main) && (rangeSub === '*' || rangeSub === sub);
    if (!matches || specific < best) continue;
    const weights = parameters.split(';').flatMap((parameter) => WEIGHT.exec(parameter)?.[1] ?? []);
    const next = Number(weights[0] ?? 1);
    weight = specific > best ? next : Math.max(weight, next);
    best = specific;
  }
  return weight > 0;
}
