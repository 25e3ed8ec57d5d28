// The gateway inside a Backend's own Fastify app: under its prefix, with its own idea of who may connect.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import websocket from '@fastify/websocket';
import Fastify from 'fastify';
import { WebSocket } from 'ws';
import { greenroomRoutes, startServer } from '../../lib/server/index.ts';
import { codeOf, eventually, startRuntime as startWithFixtures } from '../support/start-runtime.ts';
import { startRuntime } from './support.ts';

test('remotes connect under the prefix of the app, and whom the Backend does not know gets a 401', async (t) => {
  const runtime = await startRuntime(t);
  const app = Fastify({ routerOptions: { maxParamLength: 128 } });
  t.after(() => app.close());
  const authenticate = (request: { headers: Record<string, unknown> }) => request.headers['x-backend'] === 'yes';
  await app.register(greenroomRoutes, { runtime, authenticate, prefix: '/greenroom', gateway: {} });
  const url = `${(await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws')}/greenroom/v1/gateway`;

  const stranger = new WebSocket(url);
  const [refusal] = (await once(stranger, 'unexpected-response').then(([, response]) => [response])) as [
    { statusCode: number },
  ];
  assert.equal(refusal.statusCode, 401);
  stranger.on('error', () => undefined).terminate();

  const remote = new WebSocket(url, { headers: { 'x-backend': 'yes' } });
  const [first] = (await once(remote, 'message')) as [Buffer];
  assert.equal((JSON.parse(first.toString()) as { type: string }).type, 'workerregistered');
  assert.equal(runtime.peers.size, 1);
  remote.terminate();
});

test('an app that handles upgrades itself is told so, and does not start', async (t) => {
  const runtime = await startRuntime(t);
  const app = Fastify();
  t.after(() => app.close());
  await app.register(websocket);
  app.register(greenroomRoutes, { runtime, token: 'secret', gateway: {} });
  assert.equal(await codeOf(Promise.resolve(app.ready())), 'invalid_option');
});

test('without the gateway an upgrade is answered like the request that it also is', async (t) => {
  const runtime = await startRuntime(t);
  const app = Fastify({ routerOptions: { maxParamLength: 128 } });
  t.after(() => app.close());
  await app.register(greenroomRoutes, { runtime, token: 'secret' });
  const url = (await app.listen({ port: 0, host: '127.0.0.1' })).replace('http', 'ws');
  const socket = new WebSocket(`${url}/v1/gateway`, { headers: { authorization: 'Bearer secret' } });
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
  assert.equal(response.statusCode, 404);
  socket.on('error', () => undefined).terminate();
});

test('a channel that an actor has made through the protocol’s function ends with its worker', async (t) => {
  const runtime = await startWithFixtures(t);
  const server = await startServer({ runtime, token: 'secret', gateway: {} });
  t.after(() => server.close());
  const worker = await runtime.create({ kind: 'context', workerId: 'maker' });
  await worker.ask({ do: 'invoke', name: 'engine::channels::create' });
  assert.equal(runtime.channels.size, 1);
  await worker.stop();
  await eventually(() => runtime.channels.size === 0);
});
