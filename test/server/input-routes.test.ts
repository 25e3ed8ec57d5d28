// Inputs over HTTP: acknowledged or waited for, once per key, and passed through byte for byte.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { eventually } from '../support/start-runtime.ts';
import { ENDLESS, head, startEdge } from './support.ts';
import type { Edge } from './support.ts';

const WAIT = { prefer: 'wait=20' };
/** See storeOfTests. */
const DURABILITY = process.env['GREENROOM_TEST_STORE'] === 'lmdb' ? 'durable' : 'volatile';
const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A worker that is busy until it is cancelled. */
async function busyWorker({ send, worker }: Edge): Promise<string> {
  await worker('digest', 'd1');
  const { status, json } = await send('POST', '/v1/workers/d1/input', { body: ENDLESS });
  assert.equal(status, 202);
  return json.ack.input_id;
}

test('an input is acknowledged with its place in the line', async (t) => {
  const edge = await startEdge(t);
  await busyWorker(edge);
  const { status, json, headers } = await edge.send('POST', '/v1/workers/d1/input', { body: { text: 'next' } });
  assert.equal(status, 202);
  assert.equal(headers['preference-applied'], undefined);
  const { input_id: inputId, ...rest } = json.ack;
  assert.equal(typeof inputId, 'string');
  assert.deepEqual(json, { ack: { input_id: inputId, ...rest } });
  assert.deepEqual(rest, { worker_id: 'd1', status: 'running', position: 1, durability: DURABILITY });
});

test('an input that ends in time is answered with its result', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('counter', 'c1');
  const { status, json, headers } = await send('POST', '/v1/workers/c1/input', { body: { add: 2 }, headers: WAIT });
  assert.equal(status, 200);
  assert.equal(headers['preference-applied'], 'wait=20');
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  const { input_id: inputId, started_at: startedAt, ended_at: endedAt, ...rest } = json.result;
  assert.deepEqual(rest, { outcome: 'completed', output: 2 });
  assert.match(startedAt, RFC3339);
  assert.match(endedAt, RFC3339);

  const { json: later } = await send('GET', `/v1/workers/c1/inputs/${inputId}`);
  const { accepted_at: acceptedAt, ...input } = later.input;
  assert.match(acceptedAt, RFC3339);
  assert.deepEqual(input, {
    worker_id: 'c1',
    input_id: inputId,
    status: 'ended',
    attempt: 1,
    ...rest,
    started_at: startedAt,
    ended_at: endedAt,
  });
});

test('an input that does not end in time is acknowledged and goes on', async (t) => {
  const edge = await startEdge(t);
  await edge.worker('digest', 'd1');
  const { status, json, headers } = await edge.send('POST', '/v1/workers/d1/input', {
    body: ENDLESS,
    headers: { prefer: 'wait=0.05' },
  });
  assert.equal(status, 202);
  assert.equal(headers['preference-applied'], 'wait=0.05');
  const { input } = (await edge.send('GET', `/v1/workers/d1/inputs/${json.ack.input_id}`)).json;
  assert.deepEqual([input.status, input.outcome], ['running', undefined]);
});

test('a wait ends with the outcome, whatever it is', async (t) => {
  const edge = await startEdge(t);
  await edge.worker('ledger', 'l1');
  const body = { type: 'withdraw', account: 'a', cents: 1 };
  const failed = (await edge.send('POST', '/v1/workers/l1/input', { body, headers: WAIT })).json.result;
  assert.equal(failed.outcome, 'failed');
  assert.deepEqual(failed.error, {
    code: 'account_not_found',
    message: 'There is no such account.',
    retryable: false,
    details: { account: 'a' },
  });

  const running = await busyWorker(edge);
  const waiting = edge.send('POST', '/v1/workers/d1/input', { body: { text: 'x' }, headers: WAIT });
  await eventually(() => edge.runtime.supervisor.view('d1').mailbox.messages === 1);
  await edge.send('POST', '/v1/workers/d1/cancel', { body: { input_id: running } });
  assert.equal((await waiting).json.result.outcome, 'completed');
});

test('a wait of zero acknowledges at once', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('digest', 'd1');
  const { status, headers } = await send('POST', '/v1/workers/d1/input', {
    body: ENDLESS,
    headers: { prefer: 'wait=0' },
  });
  assert.deepEqual([status, headers['preference-applied']], [202, 'wait=0']);
});

test('when the client goes, its wait ends and its input goes on', async (t) => {
  const edge = await startEdge(t);
  await edge.worker('digest', 'd1');
  const body = JSON.stringify(ENDLESS);
  const socket = connect(edge.port, '127.0.0.1');
  socket.write(
    head(
      'POST',
      '/v1/workers/d1/input',
      'prefer: wait=60',
      'content-type: application/json',
      `content-length: ${body.length}`,
    ) + body,
  );
  await eventually(() => edge.runtime.supervisor.view('d1').running !== null);
  socket.destroy();
  await once(socket, 'close');
  const { worker } = (await edge.send('GET', '/v1/workers/d1')).json;
  assert.equal(worker.status, 'running');
});

test('a repeated key is the same input, in whatever state the worker is', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('counter', 'c1');
  const headers = { ...WAIT, 'idempotency-key': 'k1' };
  const first = await send('POST', '/v1/workers/c1/input', { body: { add: 2 }, headers });
  assert.deepEqual((await send('POST', '/v1/workers/c1/input', { body: { add: 2 }, headers })).json, first.json);
  const other = await send('POST', '/v1/workers/c1/input', { body: { add: 3 }, headers });
  assert.deepEqual([other.status, other.json.error.code], [409, 'idempotency_conflict']);
  await send('POST', '/v1/workers/c1/stop');
  assert.deepEqual((await send('POST', '/v1/workers/c1/input', { body: { add: 2 }, headers })).json, first.json);
  const fresh = await send('POST', '/v1/workers/c1/input', {
    body: { add: 2 },
    headers: { ...WAIT, 'idempotency-key': 'k2' },
  });
  assert.equal(fresh.json.error.code, 'worker_stopped');
});

test('an input whose deadline passes in the line expires without running', async (t) => {
  const edge = await startEdge(t);
  const { supervisor } = edge.runtime;
  const running = await busyWorker(edge);
  const headers = { 'greenroom-deadline-ms': '30' };
  const { input_id: late } = (await edge.send('POST', '/v1/workers/d1/input', { body: { text: 'x' }, headers })).json
    .ack;
  // While the other one is running.
  await eventually(() => supervisor.input('d1', late).status === 'ended');
  await edge.send('POST', '/v1/workers/d1/cancel', { body: { input_id: running } });
  const { input } = (await edge.send('GET', `/v1/workers/d1/inputs/${late}`)).json;
  assert.deepEqual(
    [input.outcome, input.error.code, input.started_at, input.output],
    ['expired', 'expired', undefined, undefined],
  );
});

test('an invalid header is refused before anything is accepted', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const { status, json } = await send('POST', '/v1/workers/e1/input', {
    body: 1,
    headers: { 'greenroom-deadline-ms': 'soon' },
  });
  assert.deepEqual(
    [status, json.error.code, json.error.details.issues[0]?.path],
    [400, 'invalid_request', 'greenroom-deadline-ms'],
  );
  assert.equal((await send('GET', '/v1/workers/e1')).json.worker.last_sequence, 1);
});

for (const body of [
  'null',
  'false',
  '0',
  '""',
  '[]',
  '{}',
  ' { "a" : [ 1.50, "ü" ] } ',
  '12345678901234567890',
  '"\\ud83d\\ude00"',
]) {
  test(`the JSON ${body} goes there and back`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker('echo', 'e1');
    const { status, json } = await send('POST', '/v1/workers/e1/input', { body, headers: WAIT });
    assert.equal(status, 200);
    assert.deepEqual(json.result.output, JSON.parse(body) as unknown);
  });
}

test('a large input with text of several bytes per character goes there and back', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const body = { text: 'ü€😀'.repeat(200_000) };
  const { json } = await send('POST', '/v1/workers/e1/input', { body, headers: WAIT });
  assert.deepEqual(json.result.output, body);
  const { input } = (await send('GET', `/v1/workers/e1/inputs/${json.result.input_id}`)).json;
  assert.deepEqual(input.output, body);
});

const REFUSED: [name: string, kind: string, body: string | Uint8Array | undefined, status: number, code: string][] = [
  ['no body', 'echo', undefined, 400, 'invalid_json'],
  ['an empty body', 'echo', '', 400, 'invalid_json'],
  ['half an object', 'echo', '{"a":', 400, 'invalid_json'],
  ['two values', 'echo', '1 2', 400, 'invalid_json'],
  ['bytes that are not UTF-8', 'echo', Buffer.from([0x22, 0xc3, 0x28, 0x22]), 400, 'invalid_json'],
  ['a prototype key', 'echo', '{"__proto__":1}', 400, 'invalid_json'],
  ['nesting that is too deep', 'echo', '['.repeat(200) + ']'.repeat(200), 400, 'invalid_json'],
  ['another shape', 'counter', '{"add":"two"}', 422, 'invalid_input'],
];

for (const [name, kind, body, status, code] of REFUSED) {
  test(`an input with ${name} is refused with ${code} and does not run`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker(kind, 'w1');
    const answer = await send('POST', '/v1/workers/w1/input', body === undefined ? {} : { body });
    assert.deepEqual([answer.status, answer.json.error.code], [status, code]);
    assert.equal((await send('GET', '/v1/workers/w1')).json.worker.last_sequence, 1);
  });
}

test('inputs are found under their own worker only', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  await worker('echo', 'e2');
  const { input_id: inputId } = (await send('POST', '/v1/workers/e1/input', { body: 1, headers: WAIT })).json.result;
  for (const path of [
    `e2/inputs/${inputId}`,
    'e1/inputs/none',
    'e1/inputs/',
    `e1/inputs/${'9'.repeat(1_000)}`,
    'e1/inputs/%20',
  ]) {
    const { status, json } = await send('GET', `/v1/workers/${path}`);
    assert.deepEqual([status, json.error.code], [404, 'input_not_found'], path);
  }
  assert.equal((await send('GET', `/v1/workers/none/inputs/${inputId}`)).json.error.code, 'worker_not_found');
});

test('a full mailbox refuses with the time to retry after, before the body is read', async (t) => {
  const edge = await startEdge(t);
  await busyWorker(edge);
  t.mock.method(edge.runtime.supervisor, 'checkRoom', () => {
    throw GreenroomError.of('worker_busy', { details: { retry_after_ms: 1_200 } });
  });
  const deliver = t.mock.method(edge.runtime.supervisor, 'deliverBytes');
  const { status, json, headers } = await edge.send('POST', '/v1/workers/d1/input', { body: '{"half' });
  assert.deepEqual([status, json.error.code, headers['retry-after']], [429, 'worker_busy', '2']);
  assert.equal(deliver.mock.callCount(), 0);
});
