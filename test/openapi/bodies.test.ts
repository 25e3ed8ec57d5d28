// Bodies of every kind on the wire, read back by somebody else's parser; files from channels, and channels that fail.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createChannel } from '../../lib/channels/open.ts';
import type { OperationBody } from '../../lib/openapi/operation.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { bodyOf, fieldsOf, issuesOf, operationOf, receive, record, startCalls } from './calls.ts';
import type { Got } from './calls.ts';

const post = (baseUrl: string, body: OperationBody | null) => operationOf({ baseUrl, method: 'POST', path: '/', body });

test('JSON is sent as it came: numbers, spaces and all, under the media type of the document', async (t) => {
  const server = await receive(t);
  const { call } = startCalls(t);
  const text = '{ "id": 12345678901234567890, "b": 1.0, "c": "\\u00e9" }';
  await call(
    post(server.url, bodyOf({ kind: 'json', contentType: 'application/merge-patch+json' })),
    `{"body": ${text} }`,
  );
  await call(post(server.url, bodyOf({ kind: 'json', contentType: 'application/json' })), '{"body":null}');
  assert.deepEqual(
    server.got.map(({ headers, body }) => [headers['content-type'], headers['content-length'], body.toString()]),
    [
      ['application/merge-patch+json', String(text.length), text],
      ['application/json', '4', 'null'],
    ],
  );
});

test('a form has the fields that its document says, with and without styles', async (t) => {
  const server = await receive(t);
  const { call } = startCalls(t);
  const encoding = {
    flat: { style: 'form', explode: false },
    deep: { style: 'deepObject', explode: true },
    raw: { allowReserved: true },
    json: { contentType: 'application/json' },
  } as const;
  const operation = post(
    server.url,
    bodyOf({ kind: 'form', contentType: 'application/x-www-form-urlencoded', encoding }),
  );
  const body = {
    'a b': 'c d&é',
    list: ['x', 2],
    object: { y: 1 },
    none: null,
    flat: ['1', '2'],
    deep: { z: 'q r' },
    raw: 'a/b',
    json: ['t'],
  };
  await call(operation, { body });
  assert.equal(server.got[0]?.headers['content-type'], 'application/x-www-form-urlencoded');
  assert.equal(
    server.got[0]?.body.toString(),
    'a+b=c+d%26%C3%A9&list=x&list=2&object=%7B%22y%22%3A1%7D&flat=1,2&deep%5Bz%5D=q%20r&raw=a/b&json=%5B%22t%22%5D',
  );
  assert.deepEqual(await issuesOf(call(operation, { body: [] })), ['body: expected an object']);
  assert.deepEqual(await issuesOf(call(operation, { body: { a: [['b']] } })), [
    'body.a: a list or an object cannot be sent at this depth',
  ]);
});

test('another parser finds in a multipart body what was put in', async (t) => {
  const server = await receive(t);
  const { call } = startCalls(t);
  const encoding = {
    json: { contentType: 'application/json' },
    photo: { contentType: 'image/png, image/jpeg' },
    paper: { contentType: 'application/pdf' },
    deep: { style: 'deepObject' },
  } as const;
  const kind = 'multipart';
  const files = ['photo', 'paper', 'many'];
  const operation = post(server.url, bodyOf({ kind, contentType: 'multipart/form-data', encoding, files }));
  const base64 = Buffer.from('bytes').toString('base64');
  await call(operation, {
    body: {
      text: 'é\r\n--x',
      number: 1.5,
      object: { a: 1 },
      list: ['x', { b: 2 }],
      json: 'quoted',
      deep: { k: 'v' },
      none: null,
      photo: { base64, filename: 'a"b\r\nX-Evil: 1.png', content_type: 'image/png' },
      paper: { base64 },
      many: [{ base64, filename: 'é.bin' }, { base64: '' }],
    },
  });
  const [got] = server.got as [Got];
  assert.deepEqual(await fieldsOf(got), [
    ['text', 'é\r\n--x'],
    ['number', '1.5'],
    ['object', '{"a":1}'],
    ['list', 'x'],
    ['list', '{"b":2}'],
    ['json', '"quoted"'],
    ['deep[k]', 'v'],
    ['photo', ['a"b\r\nX-Evil: 1.png', 'image/png', 'bytes']],
    ['paper', ['paper', 'application/pdf', 'bytes']],
    ['many', ['é.bin', 'application/octet-stream', 'bytes']],
    ['many', ['many', 'application/octet-stream', '']],
  ]);
  assert.equal(got.headers['content-length'], String(got.body.length));
  assert.match(got.body.toString(), /filename="a%22b%0D%0AX-Evil: 1\.png"\r\nContent-Type: image\/png\r\n/);
});

test('text is sent as text, and binary bodies from base64 under the best media type there is', async (t) => {
  const server = await receive(t);
  const { call } = startCalls(t);
  const binary = bodyOf({ kind: 'binary', contentType: 'application/octet-stream' });
  await call(post(server.url, bodyOf({ kind: 'text', contentType: 'text/csv' })), { body: 'é,1' });
  await call(post(server.url, binary), { body: { base64: '/wA=' } });
  await call(post(server.url, binary), { body: { base64: '', content_type: 'image/png' } });
  assert.deepEqual(
    server.got.map(({ headers, body }) => [headers['content-type'], body.toString('hex')]),
    [
      ['text/csv', 'c3a92c31'],
      ['application/octet-stream', 'ff00'],
      ['image/png', ''],
    ],
  );
});

test('bodies that are not what the operation takes are refused by their path', async (t) => {
  const { call } = startCalls(t);
  const nowhere = 'http://127.0.0.1:1';
  const binary = post(nowhere, bodyOf({ kind: 'binary', contentType: 'application/zip', required: true }));
  const files = post(nowhere, bodyOf({ kind: 'multipart', contentType: 'multipart/form-data', files: ['f'] }));
  const file = 'expected the reading end of a channel, or {base64, filename?, content_type?}';
  const end = { channel_id: 'a', access_key: 'b' };
  const rows: readonly (readonly [ReturnType<typeof post>, unknown, string])[] = [
    [binary, {}, 'body: required'],
    [post(nowhere, null), { body: 1 }, 'body: unknown key'],
    [binary, { body: 'plain' }, `body: ${file}`],
    [binary, { body: { base64: '*' } }, `body: ${file}`],
    [binary, { body: { base64: '', content_type: 'a/b\r\nX: y' } }, `body: ${file}`],
    [binary, { body: { base64: '', content_type: 'a/b\n; x=y' } }, `body: ${file}`],
    [binary, { body: { base64: '', content_type: 'a/*' } }, `body: ${file}`],
    [files, { body: { f: [{ base64: 'YQ==', other: 1 }] } }, `body.f.0: ${file}`],
    [files, { body: { f: { ...end, direction: 'write' } } }, 'body.f: expected the reading end of the channel'],
    [files, { body: { f: { ...end, direction: 'read', channel_id: 1 } } }, 'body.f: is no reference to a channel'],
    [post(nowhere, bodyOf({ kind: 'text', contentType: 'text/plain' })), { body: 1 }, 'body: expected a string'],
  ];
  for (const [operation, payload, issue] of rows) assert.deepEqual(await issuesOf(call(operation, payload)), [issue]);
  const unknown = { f: { ...end, direction: 'read' } };
  assert.equal(await codeOf(call(files, { body: unknown })), 'channel_not_found');
});

test('a file arrives from a channel as it is written, among other parts', async (t) => {
  const server = await receive(t);
  const { call, channels } = startCalls(t);
  const channel = createChannel(channels);
  const kind = 'multipart';
  const operation = post(server.url, bodyOf({ kind, contentType: 'multipart/form-data', files: ['file'] }));
  const file = { ...channel.reader, filename: 'big.bin', content_type: 'application/zip' };
  const answered = call(operation, { body: { before: '1', file, after: '2' } });
  const writable = channel.writable();
  // Many times what a channel buffers: it gets through only as fast as it is read.
  const piece = 'x'.repeat(256 * 1_024);
  for (let n = 0; n < 32; n++) if (!writable.write(piece)) await once(writable, 'drain');
  writable.end();
  await answered;
  const [got] = server.got as [Got];
  assert.equal(got.headers['transfer-encoding'], 'chunked');
  assert.deepEqual(
    (await fieldsOf(got)).map(([name, value]) => [
      name,
      Array.isArray(value) ? [value[0], value[1], (value[2] as string).length] : value,
    ]),
    [
      ['before', '1'],
      ['file', ['big.bin', 'application/zip', 32 * piece.length]],
      ['after', '2'],
    ],
  );
});

test('a writer waits while the API does not read', async (t) => {
  let read: (() => void) | undefined;
  const server = createServer((request, response) => {
    read = () => request.resume();
    request.on('end', () => response.writeHead(204).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { call, channels } = startCalls(t);
  const channel = createChannel(channels);
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const answered = call(post(baseUrl, bodyOf({ kind: 'binary', contentType: 'a/b' })), { body: channel.reader });
  const writable = channel.writable();
  let written = 0;
  let isDone = false;
  const piece = Buffer.alloc(1_024 * 1_024);
  const writing = (async () => {
    for (; written < 64; written++) if (!writable.write(piece)) await once(writable, 'drain');
    writable.end();
    isDone = true;
  })();
  // Nothing moves any more: what the channel, the body and the sockets hold is full.
  let [before, turns] = [-1, 0];
  await eventually(() => {
    turns = read !== undefined && written === before ? turns + 1 : 0;
    before = written;
    return turns > 300;
  });
  assert.equal(isDone, false);
  read?.();
  await Promise.all([writing, answered]);
  assert.equal(written, 64);
});

test('a channel that fails in the middle fails the call with its error, and the API gets no whole body', async (t) => {
  const server = await receive(t);
  const { call, channels } = startCalls(t);
  const channel = createChannel(channels);
  const answered = codeOf(
    call(post(server.url, bodyOf({ kind: 'binary', contentType: 'a/b' })), { body: channel.reader }),
  );
  const writable = channel.writable().on('error', () => undefined);
  writable.write('some');
  await eventually(() => writable.writableLength === 0);
  writable.destroy();
  assert.equal(await answered, 'channel_closed');
  assert.equal(server.got.length, 0);
});

test('channels are let go of when nothing is sent: refused, cancelled, or without a second channel', async (t) => {
  const server = await record(t);
  const { call, channels } = startCalls(t);
  const isClosed = (writable: NodeJS.WritableStream) =>
    new Promise<unknown>((resolve) => void writable.once('error', (error: { code?: unknown }) => resolve(error.code)));
  const opened = () => {
    const channel = createChannel(channels);
    return { reader: channel.reader, closed: isClosed(channel.writable()) };
  };
  const kind = 'multipart';
  const operation = post(server.url, bodyOf({ kind, contentType: 'multipart/form-data', files: ['a', 'b'] }));

  const first = opened();
  const missing = { channel_id: 'x', access_key: 'y', direction: 'read' };
  assert.equal(await codeOf(call(operation, { body: { a: first.reader, b: missing } })), 'channel_not_found');
  assert.equal(await first.closed, 'channel_closed');

  const second = opened();
  const signal = AbortSignal.abort();
  assert.equal(await codeOf(call(operation, { body: { a: second.reader } }, { signal })), 'cancelled');
  assert.equal(await second.closed, 'channel_closed');

  const third = opened();
  const refused = { ...operation, baseUrl: 'http://10.0.0.1' };
  assert.equal(await codeOf(call(refused, { body: { a: third.reader } })), 'url_validation_failed');
  assert.equal(await third.closed, 'channel_closed');
  assert.equal(server.connections(), 0);
});
