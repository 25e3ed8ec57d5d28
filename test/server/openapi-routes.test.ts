// The document of the REST API: valid, complete, and held to what a running server answers.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { validate } from '@readme/openapi-parser';
import Fastify from 'fastify';
import { createRuntime } from '../../lib/runtime.ts';
import type { Runtime } from '../../lib/runtime.ts';
import { greenroomRoutes, startServer } from '../../lib/server/index.ts';
import { peerOf } from '../support/peers.ts';
import { eventually, hasStatus } from '../support/start-runtime.ts';
import { describedClient } from './openapi-client.ts';
import type { DescribedClient } from './openapi-client.ts';
import { ACTORS, clientOf, ENDLESS, startEdge, startRuntime, TOKEN } from './support.ts';

const FIXTURES = ['exits', 'poison', 'serving'].map(
  (name) => new URL(`../fixtures/actors/${name}.js`, import.meta.url),
);

interface Described extends DescribedClient {
  runtime: Runtime;
}

async function start(t: TestContext): Promise<Described> {
  const http = { allowAddresses: ['127.0.0.0/8'] };
  const runtime = await createRuntime({ actors: [ACTORS, ...FIXTURES], hosts: 1, limits: { maxRestarts: 1 }, http });
  t.after(() => runtime.close({ deadlineMs: 1 }));
  const server = await startServer({ runtime, token: TOKEN });
  t.after(() => server.close());
  return { runtime, ...(await describedClient(clientOf(t, server.url).send)) };
}

test('the document is valid OpenAPI, needs the credential, and is made once', async (t) => {
  const { send } = await startEdge(t);
  const { status, headers, text, json } = await send('GET', '/v1/openapi.json');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  const result = await validate(structuredClone(json) as never);
  assert.ok(result.valid, JSON.stringify(result));
  assert.deepEqual(result.warnings, []);
  assert.equal((json as unknown as { openapi: string }).openapi, '3.1.0');
  assert.equal((await send('GET', '/v1/openapi.json')).text, text);
  assert.equal((await send('GET', '/v1/openapi.json', { token: null })).status, 401);
  assert.equal((await send('GET', '/v1/openapi.json?pretty=1')).json.error.code, 'invalid_query');
});

test('it has every route of the server, and no other', async (t) => {
  const { document } = await start(t);
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`),
  );
  const app = Fastify({ routerOptions: { maxParamLength: 1_000 } });
  t.after(() => app.close());
  const routes: string[] = [];
  app.addHook('onRoute', ({ method, url }) => {
    // A route of its own says that the tools take nothing but POST.
    const isRefusal = url === '/v1/mcp' && method !== 'POST';
    for (const one of isRefusal ? [] : [method].flat())
      if (one !== 'HEAD') routes.push(`${one} ${url.replaceAll(/:\w+/g, '{}')}`);
  });
  await app.register(greenroomRoutes, { runtime: await startRuntime(t), token: TOKEN });
  await app.ready();
  assert.deepEqual(described.toSorted(), routes.toSorted());
});

test('its operations have ids of their own, and all but the probes need the bearer token', async (t) => {
  const { document } = await start(t);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.values(methods).map((operation) => ({ path, ...operation })),
  );
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);
  assert.deepEqual(document.security, [{ bearer: [] }]);
  assert.deepEqual(
    operations.filter(({ security }) => security !== undefined).map(({ path, security }) => [path, security]),
    [
      ['/livez', []],
      ['/readyz', []],
    ],
  );
});

test('it says of queries and bodies what the routes check', async (t) => {
  const { document } = await start(t);
  const { parameters } = document.paths['/v1/workers']?.['get'] ?? {};
  const limit = parameters?.find((parameter) => 'name' in parameter && parameter.name === 'limit');
  assert.deepEqual(limit, { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 1_000 } });
  const body = document.paths['/v1/workers/{worker_id}/stop']?.['post']?.requestBody;
  assert.deepEqual(body, {
    required: false,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { drain: { type: 'boolean' }, reason: { type: 'string', maxLength: 1_024 } },
          required: [],
          additionalProperties: false,
        },
      },
    },
  });
});

test('what a server answers is what it says, of every route', async (t) => {
  const described = await start(t);
  for (const scene of [workers, inputs, deadLetters, functions, outside, channels, others]) await scene(described);
  const { document, seen } = described;
  const promised = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, { responses }]) =>
      Object.keys(responses)
        .filter((status) => Number(status) < 400)
        .map((status) => `${method.toUpperCase()} ${path} ${status}`),
    ),
  );
  assert.deepEqual(
    promised.filter((answer) => !seen.has(answer)),
    [],
  );
});

async function workers({ call, runtime }: Described): Promise<void> {
  const body = { kind: 'counter', worker_id: 'c1', config: { start: 3 }, display_name: 'The counter' };
  for (const status of [201, 200]) assert.equal((await call('POST /v1/workers', { body })).status, status);
  await call('POST /v1/workers', { body: { ...body, config: {} } });
  await call('POST /v1/workers', { body: { kind: 'nothing' } });
  await call('POST /v1/workers', { body: '{' });
  await call('POST /v1/workers', { body: 'x', headers: { 'content-type': 'text/plain' } });
  await call('POST /v1/workers', { body, token: null });
  const gone = peerOf('e');
  for (const peer of [peerOf('a'), peerOf('g', { origin: 'group', status: 'available' }), gone])
    runtime.peers.add(peer);
  gone.leave('closed');
  runtime.peers.remove(gone);
  await call('GET /v1/workers');
  await call('GET /v1/workers', { query: '?limit=1' });
  await call('GET /v1/workers', { query: '?limit=0' });
  for (const id of ['c1', 'a', 'g', 'nobody', 'no id']) await call('GET /v1/workers/{worker_id}', { path: [id] });
  for (const route of ['cancel', 'stop', 'restore'])
    await call(`POST /v1/workers/{worker_id}/${route}`, { path: ['a'] });
  await call('GET /v1/workers/{worker_id}/transcript', { path: ['a'] });
  await call('DELETE /v1/workers/{worker_id}', { path: ['a'] });
  await call('DELETE /v1/workers/{worker_id}', { path: ['c1'] });

  // One whose restarts are used up.
  await call('POST /v1/workers', { body: { kind: 'exits', worker_id: 'x' } });
  for (const code of [1, 2]) {
    await hasStatus(runtime.worker('x'), 'idle');
    await call('POST /v1/workers/{worker_id}/input', { path: ['x'], body: { code }, headers: { prefer: 'wait=9' } });
  }
  await hasStatus(runtime.worker('x'), 'failed');
  const { json } = await call('GET /v1/workers/{worker_id}', { path: ['x'] });
  assert.notEqual((json.worker as unknown as { failure: unknown }).failure, null);
  await call('POST /v1/workers/{worker_id}/input', { path: ['x'], body: {} });

  await call('POST /v1/workers/{worker_id}/stop', { path: ['c1'], body: { reason: 'enough' } });
  await call('POST /v1/workers/{worker_id}/input', { path: ['c1'], body: { add: 1 } });
  await call('POST /v1/workers/{worker_id}/restore', { path: ['c1'] });
  await call('GET /v1/workers/{worker_id}/transcript', { path: ['c1'] });
  await call('DELETE /v1/workers/{worker_id}', { path: ['c1'], query: '?force=true' });
}

async function inputs({ call, runtime }: Described): Promise<void> {
  for (const [kind, worker_id] of [
    ['counter', 'c2'],
    ['ledger', 'l'],
    ['digest', 'd'],
  ])
    await call('POST /v1/workers', { body: { kind, worker_id } });
  const send = 'POST /v1/workers/{worker_id}/input';
  const get = 'GET /v1/workers/{worker_id}/inputs/{input_id}';
  const headers = { prefer: 'wait=9', 'idempotency-key': 'k' };
  const { json } = await call(send, { path: ['c2'], body: { add: 1 }, headers });
  await call(get, { path: ['c2', json.result.input_id] });
  await call(send, { path: ['c2'], body: { add: 2 }, headers });
  await call(send, { path: ['c2'], body: { subtract: 1 } });
  const failed = await call(send, { path: ['l'], body: { type: 'balance', account: 'a' }, headers });
  assert.equal(failed.json.result.outcome, 'failed');
  await call(get, { path: ['l', failed.json.result.input_id] });
  const running = await call(send, { path: ['d'], body: ENDLESS });
  const waiting = await call(send, { path: ['d'], body: ENDLESS });
  await eventually(() => runtime.worker('d').view().running !== null);
  for (const { json } of [running, waiting]) await call(get, { path: ['d', json.ack.input_id] });
  await call('GET /v1/workers/{worker_id}', { path: ['d'] });
  const cancel = 'POST /v1/workers/{worker_id}/cancel';
  for (const { json } of [waiting, running, running])
    await call(cancel, { path: ['d'], body: { input_id: json.ack.input_id, reason: 'enough' } });
  await call(cancel, { path: ['c2'] });
  await call(cancel, { path: ['c2'], body: { input_id: 'none' } });
  await call(get, { path: ['d', waiting.json.ack.input_id] });
  const lines = { 'content-type': 'application/x-ndjson' };
  await call('POST /v1/workers/{worker_id}/inputs', { path: ['c2'], body: '{"add":1}\n{', headers: lines });
  await call('POST /v1/inputs', { body: '{"worker_id":"c2","input":{"add":1}}', headers: lines });
  await call('POST /v1/inputs', { body: {} });
}

async function deadLetters({ call }: Described): Promise<void> {
  await call('POST /v1/workers', { body: { kind: 'poison', worker_id: 'p' } });
  const send = { path: ['p'], body: { name: 'x', mendedBy: '/nowhere' }, headers: { prefer: 'wait=9' } };
  const { json } = await call('POST /v1/workers/{worker_id}/input', send);
  await call('GET /v1/dead-letters');
  await call('GET /v1/dead-letters', { query: '?limit=0' });
  const letter = { path: [json.result.input_id] };
  await call('GET /v1/dead-letters/{input_id}', letter);
  await call('POST /v1/workers/{worker_id}/stop', { path: ['p'] });
  await call('POST /v1/dead-letters/{input_id}/redeliver', letter);
  await call('DELETE /v1/dead-letters/{input_id}', letter);
  await call('DELETE /v1/dead-letters/{input_id}', letter);
  await call('POST /v1/workers/{worker_id}/restore', { path: ['p'] });
  const again = await call('POST /v1/workers/{worker_id}/input', send);
  await call('POST /v1/dead-letters/{input_id}/redeliver', { path: [again.json.result.input_id] });
}

async function functions({ call }: Described): Promise<void> {
  const invoke = 'POST /v1/functions/{function_id}/invoke';
  await call('GET /v1/functions');
  await call('GET /v1/functions', { query: '?limit=1&internal=true' });
  for (const id of ['serving::add', 'nobody::serves']) await call('GET /v1/functions/{function_id}', { path: [id] });
  await call(invoke, { path: ['serving::add'], body: { amount: 2 } });
  await call(invoke, { path: ['serving::add'], body: { amount: 2 }, headers: { prefer: 'respond-async' } });
  await call(invoke, { path: ['serving::add'], body: { amount: 'two' } });
  await call(invoke, { path: ['serving::fail'] });
  await call(invoke, { path: ['nobody::serves'] });
}

async function outside({ call }: Described): Promise<void> {
  const [id, url] = ['http::echo', 'http://127.0.0.1:9/'];
  for (const status of [201, 200])
    assert.equal((await call('PUT /v1/functions/{function_id}', { path: [id], body: { url } })).status, status);
  await call('PUT /v1/functions/{function_id}', { path: [id], body: { url: 'http://169.254.169.254/' } });
  await call('PUT /v1/functions/{function_id}', { path: ['serving::add'], body: { url } });
  await call('POST /v1/functions/{function_id}/invoke', { path: [id] });
  await call('DELETE /v1/functions/{function_id}', { path: [id] });
  await call('DELETE /v1/functions/{function_id}', { path: ['serving::add'] });

  const paths = { '/pets': { get: { operationId: 'list', responses: { 200: { description: 'Done' } } } } };
  const document = { openapi: '3.1.0', info: { title: 'Pets', version: '1' }, servers: [{ url }], paths };
  const body = { name: 'pets', type: 'openapi', document };
  await call('POST /v1/sources', { body, query: '?dry_run=true' });
  for (const status of [201, 409]) assert.equal((await call('POST /v1/sources', { body })).status, status);
  await call('POST /v1/sources', { body: { name: 'sh', type: 'mcp', command: 'sh' } });
  await call('GET /v1/sources');
  const one = { path: ['pets'] };
  await call('GET /v1/sources/{name}', one);
  await call('POST /v1/sources/{name}/refresh', one);
  await call('DELETE /v1/sources/{name}', one);
  await call('DELETE /v1/sources/{name}', one);

  const headers = { accept: 'application/json, text/event-stream' };
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };
  await call('POST /v1/mcp', { body: message, headers });
  await call('POST /v1/mcp', { body: { jsonrpc: '2.0', method: 'notifications/initialized' }, headers });
}

async function channels({ call }: Described): Promise<void> {
  const { json } = await call('POST /v1/channels', { body: { buffer_messages: 4 } });
  const { reader } = (json as unknown as { channel: { reader: { channel_id: string; access_key: string } } }).channel;
  const end = { path: [reader.channel_id], query: `?key=${reader.access_key}` };
  await call('PUT /v1/channels/{channel_id}', { ...end, body: '"hello"', headers: { 'content-type': 'text/plain' } });
  assert.equal((await call('GET /v1/channels/{channel_id}', end)).text, '"hello"');
  await call('PUT /v1/channels/{channel_id}', { ...end, body: '"hello"' });
}

async function others({ call, runtime }: Described): Promise<void> {
  for (const path of ['/livez', '/readyz', '/v1/runtime', '/v1/actors', '/v1/openapi.json']) await call(`GET ${path}`);
  await call('GET /v1/runtime', { query: '?verbose=1' });
  // The first one has died above.
  const { hostId: live } = await eventually(() => runtime.hosts().find(({ status }) => status === 'ready'));
  for (const hostId of ['host-1', live, 'host-99', 'host%2D1'])
    await call('GET /v1/hosts/{host_id}', { path: [hostId] });
  await call('GET /v1/hosts');
  const recycle = 'POST /v1/hosts/{host_id}/recycle';
  for (const hostId of [live, live, 'host-1', 'host-99']) await call(recycle, { path: [hostId] });
  await eventually(() => runtime.host(live).status === 'dead');
  // The last one: nothing else is answered after it.
  await call('POST /v1/runtime/drain', { body: { deadline_ms: 0 } });
}
