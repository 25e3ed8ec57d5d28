// Which addresses are public: every special network at both of its ends, and a second opinion on any address at all.

import assert from 'node:assert/strict';
import { BlockList, isIPv6 } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compileAddresses, isLoopbackAddress, isNetwork } from '../../lib/egress/addresses.ts';
import { seeded } from '../support/seeded.ts';

const isPublic = compileAddresses([]);

describe('an address is not public', () => {
  const cases: [what: string, addresses: string[]][] = [
    ['this network', ['0.0.0.0', '0.1.2.3', '0.255.255.255', '::']],
    ['private', ['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255']],
    ['carrier-grade NAT', ['100.64.0.0', '100.100.100.200', '100.127.255.255']],
    ['loopback', ['127.0.0.0', '127.0.0.1', '127.255.255.255', '::1']],
    ['link-local', ['169.254.0.0', '169.254.169.254', '169.254.255.255', 'fe80::', 'fe80::1', 'febf:ffff::']],
    ['of the IETF', ['192.0.0.0', '192.0.0.192', '192.0.0.255', '2001:1::1', '2001:1ff:ffff::']],
    ['documentation', ['192.0.2.1', '198.51.100.1', '203.0.113.255', '2001:db8::1', '3fff::1', '3fff:fff::1']],
    ['relay of 6to4', ['192.88.99.0', '192.88.99.255']],
    ['benchmarking', ['198.18.0.0', '198.19.255.255', '2001:2::1']],
    ['multicast', ['224.0.0.0', '239.255.255.255', 'ff00::', 'ff02::1', 'ffff::']],
    ['reserved', ['240.0.0.0', '255.255.255.254']],
    ['broadcast', ['255.255.255.255']],
    ['sinks and relays', ['192.31.196.1', '192.175.48.1', '192.52.193.1', '2001:4:112::1', '2620:4f:8000::1']],
    ['the host of Azure', ['168.63.129.16', '::ffff:168.63.129.16']],
    ['unique local', ['fc00::', 'fd00::1', 'fd00:ec2::254', 'fdff:ffff::']],
    ['site-local', ['fec0::', 'feff:ffff::']],
    ['discard', ['100::', '100::ffff:ffff:ffff:ffff']],
    ['segment routing', ['5f00::1', '5f00:ffff::']],
    ['ORCHID', ['2001:10::1', '2001:20::1', '2001:2f:ffff::', '2001:30::1']],
    ['Teredo', ['2001::', '2001:0:808:808::1', '2001:0:ffff:ffff::']],
    ['6to4', ['2002::', '2002:808:808::1', '2002:a00:1::1', '2002:ffff:ffff::']],
    ['NAT64', ['64:ff9b::8.8.8.8', '64:ff9b::a00:1', '64:ff9b:1::1', '64:ff9b:1:ffff::']],
    ['IPv4-compatible', ['::8.8.8.8', '::808:808', '::10.0.0.1', '::7f00:1']],
    ['IPv4-translated', ['::ffff:0:8.8.8.8', '::ffff:0:808:808', '::ffff:0:a00:1']],
    ['IPv4-mapped, of an address that is not', ['::ffff:10.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:a9fe:a9fe']],
    ['ISATAP', ['2606:4700::5efe:808:808', '2606:4700::200:5efe:10.0.0.1']],
    ['outside of what is routed', ['1::1', '1fff:ffff::', '4000::', '8000::1', 'e000::1', '64:ff9c::1']],
    ['with a zone', ['fe80::1%eth0', '2606:4700::1111%eth0', '::1%1', '8.8.8.8%1']],
    [
      'none at all',
      ['', 'localhost', '8.8.8', '08.8.8.8', '0x8.8.8.8', '134744072', '8.8.8.8.', ' 8.8.8.8', '[2606:4700::1]', '::g'],
    ],
  ];
  for (const [what, addresses] of cases) {
    test(what, () => {
      for (const address of addresses) assert.equal(isPublic(address), false, address);
    });
  }
});

test('an address just outside of a special network is public', () => {
  const addresses = [
    ...['1.0.0.0', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255'],
    ...['128.0.0.0', '169.253.255.255', '169.255.0.0', '172.15.255.255', '172.32.0.0', '192.0.1.0', '192.0.3.0'],
    ...['192.167.255.255', '192.169.0.0', '198.17.255.255', '198.20.0.0', '223.255.255.255', '168.63.129.17'],
    ...[
      '2000::',
      '2001:200::',
      '2001:db7:ffff::',
      '2001:db9::',
      '2003::',
      '2606:4700:4700::1111',
      '3ffe::',
      '3fff:1000::',
    ],
    ...['::ffff:8.8.8.8', '::ffff:808:808'],
  ];
  for (const address of addresses) assert.equal(isPublic(address), true, address);
});

describe('an address is judged as the registries of IANA say', () => {
  // Two lists: Node holds an IPv4 address against the networks of IPv6 too, as the mapped address that it is there.
  const [special4, special6] = [new BlockList(), new BlockList()];
  const IPV4 = [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
    ...['192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24'],
    ...['198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/3', '168.63.129.16/32'],
  ];
  const IPV6 = [
    '::/3',
    '4000::/2',
    '8000::/1',
    '2001::/23',
    '2001:db8::/32',
    '2002::/16',
    '2620:4f:8000::/48',
    '3fff::/20',
  ];
  for (const subnet of [...IPV4, ...IPV6]) {
    const [base = '', bits] = subnet.split('/');
    if (isIPv6(base)) special6.addSubnet(base, Number(bits), 'ipv6');
    else special4.addSubnet(base, Number(bits), 'ipv4');
  }
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
  // The edges of the networks, and what lies next to them, more often than chance would have it.
  const edges = fc.constantFrom(0, 10, 100, 127, 168, 169, 172, 192, 198, 203, 223, 224);
  const ipv4 = fc.oneof(octets, fc.tuple(edges, fc.nat(255), fc.nat(255), fc.nat(255))).map((given) => given.join('.'));

  test('IPv4, and IPv4-mapped', (t) => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const expected = !special4.check(address, 'ipv4');
        assert.equal(isPublic(address), expected, address);
        assert.equal(isPublic(`::ffff:${address}`), expected, address);
        assert.equal(isLoopbackAddress(address), address.startsWith('127.'), address);
      }),
      seeded(t, 20_000),
    );
  });

  test('IPv6', (t) => {
    const part = fc.nat(0xffff);
    const first = fc.oneof(part, fc.constantFrom(0x2000, 0x2001, 0x2002, 0x2620, 0x3fff, 0x64, 0xfc00, 0xfe80));
    const second = fc.oneof(part, fc.constantFrom(0, 2, 0x4f, 0x1ff, 0x200, 0xdb8, 0xfff, 0x1000));
    const ipv6 = fc.tuple(first, second, part, part, part, part, part, part).map((parts) => parts.map(hex).join(':'));
    fc.assert(
      fc.property(ipv6, (address) => {
        const isTunnel = /:(?:0|200):5efe:[^:]+:[^:]+$/.test(address);
        assert.equal(isPublic(address), !isTunnel && !special6.check(address, 'ipv6'), address);
      }),
      seeded(t, 20_000),
    );
  });
});

describe('what the operator opens', () => {
  test('may be reached, and nothing beside it', () => {
    const isAllowed = compileAddresses([
      '10.1.0.0/16',
      '127.0.0.1',
      'fd00:1::/32',
      '::ffff:192.168.1.0/120',
      '64:ff9b::/96',
    ]);
    const open = ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3', '::ffff:a01:203', '127.0.0.1', '::ffff:127.0.0.1'];
    for (const address of [...open, 'fd00:1::1', '192.168.1.255', '::ffff:192.168.1.7', '64:ff9b::8.8.8.8', '8.8.8.8'])
      assert.equal(isAllowed(address), true, address);
    const closed = ['10.0.255.255', '10.2.0.0', '127.0.0.2', '::1', '::10.1.2.3', '64:ff9b:1::1', 'fd00:2::1'];
    for (const address of [...closed, '192.168.2.0', 'fd00:1::1%eth0', '::ffff:0:10.1.2.3', '2002:a01:203::1'])
      assert.equal(isAllowed(address), false, address);
  });

  test('may be all of IPv4, which says nothing of IPv6', () => {
    const isAllowed = compileAddresses(['0.0.0.0/0']);
    assert.deepEqual(['0.0.0.0', '169.254.169.254', '::ffff:10.0.0.1'].map(isAllowed), [true, true, true]);
    assert.deepEqual(['::1', '::10.0.0.1', 'fd00::1'].map(isAllowed), [false, false, false]);
  });

  test('is a network or an address, and nothing else', () => {
    const good = ['10.0.0.0/8', '10.0.0.1', '10.0.0.1/32', '0.0.0.0/0', '::/0', '::1', '::1/128', 'fd00::/8'];
    for (const text of [...good, '::ffff:10.0.0.0/104', '::ffff:10.0.0.1']) assert.equal(isNetwork(text), true, text);
    const forms = ['', '/8', '10', '10.0.0', '10.0.0.0/', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/8/8', '10.0.0.0/0x8'];
    const spellings = ['010.0.0.0/8', '0xa.0.0.0/8', '10.0.0.0/255.0.0.0', '10.0.0.*', 'localhost', '[::1]', '::1%lo'];
    const unclear = ['10.1.0.0/8', '10.0.0.1/31', 'fd00::1/8', '::1/129', '::ffff:10.0.0.0/95', '::ffff:10.0.0.1/104'];
    for (const text of [...forms, ...spellings, ...unclear, ' 10.0.0.0/8', '10.0.0.0/8\n'])
      assert.equal(isNetwork(text), false, text);
  });
});

test('loopback is 127.0.0.0/8 and ::1', () => {
  for (const address of ['127.0.0.1', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'])
    assert.equal(isLoopbackAddress(address), true, address);
  for (const address of ['126.0.0.1', '128.0.0.0', '0.0.0.0', '::', '::2', '::127.0.0.1', '::1%lo', 'localhost', ''])
    assert.equal(isLoopbackAddress(address), false, address);
});

function hex(part: number): string {
  return part.toString(16);
}
