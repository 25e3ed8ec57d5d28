// Who may let the runtime call this machine: decided by the other end of the socket, the way the upgrade came, and the policy, together.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isForwarded, reachOf } from '../../lib/gateway/trust.ts';

const LOOPBACK = ['127.0.0.1', '127.0.0.2', '127.255.255.255', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1'];
const MAPPED = ['::ffff:127.9.8.7', '::FFFF:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:7f01:203'];
const ELSEWHERE = ['126.255.255.255', '128.0.0.0', '10.0.0.1', '192.0.2.2', '0.0.0.0', '169.254.1.1', '::', '::2'];
const LOOKALIKES = [
  '::127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:0:127.0.0.1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  'fe80::1',
];
const NOTHING = [null, '', 'localhost', '127.1', '0x7f000001', '2130706433', '127.0.0.1:80', '[::1]', ' 127.0.0.1'];

describe('a session may bridge', () => {
  for (const address of [...LOOPBACK, ...MAPPED])
    test(`from ${address}, if its policy allows it and nobody has passed it on`, () => {
      const rows = [
        { mayBridge: true, isForwarded: false },
        { mayBridge: true, isForwarded: true },
        { mayBridge: false, isForwarded: false },
        { mayBridge: false, isForwarded: true },
      ];
      assert.deepEqual(
        rows.map((row) => reachOf({ address, isForwarded: row.isForwarded }, row)),
        ['loopback', 'public', 'public', 'public'],
      );
    });

  for (const address of [...ELSEWHERE, ...LOOKALIKES, ...NOTHING])
    test(`never from ${JSON.stringify(address)}`, () => {
      assert.equal(reachOf({ address, isForwarded: false }, { mayBridge: true }), 'public');
    });
});

describe('an upgrade has been passed on', () => {
  for (const headers of [
    { 'x-forwarded-for': '127.0.0.1' },
    { 'x-forwarded-for': '' },
    { 'x-forwarded-host': 'localhost' },
    { 'x-forwarded-proto': 'https' },
    { forwarded: 'for=127.0.0.1' },
    { 'x-real-ip': '::1' },
    { via: '' },
  ])
    test(`if it has ${JSON.stringify(headers)}, whatever that says`, () => {
      assert.equal(isForwarded({ host: 'a', ...headers }), true);
    });

  test('not because of anything else', () => {
    assert.equal(
      isForwarded({ host: 'localhost', origin: 'http://via', 'x-forward': '1', 'user-agent': 'via' }),
      false,
    );
  });
});
