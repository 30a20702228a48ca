/**
 * The network that an IP address is of, in the text form that sockets have: whoever has one address of it has the others.
 *
 *   203.0.113.7, ::ffff:203.0.113.7   → 203.0.113.0/24
 *   2001:db8:1:2::3, fe80::1%eth0     → 2001:db8:1::/48, fe80:0:0::/48
 */

const IPV4 = /^(?:::ffff:)?([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.[0-9]{1,3}$/i;
const IPV6 = /^[0-9a-f:]+$/;
const GROUPS = 8;
const PREFIX_GROUPS = 3;

/** `undefined` for what is no address. The text is a socket's own, not a client's: it is not judged any further. */
export function ipNetworkOf(address: string): string | undefined {
  const [, a, b, c] = IPV4.exec(address) ?? [];
  if (a !== undefined) return `${a}.${b}.${c}.0/24`;
  const text = address.replace(/%.*$/, '').toLowerCase();
  if (!text.includes(':') || !IPV6.test(text)) return undefined;
  const [left = '', right] = text.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  // What `::` leaves out is zeros.
  const zeros = Array.from({ length: Math.max(0, GROUPS - head.length - tail.length) }, () => '0');
  const prefix = [...head, ...zeros, ...tail].slice(0, PREFIX_GROUPS);
  return `${prefix.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/48`;
}
