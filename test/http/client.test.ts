import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { codeOf } from '../support/start-runtime.ts';
import { get, LONG_MS, rejection, sendJson, serveHttp, serveTcp, startClient } from './setup.ts';

const LIMIT_BYTES = 64 * 1_024;
const WAIT = { timeoutMs: LONG_MS };
const line = () => ({ inFlight: 0 });

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
    'HTTP/1.1 000 Zero\r\ncontent-length: 2\r\n\r\nok',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
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
