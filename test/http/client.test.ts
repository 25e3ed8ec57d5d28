import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { buildConnector } from 'undici';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { GreenroomError } from '../../lib/errors.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { get, LONG_MS, sendJson, serveHttp, startClient } from './setup.ts';

const LIMIT_BYTES = 64 * 1_024;
const WAIT = { timeoutMs: LONG_MS };
const line = () => ({ inFlight: 0 });

const rejection = (promise: Promise<unknown>): Promise<GreenroomError> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error as GreenroomError,
  );

/** A server that answers each connection in its own way, by number. */
async function serveTcp(t: TestContext, onSocket: (socket: Socket, count: number) => void) {
  let count = 0;
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket, ++count);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, connections: () => count, server };
}

test('an answer comes whole, with its status line, its headers and its body', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) => {
    response.writeHead(418, 'Short and stout', { 'X-One': 'a', 'set-cookie': ['b=1', 'c=2'] }).end('tea');
  });
  const { client } = startClient(t);
  const { status, statusText, headers, body } = await client.exchange(line(), get(`${url}/pot?a=1`), WAIT);
  assert.deepEqual([status, statusText, body.toString()], [418, 'Short and stout', 'tea']);
  assert.deepEqual([headers['x-one'], headers['set-cookie']], ['a', 'b=1, c=2']);
});

test('what is sent arrives as it was given: method, path, headers and body, with a GET too', async (t) => {
  const { url, seen } = await serveHttp(t, (_seen, response) => response.end());
  const { client } = startClient(t);
  const headers = { 'x-a': 'é\t1' };
  for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
    await client.exchange(line(), get(`${url}/p%20q?x=%2F`, { method, headers, body: '{"a":"ü"}' }), WAIT);
  for (const { method, path, body, headers: got } of seen)
    assert.deepEqual(
      [path, body, got['x-a'], got['content-length']],
      ['/p%20q?x=%2F', '{"a":"ü"}', 'é\t1', '10'],
      method,
    );
  assert.deepEqual(
    seen.map(({ method }) => method),
    ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  );
});

test('one connection serves one request after the other, a GET with a body included', async (t) => {
  const { url, server } = await serveHttp(t, (_seen, response) => response.end());
  let connections = 0;
  server.on('connection', () => connections++);
  const { client } = startClient(t, {}, { connections: 1 });
  for (let n = 0; n < 5; n++) await client.exchange(line(), get(url, { body: '1' }), WAIT);
  assert.equal(connections, 1);
});

test('a redirect is an answer like any other, and nobody goes where it leads', async (t) => {
  const { url, seen } = await serveHttp(t, (_seen, response) =>
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
  );
  const { client } = startClient(t);
  const { status, headers } = await client.exchange(line(), get(url), WAIT);
  assert.deepEqual([status, headers['location']], [302, 'http://169.254.169.254/latest/meta-data/']);
  assert.equal(seen.length, 1);
});

test('early hints are not the answer', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) => {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    response.end('later');
  });
  const { client } = startClient(t);
  const { status, body } = await client.exchange(line(), get(url), WAIT);
  assert.deepEqual([status, body.toString()], [200, 'later']);
});

test('a compressed body is inflated, whatever the encoding is', async (t) => {
  const text = JSON.stringify({ text: 'ü'.repeat(20_000) });
  const bodies: Record<string, Buffer> = {
    gzip: gzipSync(text),
    'X-GZip': gzipSync(text),
    deflate: deflateSync(text),
    ' Deflate': deflateRawSync(text),
    br: brotliCompressSync(text),
    identity: Buffer.from(text),
  };
  const { url } = await serveHttp(t, ({ headers }, response) => {
    const encoding = String(headers['x-encoding']);
    response.writeHead(200, { 'content-encoding': encoding }).end(bodies[encoding] ?? bodies[' Deflate']);
  });
  const { client } = startClient(t, { maxMessageBytes: LIMIT_BYTES });
  for (const encoding of Object.keys(bodies)) {
    const { body } = await client.exchange(line(), get(url, { headers: { 'x-encoding': encoding } }), WAIT);
    assert.equal(body.toString(), text, encoding);
  }
});

test('a body without content is empty, whatever its encoding is said to be', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) =>
    response.writeHead(204, { 'content-encoding': 'gzip' }).end(),
  );
  const { client } = startClient(t);
  assert.equal((await client.exchange(line(), get(url), WAIT)).body.length, 0);
});

test('a HEAD has an answer without a body, however large that of a GET would be', async (t) => {
  const head = { 'content-length': 10 * LIMIT_BYTES, 'content-encoding': 'br' };
  const { url } = await serveHttp(t, (_seen, response) => response.writeHead(200, head).end());
  const { client } = startClient(t, { maxMessageBytes: LIMIT_BYTES });
  const { headers, body } = await client.exchange(line(), get(url, { method: 'HEAD' }), WAIT);
  assert.deepEqual([headers['content-length'], body.length], [String(10 * LIMIT_BYTES), 0]);
});

test('an encoding that is not known, or several, cannot be decoded', async (t) => {
  const { url } = await serveHttp(t, ({ headers }, response) =>
    response.writeHead(200, { 'content-encoding': String(headers['x-encoding']) }).end('x'),
  );
  const { client } = startClient(t);
  for (const encoding of ['zstd', 'gzip, gzip', 'gzip,br', 'constructor']) {
    const answer = client.exchange(line(), get(url, { headers: { 'x-encoding': encoding } }), WAIT);
    assert.equal(await codeOf(answer), 'http_response_failed', encoding);
  }
});

test('a body at the limit is taken, one byte more is refused with its size, and the next call is served', async (t) => {
  const { url } = await serveHttp(t, ({ path }, response) => {
    const [, way, bytes] = path.split('/');
    if (way === 'chunked') response.write('');
    if (way === 'chunked') response.flushHeaders();
    response.end(Buffer.alloc(Number(bytes), 'x'));
  });
  const { client } = startClient(t, { maxMessageBytes: LIMIT_BYTES });
  for (const way of ['declared', 'chunked']) {
    const whole = await client.exchange(line(), get(`${url}/${way}/${LIMIT_BYTES}`), WAIT);
    assert.equal(whole.body.length, LIMIT_BYTES);
    const { code, details } = await rejection(client.exchange(line(), get(`${url}/${way}/${LIMIT_BYTES + 1}`), WAIT));
    assert.equal(code, 'invocation_failed_payload_too_large');
    assert.ok((details?.['payload_bytes'] as number) > LIMIT_BYTES, way);
    assert.equal(details?.['limit_bytes'], LIMIT_BYTES);
  }
  assert.equal((await client.exchange(line(), get(`${url}/declared/3`), WAIT)).body.toString(), 'xxx');
});

test('a small body that inflates without end is refused at the limit', async (t) => {
  const bomb = gzipSync(Buffer.alloc(64 * 1_024 * 1_024));
  const { url } = await serveHttp(t, (_seen, response) =>
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': bomb.length }).end(bomb),
  );
  const { client } = startClient(t, { maxMessageBytes: 1_024 * 1_024 });
  assert.ok(bomb.length < 1_024 * 1_024);
  const { code, details } = await rejection(client.exchange(line(), get(url), WAIT));
  assert.equal(code, 'invocation_failed_payload_too_large');
  // It ended with the first piece that did not fit, not with the last.
  assert.ok((details?.['payload_bytes'] as number) < 2 * 1_024 * 1_024);
});

test('a body that breaks off is no answer', async (t) => {
  const heads = {
    declared: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc',
    chunked: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab',
    gzip: Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n'),
      gzipSync('some text').subarray(0, 12),
    ]),
    rubbish: 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc',
  };
  const { client } = startClient(t);
  for (const [name, bytes] of Object.entries(heads)) {
    const { url } = await serveTcp(t, (socket) => socket.once('data', () => socket.end(bytes)));
    assert.equal(await codeOf(client.exchange(line(), get(url), WAIT)), 'http_response_failed', name);
  }
});

test('what is no HTTP is no answer', async (t) => {
  const { client } = startClient(t);
  for (const text of [
    'SSH-2.0-OpenSSH_9\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
  ]) {
    const { url } = await serveTcp(t, (socket) => socket.once('data', () => socket.end(text)));
    assert.equal(await codeOf(client.exchange(line(), get(url), WAIT)), 'http_response_failed', text);
  }
});

test('nobody listens: the reason is a word, and nothing says where', async (t) => {
  const { url, server } = await serveTcp(t, () => undefined);
  server.close();
  await once(server, 'close');
  const { client } = startClient(t);
  const error = await rejection(client.exchange(line(), get(url, { method: 'POST' }), WAIT));
  assert.deepEqual([error.code, error.details], ['http_request_failed', { reason: 'refused' }]);
  assert.ok(!JSON.stringify(error.toWire()).includes('127.0.0.1'));
});

test('a name that leads nowhere cannot be looked up', async (t) => {
  const lookup = (_host: string, _options: unknown, done: (error: Error) => void) =>
    done(Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.invalid'), { code: 'ENOTFOUND' }));
  const { client } = startClient(t, {}, { connect: { lookup } as never });
  const { details, message } = await rejection(client.exchange(line(), get('http://nowhere.invalid/'), WAIT));
  assert.deepEqual(details, { reason: 'lookup' });
  assert.ok(!message.includes('nowhere'));
});

test("the time of the caller, and that of the request, end it each in their own words; a caller's signal too", async (t) => {
  const { url, seen } = await serveHttp(t, () => undefined);
  const { client } = startClient(t, { maxHttpCallsPerFunction: 1 });
  const one = line();
  assert.equal(await codeOf(client.exchange(one, get(url), { timeoutMs: 20 })), 'timeout');
  const own = await rejection(client.exchange(one, get(url, { timeoutMs: 20 }), WAIT));
  assert.deepEqual([own.code, own.details], ['http_request_failed', { reason: 'timeout' }]);
  const aborting = new AbortController();
  const before = seen.length;
  const aborted = codeOf(client.exchange(one, get(url), { ...WAIT, signal: aborting.signal }));
  await eventually(() => seen.length > before);
  aborting.abort();
  assert.equal(await aborted, 'cancelled');
  assert.equal(one.inFlight, 0);
  assert.equal(await codeOf(client.exchange(one, get(url), { ...WAIT, signal: AbortSignal.abort() })), 'cancelled');
});

test('a call that nobody waits for any more counts until its connection is made, or is not, and is not sent', async (t) => {
  const { url, seen } = await serveHttp(t, (_seen, response) => response.end());
  const connect = buildConnector({});
  let proceed = (): void => undefined;
  const gate = new Promise<void>((resolve) => (proceed = resolve));
  const { client } = startClient(
    t,
    { maxHttpCallsPerFunction: 1 },
    {
      connect: (options, callback) => void gate.then(() => connect(options, callback)),
    },
  );
  const one = line();
  assert.equal(await codeOf(client.exchange(one, get(url), { timeoutMs: 20 })), 'timeout');
  assert.equal(one.inFlight, 1);
  assert.equal(await codeOf(client.exchange(one, get(url), WAIT)), 'worker_busy');
  proceed();
  await eventually(() => one.inFlight === 0);
  assert.equal((await client.exchange(one, get(url), WAIT)).status, 200);
  assert.equal(seen.length, 1);
});

test('an answer that stalls in its middle ends with the time', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) => void response.writeHead(200).write('half'));
  const { client } = startClient(t);
  const one = line();
  assert.equal(await codeOf(client.exchange(one, get(url), { timeoutMs: 50 })), 'timeout');
  assert.equal(one.inFlight, 0);
});

test('a function has as many requests under way as it may, and so has an origin', async (t) => {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { url } = await serveHttp(t, (_seen, response) => void gate.then(() => response.end()));
  const { client } = startClient(t, { maxHttpCallsPerFunction: 2, maxHttpCallsPerOrigin: 3 });
  const [a, b] = [line(), line()];
  const held = [a, a, b].map((one) => client.exchange(one, get(url), WAIT));
  const full = await rejection(client.exchange(a, get(url), WAIT));
  assert.deepEqual([full.code, full.details], ['worker_busy', { messages: 2, capacity: 2, retry_after_ms: 100 }]);
  const crowded = await rejection(client.exchange(b, get(url), WAIT));
  assert.deepEqual([crowded.code, crowded.details], ['worker_busy', { messages: 3, capacity: 3, retry_after_ms: 100 }]);
  release();
  assert.deepEqual(
    (await Promise.all(held)).map(({ status }) => status),
    [200, 200, 200],
  );
  assert.deepEqual([a.inFlight, b.inFlight], [0, 0]);
  assert.equal((await client.exchange(a, get(url), WAIT)).status, 200);
});

test('requests to another origin are not held up by those to one that is full', async (t) => {
  const full = await serveHttp(t, () => undefined);
  const free = await serveHttp(t, (_seen, response) => response.end());
  const { client } = startClient(t, { maxHttpCallsPerOrigin: 1 });
  const aborting = new AbortController();
  const held = codeOf(client.exchange(line(), get(full.url), { ...WAIT, signal: aborting.signal }));
  assert.equal((await client.exchange(line(), get(free.url), WAIT)).status, 200);
  aborting.abort();
  await held;
});

test('what all requests and answers hold together is bounded', async (t) => {
  const { url } = await serveHttp(t, (_seen, response) => void response.writeHead(200).write(Buffer.alloc(60_000)));
  const { client } = startClient(t, { maxMessageBytes: LIMIT_BYTES, maxTotalBytes: 100_000 });
  const outcomes = [0, 1].map(() => codeOf(client.exchange(line(), get(url), { timeoutMs: 5_000 })));
  assert.equal(await Promise.race(outcomes), 'runtime_overloaded');
  const body = Buffer.alloc(50_000);
  assert.equal(await codeOf(client.exchange(line(), get(url, { body }), WAIT)), 'runtime_overloaded');
});

test('a connection that breaks before the answer is tried again, but only where that does no harm', async (t) => {
  const { client } = startClient(t);
  for (const [method, attempts] of [
    ['GET', 3],
    ['PUT', 3],
    ['DELETE', 3],
    ['OPTIONS', 3],
    ['HEAD', 3],
    ['POST', 1],
    ['PATCH', 1],
  ] as const) {
    const { url, connections } = await serveTcp(t, (socket) => socket.once('data', () => socket.destroy()));
    const error = await rejection(client.exchange(line(), get(url, { method }), WAIT));
    assert.deepEqual(
      [error.code, error.details, connections()],
      ['http_request_failed', { reason: 'reset' }, attempts],
      method,
    );
  }
});

test('the attempt that is answered is the one that counts', async (t) => {
  const { url, connections } = await serveTcp(t, (socket, count) =>
    socket.once('data', () =>
      count < 3 ? socket.destroy() : socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
    ),
  );
  const { client } = startClient(t);
  const { body } = await client.exchange(line(), get(url), WAIT);
  assert.deepEqual([body.toString(), connections()], ['ok', 3]);
});

test('an answer that has begun, and a body that is a stream, are not asked for again', async (t) => {
  const { client } = startClient(t);
  const begun = await serveTcp(t, (socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')),
  );
  assert.equal(await codeOf(client.exchange(line(), get(begun.url), WAIT)), 'http_response_failed');
  assert.equal(begun.connections(), 1);
  const broken = await serveTcp(t, (socket) => socket.once('data', () => socket.destroy()));
  const body = Readable.from(['a', 'b']);
  assert.equal(
    await codeOf(client.exchange(line(), get(broken.url, { method: 'PUT', body }), WAIT)),
    'http_request_failed',
  );
  assert.equal(broken.connections(), 1);
  assert.ok(body.destroyed);
});

test('a call that is aborted between two attempts is not tried again', async (t) => {
  const aborting = new AbortController();
  const { url, connections } = await serveTcp(t, (socket) =>
    socket.once('data', () => {
      socket.once('close', () => aborting.abort());
      socket.destroy();
    }),
  );
  const { client } = startClient(t);
  const one = line();
  assert.equal(await codeOf(client.exchange(one, get(url), { ...WAIT, signal: aborting.signal })), 'cancelled');
  assert.deepEqual([connections(), one.inFlight], [1, 0]);
});

test('the end of all connections settles every call', async (t) => {
  const { url, seen } = await serveHttp(t, () => undefined);
  const { client, egress } = startClient(t);
  const outcomes = [0, 1, 2].map(() => codeOf(client.exchange(line(), get(url), WAIT)));
  await eventually(() => seen.length === 3);
  await egress.close();
  assert.deepEqual(
    await Promise.all(outcomes),
    Array.from({ length: 3 }, () => 'invocation_stopped'),
  );
  assert.equal(await codeOf(client.exchange(line(), get(url), WAIT)), 'invocation_stopped');
});

test('a document has a bound of its own, and only 2xx is one', async (t) => {
  const { url } = await serveHttp(t, ({ path, headers }, response) => {
    assert.equal(headers['accept-encoding'], 'gzip, deflate, br');
    if (path === '/gone') sendJson(response, { error: { code: 'gone', message: 'Moved away.' } }, 410);
    else if (path === '/moved') response.writeHead(301, { location: '/' }).end();
    else response.end('x'.repeat(100));
  });
  const { client } = startClient(t);
  assert.equal((await client.fetchDocument(url, 100, WAIT)).body.length, 100);
  assert.equal(await codeOf(client.fetchDocument(url, 99, WAIT)), 'invocation_failed_payload_too_large');
  for (const path of ['gone', 'moved'])
    assert.equal(await codeOf(client.fetchDocument(`${url}/${path}`, 100, WAIT)), 'http_error', path);
});
