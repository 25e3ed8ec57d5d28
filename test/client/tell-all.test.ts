// Batches through the client against a real server, and against servers that misbehave.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import type { BatchInput, Client, TellResult } from '../../lib/client/index.ts';
import type { Limits } from '../../lib/limits.ts';
import { startServer } from '../../lib/server/index.ts';
import type { Runtime, RuntimeOptions } from '../../lib/runtime.ts';
import { HeldStore } from '../support/held-store.ts';
import { codeOf, emitted, eventually, openGate, startRuntime } from '../support/start-runtime.ts';

const TOKEN = 'a-token-for-tests';

async function start(
  t: TestContext,
  limits: Partial<Limits> = {},
  more: Partial<RuntimeOptions> = {},
): Promise<{ runtime: Runtime; client: Client; close: () => Promise<void> }> {
  const runtime = await startRuntime(t, { limits, ...more });
  const server = await startServer({ runtime, token: TOKEN });
  const client = createClient({
    url: server.url,
    token: TOKEN,
    ...(limits.maxMessageBytes !== undefined && { maxMessageBytes: limits.maxMessageBytes }),
  });
  t.after(async () => {
    await client.close();
    await server.close();
  });
  return { runtime, client, close: () => server.close() };
}

async function all(results: AsyncIterable<TellResult>): Promise<string[]> {
  const found: string[] = [];
  for await (const { receipt, error } of results) found.push(error === undefined ? receipt.workerId : error.code);
  return found;
}

/** A server whose answer to every connection the test writes. */
async function startRaw(t: TestContext, onConnection: (socket: Socket) => void): Promise<Client> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // the tests break connections
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: TOKEN });
  t.after(async () => {
    await client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return client;
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const ACK = '{"ack":{"worker_id":"w","input_id":"i-1","status":"idle","position":0,"durability":"volatile"}}\n';

test('every item has its result, in order, whoever refused it', async (t) => {
  const { runtime, client } = await start(t, { maxMessageBytes: 1_000 });
  for (const workerId of ['c1', 'c2']) await runtime.create({ kind: 'counter', workerId });
  const items: BatchInput[] = [
    { workerId: 'c1', input: { add: 1 } },
    { workerId: 'c1', input: { add: 'x' } },
    { workerId: 'c1', input: 'x'.repeat(10_000) },
    { workerId: 'c1', input: 'x'.repeat(1_500) },
    { workerId: 'none', input: 1 },
    { workerId: 'c2', input: { add: 1 }, idempotencyKey: 'k', deadlineMs: 60_000 },
    { workerId: 'c2', input: { add: 2 }, idempotencyKey: 'k' },
    { workerId: 'c2', input: { add: 2 }, idempotencyKey: '' },
    { workerId: 'c2', input: { add: 1n } },
    { workerId: 'c2', input: { add: 2 }, deadlineMs: -1 },
  ];
  assert.deepEqual(await all(client.tellAll(items)), [
    'c1',
    'invalid_input',
    'payload_too_large',
    'payload_too_large',
    'worker_not_found',
    'c2',
    'idempotency_conflict',
    'invalid_request',
    'invalid_input',
    'invalid_request',
  ]);
});

test('the inputs of one worker run in the order of the items', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'counter', workerId: 'c1' });
  async function* items(): AsyncGenerator<{ add: number }> {
    for (let add = 0; add < 5_000; add++) yield await Promise.resolve({ add });
  }
  const results = await all(client.worker('c1').tellAll(items()));
  assert.deepEqual([results.length, new Set(results)], [5_000, new Set(['c1'])]);
  assert.equal(await client.worker('c1').ask({ add: 0 }), (4_999 * 5_000) / 2);
});

test('results come while items still do', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'echo', workerId: 'e1' });
  let next: (item: number) => void = () => undefined;
  let item = new Promise<number>((resolve) => (next = resolve));
  async function* items(): AsyncGenerator<number> {
    for (;;) {
      const value = await item;
      item = new Promise((resolve) => (next = resolve));
      if (value === 0) return;
      yield value;
    }
  }
  const results = client.worker('e1').tellAll(items());
  for (let count = 1; count <= 3; count++) {
    const result = results.next();
    await new Promise((resolve) => setImmediate(resolve));
    next(count);
    assert.equal((await result).done, false);
  }
  const end = results.next();
  await new Promise((resolve) => setImmediate(resolve));
  next(0);
  assert.deepEqual(await end, { done: true, value: undefined });
});

test('an empty batch, and one of which nothing can be sent, end', async (t) => {
  const { client } = await start(t);
  assert.deepEqual(await all(client.tellAll([])), []);
  const tooLarge = Array.from({ length: 200 }, () => ({ workerId: 'w', input: 1n }));
  assert.deepEqual(await all(client.tellAll(tooLarge)), Array(200).fill('invalid_input'));
});

test('a refusal of the whole batch is thrown', async (t) => {
  const { client } = await start(t);
  assert.equal(await codeOf(all(client.worker('none').tellAll([1, 2]))), 'worker_not_found');
  const stranger = createClient({ url: 'http://127.0.0.1:1', token: 'x' });
  t.after(() => stranger.close());
  assert.equal(await codeOf(all(stranger.tellAll([{ workerId: 'w', input: 1 }]))), 'runtime_unavailable');
  assert.equal(await codeOf(all(client.tellAll([], { timeoutMs: 0 }))), 'invalid_request');
});

test('who leaves the loop ends the request and the items', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'echo', workerId: 'e1' });
  let isReturned = false;
  function* items(): Generator<number> {
    try {
      for (let item = 0; ; item++) yield item;
    } finally {
      isReturned = true;
    }
  }
  let count = 0;
  for await (const { error } of client.worker('e1').tellAll(items())) {
    assert.equal(error, undefined);
    if (++count === 100) break;
  }
  assert.equal(isReturned, true);
  // The server has noticed as well: nothing more is taken.
  let last = -1;
  await eventually(() => {
    const { lastSequence, status } = runtime.worker('e1').view();
    const isStill = lastSequence === last && status === 'idle';
    last = lastSequence;
    return isStill;
  });
});

test('a reader that pauses holds the items back', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'echo', workerId: 'e1' });
  let taken = 0;
  function* items(): Generator<number> {
    for (;;) yield taken++;
  }
  const results = client.worker('e1').tellAll(items());
  await results.next();
  let idleTurns = 0;
  for (let last = -1; idleTurns < 1_000; last = taken) {
    await new Promise((resolve) => setImmediate(resolve));
    idleTurns = taken === last ? idleTurns + 1 : 0;
  }
  assert.ok(taken < 3_000_000, `${taken} items`);
  for (let count = 1; count < 1_000; count++) assert.equal((await results.next()).done, false);
  await results.return();
});

test('an abort ends the batch with its reason, and leaves what was accepted alone', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'narrow', workerId: 'n1' });
  await runtime.worker('n1').tell({ wait: 'abort-gate' });
  await emitted(runtime.worker('n1'), 'waiting');
  const controller = new AbortController();
  const results = client.worker('n1').tellAll(Array(10).fill({}), { signal: controller.signal, waitMs: 60_000 });
  for (let count = 0; count < 3; count++) assert.equal((await results.next()).done, false);
  const fourth = codeOf(results.next());
  controller.abort('enough');
  assert.equal(await fourth, 'cancelled');
  openGate('abort-gate');
  await eventually(() => runtime.worker('n1').view().status === 'idle');
});

test('an item that never gets room is refused in its place', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'narrow', workerId: 'n1' });
  await runtime.worker('n1').tell({ wait: 'never' });
  await emitted(runtime.worker('n1'), 'waiting');
  const results = await all(client.worker('n1').tellAll(Array(5).fill({}), { waitMs: 0 }));
  assert.deepEqual(results, ['n1', 'n1', 'n1', 'worker_busy', 'worker_busy']);
});

test('a source that fails ends the batch with its error, after the results of what it gave', async (t) => {
  const { runtime, client } = await start(t);
  await runtime.create({ kind: 'echo', workerId: 'e1' });
  function* items(): Generator<number> {
    yield 1;
    yield 2;
    throw new RangeError('no more');
  }
  const found: unknown[] = [];
  await assert.rejects(
    async () => {
      for await (const result of client.worker('e1').tellAll(items())) found.push(result.receipt?.workerId);
    },
    { name: 'RangeError' },
  );
  assert.deepEqual(found, ['e1', 'e1']);
});

for (const [what, answer, code] of [
  ['dies', `${HEAD}${chunk(ACK)}`, 'runtime_unavailable'],
  ['ends early', `${HEAD}${chunk(ACK)}0\r\n\r\n`, 'runtime_unavailable'],
  ['says nonsense', `${HEAD}${chunk(ACK)}${chunk('nonsense\n')}`, 'internal'],
  ['says what is no receipt', `${HEAD}${chunk(ACK)}${chunk('{"x":1}\n')}`, 'internal'],
] as const) {
  test(`what came before a runtime ${what} is yielded, then ${code} is thrown`, async (t) => {
    const client = await startRaw(t, (socket) => {
      socket.once('data', () => socket.end(answer));
    });
    const found: unknown[] = [];
    const loop = async (): Promise<void> => {
      for await (const { receipt } of client.worker('w').tellAll([1, 2, 3])) found.push(receipt?.inputId);
    };
    assert.equal(await codeOf(loop()), code);
    assert.deepEqual(found, ['i-1']);
  });
}

test('a runtime that says nothing is given up on', async (t) => {
  const client = await startRaw(t, (socket) => void socket.resume());
  assert.equal(await codeOf(all(client.worker('w').tellAll([1], { timeoutMs: 50 }))), 'timeout');
});

test('closing the client ends its batches', async (t) => {
  const client = await startRaw(t, (socket) => {
    socket.once('data', () => socket.write(HEAD + chunk(ACK)));
  });
  const results = client.worker('w').tellAll([1, 2]);
  await results.next();
  const second = codeOf(results.next());
  await client.close();
  assert.equal(await second, 'runtime_unavailable');
});

test('inputs of a batch say whether they are to be kept, or the batch says it for them', async (t) => {
  const store = new HeldStore(t);
  const { runtime, client } = await start(t, {}, { store: 'memory' });
  await runtime.create({ kind: 'echo', workerId: 'e1' });
  assert.equal(store.pending, 0);
  const found: (string | undefined)[] = [];
  const inputs: BatchInput[] = [
    { workerId: 'e1', input: 1 },
    { workerId: 'e1', input: 1, durability: 'durable' },
    { workerId: 'e1', input: 1, durability: 'sometimes' as 'durable' },
  ];
  for await (const { receipt, error } of client.tellAll(inputs, { durability: 'volatile' }))
    found.push(receipt?.durability ?? error?.code);
  assert.deepEqual(found, ['volatile', 'durable', 'invalid_request']);
});
