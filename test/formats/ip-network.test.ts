import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ipNetworkOf } from '../../src/formats/ip-network.ts';

test('an address is of its /24 or its /48, however it is written', () => {
  const networks: Readonly<Record<string, string | undefined>> = {
    '203.0.113.7': '203.0.113.0/24',
    '::ffff:203.0.113.9': '203.0.113.0/24',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1::/48',
    '2001:0DB8:0001::3': '2001:db8:1::/48',
    '2001:db8::3': '2001:db8:0::/48',
    'fe80::1%eth0': 'fe80:0:0::/48',
    '2a00:1::5': '2a00:1:0::/48',
    '2a00:1:0:1::5': '2a00:1:0::/48',
    '2001::7': '2001:0:0::/48',
    '::1': '0:0:0::/48',
    '::': '0:0:0::/48',
    '1::2:3:4:5:6:7': '1:0:2::/48',
    '': undefined,
    localhost: undefined,
    '/run/newel.sock': undefined,
  };
  for (const [address, network] of Object.entries(networks))
    assert.equal(ipNetworkOf(address), network, address);
});

test('two IPv6 addresses are of one network where their first three groups are the same', () => {
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, groups, (one, two) => {
      const text = (of: readonly number[]): string => of.map((group) => group.toString(16)).join(':');
      // As sockets write it: the longest run of zeros is left out.
      const compressed = new URL(`http://[${text(two)}]/`).hostname.slice(1, -1);
      assert.equal(ipNetworkOf(compressed), ipNetworkOf(text(two)));
      const same = text(one).split(':').slice(0, 3).join() === text(two).split(':').slice(0, 3).join();
      assert.equal(ipNetworkOf(text(one)) === ipNetworkOf(text(two)), same);
      assert.equal(ipNetworkOf(text([...two.slice(0, 3), ...one.slice(3)])), ipNetworkOf(text(two)));
    }),
  );
});
