// How a call of a remote ends: with its answer, as an error with all that the runtime said, or with the connection that it was sent on.

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, test } from 'node:test';
import { InvocationError } from 'iii-sdk';
import { createChannel, createStream } from 'iii-sdk/helpers';
import { RemoteError } from '../../lib/remote/index.ts';
import type { Remote } from '../../lib/remote/index.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { connect, connectStub, startStub } from './stub.ts';

const call = (remote: Remote, functionId = 'demo::f', timeoutMs?: number) =>
  remote.trigger({ function_id: functionId, payload: {}, ...(timeoutMs !== undefined && { timeoutMs }) });

describe('an error that arrives', () => {
  test('keeps its code, details and the id of the function, is the SDK’s own kind, and shows no stack', async (t) => {
    const { remote, socket } = await connectStub(t);
    const pending = call(remote).catch((e: unknown) => e);
    const error = { code: 'worker_busy', message: 'Full.', stacktrace: 'at /secret', retry_after_ms: 50, depth: 3 };
    socket.answer(await socket.call('demo::f'), { error });
    const thrown = await pending;
    assert.ok(thrown instanceof RemoteError && thrown instanceof InvocationError);
    const { code, message, retryable, details, function_id, stacktrace, name } = thrown;
    assert.deepEqual(
      { code, message, retryable, details, function_id, stacktrace, name },
      {
        code: 'worker_busy',
        message: 'worker_busy: Full.',
        retryable: true,
        details: { retry_after_ms: 50, depth: 3 },
        function_id: 'demo::f',
        stacktrace: undefined,
        name: 'RemoteError',
      },
    );
  });

  for (const error of ['text', 7, true, [], {}, { code: 1, message: 'm' }, { code: 'c' }])
    test(`has a code whatever it is: ${JSON.stringify(error)}`, async (t) => {
      const { remote, socket } = await connectStub(t);
      const pending = codeOf(call(remote));
      socket.answer(await socket.call('demo::f'), { error });
      assert.equal(await pending, 'invocation_failed');
    });

  test('may say itself whether to repeat, and hold an object of details', async (t) => {
    const { remote, socket } = await connectStub(t);
    const pending = call(remote).catch((e: unknown) => e as RemoteError);
    const error = { code: 'own_code', message: 'm', retryable: true, details: { a: 1 } };
    socket.answer(await socket.call('demo::f'), { error });
    const { retryable, details } = (await pending) as RemoteError;
    assert.deepEqual({ retryable, details }, { retryable: true, details: { a: 1 } });
  });
});

describe('a call that was sent', () => {
  test('rejects at once with invocation_stopped when the connection is lost', async (t) => {
    const { remote, socket } = await connectStub(t);
    const pending = codeOf(call(remote));
    await socket.call('demo::f');
    socket.socket.terminate();
    assert.equal(await pending, 'invocation_stopped');
  });

  test('has its one answer: what comes for it on the next connection is nobody’s', async (t) => {
    const { stub, remote, socket } = await connectStub(t);
    const pending = call(remote);
    const frame = await socket.call('demo::f');
    socket.socket.terminate();
    await assert.rejects(pending, { code: 'invocation_stopped', details: { close_code: 1006 } });
    const next = await stub.socket(1);
    next.answer(frame, { result: 'late' });
    await remote.ready();
  });

  test('is told that a frame was too large when the runtime closed over one', async (t) => {
    const { remote, socket } = await connectStub(t);
    const pending = call(remote);
    await socket.call('demo::f');
    socket.socket.close(1009);
    await assert.rejects(pending, { code: 'invocation_failed_payload_too_large', details: { close_code: 1009 } });
  });

  test('rejects with timeout when no answer comes in its time, and with invalid_option for a time that is none', async (t) => {
    const { remote } = await connectStub(t);
    await assert.rejects(call(remote, 'demo::f', 1), { code: 'timeout', retryable: true, function_id: 'demo::f' });
    assert.equal(await codeOf(call(remote, 'demo::f', NaN)), 'invalid_option');
  });

  test('rejects with cancelled when its signal aborts, before or while it waits', async (t) => {
    const { remote, socket } = await connectStub(t);
    const controller = new AbortController();
    const request = { function_id: 'demo::f', payload: {}, signal: controller.signal };
    const pending = remote.trigger(request);
    await socket.call('demo::f');
    controller.abort('enough');
    await assert.rejects(pending, { code: 'cancelled', cause: 'enough' });
    const sent = socket.texts.length;
    await assert.rejects(remote.trigger(request), { code: 'cancelled' });
    assert.equal(socket.texts.length, sent);
  });

  test('rejects with invocation_stopped at a shutdown; later ones with runtime_unavailable', async (t) => {
    const { remote, socket } = await connectStub(t);
    const pending = codeOf(call(remote));
    await socket.call('demo::f');
    await remote.shutdown();
    assert.equal(await pending, 'invocation_stopped');
    assert.equal(await codeOf(call(remote)), 'runtime_unavailable');
    assert.equal(await codeOf(remote.ready()), 'runtime_unavailable');
  });
});

describe('a call that waits for a connection', () => {
  test('survives the loss of one, and is sent on the next, once', async (t) => {
    const { stub, remote, socket } = await connectStub(t);
    socket.socket.terminate();
    await eventually(() => socket.socket.readyState === socket.socket.CLOSED);
    const pending = call(remote);
    const next = await stub.socket(1);
    next.answer(await next.call('demo::f'), { result: 1 });
    assert.equal(await pending, 1);
    await remote.ready();
    assert.equal(next.frames.filter(({ function_id }) => function_id === 'demo::f').length, 1);
  });

  test('is refused beyond 1,024 of them; one that has ended makes room', async (t) => {
    const stub = await startStub(t, { refuse: () => 503 });
    const remote = connect(t, stub.url);
    const controller = new AbortController();
    const first = codeOf(remote.trigger({ function_id: 'demo::f', payload: {}, signal: controller.signal }));
    const others = Array.from({ length: 1_023 }, () => codeOf(call(remote)));
    assert.equal(await codeOf(call(remote)), 'runtime_unavailable');
    assert.equal(
      await codeOf(remote.trigger({ function_id: 'f', payload: 0, action: { type: 'void' } })),
      'runtime_unavailable',
    );
    controller.abort();
    assert.equal(await first, 'cancelled');
    const last = codeOf(call(remote));
    await remote.shutdown();
    assert.deepEqual(new Set([...(await Promise.all(others)), await last]), new Set(['runtime_unavailable']));
  });

  test('is refused beyond 64 MiB of them, however few', async (t) => {
    const stub = await startStub(t, { refuse: () => 503 });
    const remote = connect(t, stub.url);
    const payload = 'x'.repeat(15 * 1_024 * 1_024);
    const kept = Array.from({ length: 4 }, () => codeOf(remote.trigger({ function_id: 'f', payload })));
    assert.equal(await codeOf(remote.trigger({ function_id: 'f', payload })), 'runtime_unavailable');
    await remote.shutdown();
    await Promise.all(kept);
  });

  for (const [status, code] of [
    [401, 'unauthorized'],
    [403, 'forbidden'],
    [404, 'route_not_found'],
  ] as const)
    test(`rejects with ${code} when the upgrade is refused with ${status}`, async (t) => {
      const stub = await startStub(t, { refuse: () => status });
      assert.equal(await codeOf(call(connect(t, stub.url))), code);
    });

  test('rejects with runtime_unavailable when the last attempt to connect has failed, as do later ones', async (t) => {
    const stub = await startStub(t);
    await stub.close();
    const remote = connect(t, stub.url, { reconnectionConfig: { initialDelayMs: 1, maxRetries: 1 } });
    assert.equal(await codeOf(call(remote)), 'runtime_unavailable');
    assert.equal(await codeOf(call(remote)), 'runtime_unavailable');
  });
});

test('a result that was computed while there was no connection is not sent on the next one', async (t) => {
  const { stub, remote, socket } = await connectStub(t);
  const gate = new EventEmitter();
  const started = once(gate, 'started');
  remote.registerFunction('demo::slow', () => {
    gate.emit('started');
    return once(gate, 'open');
  });
  socket.send({ type: 'invokefunction', invocation_id: 'i-1', function_id: 'demo::slow', data: null });
  await started;
  socket.socket.terminate();
  await eventually(() => socket.socket.readyState === socket.socket.CLOSED);
  gate.emit('open', 'too late');
  await remote.ready();
  const next = await stub.socket(1);
  assert.equal(next.frames[0]?.type, 'reattach');
  assert.deepEqual(
    next.frames.filter(({ type }) => type === 'invocationresult'),
    [],
  );
});

test('a remote serves the helpers of the SDK', async (t) => {
  const { remote, socket } = await connectStub(t);
  const creating = createChannel(remote, 7);
  const ref = (direction: string) => ({ channel_id: 'c', access_key: 'k', direction });
  const frame = await socket.call('engine::channels::create');
  assert.deepEqual(frame.data, { buffer_size: 7 });
  socket.answer(frame, { result: { writer: ref('write'), reader: ref('read') } });
  assert.deepEqual((await creating).writerRef, ref('write'));
  const nothing = () => Promise.resolve(null as never);
  createStream(remote, 's', {
    get: nothing,
    set: nothing,
    delete: nothing,
    list: nothing,
    listGroups: nothing,
    update: nothing,
  });
  await remote.ready();
  assert.deepEqual(
    socket.frames.filter(({ type }) => type === 'registerfunction').map(({ id }) => id),
    ['get', 'set', 'delete', 'list', 'list_groups'].map((verb) => `stream::${verb}(s)`),
  );
});
