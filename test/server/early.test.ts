// What listens before there is a runtime, and how the server takes over from it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { listenEarly } from '../../lib/server/early.ts';
import type { EarlyListener } from '../../lib/server/early.ts';
import { startServer } from '../../lib/server/index.ts';
import { clientOf, exchange, head, startRuntime, TOKEN } from './support.ts';
import type { Edge } from './support.ts';

const HOST = '127.0.0.1';

/** A port that nobody had a moment ago: the listener does not tell its own before it is handed over. */
async function freePort(): Promise<number> {
  const server: Server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function assertNobodyListens(port: number): Promise<void> {
  const [error] = (await once(connect(port, HOST), 'error').catch((thrown: unknown) => [thrown])) as [
    { code?: string },
  ];
  assert.equal(error.code, 'ECONNREFUSED');
}

async function start(t: TestContext): Promise<{ early: EarlyListener; port: number; send: Edge['send'] }> {
  const port = await freePort();
  const early = await listenEarly({ host: HOST, port });
  t.after(() => early.close());
  return { early, port, send: clientOf(t, `http://${HOST}:${port}`).send };
}

test('it is alive, not ready, and says so to everybody who asks something else', async (t) => {
  const { send } = await start(t);
  const alive = await send('GET', '/livez', { token: null });
  assert.deepEqual([alive.status, alive.text], [200, '{"health":{"status":"alive"}}']);
  for (const [method, path] of [
    ['GET', '/readyz'],
    ['GET', '/v1/runtime?x=1'],
    ['POST', '/v1/workers'],
    ['POST', '/livez'],
  ] as const) {
    const { status, json, headers } = await send(method, path, method === 'POST' ? { body: { kind: 'echo' } } : {});
    assert.deepEqual([status, json.error.code], [503, 'runtime_unavailable'], path);
    assert.deepEqual(json.error.details, { reason: 'recovering', retry_after_ms: 1_000 });
    assert.deepEqual([headers['retry-after'], headers['connection']], ['1', 'close']);
  }
  assert.deepEqual([(await send('HEAD', '/livez')).text, (await send('HEAD', '/readyz')).status], ['', 503]);
});

test('whoever is sending a large body gets to read the answer', async (t) => {
  const { port } = await start(t);
  const { status } = await exchange(
    port,
    head('POST', '/v1/workers', 'content-length: 1000000'),
    Buffer.alloc(500_000),
  );
  assert.equal(status, 503);
  const expecting = head('POST', '/v1/workers', 'content-length: 1000000', 'expect: 100-continue');
  assert.equal((await exchange(port, expecting)).status, 503);
  assert.equal((await exchange(port, 'nonsense\r\n\r\n')).status, 400);
});

test('the server takes its socket over, and closes it', async (t) => {
  const { early, port, send } = await start(t);
  const runtime = await startRuntime(t);
  // One connection was made before, and asks only afterwards.
  const before = connect(port, HOST);
  await once(before, 'connect');
  const server = await startServer({ runtime, token: TOKEN, early });
  t.after(() => server.close());
  assert.equal(server.url, `http://${HOST}:${port}`);
  assert.equal((await send('GET', '/readyz')).status, 200);
  assert.equal((await send('GET', '/v1/runtime')).status, 200);
  before.end(head('GET', '/readyz'));
  const [answer] = (await once(before, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 503 .*recovering/s);
  await early.close();
  await server.close();
  await assertNobodyListens(port);
});

test('when the start fails nothing listens any more', async (t) => {
  const { early, port } = await start(t);
  const idle = connect(port, HOST);
  await once(idle, 'connect');
  await early.close();
  await assertNobodyListens(port);
  await assert.rejects(listenEarly({ host: '203.0.113.1', port }), { code: 'EADDRNOTAVAIL' });
});

test('it says that a port is taken', async (t) => {
  const { port } = await start(t);
  await assert.rejects(listenEarly({ host: HOST, port }), { code: 'EADDRINUSE' });
});
