// Functions and remotes by the client, against a real runtime behind its real server.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import type { FunctionCall } from '../../lib/functions/function.ts';
import { createRuntime } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { peerOf } from '../support/peers.ts';
import { codeOf, emitted, eventually, hasStatus } from '../support/start-runtime.ts';
import { sendJson, serveHttp } from '../http/setup.ts';
import { startFake } from './fake.ts';

const TOKEN = 'client-test-token';

async function start(t: TestContext) {
  const actors = [new URL('../fixtures/actors/serving.js', import.meta.url)];
  const runtime = await createRuntime({ actors, hosts: 1, http: { allowAddresses: ['127.0.0.0/8'] } });
  const server = await startServer({ runtime, token: TOKEN });
  const client = createClient({ url: server.url, token: TOKEN, maxMessageBytes: 1_000_000 });
  t.after(async () => {
    await client.close();
    await server.close();
    await runtime.close({ deadlineMs: 1 });
  });
  return { runtime, client };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('a function is called with a payload, metadata and a time, and answers with its value', async (t) => {
  const { client, runtime } = await start(t);
  await client.create({ kind: 'serving', workerId: 's2', config: { start: 10 } });
  assert.equal(await client.invoke('serving::add', { amount: 2 }), 2);
  assert.equal(await client.invoke('serving::add', { amount: 2 }, { metadata: { worker_id: 's2' } }), 12);
  const snake = { some_key: { otherKey: ['ü'.repeat(70_000)] } };
  assert.deepEqual(await client.invoke('serving::echo', snake), snake);
  assert.equal(await client.invoke('serving::nothing'), null);
  let seen: FunctionCall | undefined;
  const owner = {
    ownerId: 'o',
    origin: 'remote' as const,
    name: null,
    serve: (_: unknown, call: FunctionCall) => Promise.resolve(((seen = call), '1')),
  };
  runtime.functions.register(owner, { functionId: '../a b/%2F::ü', description: null });
  await client.invoke('../a b/%2F::ü', 1, { metadata: { name: 'ü😀\u007f' }, timeoutMs: 5_000 });
  assert.deepEqual(JSON.parse(seen?.metadata as string), { name: 'ü😀\u007f' });
  assert.ok(seen !== undefined && seen.timeoutMs > 4_000 && seen.timeoutMs <= 5_000);
});

test('a call rejects as the function fails, and with what it is refused with', async (t) => {
  const { client } = await start(t);
  const code = (name: string, payload?: unknown, options = {}) => codeOf(client.invoke(name, payload, options));
  assert.equal(await code('serving::refuse'), 'no_such_thing');
  assert.equal(await code('serving::fail'), 'invocation_failed');
  assert.equal(await code('serving::add', {}), 'invalid_input');
  assert.equal(await code('serving::nobody'), 'function_not_found');
  assert.equal(await code('serving::echo', 'x'.repeat(1_000_000)), 'payload_too_large');
  assert.equal(await code('serving::echo', () => 1), 'invalid_input');
  assert.equal(await code('serving::hold', 1, { timeoutMs: 30 }), 'timeout');
});

test('a call that is aborted ends at the runtime too', async (t) => {
  const { client, runtime } = await start(t);
  assert.equal(await client.invoke('serving::echo', 1), 1);
  const aborting = new AbortController();
  const call = codeOf(client.invoke('serving::hold', 1, { signal: aborting.signal }));
  await emitted(runtime.worker('serving'), 'waiting');
  aborting.abort();
  assert.equal(await call, 'cancelled');
  await hasStatus(runtime.worker('serving'), 'idle');
});

test('a call that nobody waits for is taken and runs', async (t) => {
  const { client, runtime } = await start(t);
  assert.equal(await client.invoke('serving::add', { amount: 2 }, { respondAsync: true }), undefined);
  const worker = runtime.worker('serving');
  await eventually(async () => {
    for await (const { type, data } of worker.transcript()) if (type === 'output') return data === 2;
    return false;
  });
});

test('a call is never repeated, whatever it is refused with', async (t) => {
  const busy = JSON.stringify({ error: { code: 'worker_busy', message: 'Busy.', retryable: true } });
  const fake = await startFake(t, (_request, response) => void response.writeHead(429).end(busy));
  const client = createClient({ url: fake.url, token: TOKEN });
  t.after(() => client.close());
  assert.equal(await codeOf(client.invoke('a::b')), 'worker_busy');
  assert.equal(fake.seen.length, 1);
});

test('functions are listed over several pages, searched, filtered and shown', async (t) => {
  const { client, runtime } = await start(t);
  const owner = { ownerId: 'o', origin: 'remote' as const, name: 'many', serve: () => Promise.resolve('1') };
  const ids = Array.from({ length: 1_001 }, (_, n) => `f::${String(n).padStart(4, '0')}`);
  for (const functionId of ids) runtime.functions.register(owner, { functionId, description: null });
  runtime.functions.register(owner, { functionId: 'f::x', description: null, metadata: { internal: true } });
  const idsOf = async (query: object) => (await all(client.functions(query))).map(({ functionId }) => functionId);
  assert.deepEqual(await idsOf({ worker: 'many' }), ids);
  assert.equal((await idsOf({ worker: 'many', internal: true })).length, 1_002);
  assert.deepEqual(await idsOf({ search: '::add' }), ['serving::add']);
  assert.deepEqual(await client.function('serving::add'), runtime.function('serving::add'));
  assert.equal(await codeOf(client.function('nobody')), 'function_not_found');
});

test('remotes are listed beside workers and have a view of their own', async (t) => {
  const { client, runtime } = await start(t);
  runtime.peers.add(peerOf('a'));
  await client.create({ kind: 'serving', workerId: 'b' });
  const idsOf = async (query: object) => (await all(client.workers(query))).map(({ workerId }) => workerId);
  assert.deepEqual(await idsOf({}), ['a', 'b']);
  assert.deepEqual(await idsOf({ origin: 'remote', status: 'connected' }), ['a']);
  assert.deepEqual(await client.peer('a'), runtime.peer('a'));
  assert.equal(await codeOf(client.peer('b')), 'worker_not_found');
  assert.equal(await codeOf(client.peer('c')), 'worker_not_found');
  assert.equal(await codeOf(client.worker('a').view()), 'unsupported_operation');
  assert.equal(await codeOf(client.worker('a').ask(1)), 'unsupported_operation');
});

test('a function over HTTP is registered, replaced and unregistered, whatever its id', async (t) => {
  const { url } = await serveHttp(t, ({ path }, response) => sendJson(response, path));
  const { client } = await start(t);
  const id = 'größe::a/b 50%';
  const document = { url: `${url}/one`, description: 'Says where it is.', group: 'far' } as const;
  const view = await client.registerFunction(id, document);
  assert.deepEqual([view.functionId, view.workerId, view.description], [id, 'far', 'Says where it is.']);
  assert.equal(await client.invoke(id), '/one');
  await client.registerFunction(id, { url: `${url}/two` });
  assert.equal(await client.invoke(id), '/two');
  assert.equal((await client.unregisterFunction(id)).functionId, id);
  assert.equal(await codeOf(client.unregisterFunction(id)), 'function_not_found');
  assert.equal(await codeOf(client.unregisterFunction('serving::add')), 'unsupported_operation');
  assert.equal(await codeOf(client.registerFunction(id, { url: 'http://10.0.0.1/' })), 'url_validation_failed');
});
