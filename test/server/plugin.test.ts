// The routes inside a Backend's own Fastify app: everything that they bring stays under their prefix.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import Fastify from 'fastify';
import type { FastifyInstance, FastifyServerOptions } from 'fastify';
import { greenroomRoutes } from '../../lib/server/index.ts';
import type { GreenroomRoutesOptions } from '../../lib/server/index.ts';
import { clientOf, startRuntime, TOKEN } from './support.ts';
import type { Edge } from './support.ts';

const ROOMY = { routerOptions: { maxParamLength: 128 } };

/** An app with habits of its own, none of which are ours. */
async function startApp(
  t: TestContext,
  auth: Pick<GreenroomRoutesOptions, 'token' | 'authenticate'>,
  options: FastifyServerOptions = ROOMY,
): Promise<Edge> {
  const runtime = await startRuntime(t);
  const app: FastifyInstance = Fastify(options);
  app.setErrorHandler((error, _request, reply) => reply.code(418).send({ app: String(error) }));
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ app: 'nothing here' }));
  app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) =>
    done(null, `app:${String(body)}`),
  );
  app.addHook('onSend', (_request, reply, payload, done) => {
    reply.header('x-app', 'yes');
    done(null, payload);
  });
  app.post('/echo', (request) => ({ body: request.body }));
  app.get('/boom', () => {
    throw new Error('boom');
  });
  await app.register(greenroomRoutes, { runtime, ...auth, prefix: '/greenroom' });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  return { runtime, ...clientOf(t, url) };
}

test('the routes work under a prefix, and a Location says where', async (t) => {
  const { send } = await startApp(t, { token: TOKEN });
  const created = await send('POST', '/greenroom/v1/workers', { body: { kind: 'counter', worker_id: 'c1' } });
  assert.deepEqual([created.status, created.headers['location']], [201, '/greenroom/v1/workers/c1']);
  const { json } = await send('POST', '/greenroom/v1/workers/c1/input', {
    body: { add: 2 },
    headers: { prefer: 'wait=5' },
  });
  assert.equal(json.result.output, 2);
  assert.equal((await send('HEAD', '/greenroom/v1/workers/c1')).status, 200);
  assert.equal((await send('GET', '/greenroom/livez', { token: null })).status, 200);
  assert.equal((await send('GET', '/greenroom/v1/actors')).headers['x-app'], 'yes');
});

test('the document of the API says where its paths begin', async (t) => {
  const { send } = await startApp(t, { token: TOKEN });
  const { json } = await send('GET', '/greenroom/v1/openapi.json');
  assert.deepEqual((json as unknown as { servers: unknown }).servers, [{ url: '/greenroom' }]);
});

test('failures under the prefix have the envelope', async (t) => {
  const { send, worker } = await startApp(t, { token: TOKEN });
  assert.equal((await send('GET', '/greenroom/nowhere', { token: null })).status, 401);
  assert.equal((await send('GET', '/greenroom/nowhere')).json.error.code, 'route_not_found');
  assert.equal((await send('GET', '/greenroom')).json.error.code, 'route_not_found');
  const wrong = await send('PUT', '/greenroom/v1/workers');
  assert.deepEqual([wrong.json.error.code, wrong.headers['allow']], ['method_not_allowed', 'GET, HEAD, POST']);
  assert.equal((await send('GET', '/greenroom/v1/workers/')).json.error.code, 'invalid_worker_id');
  assert.equal(
    (await send('POST', '/greenroom/v1/workers', { body: 'x', headers: { 'content-type': 'text/plain' } })).status,
    415,
  );
  assert.equal((await send('POST', '/greenroom/v1/workers', { body: '{' })).json.error.code, 'invalid_json');
  await assert.rejects(worker('echo', 'e1'), /nothing here/); // outside the prefix
});

test('outside the prefix the app keeps its parsers, its error handler and its not-found handler', async (t) => {
  const { send } = await startApp(t, { token: TOKEN });
  const none = { token: null };
  assert.deepEqual((await send('POST', '/echo', { ...none, body: { a: 1 } })).json, { body: { a: 1 } });
  assert.deepEqual(
    (await send('POST', '/echo', { ...none, body: 'x', headers: { 'content-type': 'text/plain' } })).json,
    { body: 'app:x' },
  );
  const unknownType = await send('POST', '/echo', { ...none, body: 'x', headers: { 'content-type': 'text/html' } });
  assert.equal(unknownType.status, 418);
  const boom = await send('GET', '/boom', none);
  assert.deepEqual([boom.status, boom.json], [418, { app: 'Error: boom' }]);
  const missing = await send('GET', '/nowhere', none);
  assert.deepEqual([missing.status, missing.json], [404, { app: 'nothing here' }]);
  assert.deepEqual((await send('GET', '/livez', none)).json, { app: 'nothing here' });
});

test('a Backend can bring its own credential', async (t) => {
  const { send } = await startApp(t, { authenticate: (request) => request.headers['x-session'] === 's1' });
  assert.equal((await send('GET', '/greenroom/v1/actors')).status, 401);
  assert.equal(
    (await send('GET', '/greenroom/v1/actors', { token: null, headers: { 'x-session': 's1' } })).status,
    200,
  );
});

test('a check of the Backend that throws lets nobody in and says nothing', async (t) => {
  const fails = (): boolean => {
    throw new Error('the session store is down at 10.0.0.1');
  };
  const { send } = await startApp(t, { authenticate: fails });
  const { status, json } = await send('GET', '/greenroom/v1/actors');
  assert.deepEqual(
    [status, json.error.code, json.error.message],
    [500, 'internal', 'Something went wrong inside the runtime.'],
  );
});

test('without a credential the registration is refused', async (t) => {
  const runtime = await startRuntime(t);
  const app = Fastify();
  await assert.rejects(async () => app.register(greenroomRoutes, { runtime, prefix: '/greenroom' }), {
    code: 'invalid_option',
  });
});

test('ids that the app cannot match are refused by name, shorter ones work', async (t) => {
  const { send } = await startApp(t, { token: TOKEN }, {});
  const create = (id: string) => send('POST', '/greenroom/v1/workers', { body: { kind: 'echo', worker_id: id } });
  for (const id of ['a'.repeat(100), 'a'.repeat(101)]) assert.equal((await create(id)).status, 201);
  assert.equal((await send('GET', `/greenroom/v1/workers/${'a'.repeat(100)}`)).status, 200);
  const { status, json } = await send('GET', `/greenroom/v1/workers/${'a'.repeat(101)}`);
  assert.deepEqual([status, json.error.code], [400, 'invalid_worker_id']);
  assert.equal((await send('GET', '/greenroom/v1/workers/a/b')).json.error.code, 'route_not_found');
  assert.equal((await send('PUT', '/greenroom/v1/workers/a/input')).json.error.code, 'method_not_allowed');
  assert.equal((await send('GET', `/greenroom/v1/functions/${'a'.repeat(100)}`)).json.error.code, 'function_not_found');
  const long = await send('GET', `/greenroom/v1/functions/${'a'.repeat(101)}`);
  assert.deepEqual([long.status, long.json.error.code], [400, 'invalid_request']);
});
