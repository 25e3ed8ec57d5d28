// The limit of a remote, on the whole frame: what is at it arrives, what is a byte above it does not leave, and somebody is told.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { PayloadTooLargeError, RemoteError } from '../../lib/remote/index.ts';
import { codeOf } from '../support/start-runtime.ts';
import { connect, connectStub, startStub } from './stub.ts';

const LIMIT = 4_096;
const CODE = 'invocation_failed_payload_too_large';
/** Two bytes for one character, so that a limit on characters would show. */
const wide = (count: number) => 'é'.repeat(count);

/** What a call or a result with an empty text takes, as the SDK sends it. */
async function overheadOf(t: TestContext, of: 'call' | 'result', functionId: string): Promise<number> {
  const { remote, socket } = await connectStub(t);
  if (of === 'call') {
    const call = remote.trigger({ function_id: functionId, payload: { text: '' } });
    socket.answer(await socket.call(functionId), { result: null });
    await call;
    return Buffer.byteLength(socket.texts.find((text) => text.includes(`"${functionId}"`)) as string);
  }
  remote.registerFunction(functionId, async () => ({ text: '' }));
  socket.send({ type: 'invokefunction', invocation_id: 'i-0', function_id: functionId, data: null });
  await socket.result('i-0');
  return Buffer.byteLength(socket.texts.find((text) => text.includes('"i-0"')) as string);
}

describe('a call of a remote', () => {
  test('leaves when its frame is exactly at the limit, and not when it is a byte above', async (t) => {
    const overhead = await overheadOf(t, 'call', 'demo::f');
    const { remote, socket } = await connectStub(t, { maxMessageBytes: LIMIT });
    const room = LIMIT - overhead;
    const text = 'a'.repeat(room % 2) + wide(Math.floor(room / 2));
    const call = remote.trigger({ function_id: 'demo::f', payload: { text } });
    const frame = await socket.call('demo::f');
    assert.equal(Buffer.byteLength(socket.texts.find((sent) => sent.includes('demo::f')) as string), LIMIT);
    socket.answer(frame, { result: 'ok' });
    assert.equal(await call, 'ok');

    const sent = socket.texts.length;
    const error = await remote
      .trigger({ function_id: 'demo::f', payload: { text: `${text}a` } })
      .catch((e: unknown) => e);
    assert.ok(error instanceof PayloadTooLargeError && error instanceof RemoteError);
    const { code, payloadBytes, limitBytes, retryable, details, function_id } = error;
    assert.deepEqual(
      { code, payloadBytes, limitBytes, retryable, details, function_id },
      {
        code: CODE,
        payloadBytes: LIMIT + 1,
        limitBytes: LIMIT,
        retryable: false,
        details: { payload_bytes: LIMIT + 1, limit_bytes: LIMIT },
        function_id: 'demo::f',
      },
    );
    await remote.ready();
    assert.equal(socket.texts.length, sent + 1, 'the probe of ready alone');
  });

  test('counts its metadata', async (t) => {
    const { remote } = await connectStub(t, { maxMessageBytes: LIMIT });
    const call = remote.trigger({ function_id: 'demo::f', payload: null, metadata: wide(LIMIT / 2) });
    assert.equal(await codeOf(call), CODE);
  });

  test('is refused before there is a connection, and also when nobody waits for its answer', async (t) => {
    const stub = await startStub(t, { refuse: () => 503 });
    const remote = connect(t, stub.url, { maxMessageBytes: LIMIT });
    const payload = wide(LIMIT);
    assert.equal(await codeOf(remote.trigger({ function_id: 'demo::f', payload })), CODE);
    assert.equal(await codeOf(remote.trigger({ function_id: 'demo::f', payload, action: { type: 'void' } })), CODE);
  });

  test('rejects with invalid_input when JSON cannot hold it', async (t) => {
    const { remote } = await connectStub(t);
    assert.equal(await codeOf(remote.trigger({ function_id: 'demo::f', payload: 1n })), 'invalid_input');
    await remote.ready();
  });
});

describe('a result of a remote', () => {
  test('leaves when its frame is exactly at the limit; a byte above, its caller gets the error and the connection stays', async (t) => {
    const overhead = await overheadOf(t, 'result', 'demo::big');
    const { stub, remote, socket } = await connectStub(t, { maxMessageBytes: LIMIT });
    remote.registerFunction('demo::big', async (text: string) => ({ text }));
    const invoke = (invocation_id: string, data: string) =>
      socket.send({ type: 'invokefunction', invocation_id, function_id: 'demo::big', data });
    const text = 'x'.repeat(LIMIT - overhead);
    invoke('i-1', text);
    assert.deepEqual((await socket.result('i-1')).result, { text });
    assert.equal(Buffer.byteLength(socket.texts.find((sent) => sent.includes('"i-1"')) as string), LIMIT);
    invoke('i-2', `${text}x`);
    assert.deepEqual(await socket.result('i-2'), {
      type: 'invocationresult',
      invocation_id: 'i-2',
      function_id: 'demo::big',
      error: {
        code: CODE,
        message: `The frame has ${LIMIT + 1} bytes, the limit is ${LIMIT}. Send less, or send the data through a channel.`,
        payload_bytes: LIMIT + 1,
        limit_bytes: LIMIT,
      },
    });
    invoke('i-3', text);
    await socket.result('i-3');
    assert.equal(stub.sockets.length, 1);
  });

  test('is an error of its own when JSON cannot hold it, and when its message is too large', async (t) => {
    const { remote, socket } = await connectStub(t, { maxMessageBytes: LIMIT });
    remote.registerFunction('demo::bigint', async () => 1n);
    remote.registerFunction('demo::throws', async () => {
      throw new Error('x'.repeat(LIMIT));
    });
    const invoke = (id: string) =>
      socket.send({ type: 'invokefunction', invocation_id: id, function_id: `demo::${id}`, data: null });
    invoke('bigint');
    invoke('throws');
    assert.equal((await socket.result('bigint')).error?.code, 'invalid_output');
    assert.equal((await socket.result('throws')).error?.code, CODE);
  });
});

describe('a registration of a remote', () => {
  test('that is above the limit throws, connected or not, and is not repeated', async (t) => {
    const { stub, remote, socket } = await connectStub(t, { maxMessageBytes: LIMIT });
    const register = () => remote.registerFunction('demo::f', async () => null, { description: wide(LIMIT) });
    assert.throws(register, { code: CODE, limitBytes: LIMIT });
    socket.socket.terminate();
    await stub.socket(1);
    await remote.ready();
    assert.deepEqual(
      (await stub.socket(1)).frames.filter(({ type }) => type === 'registerfunction'),
      [],
    );
    assert.throws(register, { code: CODE });
  });

  test('of a trigger that its provider refuses with too many words is answered all the same', async (t) => {
    const { remote, socket } = await connectStub(t, { maxMessageBytes: LIMIT });
    const refuse = () => Promise.reject(new Error('x'.repeat(LIMIT)));
    remote.registerTriggerType(
      { id: 'tt', description: 'd' },
      { registerTrigger: refuse, unregisterTrigger: () => Promise.resolve() },
    );
    socket.send({ type: 'registertrigger', id: 't-1', trigger_type: 'tt', function_id: 'f', config: null });
    const answer = await socket.frame(({ type }) => type === 'triggerregistrationresult');
    assert.deepEqual([answer.id, answer.error?.code], ['t-1', CODE]);
  });
});

test('what a remote says of itself is left to the runtime to judge', async (t) => {
  const { socket } = await connectStub(t, { maxMessageBytes: 256, workerDescription: 'x'.repeat(512) });
  await socket.call('engine::workers::register');
});
