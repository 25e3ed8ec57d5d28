// What a remote takes as options, and that nothing is connected before they are known to be valid.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resolveOptions } from '../../lib/remote/options.ts';
import type { RemoteOptions } from '../../lib/remote/options.ts';

const ADDRESS = 'ws://127.0.0.1:1/v1/gateway';

function refusalOf(address: string, options: RemoteOptions = {}): unknown {
  try {
    return resolveOptions(address, options);
  } catch (thrown) {
    const { code, details, message } = thrown as { code: string; details: unknown; message: string };
    return { code, details, message };
  }
}

const refused = (option: string, problem: string) => ({
  code: 'invalid_option',
  details: { option },
  message: `${option} ${problem}.`,
});

describe('the options of a remote', () => {
  test('have the limit of the runtime, no credential and no telemetry by default', () => {
    assert.deepEqual(resolveOptions(ADDRESS, {}), {
      address: ADDRESS,
      maxMessageBytes: 16 * 1_024 * 1_024,
      init: { otel: { enabled: false }, enableMetricsReporting: false, headers: {} },
    });
  });

  test('turn the token into a header beside the others, and hand on what is the SDK’s', () => {
    const { init } = resolveOptions(ADDRESS, { token: 'abc', headers: { 'x-a': '1' }, workerName: 'w', otel: {} });
    assert.deepEqual(init, {
      otel: {},
      enableMetricsReporting: true,
      workerName: 'w',
      headers: { 'x-a': '1', authorization: 'Bearer abc' },
    });
  });

  for (const limit of [0, -1, 1.5, NaN, Infinity, '5', 2 ** 53])
    test(`refuse a limit that is no whole number above 0: ${JSON.stringify(limit)} (${String(limit)})`, () => {
      assert.deepEqual(
        refusalOf(ADDRESS, { maxMessageBytes: limit as number }),
        refused('maxMessageBytes', 'must be a whole number above 0'),
      );
    });

  for (const ms of [0, -1, NaN, Infinity, 2 ** 31])
    test(`refuse a timeout that no timer can run: ${ms}`, () => {
      assert.deepEqual(
        refusalOf(ADDRESS, { invocationTimeoutMs: ms }),
        refused('invocationTimeoutMs', 'must be above 0 and at most 86400000'),
      );
    });

  test('refuse a token beside a header authorization, in any case', () => {
    assert.deepEqual(
      refusalOf(ADDRESS, { token: 'a', headers: { Authorization: 'b' } }),
      refused('token', 'and the header authorization cannot both be given'),
    );
  });

  for (const token of ['', 'a b', 'a\nb', 'ä'])
    test(`refuse a token that cannot be a header, and do not repeat it: ${JSON.stringify(token)}`, () => {
      assert.deepEqual(
        refusalOf(ADDRESS, { token }),
        refused('token', 'must hold visible ASCII characters only, at least one'),
      );
    });

  for (const [address, problem] of [
    ['', 'must be a ws: or wss: URL'],
    ['127.0.0.1:38800', 'must be a ws: or wss: URL'],
    ['http://127.0.0.1/v1/gateway', 'must be a ws: or wss: URL'],
    ['ws://user:secret@127.0.0.1/', 'must not hold a credential; use token'],
    ['ws://127.0.0.1/v1/gateway?token=x', 'must not have a query or a fragment'],
    ['ws://127.0.0.1/v1/gateway#x', 'must not have a query or a fragment'],
  ] as const)
    test(`refuse an address from which the SDK cannot make others: ${address}`, () => {
      assert.deepEqual(refusalOf(address), refused('address', problem));
    });

  test('take an address as text or URL, and cut the slashes at its end', () => {
    assert.equal(resolveOptions(`${ADDRESS}//`, {}).address, ADDRESS);
    assert.equal(resolveOptions(new URL('wss://host/'), {}).address, 'wss://host');
  });
});
