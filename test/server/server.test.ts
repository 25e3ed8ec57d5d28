// The server itself: where it listens, and how it ends.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { startServer } from '../../lib/server/index.ts';
import { eventually } from '../support/start-runtime.ts';
import { clientOf, ENDLESS, startEdge, startRuntime, TOKEN } from './support.ts';

test('it listens on the loopback and says where', async (t) => {
  const { url } = await startEdge(t);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
});

test('it does not start without a token', async (t) => {
  const runtime = await startRuntime(t);
  await assert.rejects(startServer({ runtime, token: '' }), { code: 'invalid_option' });
});

test('it says so when the port is taken, and leaves nothing open', async (t) => {
  const { port, runtime } = await startEdge(t);
  await assert.rejects(startServer({ runtime, token: TOKEN, port }), { code: 'EADDRINUSE' });
});

test('close ends idle connections at once and may be called twice', async (t) => {
  const runtime = await startRuntime(t);
  const server = await startServer({ runtime, token: TOKEN });
  const { port, send } = clientOf(t, server.url);
  await send('GET', '/livez'); // kept alive
  const idle = connect(port, '127.0.0.1');
  await once(idle, 'connect');
  idle.resume();
  const closed = once(idle, 'close');
  await Promise.all([server.close(), server.close(), closed]);
  await assert.rejects(send('GET', '/livez'));
});

test('close answers the requests that wait; their inputs go on', async (t) => {
  const runtime = await startRuntime(t);
  const server = await startServer({ runtime, token: TOKEN });
  const { send, worker } = clientOf(t, server.url);
  await worker('digest', 'd1');
  const waiting = send('POST', '/v1/workers/d1/input', { body: ENDLESS, headers: { prefer: 'wait=60' } });
  await eventually(() => runtime.supervisor.view('d1').running !== null);
  await server.close();
  const { status, json } = await waiting;
  assert.equal(status, 202);
  await eventually(() => runtime.supervisor.input('d1', json.ack.input_id).status === 'running');
});

test('close waits for a command that is under way', async (t) => {
  const runtime = await startRuntime(t);
  const server = await startServer({ runtime, token: TOKEN });
  const { send, worker } = clientOf(t, server.url);
  await worker('digest', 'd1');
  await send('POST', '/v1/workers/d1/input', { body: ENDLESS });
  const stopping = send('POST', '/v1/workers/d1/stop');
  await eventually(() => runtime.supervisor.view('d1').status !== 'running');
  const [{ status, json }] = await Promise.all([stopping, server.close()]);
  assert.deepEqual([status, json.ack.status], [200, 'stopped']);
});
