// When a remote is ready: when the runtime has answered, whatever it says, and not before.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOf } from '../support/start-runtime.ts';
import { connect, startStub } from './stub.ts';

const PROBE = 'engine::baggage::get_all';

describe('a remote is ready', () => {
  test('after what it registered has arrived, with its credential', async (t) => {
    const stub = await startStub(t);
    const remote = connect(t, stub.url, { token: 'secret' });
    remote.registerFunction('demo::f', () => Promise.resolve(null));
    await remote.ready();
    const socket = await stub.socket(0);
    const order = socket.frames.map(({ type, id, function_id }) => [type, id ?? function_id]);
    assert.deepEqual(order.slice(0, 2), [
      ['registerfunction', 'demo::f'],
      ['invokefunction', PROBE],
    ]);
    assert.equal(socket.authorization, 'Bearer secret');
  });

  test('also when the runtime refuses the question', async (t) => {
    const stub = await startStub(t, { answersProbes: false });
    const ready = connect(t, stub.url).ready();
    const socket = await stub.socket(0);
    socket.answer(await socket.call(PROBE), { error: { code: 'FORBIDDEN', message: 'No.' } });
    await ready;
  });

  test('on the next connection when the first one breaks', async (t) => {
    const stub = await startStub(t, { answersProbes: false });
    const ready = connect(t, stub.url).ready();
    const first = await stub.socket(0);
    await first.call(PROBE);
    first.socket.terminate();
    const next = await stub.socket(1);
    next.answer(await next.call(PROBE), { result: {} });
    await ready;
  });

  test('as soon as there is a runtime, if there was none', async (t) => {
    let isUp = false;
    const stub = await startStub(t, { refuse: () => (isUp ? undefined : 503) });
    const ready = connect(t, stub.url).ready();
    isUp = true;
    await ready;
  });
});

describe('a remote is not ready', () => {
  test('in time, and says timeout', async (t) => {
    const stub = await startStub(t, { answersProbes: false });
    assert.equal(await codeOf(connect(t, stub.url).ready({ timeoutMs: 1 })), 'timeout');
  });

  test('when the wait is aborted, and says cancelled', async (t) => {
    const stub = await startStub(t, { answersProbes: false });
    const ready = connect(t, stub.url).ready({ signal: AbortSignal.timeout(1) });
    await assert.rejects(ready, ({ code, cause }: { code: string; cause: Error }) => {
      assert.deepEqual([code, cause.name], ['cancelled', 'TimeoutError']);
      return true;
    });
  });

  test('with a credential that is refused, and says so at once', async (t) => {
    const stub = await startStub(t, { refuse: () => 401 });
    await assert.rejects(connect(t, stub.url, { token: 'wrong' }).ready(), { code: 'unauthorized' });
  });

  for (const timeoutMs of [0, -1, NaN, Infinity])
    test(`after ${timeoutMs} ms, which is no time to wait`, async (t) => {
      const stub = await startStub(t);
      assert.equal(await codeOf(connect(t, stub.url).ready({ timeoutMs })), 'invalid_option');
    });
});
