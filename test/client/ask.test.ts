import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { GreenroomError } from '../../lib/client/index.ts';
import { ACK, clientOf, reply, startFake } from './fake.ts';

const hasCode = (code: string) => (error: unknown) => error instanceof GreenroomError && error.code === code;
const ended = (outcome: string, more: object) => ({
  input_id: 'i1',
  worker_id: 'w1',
  status: 'ended',
  outcome,
  attempt: 1,
  ...more,
});
const CANCELLED = { ack: { worker_id: 'w1', status: 'running', effect: 'aborting', input_id: 'i1' } };

test('an ask lets the runtime hold the answer back and gives it the time that is left', async (t) => {
  const fake = await startFake(t, (_, response) =>
    reply(response, 200, { result: { input_id: 'i1', outcome: 'completed', output: 3 } }),
  );
  assert.equal(await clientOf(t, fake.url).worker('w1').ask({ add: 2 }, { timeoutMs: 10_000 }), 3);
  const { method, path, body, headers } = fake.seen[0] ?? assert.fail();
  assert.deepEqual({ method, path, body }, { method: 'POST', path: '/v1/workers/w1/input', body: '{"add":2}' });
  const waitS = Number(headers['prefer']?.toString().replace('wait=', ''));
  assert.ok(waitS > 9 && waitS <= 9.75);
  const deadlineMs = Number(headers['greenroom-deadline-ms']);
  assert.ok(deadlineMs > 9_000 && deadlineMs <= 10_000);
  assert.equal(fake.seen.length, 1);
});

test('inputs say whether they are to be kept, and a durability that is none is not sent', async (t) => {
  const fake = await startFake(t, ({ headers }, response) =>
    headers['prefer'] === undefined
      ? reply(response, 202, ACK)
      : reply(response, 200, { result: { input_id: 'i1', outcome: 'completed', output: 3 } }),
  );
  const worker = clientOf(t, fake.url).worker('w1');
  await worker.ask({}, { durability: 'volatile' });
  assert.equal((await worker.tell({}, { durability: 'durable' })).durability, 'durable');
  await worker.tell({});
  assert.deepEqual(
    fake.seen.map(({ headers }) => headers['greenroom-durability']),
    ['volatile', 'durable', undefined],
  );
  const none = { durability: 'sometimes' as 'durable' };
  await assert.rejects(worker.ask({}, none), hasCode('invalid_request'));
  await assert.rejects(worker.tell({}, none), hasCode('invalid_request'));
  assert.equal(fake.seen.length, 3);
});

test('an ask that the runtime does not hold back that long looks again until the input has ended', async (t) => {
  const fake = await startFake(t, ({ method }, response, count) => {
    if (method === 'POST') reply(response, 202, ACK);
    else
      reply(response, 200, {
        input: count < 4 ? { input_id: 'i1', status: 'running' } : ended('completed', { output: 'done' }),
      });
  });
  assert.equal(await clientOf(t, fake.url).worker('w1').ask({}), 'done');
  assert.deepEqual(
    fake.seen.slice(1).map(({ method, path }) => `${method} ${path}`),
    Array(3).fill('GET /v1/workers/w1/inputs/i1'),
  );
});

for (const how of ['held back', 'looked up']) {
  test(`an ask rejects with the error of an outcome that is ${how}`, async (t) => {
    const error = { code: 'insufficient_funds', message: 'No.', retryable: false, details: { balance_cents: 5 } };
    const fake = await startFake(t, ({ method }, response) => {
      if (method === 'GET') reply(response, 200, { input: ended('failed', { error }) });
      else if (how === 'held back') reply(response, 200, { result: { input_id: 'i1', outcome: 'failed', error } });
      else reply(response, 202, ACK);
    });
    await assert.rejects(clientOf(t, fake.url).worker('w1').ask({}), (thrown: GreenroomError) => {
      assert.ok(thrown instanceof GreenroomError);
      assert.deepEqual(thrown.toWire(), error);
      assert.equal(thrown.status, 422);
      return true;
    });
  });
}

test('an ask whose time is up rejects with timeout and the id of the input, which runs on', async (t) => {
  const fake = await startFake(t, ({ method }, response) =>
    method === 'POST'
      ? reply(response, 202, ACK)
      : reply(response, 200, { input: { input_id: 'i1', status: 'running' } }),
  );
  await assert.rejects(clientOf(t, fake.url).worker('w1').ask({}, { timeoutMs: 60 }), (error: GreenroomError) => {
    assert.equal(error.code, 'timeout');
    assert.deepEqual(error.details, { input_id: 'i1' });
    return true;
  });
  assert.ok(fake.seen.every(({ path }) => !path.endsWith('/cancel')));
});

test('aborting an ask rejects at once with the reason as cause, and cancels exactly that input', async (t) => {
  const controller = new AbortController();
  const fake = await startFake(t, ({ method, path }, response) => {
    if (path.endsWith('/cancel')) reply(response, 200, CANCELLED);
    else if (method === 'POST') reply(response, 202, ACK);
    else controller.abort('changed my mind'); // while a look at it is under way
  });
  const client = clientOf(t, fake.url);
  await assert.rejects(client.worker('w1').ask({}, { signal: controller.signal }), (error: GreenroomError) => {
    assert.deepEqual([error.code, error.cause, error.details], ['cancelled', 'changed my mind', { input_id: 'i1' }]);
    return true;
  });
  await fake.arrived(3);
  assert.deepEqual(JSON.parse(fake.seen[2]?.body ?? ''), { input_id: 'i1', reason: 'The caller aborted the ask.' });
});

test('an ask that is aborted while it is handed over cancels its input once the id is known', async (t) => {
  let handOver: ServerResponse | undefined;
  const fake = await startFake(t, ({ path }, response) => {
    if (path.endsWith('/cancel')) reply(response, 200, CANCELLED);
    else handOver = response;
  });
  const controller = new AbortController();
  const ask = clientOf(t, fake.url).worker('w1').ask({}, { signal: controller.signal });
  await fake.arrived(1);
  assert.equal(
    fake.seen[0]?.headers['prefer'],
    'wait=0.25',
    'an ask that can be aborted does not wait long for its id',
  );
  controller.abort();
  await assert.rejects(ask, hasCode('cancelled'));
  assert.equal(fake.seen.length, 1);
  reply(handOver ?? assert.fail(), 202, ACK);
  await fake.arrived(2);
  assert.deepEqual(
    [fake.seen[1]?.path, (JSON.parse(fake.seen[1]?.body ?? '') as { input_id: string }).input_id],
    ['/v1/workers/w1/cancel', 'i1'],
  );
});

test('an ask with a signal that is aborted already sends nothing', async (t) => {
  const fake = await startFake(t, (_, response) => reply(response, 202, ACK));
  const client = clientOf(t, fake.url);
  await assert.rejects(client.worker('w1').ask({}, { signal: AbortSignal.abort() }), hasCode('cancelled'));
  await client.close();
  assert.equal(fake.seen.length, 0);
});

test('close lets the cancel of an aborted ask come to its end, and rejects every other wait', async (t) => {
  let handOver: ServerResponse | undefined;
  const fake = await startFake(t, ({ path, body }, response) => {
    if (path.endsWith('/cancel')) reply(response, 200, CANCELLED);
    else if (body === '"abort me"') handOver = response;
  });
  const client = clientOf(t, fake.url);
  const controller = new AbortController();
  const aborted = client.worker('w1').ask('abort me', { signal: controller.signal });
  const waiting = client.worker('w1').ask('wait');
  await fake.arrived(2);
  controller.abort();
  await assert.rejects(aborted, hasCode('cancelled'));
  const closed = client.close();
  await assert.rejects(waiting, hasCode('runtime_unavailable'));
  reply(handOver ?? assert.fail(), 202, ACK);
  await closed;
  assert.equal(fake.seen.at(-1)?.path, '/v1/workers/w1/cancel');
});

test('close does not wait long for a cancel that nobody answers', async (t) => {
  const fake = await startFake(t, () => undefined);
  const client = clientOf(t, fake.url);
  const controller = new AbortController();
  const ask = client.worker('w1').ask({}, { signal: controller.signal });
  await fake.arrived(1);
  controller.abort();
  await assert.rejects(ask, hasCode('cancelled'));
  const startedAt = performance.now();
  await client.close();
  assert.ok(performance.now() - startedAt < 3_000);
});

test('the connection that fails while an ask looks for its outcome still names the input', async (t) => {
  const fake = await startFake(t, ({ method }, response) =>
    method === 'POST' ? reply(response, 202, ACK) : response.destroy(),
  );
  await assert.rejects(clientOf(t, fake.url).worker('w1').ask({}, { timeoutMs: 5_000 }), (error: GreenroomError) => {
    assert.equal(error.code, 'runtime_unavailable');
    assert.deepEqual(error.details, { input_id: 'i1' });
    return true;
  });
});

test('a tell carries its deadline and key, and aborting it cancels nothing', async (t) => {
  const fake = await startFake(t, () => undefined);
  const controller = new AbortController();
  const client = clientOf(t, fake.url);
  const tell = client.worker('w1').tell(1, { deadlineMs: 500, idempotencyKey: 'k1', signal: controller.signal });
  await fake.arrived(1);
  assert.equal(fake.seen[0]?.headers['greenroom-deadline-ms'], '500');
  assert.equal(fake.seen[0]?.headers['idempotency-key'], 'k1');
  controller.abort(new Error('bye'));
  await assert.rejects(
    tell,
    (error: GreenroomError) => error.code === 'cancelled' && (error.cause as Error).message === 'bye',
  );
  await client.close();
  assert.equal(fake.seen.length, 1);
});

test('aborting a call ends its connection', async (t) => {
  let held: ServerResponse | undefined;
  const fake = await startFake(t, (_, response) => (held = response));
  const controller = new AbortController();
  const view = clientOf(t, fake.url).worker('w1').view({ signal: controller.signal });
  await fake.arrived(1);
  const closed = once(held ?? assert.fail(), 'close');
  controller.abort();
  await assert.rejects(view, hasCode('cancelled'));
  await closed;
});
