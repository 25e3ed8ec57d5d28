// Conformance: the published SDK calls and is called through the real server.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvocationError, TriggerAction } from 'iii-sdk';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { errorOf, gated, startScene } from './sdk.ts';

describe('a call between two workers', () => {
  test('takes its payload and metadata there and its result back, in both directions', async (t) => {
    const { worker } = await startScene(t);
    const [a, b] = await Promise.all([worker('a'), worker('b')]);
    a.sdk.registerFunction('a::echo', async (data: unknown, metadata) => ({ from: 'a', data, metadata }));
    b.sdk.registerFunction('b::echo', async (data: unknown, metadata) => ({ from: 'b', data, metadata }));
    await Promise.all([a.settled(), b.settled()]);
    const metadata = { tenant: 't', n: [1, null, 'ü'] };
    assert.deepEqual(await a.call('b::echo', ['x'], { metadata }), { from: 'b', data: ['x'], metadata });
    assert.deepEqual(await b.call('a::echo', 'y'), { from: 'a', data: 'y' });
  });

  test('carries every JSON value as it is, and null for none', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, call } = await worker('w');
    sdk.registerFunction('w::echo', async (data: unknown) => data);
    sdk.registerFunction('w::nothing', async () => undefined);
    for (const value of [null, true, 0, -1.5e-7, '', '\u0000\u2028😀', [], [[{}]]])
      assert.deepEqual(await call('w::echo', value), value);
    assert.equal(await call('w::nothing', 1), null);
    assert.equal(await sdk.trigger({ function_id: 'w::echo', payload: undefined }), null);
  });

  test('tells the function who calls, whatever the caller says', async (t) => {
    const { worker } = await startScene(t);
    const [caller, callee] = await Promise.all([worker('caller'), worker('callee')]);
    callee.sdk.registerFunction('callee::echo', async (data: unknown) => data);
    await callee.settled();
    const { workers } = await caller.call<{ workers: { name: string; id: string }[] }>('engine::workers::list');
    const callerId = workers.find(({ name }) => name === 'caller')?.id;
    assert.deepEqual(await caller.call('callee::echo', { a: 1 }), { a: 1, _caller_worker_id: callerId });
    assert.deepEqual(await caller.call('callee::echo', { _caller_worker_id: 'me' }), { _caller_worker_id: callerId });
  });

  test('goes to the worker itself, too, and many of them at a time each get their own answer', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, call } = await worker('w');
    sdk.registerFunction('w::double', async (n: number) => 2 * n);
    const numbers = Array.from({ length: 500 }, (_, n) => n);
    assert.deepEqual(
      await Promise.all(numbers.map((n) => call('w::double', n))),
      numbers.map((n) => 2 * n),
    );
  });

  test('passes its trace context and baggage on as they came', async (t) => {
    const { worker, connect } = await startScene(t);
    const { sdk, settled } = await worker('w');
    sdk.registerFunction('w::trace', async (data: unknown) => data);
    await settled();
    const peer = await connect();
    await peer.serve('raw::trace');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const answer = peer.call('raw::trace', null, { traceparent, baggage: 'k=v' });
    const call = await peer.nextCall();
    assert.deepEqual([call['traceparent'], call['baggage']], [traceparent, 'k=v']);
    peer.answer(call, null);
    await answer;
    assert.equal((await peer.call('w::trace', 1, { traceparent, baggage: 'k=v' })).result, 1);
  });
});

describe('a void call', () => {
  test('resolves at once, and its function runs', async (t) => {
    const { worker } = await startScene(t);
    const [caller, callee] = await Promise.all([worker('caller'), worker('callee')]);
    const got: unknown[] = [];
    callee.sdk.registerFunction('callee::note', async (data: unknown) => got.push(data));
    await callee.settled();
    assert.equal(await caller.call('callee::note', 'x', { action: TriggerAction.Void() }), undefined);
    await eventually(() => got.length === 1);
    assert.deepEqual(got, ['x']);
  });

  test('to a function that throws, or that is not there, disturbs nothing', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, call, settled } = await worker('w');
    const { handler, called, open } = gated<never>();
    sdk.registerFunction('w::throws', async () => {
      await handler();
      throw new Error('boom');
    });
    await call('w::throws', 1, { action: TriggerAction.Void() });
    await call('w::missing', 1, { action: TriggerAction.Void() });
    await called;
    open(undefined as never);
    await settled();
  });
});

describe('a call that fails', () => {
  test('says function_not_found for a function that nobody serves, and for one that is no longer served', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, call } = await worker('w');
    const missing = (functionId: string) => ({
      name: 'InvocationError',
      code: 'function_not_found',
      message: `function_not_found: Function ${functionId} not found`,
      function_id: functionId,
    });
    assert.deepEqual(await errorOf(call('w::missing')), missing('w::missing'));
    const ref = sdk.registerFunction('w::gone', async () => 1);
    assert.equal(await call('w::gone'), 1);
    ref.unregister();
    assert.deepEqual(await errorOf(call('w::gone')), missing('w::gone'));
  });

  test('says invocation_failed with the message of what was thrown, and shows no stack', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, call } = await worker('w');
    sdk.registerFunction('w::throws', async () => {
      throw new Error('boom');
    });
    const error = await call('w::throws').catch((e: unknown) => e);
    assert.ok(error instanceof InvocationError);
    assert.deepEqual(
      [error.code, error.message, error.stacktrace],
      ['invocation_failed', 'invocation_failed: boom', undefined],
    );
  });

  test('says timeout when the function does not answer in the server’s time, and its slot is free', async (t) => {
    const { worker, runtime } = await startScene(t, { limits: { invocationTimeoutMs: 50, maxCallsInFlight: 1 } });
    const [caller, callee] = await Promise.all([worker('caller'), worker('callee')]);
    const { handler, called, open } = gated<string>();
    let calls = 0;
    callee.sdk.registerFunction('callee::slow', () => (++calls === 1 ? handler() : Promise.resolve('second')));
    await callee.settled();
    const first = codeOf(caller.call('callee::slow'));
    await called;
    assert.equal(await first, 'timeout');
    assert.equal(await caller.call('callee::slow'), 'second');
    open('late');
    await callee.settled();
    assert.equal(
      runtime.peers.summaries().every(({ inFlight }) => inFlight === 0),
      true,
    );
  });

  test('says worker_busy when the function’s worker has as many calls as it may', async (t) => {
    const { worker, remote } = await startScene(t, { limits: { maxCallsInFlight: 2 } });
    const [a, b, callee] = await Promise.all([remote('a'), worker('b'), worker('callee')]);
    const gates = [gated<number>(), gated<number>()];
    callee.sdk.registerFunction('callee::slow', (n: number) =>
      (gates[n] as { handler: () => Promise<number> }).handler(),
    );
    callee.sdk.registerFunction('callee::quick', async () => 'quick');
    await callee.settled();
    const waiting = [0, 1].map((n) => b.call('callee::slow', n));
    await Promise.all(gates.map(({ called }) => called));
    const error = await a.trigger({ function_id: 'callee::quick', payload: null }).catch((e: unknown) => e);
    const { code, retryable, details } = error as {
      code: string;
      retryable: boolean;
      details: Record<string, unknown>;
    };
    assert.deepEqual([code, retryable, details['messages'], details['capacity']], ['worker_busy', true, 2, 2]);
    assert.ok((details['retry_after_ms'] as number) > 0);
    gates.forEach(({ open }, n) => open(n));
    assert.deepEqual(await Promise.all(waiting), [0, 1]);
    assert.equal(await a.trigger({ function_id: 'callee::quick', payload: null }), 'quick');
  });
});

describe('what this runtime does not have', () => {
  for (const functionId of ['state::get', 'state::set', 'stream::list', 'enqueue', 'publish', 'engine::queue::enqueue'])
    test(`says unsupported_operation: ${functionId}`, async (t) => {
      const { worker } = await startScene(t);
      const { call } = await worker('w');
      assert.equal(await codeOf(call(functionId, { scope: 's', key: 'k' })), 'unsupported_operation');
    });

  test('says unsupported_operation to the action enqueue, also for a function that exists', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, call } = await worker('w');
    sdk.registerFunction('w::f', async () => 1);
    const action = TriggerAction.Enqueue({ queue: 'jobs' });
    assert.equal(await codeOf(call('w::f', {}, { action })), 'unsupported_operation');
    assert.equal(await call('w::f'), 1);
  });

  test('says unsupported_operation to a trigger of the type cron or http, and the worker goes on', async (t) => {
    const { worker } = await startScene(t);
    const { call } = await worker('w');
    for (const type of ['cron', 'http', 'state', 'queue', 'subscribe'])
      assert.equal(
        await codeOf(call('engine::register_trigger', { trigger_type: type, function_id: 'w::f', config: {} })),
        'unsupported_operation',
      );
  });
});
