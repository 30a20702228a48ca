/** Where a server listens (`127.0.0.1:8080`, `[::1]:8080`), and the URL that others reach it at. */

import { isIPv6 } from 'node:net';
import { NewelError } from '../errors.ts';

export interface Address {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):(0|[1-9][0-9]{0,4})$/;

/** `HOST:PORT`, as in `127.0.0.1:8080`, `localhost:8080` or `[::1]:8080`. Throws `malformed`. */
export function parseAddress(text: string): Address {
  const [, v6, host, digits = ''] = ADDRESS.exec(text) ?? [];
  const port = Number(digits);
  if (digits === '' || port > 65_535 || (v6 !== undefined && !isIPv6(v6))) {
    throw new NewelError('malformed', 'is not HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080');
  }
  return { host: v6 ?? host ?? '', port };
}

/** An IPv6 address in brackets. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** An http or https URL without query and fragment; a slash at its end is dropped. Throws `malformed`. */
export function parsePublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.password !== '' ||
    /[?#\s]/.test(text)
  ) {
    throw new NewelError('malformed', 'is not an http or https URL without user, query and fragment');
  }
  return text.replace(/\/+$/, '');
}
