// What the runtime did not register, as far as a remote remembers it.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { connectStub } from './stub.ts';

const rejected = (function_id: unknown, code: unknown = 'forbidden', message: unknown = 'No.') => ({
  type: 'registrationrejected',
  code,
  message,
  namespace: 'default',
  function_id,
});

describe('a refused registration', () => {
  test('keeps the remote from being ready, with the code of the table and the id of the function', async (t) => {
    const { remote, socket } = await connectStub(t);
    remote.registerFunction('demo::f', () => Promise.resolve(null));
    socket.send(rejected('demo::f', 'FUNCTION_NAMESPACE_CONFLICT'));
    await assert.rejects(remote.ready(), { name: 'RemoteError', code: 'function_exists', function_id: 'demo::f' });
  });

  test('says what is wrong with it, as far as the runtime did', async (t) => {
    const { remote, socket } = await connectStub(t);
    remote.registerFunction('demo::f', { url: 'http://10.0.0.1/', method: 'POST' });
    socket.send({ ...rejected('demo::f', 'url_validation_failed'), details: { rule: 'address_not_allowed' } });
    await assert.rejects(remote.ready(), { code: 'url_validation_failed', details: { rule: 'address_not_allowed' } });
  });

  test('is forgotten when the function is given up', async (t) => {
    const { remote, socket } = await connectStub(t);
    const ref = remote.registerFunction('demo::f', () => Promise.resolve(null));
    socket.send(rejected('demo::f'));
    assert.equal(await codeOf(remote.ready()), 'forbidden');
    ref.unregister();
    await remote.ready();
  });

  test('is forgotten when another connection is opened', async (t) => {
    const { stub, remote, socket } = await connectStub(t);
    remote.registerFunction('demo::f', () => Promise.resolve(null));
    socket.send(rejected('demo::f'));
    assert.equal(await codeOf(remote.ready()), 'forbidden');
    socket.socket.terminate();
    await stub.socket(1);
    await eventually(async () => (await codeOf(remote.ready())) === undefined);
  });

  for (const frame of [rejected(7), rejected('demo::f', 1, {}), { type: 'registrationrejected' }, { type: 'unknown' }])
    test(`may be told in any words, and nothing else is harmed: ${JSON.stringify(frame)}`, async (t) => {
      const { remote, socket } = await connectStub(t);
      socket.send(frame);
      socket.socket.send('{"type":"registrationrejected" and no JSON');
      const pending = remote.trigger({ function_id: 'demo::g', payload: 1 });
      socket.answer(await socket.call('demo::g'), { result: 2 });
      assert.equal(await pending, 2);
    });
});
