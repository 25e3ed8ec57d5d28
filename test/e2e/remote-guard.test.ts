// greenroom/remote on the real server: its own guard and that of the server agree on every byte, and each error says what it is.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PayloadTooLargeError, RemoteError } from '../../lib/remote/index.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { startScene, TOO_LARGE } from './sdk.ts';

const LIMIT = 4_096;

describe('a remote with a guard', () => {
  test('sends what the server takes at the limit, and refuses a byte more without sending it', async (t) => {
    const { remote, runtime } = await startScene(t, { limits: { maxMessageBytes: LIMIT } });
    const worker = await remote('w', { maxMessageBytes: LIMIT });
    worker.registerFunction('w::size', (data: string) => Promise.resolve(data.length));
    const size = (bytes: number) => worker.trigger({ function_id: 'w::size', payload: 'x'.repeat(bytes) });
    const refusal = (await size(LIMIT).catch((e: unknown) => e)) as PayloadTooLargeError;
    assert.ok(refusal instanceof PayloadTooLargeError);
    const room = LIMIT - (refusal.payloadBytes - LIMIT);
    assert.equal(await size(room), room);
    await assert.rejects(size(room + 1), { code: TOO_LARGE, payloadBytes: LIMIT + 1, limitBytes: LIMIT });
    assert.equal(runtime.peers.size, 1);
  });

  test('answers a result above its limit with the code, and the caller learns the sizes', async (t) => {
    const { remote, worker } = await startScene(t);
    const [callee, caller] = await Promise.all([remote('callee', { maxMessageBytes: LIMIT }), worker('caller')]);
    callee.registerFunction('callee::give', (bytes: number) => Promise.resolve('x'.repeat(bytes)));
    await callee.ready();
    assert.equal(await codeOf(caller.call('callee::give', LIMIT)), TOO_LARGE);
    assert.equal(await caller.call('callee::give', 3), 'xxx');
  });

  test('gets the error of the server where its own limit is higher, with sizes and on the same connection', async (t) => {
    const { remote, runtime } = await startScene(t, { limits: { maxMessageBytes: LIMIT } });
    const worker = await remote('w');
    const [before] = runtime.peers.summaries();
    const error = await worker.trigger({ function_id: 'w::f', payload: 'x'.repeat(LIMIT) }).catch((e: unknown) => e);
    assert.ok(error instanceof RemoteError && !(error instanceof PayloadTooLargeError));
    const { code, details } = error;
    assert.deepEqual([code, details?.['limit_bytes']], [TOO_LARGE, LIMIT]);
    assert.equal(runtime.peers.summaries()[0]?.workerId, before?.workerId);
  });

  test('is told at once when a call of it is above the hard cap, and is back for the next', async (t) => {
    const { remote } = await startScene(t, { limits: { maxMessageBytes: LIMIT } });
    const worker = await remote('w');
    worker.registerFunction('w::echo', (data: unknown) => Promise.resolve(data));
    await assert.rejects(worker.trigger({ function_id: 'w::echo', payload: 'x'.repeat(LIMIT + 64 * 1_024) }), {
      code: TOO_LARGE,
      details: { close_code: 1009 },
    });
    await worker.ready();
    assert.equal(await worker.trigger({ function_id: 'w::echo', payload: 'back' }), 'back');
  });
});

describe('a remote', () => {
  test('learns the code, the sizes and whether to repeat from what other parts of the runtime say', async (t) => {
    const { remote } = await startScene(t);
    const worker = await remote('w');
    for (const [functionId, code] of [
      ['w::missing', 'function_not_found'],
      ['state::get', 'unsupported_operation'],
    ] as const)
      await assert.rejects(worker.trigger({ function_id: functionId, payload: {} }), {
        name: 'RemoteError',
        code,
        retryable: false,
        function_id: functionId,
      });
  });

  test('does not say that it is ready when a function was refused to it, until it no longer asks for it', async (t) => {
    const { remote, worker } = await startScene(t);
    const [owner, other] = await Promise.all([worker('owner'), remote('other')]);
    owner.sdk.registerFunction('shop::buy', () => Promise.resolve('owner'));
    await owner.settled();
    const ref = other.registerFunction('shop::buy', () => Promise.resolve('other'));
    await assert.rejects(other.ready(), { code: 'function_exists', function_id: 'shop::buy' });
    await assert.rejects(other.ready(), { code: 'function_exists' });
    ref.unregister();
    await other.ready();
    assert.equal(await other.trigger({ function_id: 'shop::buy', payload: {} }), 'owner');
  });

  test('gets a function that was refused to it when it connects again after the owner has gone', async (t) => {
    const { remote, worker, runtime } = await startScene(t);
    const [owner, other] = await Promise.all([worker('owner'), remote('other')]);
    owner.sdk.registerFunction('shop::buy', () => Promise.resolve('owner'));
    await owner.settled();
    other.registerFunction('shop::buy', () => Promise.resolve('other'));
    await assert.rejects(other.ready(), { code: 'function_exists' });
    await owner.sdk.shutdown();
    await eventually(() => runtime.functions.get('shop::buy') === undefined);
    (other as unknown as { ws: { terminate(): void } }).ws.terminate();
    await eventually(() => runtime.functions.get('shop::buy') !== undefined);
    await other.ready();
  });
});
