// Frames that mean nothing, or something else than they should: the connection and its neighbours live on, and whoever waits for an answer
// gets one.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MAX_JSON_DEPTH } from '../../lib/limits.ts';
import { RawPeer, startGateway } from './raw-peer.ts';
import type { Frame } from './raw-peer.ts';

const DEEP = 100_000;
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('frames without a meaning', () => {
  const garbage: [string, string | Buffer][] = [
    ['an empty text', ''],
    ['white space', ' \r\n\t '],
    ['an empty binary frame', Buffer.alloc(0)],
    ['text that is no JSON', 'GET / HTTP/1.1'],
    ['half an object', '{"type":"ping"'],
    ['an object with something behind it', '{"type":"ping"}{"type":"ping"}'],
    ['an array', '[{"type":"ping"}]'],
    ['a number', '1e400'],
    ['null', 'null'],
    ['bytes that are no UTF-8', Buffer.from([0xff, 0xfe, 0x80, 0x00, 0xc3, 0x28])],
    ['zeros', Buffer.alloc(10_000)],
    ['telemetry on the wrong path', Buffer.from('OTLP{"resourceSpans":[]}')],
    ['an object without a type', '{"id":"x"}'],
    ['a type that is unknown', '{"type":"constructor"}'],
    ['a type that is no text', '{"type":{"type":"ping"}}'],
    ['a type in other letters', '{"type":"PING"}'],
    ['a prototype', '{"__proto__":{"type":"ping"}}'],
    ['deep nesting', `{"x":${nested(DEEP)}}`],
    ['deep nesting that never ends', `{"x":${'['.repeat(DEEP)}`],
    ['a very long name', `{"${'x'.repeat(600_000)}":1}`],
    ['a very long number', `{"x":${'9'.repeat(600_000)}}`],
    ['frames that only the server sends', '{"type":"workerregistered","worker_id":"x","reattach_token":"y"}'],
  ];

  test('are ignored, one by one and all at once', async (t) => {
    const { connect } = await startGateway(t);
    const [peer, neighbour] = [await connect(), await connect()];
    await neighbour.serve('echo', ({ data }) => data);
    for (const [what, frame] of garbage) {
      peer.send(frame);
      await peer.fence();
      assert.deepEqual(peer.frames, [], what);
    }
    for (const [, frame] of garbage) peer.send(frame);
    const { result } = await peer.call('echo', { n: 1 });
    assert.deepEqual(result, { n: 1, _caller_worker_id: peer.workerId });
    assert.deepEqual(peer.frames, []);
  });

  test('are told in the log, but not for ever, and never with what they hold', async (t) => {
    const { connect, log } = await startGateway(t);
    const peer = await connect();
    for (let sent = 0; sent < 1_000; sent++) peer.send('my secret is 42');
    await peer.fence();
    await peer.end();
    const warnings = log.filter(({ level }) => level === 'warn');
    assert.ok(warnings.length > 0 && warnings.length <= 16, `${warnings.length}`);
    assert.equal(log.find(({ message }) => message === 'a remote has gone')?.fields['complaints'], 1_000);
    assert.ok(!JSON.stringify(log).includes('secret is'));
  });

  test('text that is no UTF-8 ends the socket with 1007, as its protocol says', async (t) => {
    const { connect, runtime } = await startGateway(t);
    const peer = await connect();
    peer.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    assert.equal((await peer.closed).code, 1007);
    assert.equal(runtime.peers.view(peer.workerId)?.disconnectReason, 'protocol_error');
  });

  test('frames that the protocol of the socket forbids end it and nothing else', async (t) => {
    const { connect, runtime, port } = await startGateway(t);
    const neighbour = await connect();
    // Unmasked text, an unknown opcode, a reserved bit, a control frame in pieces, a length beyond all numbers.
    for (const bytes of ['810178', '8b80000000 00', 'c180000000 00', '0980000000 00', '82ffffffffffffffffff00000000']) {
      const peer = new RawPeer(port);
      await peer.ready;
      const transport = (peer.socket as unknown as { _socket: NodeJS.WritableStream })._socket;
      transport.write(Buffer.from(bytes.replaceAll(' ', ''), 'hex'));
      const { code } = await peer.closed;
      assert.ok([1002, 1009].includes(code), `${bytes}: ${code}`);
      assert.notEqual(runtime.peers.view(peer.workerId)?.status, 'connected');
    }
    await neighbour.fence();
  });
});

describe('calls with something wrong in them', () => {
  const wrongCalls: [string, string][] = [
    ['no function id', '"data":1'],
    ['a function id that is no text', '"function_id":7,"data":1'],
    ['an empty function id', '"function_id":"","data":1'],
    ['an object as function id', '"function_id":{"a":1},"data":1'],
    ['a function id that is too long', `"function_id":"${'x'.repeat(2_000)}"`],
    ['data that is no JSON', '"function_id":"echo","data":[1,2'.concat('}')],
    ['data that only begins like null', '"function_id":"echo","data":nope'],
    ['data with a prototype', '"function_id":"echo","data":{"__proto__":{"a":1}}'],
    ['data with an escaped prototype', '"function_id":"echo","data":{"__pro\\u0074o__":{"a":1}}'],
    ['data that is too deep', `"function_id":"echo","data":${nested(MAX_JSON_DEPTH + 1)}`],
    ['data given twice', '"function_id":"echo","data":1,"data":2'],
    ['data given twice, once with escapes', '"function_id":"echo","data":1,"d\\u0061ta":2'],
    ['metadata that is no JSON', '"function_id":"echo","metadata":{]}'],
    ['metadata that is too long', `"function_id":"echo","metadata":"${'x'.repeat(70_000)}"`],
    ['an action that is no object', '"function_id":"echo","action":"void"'],
    ['an unknown action', '"function_id":"echo","action":{"type":"delete"}'],
    ['an action from a prototype', '"function_id":"echo","action":{"constructor":{"prototype":{}}}'],
    ['large data that is no JSON', `"function_id":"echo","data":["${'x'.repeat(100_000)}",]`],
    ['large data with a prototype', `"function_id":"echo","data":["${'x'.repeat(100_000)}",{"__proto__":1}]`],
    ['large data that is too deep', `"function_id":"echo","data":["${'x'.repeat(300_000)}",${nested(500)}]`],
  ];

  for (const [what, members] of wrongCalls) {
    test(`${what}: answered with an error, and the function is not called`, async (t) => {
      const { connect } = await startGateway(t);
      const [peer, callee] = [await connect(), await connect()];
      let calls = 0;
      await callee.serve('echo', () => ++calls);
      peer.send(`{"type":"invokefunction","invocation_id":"wrong",${members}}`);
      const { error } = await peer.next(({ invocation_id }) => invocation_id === 'wrong');
      assert.match(error?.code ?? '', /^(invalid_json|INVALID_ARGUMENTS)$/);
      assert.ok(!/\bat [/\w]+[.:(]|\.ts|\.js|node_modules/.test(JSON.stringify(error)), JSON.stringify(error));
      assert.equal((await peer.call('echo')).result, 1);
    });
  }

  test('what is wrong beside the call does not matter: unknown members, and trace members of a wrong type', async (t) => {
    const { connect } = await startGateway(t);
    const peer = await connect();
    await peer.serve('echo', (call) => [call.data, call['traceparent'] ?? null, call['baggage'] ?? null]);
    const more = { message_type: 1, __proto: {}, traceparent: 7, baggage: 'x'.repeat(9_000), toString: null };
    assert.deepEqual((await peer.call('echo', 1, more)).result, [1, null, null]);
  });
});

describe('results with something wrong in them', () => {
  const wrongResults: [string, (id: string) => string][] = [
    ['a result that is no JSON', (id) => `"invocation_id":"${id}","result":tru`],
    ['a result that is too deep', (id) => `"invocation_id":"${id}","result":${nested(MAX_JSON_DEPTH + 1)}`],
    ['a result with a prototype', (id) => `"invocation_id":"${id}","result":{"__proto__":{}}`],
    ['a large result that is no JSON', (id) => `"invocation_id":"${id}","result":["${'x'.repeat(100_000)}",]`],
    ['a result given twice', (id) => `"invocation_id":"${id}","result":1,"result":2`],
    ['an error that is a number', (id) => `"invocation_id":"${id}","error":7`],
    ['an error that is a list', (id) => `"invocation_id":"${id}","error":[]`],
    ['an error with a code that is no text', (id) => `"invocation_id":"${id}","error":{"code":{},"message":[]}`],
    [
      'an error with a code that is no word',
      (id) => `"invocation_id":"${id}","error":{"code":"a b\\u0000","message":"x"}`,
    ],
    [
      'an error that claims to be our own fault',
      (id) => `"invocation_id":"${id}","error":{"code":"internal","message":"x"}`,
    ],
    ['an error that is no JSON', (id) => `"invocation_id":"${id}","error":{"code"}`],
  ];

  for (const [what, members] of wrongResults) {
    test(`${what}: the call fails at once with invocation_failed`, async (t) => {
      const { connect, log, runtime } = await startGateway(t);
      const [caller, callee] = [await connect(), await connect()];
      await callee.serve('f');
      const answer = caller.call('f');
      const { invocation_id } = await callee.nextCall();
      callee.send(`{"type":"invocationresult",${members(invocation_id as string)}}`);
      assert.equal((await answer).error?.code, 'invocation_failed');
      assert.deepEqual(
        log.filter(({ level }) => level === 'error'),
        [],
      );
      assert.equal(runtime.peers.view(callee.workerId)?.inFlight, 0);
    });
  }

  // Codes of errors that carry details with us; from a peer they carry none.
  for (const code of [
    'payload_too_large',
    'worker_busy',
    'timeout',
    'invalid_request',
    'function_not_found',
    'sold_out',
  ]) {
    test(`an error with the code ${code} and nothing else reaches the caller, remote or not`, async (t) => {
      const { connect, runtime } = await startGateway(t);
      const [caller, callee] = [await connect(), await connect()];
      await callee.serve('f');
      const fail = ({ invocation_id }: Frame) =>
        callee.send({ type: 'invocationresult', invocation_id, error: { code } });
      const answer = caller.call('f');
      fail(await callee.nextCall());
      const { error } = await answer;
      assert.equal(typeof error?.message, 'string');
      const call = { payload: 'null', metadata: null, caller: { workerId: null }, timeoutMs: 10_000 };
      const local = runtime.functions.call('f', call);
      fail(await callee.nextCall());
      await assert.rejects(local, { code });
      await caller.fence();
    });
  }

  test('a stack that a peer sends stays behind', async (t) => {
    const { connect } = await startGateway(t);
    const [caller, callee] = [await connect(), await connect()];
    await callee.serve('f');
    const answer = caller.call('f');
    const { invocation_id } = await callee.nextCall();
    const error = { code: 'boom', message: 'no', stacktrace: 'at /srv/x.js', stack: 'at y', details: { token: 't' } };
    callee.send({ type: 'invocationresult', invocation_id, error });
    assert.deepEqual((await answer).error, { code: 'boom', message: 'no' });
  });
});
