import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { systemAskingClock } from '../../src/witness/asking-clock.ts';
import { exchange, type Missing, type Received } from '../../src/witness/exchange.ts';

function post(url: string, fetchOne: typeof fetch = fetch): Promise<Received | Missing> {
  return exchange(url, Uint8Array.of(1), {
    fetch: fetchOne,
    clock: systemAskingClock,
    timeoutMs: 5000,
    maxBytes: 100,
    controller: new AbortController(),
  });
}

async function postTo(server: Server): Promise<Received | Missing> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await post(`https://127.0.0.1:${(server.address() as AddressInfo).port}/add-checkpoint`);
  } finally {
    server.close();
  }
}

/** One element of DER (X.690). */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Uint8Array.of(tag, ...size), body]);
}

/** A certificate of a day (RFC 5280 §4.1), signed by its own Ed25519 key, which nobody trusts. */
function selfSigned(): { readonly key: string; readonly cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const algorithm = der(0x30, der(0x06, Uint8Array.of(0x2b, 0x65, 0x70)));
  const commonName = der(0x06, Uint8Array.of(0x55, 0x04, 0x03));
  const name = der(0x30, der(0x31, der(0x30, commonName, der(0x0c, Buffer.from('witness.example')))));
  const timeOf = (timeMs: number): Buffer =>
    der(0x18, Buffer.from(new Date(timeMs).toISOString().replace(/[-:T]|\.\d+/g, '')));
  const validity = der(0x30, timeOf(Date.now() - 43_200_000), timeOf(Date.now() + 43_200_000));
  const version = der(0xa0, der(0x02, Uint8Array.of(2)));
  const serial = der(0x02, Uint8Array.of(1));
  const signed = der(0x30, version, serial, algorithm, name, validity, name, publicKey);
  const signature = sign(null, signed, createPrivateKey(privateKey));
  const certificate = der(0x30, signed, algorithm, der(0x03, Uint8Array.of(0), signature));
  return {
    key: privateKey,
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  };
}

test('a certificate that nobody trusts is told as one, and nothing was sent', async () => {
  let received = 0;
  const server = createTlsServer(selfSigned(), (socket) => {
    socket.on('data', (chunk) => (received += chunk.length)).on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  const why = 'has a certificate that is not trusted here';
  assert.deepEqual(await postTo(server), { why, wasSent: false, isBroken: false });
  assert.equal(received, 0);
});

test('a socket that speaks no TLS is told as one', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  assert.deepEqual(await postTo(server), {
    why: 'does not speak TLS there',
    wasSent: true,
    isBroken: false,
  });
});

test('other certificates that are refused have words of their own', async () => {
  const failing =
    (code: string): typeof fetch =>
    () =>
      Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) }));
  for (const [code, why] of [
    ['CERT_HAS_EXPIRED', 'has a certificate that has expired'],
    ['CERT_NOT_YET_VALID', 'has a certificate that is not valid yet'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'has a certificate for another name'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'has a certificate that is not trusted here'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'has a certificate that is not trusted here'],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'has a certificate that is not trusted here'],
  ] as const) {
    const missing = await post('https://witness.example/', failing(code));
    assert.deepEqual(missing, { why, wasSent: false, isBroken: false }, code);
  }
  const broken = await post('https://witness.example/', failing('ECONNRESET'));
  assert.deepEqual(broken, { why: 'gives no whole answer', wasSent: true, isBroken: true });
});
