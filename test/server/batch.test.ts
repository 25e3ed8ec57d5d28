// A batch as two streams: back-pressure, broken connections, timeouts, the end of the server, and who else gets a turn meanwhile.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import Fastify from 'fastify';
import { answerMalformed } from '../../lib/server/errors.ts';
import { greenroomRoutes } from '../../lib/server/index.ts';
import { emitted, eventually, openGate } from '../support/start-runtime.ts';
import { ND, OpenBatch, startGated, TO_E1, verdicts } from './batch-support.ts';
import { clientOf, head, startEdge, startRuntime, TOKEN } from './support.ts';

test('receipts come while the batch is still open', async (t) => {
  const { port, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const batch = new OpenBatch(port, TO_E1, 'connection: close');
  for (let count = 1; count <= 3; count++) {
    batch.write(`${count}\n`);
    assert.equal((await batch.receipts(count)).length, count);
  }
  batch.end();
  await once(batch.socket, 'close');
  assert.ok(batch.received.endsWith('0\r\n\r\n'));
});

test('a client that reads no receipts is not read from any more; nothing grows', async (t) => {
  const { runtime, port, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const batch = new OpenBatch(port, TO_E1);
  t.after(() => batch.socket.destroy());
  batch.socket.pause();
  const before = process.memoryUsage().rss;
  const lines = '1\n'.repeat(5_000);
  // Pour until the sockets are full and stay so: nothing more is taken over many turns of the loop.
  let idleTurns = 0;
  let taken = 0;
  for (let last = -1; idleTurns < 1_000;) {
    if (batch.socket.writableLength < 1_000_000) batch.write(lines);
    await new Promise((resolve) => setImmediate(resolve));
    taken = runtime.worker('e1').view().lastSequence;
    idleTurns = taken === last ? idleTurns + 1 : 0;
    last = taken;
  }
  assert.ok(taken > 1_000 && taken < 2_000_000, `${taken} entries`);
  assert.ok(process.memoryUsage().rss - before < 150_000_000);
  batch.socket.resume();
  await eventually(() => runtime.worker('e1').view().lastSequence > taken);
});

test('what was accepted before the client went stays accepted, and nothing is left', async (t) => {
  const { runtime, port, worker } = await startGated(t);
  await worker('narrow', 'n1');
  await runtime.worker('n1').tell({ wait: 'gone-gate' });
  await emitted(runtime.worker('n1'), 'waiting');
  const batch = new OpenBatch(port, '/v1/workers/n1/inputs', 'prefer: wait=60');
  batch.write('{"say":1}\n'.repeat(10));
  await batch.receipts(3);
  batch.socket.destroy();
  await once(batch.socket, 'close');
  openGate('gone-gate');
  await eventually(() => runtime.worker('n1').view().status === 'idle');
  assert.deepEqual((await runtime.describe()).mailbox, { messages: 0, bytes: 0 });
});

test('lines that come after the server has begun to close are refused, and the batch ends', async (t) => {
  const { port, worker, close } = await startGated(t);
  await worker('echo', 'e1');
  const batch = new OpenBatch(port, TO_E1);
  batch.write('1\n');
  await batch.receipts(1);
  const closed = close();
  batch.write('2\n');
  assert.match((await batch.receipts(2))[1] ?? '', /runtime_unavailable/);
  batch.end();
  await closed;
});

test('a batch that takes longer than a request may is not cut while its lines come', async (t) => {
  const runtime = await startRuntime(t);
  const app = Fastify({
    requestTimeout: 200,
    http: { headersTimeout: 100, connectionsCheckingInterval: 20 },
    clientErrorHandler: answerMalformed,
  });
  await app.register(greenroomRoutes, { runtime, token: TOKEN });
  const { port, worker, send } = clientOf(t, await app.listen({ port: 0, host: '127.0.0.1' }));
  t.after(() => app.close());
  await worker('echo', 'e1');
  const timedOut = once(app.server, 'clientError');
  const batch = new OpenBatch(port, TO_E1);
  batch.write('1\n');
  await timedOut;
  batch.write('2\n');
  assert.equal((await batch.receipts(2)).length, 2);
  batch.end();
  await eventually(() => batch.received.endsWith('0\r\n\r\n'));
  // The connection lives on, under the timeout of all others.
  const again = once(app.server, 'clientError');
  batch.socket.write(head('POST', '/v1/workers/e1/input', 'content-type: application/json', 'content-length: 5') + '1');
  await again;
  await once(batch.socket, 'close');
  assert.match(batch.received, /HTTP\/1\.1 408/);
  assert.equal((await send('GET', '/livez')).status, 200);
});

test('a client that asks before it sends more than one message holds is told to go on', async (t) => {
  const { port, worker } = await startEdge(t, { maxMessageBytes: 1_000 });
  await worker('echo', 'e1');
  const body = '1\n'.repeat(2_000);
  const lines = [`content-length: ${body.length}`, 'content-type: application/x-ndjson', 'expect: 100-continue'];
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.write(head('POST', TO_E1, ...lines, 'connection: close'));
  await eventually(() => text.startsWith('HTTP/1.1 100 '));
  socket.write(body);
  await once(socket, 'close');
  assert.equal(text.match(/"ack"/g)?.length, 2_000);
});

test('other requests get through while a large batch is taken in', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const batch = send('POST', TO_E1, { body: '1\n'.repeat(300_000), headers: ND });
  let isDone = false;
  void batch.then(() => (isDone = true));
  let answered = 0;
  while (!isDone) {
    assert.equal((await send('GET', '/livez')).status, 200);
    answered++;
  }
  assert.ok(answered > 20, `${answered} other requests`);
  assert.equal(verdicts(await batch).length, 300_000);
});
