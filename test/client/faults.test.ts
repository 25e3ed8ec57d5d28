import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { GreenroomError } from '../../lib/client/index.ts';
import { ACK, BUSY, clientOf, reply, startFake, TOKEN } from './fake.ts';

const WORKER = { worker: { worker_id: 'w1', kind: 'echo', display_name: null, last_sequence: 3 } };
const hasCode = (code: string) => (error: unknown) => error instanceof GreenroomError && error.code === code;

test('a GET whose connection is dropped is sent again', async (t) => {
  const fake = await startFake(t, (_, response, count) =>
    count === 1 ? response.destroy() : reply(response, 200, WORKER),
  );
  const view = await clientOf(t, fake.url).worker('w1').view();
  assert.deepEqual(view, { workerId: 'w1', kind: 'echo', displayName: null, lastSequence: 3 });
  assert.equal(fake.seen.length, 2);
});

test('an input without a key whose connection is dropped is not sent again: it may have been accepted', async (t) => {
  const fake = await startFake(t, (_, response) => response.destroy());
  await assert.rejects(clientOf(t, fake.url).worker('w1').tell({ a: 1 }), (error: GreenroomError) => {
    assert.equal(error.code, 'runtime_unavailable');
    assert.equal(error.status, 503);
    assert.equal(error.retryable, true);
    assert.ok(error.cause instanceof Error);
    return true;
  });
  assert.equal(fake.seen.length, 1);
});

test('an input with a key is sent again after a dropped connection, with the same key and body', async (t) => {
  const fake = await startFake(t, (_, response, count) =>
    count === 1 ? response.destroy() : reply(response, 202, ACK),
  );
  const receipt = await clientOf(t, fake.url).worker('w1').tell({ a: 1 }, { idempotencyKey: 'k1' });
  assert.deepEqual(receipt, { workerId: 'w1', inputId: 'i1', status: 'idle', position: 0, durability: 'durable' });
  assert.deepEqual(
    fake.seen.map(({ headers, body }) => [headers['idempotency-key'], body]),
    [
      ['k1', '{"a":1}'],
      ['k1', '{"a":1}'],
    ],
  );
});

test('an ask with a key that meets a full mailbox is sent again no earlier than Retry-After', async (t) => {
  let refusedAt = 0;
  let repeatedAt = 0;
  const fake = await startFake(t, (_, response, count) => {
    if (count > 1) repeatedAt = performance.now();
    else refusedAt = performance.now();
    if (count === 1) reply(response, 429, BUSY, { 'retry-after': '1' });
    else reply(response, 200, { result: { input_id: 'i1', outcome: 'completed', output: { some_key: 1 } } });
  });
  assert.deepEqual(await clientOf(t, fake.url).worker('w1').ask({}, { idempotencyKey: 'k1' }), { some_key: 1 });
  assert.equal(fake.seen.length, 2);
  assert.ok(repeatedAt - refusedAt >= 990, `repeated after ${repeatedAt - refusedAt} ms`);
});

test('an input without a key that meets a full mailbox is refused at once, with the wait in its details', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 429, BUSY, { 'retry-after': '7' }));
  await assert.rejects(clientOf(t, fake.url).worker('w1').ask({}), (error: GreenroomError) => {
    assert.deepEqual(error.toWire(), { ...BUSY.error, details: { messages: 4, retry_after_ms: 7_000 } });
    assert.equal(error.status, 429);
    return true;
  });
  assert.equal(fake.seen.length, 1);
});

test('a create with an id is repeated, one without is not', async (t) => {
  const fake = await startFake(t, (_, response, count) =>
    count === 3 ? reply(response, 201, WORKER) : response.destroy(),
  );
  const client = clientOf(t, fake.url);
  await assert.rejects(client.create({ kind: 'echo' }), hasCode('runtime_unavailable'));
  assert.equal(fake.seen.length, 1);
  assert.equal((await client.create({ kind: 'echo', workerId: 'w1' })).workerId, 'w1');
  assert.equal(fake.seen.length, 3);
});

test('a runtime that never answers costs no more than the time that the caller gave', async (t) => {
  const fake = await startFake(t, () => undefined);
  const client = clientOf(t, fake.url, { timeoutMs: 80 });
  const startedAt = performance.now();
  const calls = [
    client.describe(),
    client.worker('w1').ask({}),
    client.worker('w1').tell({}),
    client.worker('w1').cancel({ inputId: 'i1' }),
  ];
  for (const outcome of await Promise.allSettled(calls))
    assert.ok(outcome.status === 'rejected' && hasCode('timeout')(outcome.reason));
  await assert.rejects(client.worker('w1').stop({ timeoutMs: 20 }), hasCode('timeout'));
  assert.ok(performance.now() - startedAt < 1_000);
});

test('an ask that stands in line for a connection times out in the line', async (t) => {
  const fake = await startFake(t, () => undefined);
  const client = clientOf(t, fake.url, { connections: 1 });
  const first = client.worker('w1').ask({}, { timeoutMs: 2_000 });
  const firstSettled = assert.rejects(first, hasCode('runtime_unavailable'));
  await fake.arrived(1);
  const startedAt = performance.now();
  await assert.rejects(client.worker('w1').ask({}, { timeoutMs: 50 }), hasCode('timeout'));
  assert.ok(performance.now() - startedAt < 1_000);
  await client.close();
  await firstSettled;
});

test('a cancel does not stand in line behind asks that hold every connection', async (t) => {
  const fake = await startFake(t, ({ path }, response) => {
    if (path.endsWith('/cancel'))
      reply(response, 200, { ack: { worker_id: 'w1', status: 'running', effect: 'aborting' } });
  });
  const client = clientOf(t, fake.url, { connections: 1 });
  const asks = [1, 2, 3].map((n) => assert.rejects(client.worker('w1').ask(n), hasCode('runtime_unavailable')));
  await fake.arrived(1);
  assert.deepEqual(await client.worker('w1').cancel(), { workerId: 'w1', status: 'running', effect: 'aborting' });
  await client.close();
  await Promise.all(asks);
});

test('a client holds 16,384 requests that are not answered, refuses one more, and lets go of all when it is closed', async (t) => {
  const fake = await startFake(t, () => undefined);
  const client = clientOf(t, fake.url);
  const tells = Array.from({ length: 16_384 }, (_, n) => client.worker('w1').tell(n));
  await assert.rejects(client.worker('w1').tell('one more'), hasCode('runtime_overloaded'));
  const settled = Promise.allSettled(tells);
  await client.close();
  for (const outcome of await settled) {
    assert.ok(outcome.status === 'rejected' && hasCode('runtime_unavailable')(outcome.reason));
  }
});

test('when nobody listens the call rejects with runtime_unavailable and the reason', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const client = clientOf(t, `http://127.0.0.1:${port}`);
  await assert.rejects(client.worker('w1').tell(1), (error: GreenroomError) => {
    assert.equal(error.code, 'runtime_unavailable');
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'ECONNREFUSED');
    return true;
  });
});

test('an answer that breaks off in the middle is a failed connection', async (t) => {
  const fake = await startFake(t, (_, response) => {
    response.writeHead(202, { 'content-length': '500' });
    response.write('{"ack":', () => response.destroy());
  });
  await assert.rejects(clientOf(t, fake.url).worker('w1').tell(1), hasCode('runtime_unavailable'));
});

test('an answer that trickles in for ever ends at the deadline', async (t) => {
  const fake = await startFake(t, (_, response) => {
    response.writeHead(200);
    const trickle = setInterval(() => response.write(' '), 10);
    response.once('close', () => clearInterval(trickle));
  });
  await assert.rejects(clientOf(t, fake.url).worker('w1').tell(1, { timeoutMs: 100 }), hasCode('timeout'));
});

test('a redirect is not followed: the credential stays where it was sent', async (t) => {
  const other = await startFake(t, (_, response) => reply(response, 200, WORKER));
  const fake = await startFake(t, (_, response) =>
    reply(response, 307, '{}', { location: `${other.url}/v1/workers/w1` }),
  );
  await assert.rejects(clientOf(t, fake.url).worker('w1').view(), hasCode('internal'));
  assert.equal(other.seen.length, 0);
});

test('a message at the limit is sent, one byte more is refused before it is', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 202, ACK));
  const worker = clientOf(t, fake.url, { maxMessageBytes: 10 }).worker('w1');
  await worker.tell('éééé'); // 4 × 2 bytes and the quotes
  await assert.rejects(worker.ask('éééé1'), (error: GreenroomError) => {
    assert.equal(error.code, 'payload_too_large');
    assert.deepEqual(error.details, { payload_bytes: 11, limit_bytes: 10, hop: 'client' });
    return true;
  });
  await assert.rejects(worker.tell(undefined), hasCode('invalid_input'));
  assert.equal(fake.seen.length, 1);
});

test('every request carries the token, and no error quotes it', async (t) => {
  const fake = await startFake(t, (_, response) => response.destroy());
  const error: unknown = await clientOf(t, fake.url)
    .worker('w1')
    .tell(1)
    .catch((thrown: unknown) => thrown);
  assert.equal(fake.seen[0]?.headers.authorization, `Bearer ${TOKEN}`);
  const { inspect } = await import('node:util');
  assert.ok(!inspect(error, { depth: 20 }).includes(TOKEN));
});
