/**
 * A real OpenID Connect issuer on loopback, as a process of its own: `oidc-provider`, which knows nothing of us. Its
 * clients get JWT access tokens (RFC 9068) with the client credentials grant, with the claims that the parent gave them.
 *
 *   parent → { "clients": { "auditor": { "roles": ["log-auditor"] } } }    a key that signs from now on, alone in the JWKS;
 *                                                                          sent again, another key
 *   child  → { "issuer": "http://127.0.0.1:41234" }                        it listens, or has another key now
 *
 * The secret of a client is its name and `-secret`. It ends with its parent.
 */

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider from 'oidc-provider';

/** The claims that each client's tokens have beside those of RFC 9068. */
export type Clients = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

const ALG = 'ES256';
const SCOPE = 'log';
const TTL_S = 300;

let handle: RequestListener | undefined;
const server = createServer((request, response) => handle?.(request, response));
server.listen(0, '127.0.0.1');
process.on('disconnect', () => process.exit());
process.on('message', (message) => void tell(message as { clients: Clients }));

async function tell({ clients }: { clients: Clients }): Promise<void> {
  if (!server.listening) await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  handle = await newProvider(issuer, clients);
  process.send?.({ issuer });
}

async function newProvider(issuer: string, clients: Clients): Promise<RequestListener> {
  const { privateKey } = await generateKeyPair(ALG, { extractable: true });
  const jwk = await exportJWK(privateKey);
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...jwk, alg: ALG, use: 'sig' }] },
    clients: Object.keys(clients).map((name) => ({
      client_id: name,
      client_secret: `${name}-secret`,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: ALG,
    })),
    clientAuthMethods: ['client_secret_basic'],
    scopes: [SCOPE],
    extraTokenClaims: (_: unknown, token: { clientId: string }) => clients[token.clientId],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: SCOPE,
          audience: resource,
          accessTokenTTL: TTL_S,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: ALG } },
        }),
      },
    },
  });
  return provider.callback();
}
