// One exchange: its time, its caller's signal, its place among others, and what is tried again.

import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { buildConnector } from 'undici';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { get, LONG_MS, rejection, serveHttp, serveTcp, startClient } from './setup.ts';

const LIMIT_BYTES = 64 * 1_024;
const WAIT = { timeoutMs: LONG_MS };
const line = () => ({ inFlight: 0 });

test("the time of the caller, and that of the request, end it each in their own words; a caller's signal too", async (t) => {
  const { url, seen } = await serveHttp(t, () => undefined);
  const { client } = startClient(t, { maxHttpCallsPerFunction: 1 });
  const one = line();
  assert.equal(await codeOf(client.exchange(one, get(url), { timeoutMs: 20 })), 'timeout');
  // On a slow machine its connection was still being made.
  await eventually(() => one.inFlight === 0);
  const own = await rejection(client.exchange(one, get(url, { timeoutMs: 20 }), WAIT));
  assert.deepEqual([own.code, own.details], ['http_request_failed', { reason: 'timeout' }]);
  await eventually(() => one.inFlight === 0);
  const aborting = new AbortController();
  const before = seen.length;
  const aborted = codeOf(client.exchange(one, get(url), { ...WAIT, signal: aborting.signal }));
  await eventually(() => seen.length > before);
  aborting.abort();
  assert.equal(await aborted, 'cancelled');
  await eventually(() => one.inFlight === 0);
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
  await eventually(() => one.inFlight === 0);
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

test('an answer that says how large it will be has its place before it comes', async (t) => {
  const declared = 5 * 1_024 * 1_024;
  let heads = 0;
  const { url } = await serveHttp(t, (_seen, response) => {
    response.writeHead(200, { 'content-length': declared }).flushHeaders();
    heads++;
  });
  const { client } = startClient(t, { maxMessageBytes: declared, maxTotalBytes: 2 * declared });
  const aborting = new AbortController();
  const wait = { ...WAIT, signal: aborting.signal };
  const outcomes = [0, 1, 2].map(() => codeOf(client.exchange(line(), get(url), wait)));
  // No byte of any body has been sent.
  assert.equal(await Promise.race(outcomes), 'runtime_overloaded');
  assert.equal(heads, 3);
  aborting.abort();
  assert.deepEqual((await Promise.all(outcomes)).sort(), ['cancelled', 'cancelled', 'runtime_overloaded']);
  // What was given up has given its place back.
  const again = new AbortController();
  const next = codeOf(client.exchange(line(), get(url), { ...WAIT, signal: again.signal }));
  await eventually(() => heads === 4);
  again.abort();
  assert.equal(await next, 'cancelled');
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
