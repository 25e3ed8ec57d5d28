// Functions over HTTP: listed, looked at, called; and what a call is refused with.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { FunctionCall, FunctionOwner } from '../../lib/functions/function.ts';
import type { Limits } from '../../lib/limits.ts';
import type { Payload } from '../../lib/protocol/payload.ts';
import { createRuntime } from '../../lib/runtime.ts';
import { MAX_ASYNC_CALLS } from '../../lib/server/bounds.ts';
import { startServer } from '../../lib/server/index.ts';
import { emitted, eventually, hasStatus, openGate, recordLog } from '../support/start-runtime.ts';
import { clientOf, head, TOKEN } from './support.ts';

const SERVING = new URL('../fixtures/actors/serving.js', import.meta.url);

async function start(t: TestContext, limits: Partial<Limits> = {}) {
  const { log, lines } = recordLog();
  const runtime = await createRuntime({ actors: [SERVING], hosts: 1, limits });
  t.after(() => runtime.close({ deadlineMs: 1 }));
  const server = await startServer({ runtime, token: TOKEN, log });
  t.after(() => server.close());
  return { runtime, server, lines, ...clientOf(t, server.url) };
}

/** An owner that shows what reaches it: its answer is the call, but for what cannot be shown. */
function mirror(): FunctionOwner & { calls: FunctionCall[] } {
  const calls: FunctionCall[] = [];
  return {
    ownerId: 'mirror-1',
    origin: 'remote',
    name: 'mirror',
    calls,
    serve: async (_fn, call): Promise<Payload> => {
      calls.push(call);
      return Buffer.from('"mirrored"');
    },
  };
}

interface Listed {
  functions: { function_id: string }[];
  next_after: string | null;
  function: Record<string, unknown>;
}
const listed = (json: unknown): Listed => json as Listed;

test('functions are listed in pages, ascending by id, searched and filtered', async (t) => {
  const { send, runtime } = await start(t);
  const owner = mirror();
  for (const functionId of ['a::one', 'z::two'])
    runtime.functions.register(owner, { functionId, description: 'Says MIRROR.' });
  runtime.functions.register(owner, { functionId: 'a::hidden', description: null, metadata: { internal: true } });
  const idsOf = async (query: string) => {
    const { functions, next_after } = listed((await send('GET', `/v1/functions${query}`)).json);
    return [functions.map(({ function_id }) => function_id), next_after];
  };
  assert.deepEqual(await idsOf('?limit=2'), [['a::one', 'serving::add'], 'serving::add']);
  assert.deepEqual(await idsOf('?limit=1&after=serving::wrong'), [['z::two'], null]);
  assert.deepEqual(await idsOf('?search=mirror'), [['a::one', 'z::two'], null]);
  assert.deepEqual(await idsOf('?worker=mirror-1&search=O'), [['a::one', 'z::two'], null]);
  assert.deepEqual(await idsOf('?worker=mirror&internal=true'), [['a::hidden', 'a::one', 'z::two'], null]);
  for (const query of ['?limit=0', '?internal=yes', '?origin=actor'])
    assert.equal((await send('GET', `/v1/functions${query}`)).json.error.code, 'invalid_query');
});

test('a function is shown by its id, which may hold any character and is decoded once', async (t) => {
  const { send, runtime } = await start(t);
  const owner = mirror();
  const ids = ['api::a/b(c)', 'api::100%', 'api::%2F', 'ü 😀?#'];
  for (const functionId of ids)
    runtime.functions.register(owner, { functionId, description: null, metadata: { aB: 1 } });
  for (const id of ids) {
    const { status, json } = await send('GET', `/v1/functions/${encodeURIComponent(id)}`);
    assert.equal(status, 200, id);
    assert.deepEqual(listed(json).function, {
      function_id: id,
      origin: 'remote',
      worker_id: 'mirror-1',
      worker_name: 'mirror',
      description: null,
      request_format: null,
      response_format: null,
      metadata: { aB: 1 },
    });
    const call = await send('POST', `/v1/functions/${encodeURIComponent(id)}/invoke`);
    assert.deepEqual(call.json, { result: { function_id: id, output: 'mirrored' } });
  }
  assert.equal((await send('GET', '/v1/functions/api::a/b(c)')).json.error.code, 'route_not_found');
  assert.equal((await send('GET', '/v1/functions/nobody')).json.error.code, 'function_not_found');
  assert.equal((await send('POST', '/v1/functions/nobody/invoke')).json.error.code, 'function_not_found');
  assert.equal((await send('PATCH', '/v1/functions/nobody')).json.error.code, 'method_not_allowed');
});

test('a call is answered with the output, of any size, as it was encoded', async (t) => {
  const { send } = await start(t);
  for (const body of ['1', 'null', '"x"', `{"text":"${'ü'.repeat(100_000)}"}`]) {
    const { status, text, headers } = await send('POST', '/v1/functions/serving::echo/invoke', { body });
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(text, `{"result":{"function_id":"serving::echo","output":${body}}}`);
  }
  const { json } = await send('POST', '/v1/functions/serving::echo/invoke');
  assert.equal(json.result.output, null);
});

test('what a call says beside its payload reaches the owner; it cannot say who calls', async (t) => {
  const { send, runtime } = await start(t);
  const owner = mirror();
  runtime.functions.register(owner, { functionId: 'm::m', description: null });
  const path = '/v1/functions/m::m/invoke';
  await send('POST', path, {
    body: { _caller_worker_id: 'root' },
    headers: {
      'greenroom-deadline-ms': '5000',
      'greenroom-metadata': '{"worker_id":"w","name":"\\u00fc"}',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      baggage: 'a=1,b=2',
    },
  });
  await send('POST', path);
  const [given, plain] = owner.calls as [FunctionCall, FunctionCall];
  const { timeoutMs, signal, payload, ...rest } = given;
  assert.ok(timeoutMs > 0 && timeoutMs <= 5_000 && signal !== undefined);
  assert.equal(payload, '{"_caller_worker_id":"root"}');
  assert.deepEqual(rest, {
    metadata: '{"worker_id":"w","name":"\\u00fc"}',
    caller: { workerId: null },
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    baggage: 'a=1,b=2',
  });
  assert.ok(plain.timeoutMs > 29_000 && plain.timeoutMs <= 30_000);
  assert.deepEqual([plain.payload, plain.metadata, plain.traceparent], ['null', null, undefined]);
});

test('a call that is not valid is refused by name before it is made', async (t) => {
  const { send, runtime } = await start(t, { maxMessageBytes: 100_000 });
  const owner = mirror();
  runtime.functions.register(owner, { functionId: 'm::m', description: null });
  const call = async (options: object) => {
    const { status, json } = await send('POST', '/v1/functions/m::m/invoke', options);
    return [status, json.error.code, json.error.details?.issues?.[0]?.path];
  };
  assert.deepEqual(await call({ body: '{' }), [400, 'invalid_json', undefined]);
  assert.deepEqual(await call({ body: `["${'x'.repeat(80_000)}"` }), [400, 'invalid_json', undefined]);
  assert.deepEqual(await call({ body: `"${'x'.repeat(100_000)}"` }), [413, 'payload_too_large', undefined]);
  assert.deepEqual((await call({ body: 'x', headers: { 'content-type': 'text/plain' } }))[0], 415);
  for (const [name, value] of [
    ['greenroom-deadline-ms', '0'],
    ['greenroom-metadata', '{'],
    ['greenroom-metadata', '{"__proto__":1}'],
    ['greenroom-metadata', '"\u00fc"'],
  ] as const)
    assert.deepEqual(await call({ headers: { [name]: value } }), [400, 'invalid_request', name]);
  const query = await send('POST', '/v1/functions/m::m/invoke?wait=1');
  assert.equal(query.json.error.code, 'invalid_query');
  assert.deepEqual(owner.calls, []);
});

test('what a function fails with is in the envelope of errors', async (t) => {
  const { send } = await start(t);
  const call = async (name: string, options?: object) => {
    const { status, json } = await send('POST', `/v1/functions/serving::${name}/invoke`, options);
    return [status, json.error.code];
  };
  assert.deepEqual(await call('refuse'), [422, 'no_such_thing']);
  assert.deepEqual(await call('fail'), [502, 'invocation_failed']);
  assert.deepEqual(await call('add', { body: {} }), [422, 'invalid_input']);
  assert.deepEqual(await call('hold', { headers: { 'greenroom-deadline-ms': '20' } }), [504, 'timeout']);
});

test('a client that goes away ends its call', async (t) => {
  const { send, runtime, port, lines } = await start(t);
  await send('POST', '/v1/functions/serving::echo/invoke');
  const worker = runtime.worker('serving');
  const socket = connect(port, '127.0.0.1');
  socket.write(head('POST', '/v1/functions/serving::hold/invoke', 'content-length: 0'));
  await emitted(worker, 'waiting');
  socket.destroy();
  await hasStatus(worker, 'idle');
  const entries = await eventually(async () => {
    const found = [];
    for await (const { type } of worker.transcript()) found.push(type);
    return found.at(-1) === 'cancelled' && found;
  });
  assert.equal(entries.at(-1), 'cancelled');
  assert.deepEqual(
    lines.filter(({ level }) => level === 'error'),
    [],
  );
});

test('a call that nobody waits for is taken at once, and its outcome is a line in the log', async (t) => {
  const { send, lines, runtime } = await start(t);
  const headers = { prefer: 'wait=1, Respond-Async; x=1' };
  const {
    status,
    json,
    headers: given,
  } = await send('POST', '/v1/functions/serving::add/invoke', {
    body: { amount: 2 },
    headers,
  });
  assert.deepEqual([status, given['preference-applied']], [202, 'respond-async']);
  assert.deepEqual(json, { ack: { function_id: 'serving::add', status: 'accepted' } });
  await eventually(() => lines.find(({ message }) => message === 'call ended'));
  assert.equal(await runtime.invoke('serving::add', { amount: 0 }), 2);
  await send('POST', '/v1/functions/serving::refuse/invoke', { headers });
  const line = await eventually(() => lines.find(({ message }) => message === 'call failed'));
  assert.deepEqual(line, {
    level: 'warn',
    message: 'call failed',
    fields: { function_id: 'serving::refuse', code: 'no_such_thing' },
  });
});

test('only so many calls may be under way that nobody waits for; their end makes room', async (t) => {
  const { send, runtime } = await start(t);
  const held: (() => void)[] = [];
  const serve = (): Promise<Payload> => new Promise((resolve) => held.push(() => resolve('1')));
  runtime.functions.register({ ...mirror(), serve }, { functionId: 'm::held', description: null });
  const call = async () => await send('POST', '/v1/functions/m::held/invoke', { headers: { prefer: 'respond-async' } });
  for (let n = 0; n < MAX_ASYNC_CALLS; n += 64)
    for (const { status } of await Promise.all(Array.from({ length: 64 }, call))) assert.equal(status, 202);
  const { status, json, headers } = await call();
  assert.deepEqual([status, json.error.code, headers['retry-after']], [503, 'runtime_overloaded', '1']);
  held.pop()?.();
  assert.equal((await call()).status, 202);
  for (const release of held) release();
});

test('a server that closes answers the calls that wait', async (t) => {
  const { send, server, runtime } = await start(t);
  await send('POST', '/v1/functions/serving::echo/invoke');
  const waiting = send('POST', '/v1/functions/serving::hold/invoke');
  await emitted(runtime.worker('serving'), 'waiting');
  const [{ status, json }] = await Promise.all([waiting, server.close()]);
  assert.deepEqual([status, json.error.code], [503, 'runtime_unavailable']);
  openGate('serving-hold');
});

test('a client that goes while its payload is looked at makes no call', async (t) => {
  const { runtime, server, port, lines } = await start(t);
  const owner = mirror();
  runtime.functions.register(owner, { functionId: 'm::m', description: null });
  let looked: (() => void) | undefined;
  const looking = t.mock.method(runtime.supervisor, 'checkPayload', () => new Promise<void>((done) => (looked = done)));
  const socket = connect(port, '127.0.0.1');
  socket.write(`${head('POST', '/v1/functions/m::m/invoke', 'content-type: application/json', 'content-length: 1')}1`);
  await eventually(() => looking.mock.callCount() === 1);
  socket.destroy();
  // Resolves when every connection has ended; their responses hear of it after the immediates of that turn.
  await server.close();
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  looked?.();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(owner.calls, []);
  assert.deepEqual(lines, []);
});
