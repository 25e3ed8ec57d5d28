// Bodies on the wire: types, encodings, sizes at the limit and one past it, and bodies that never end. Raw sockets, since
// a client would not send most of this.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { exchange, head, startEdge } from './support.ts';

const INPUT = '/v1/workers/e1/input';
const LIMIT = 1_000_000;
const chunk = (bytes: number): string => `${bytes.toString(16)}\r\n${'7'.repeat(bytes)}\r\n`;

for (const type of [
  'application/json',
  'application/json; charset=utf-8',
  'Application/JSON;charset="UTF-8"',
  'application/merge-patch+json',
  'application/vnd.a.b+json; version=1',
]) {
  test(`the type ${type} is taken`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker('echo', 'e1');
    assert.equal((await send('POST', INPUT, { body: '1', headers: { 'content-type': type } })).status, 202);
  });
}

for (const type of [
  'text/plain',
  'application/jsonp',
  'application/json; charset=latin1',
  'application/x-www-form-urlencoded',
  'json',
  ';',
]) {
  test(`the type ${type} is refused, and the connection lives on`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker('echo', 'e1');
    const { status, json, headers } = await send('POST', INPUT, { body: '1', headers: { 'content-type': type } });
    assert.deepEqual([status, json.error.code], [415, 'unsupported_media_type']);
    assert.notEqual(headers['connection'], 'close');
  });
}

test('a body without a type, or with an encoding, is refused', async (t) => {
  const { port, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const close = 'connection: close';
  for (const lines of [
    ['content-length: 1'],
    ['content-length: 1', 'content-type: application/json', 'content-encoding: gzip'],
  ]) {
    const { status, json } = await exchange(port, head('POST', INPUT, close, ...lines), '1');
    assert.deepEqual([status, json.error.code], [415, 'unsupported_media_type'], lines.join());
  }
  const chunked = await exchange(port, head('POST', INPUT, close, 'transfer-encoding: chunked'), '1\r\n1\r\n0\r\n\r\n');
  assert.equal(chunked.json.error.code, 'unsupported_media_type');
  const identity = await exchange(
    port,
    head('POST', INPUT, close, 'content-length: 1', 'content-type: application/json', 'content-encoding: identity'),
    '1',
  );
  assert.equal(identity.status, 202);
  const empty = await exchange(
    port,
    head('POST', '/v1/workers/e1/cancel', close, 'transfer-encoding: chunked'),
    '0\r\n\r\n',
  );
  assert.equal(empty.status, 200);
});

test('a body of the limit is taken, one byte more is refused', async (t) => {
  const { send, worker } = await startEdge(t, { maxMessageBytes: LIMIT });
  await worker('echo', 'e1');
  const text = (bytes: number) => `"${'x'.repeat(bytes - 2)}"`;
  assert.equal((await send('POST', INPUT, { body: text(LIMIT) })).status, 202);
  const { status, json } = await send('POST', INPUT, { body: text(LIMIT + 1) });
  assert.deepEqual([status, json.error.code], [413, 'payload_too_large']);
  assert.deepEqual(json.error.details, { payload_bytes: LIMIT + 1, limit_bytes: LIMIT, hop: 'http' });
});

test('a declared size above the limit is refused before a byte of the body has been sent', async (t) => {
  const { port, worker } = await startEdge(t, { maxMessageBytes: LIMIT });
  await worker('echo', 'e1');
  const { status, json, headers } = await exchange(
    port,
    head('POST', INPUT, 'content-type: application/json', 'content-length: 99999999999'),
  );
  assert.deepEqual([status, json.error.details.payload_bytes, headers['connection']], [413, 99_999_999_999, 'close']);
});

test('a client that asks first is refused without being told to send', async (t) => {
  const { port, worker } = await startEdge(t, { maxMessageBytes: LIMIT });
  await worker('echo', 'e1');
  const lines = ['content-type: application/json', 'expect: 100-continue'];
  assert.equal((await exchange(port, head('POST', INPUT, ...lines, `content-length: ${LIMIT + 1}`))).status, 413);
  const socket = connect(port, '127.0.0.1');
  socket.write(head('POST', INPUT, ...lines, 'content-length: 1', 'connection: close'));
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 100 /);
  socket.write('1');
  assert.match(String((await once(socket, 'data'))[0]), /^HTTP\/1\.1 202 /);
});

test('a chunked body is cut at the limit: the answer arrives, then the connection closes', async (t) => {
  const { port, worker, send } = await startEdge(t, { maxMessageBytes: LIMIT });
  await worker('echo', 'e1');
  const chunks = Array.from({ length: 40 }, () => chunk(100_000));
  const { status, json, headers } = await exchange(
    port,
    head('POST', INPUT, 'content-type: application/json', 'transfer-encoding: chunked'),
    ...chunks,
  );
  assert.deepEqual([status, json.error.code, headers['connection']], [413, 'payload_too_large', 'close']);
  assert.deepEqual(json.error.details, { payload_bytes: null, limit_bytes: LIMIT, hop: 'http' });
  assert.equal((await send('GET', '/v1/workers/e1')).json.worker.last_sequence, 1);
});

test('a client that never stops sending gets its answer and is cut off', async (t) => {
  const { port, worker } = await startEdge(t, { maxMessageBytes: LIMIT });
  await worker('echo', 'e1');
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // being cut off while sending is the point
  socket.write(head('POST', INPUT, 'content-type: application/json', 'transfer-encoding: chunked'));
  const pour = (): void => {
    while (!socket.destroyed && socket.write(chunk(100_000)));
  };
  socket.on('drain', pour);
  const answered = once(socket, 'data');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  pour();
  assert.match(String((await answered)[0]), /^HTTP\/1\.1 413 /);
  await closed;
});

test('early refusals reach a client that is sending a large body', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const body = Buffer.alloc(8_000_000, '7');
  for (const [method, path, code] of [
    ['POST', '/nowhere', 'route_not_found'],
    ['PUT', '/v1/workers', 'method_not_allowed'],
    ['POST', '/v1/workers/none/input', 'worker_not_found'],
  ] as const) {
    assert.equal((await send(method, path, { body })).json.error.code, code);
  }
});

test('bodies that are being read together stay within the bound of the runtime', async (t) => {
  const { port, worker, send } = await startEdge(t, { maxMessageBytes: LIMIT, maxTotalBytes: LIMIT });
  await worker('echo', 'e1');
  const first = connect(port, '127.0.0.1');
  t.after(() => first.destroy());
  const arrived = once(first, 'connect');
  first.write(
    head('POST', INPUT, 'content-type: application/json', `content-length: ${LIMIT}`) + '7'.repeat(LIMIT - 1_000),
  );
  await arrived;
  // The first one's bytes are read in their own time: ask until they are there.
  let answer = await send('POST', INPUT, { body: `"${'x'.repeat(20_000)}"` });
  for (let tries = 0; answer.status === 202 && tries < 1_000; tries++)
    answer = await send('POST', INPUT, { body: `"${'x'.repeat(20_000)}"` });
  assert.deepEqual(
    [answer.status, answer.json.error.code, answer.headers['retry-after']],
    [503, 'runtime_overloaded', '1'],
  );
  first.destroy();
});

test('a body that is cut short leaves nothing behind', async (t) => {
  const { port, worker, send } = await startEdge(t);
  await worker('echo', 'e1');
  const socket = connect(port, '127.0.0.1');
  socket.write(head('POST', INPUT, 'content-type: application/json', 'content-length: 100') + '777');
  await once(socket, 'connect');
  socket.end();
  socket.resume();
  await once(socket, 'close');
  assert.equal((await send('GET', '/v1/workers/e1')).json.worker.last_sequence, 1);
});
