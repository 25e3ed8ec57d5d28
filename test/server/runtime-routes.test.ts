// The view of the whole runtime over HTTP.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitted, eventually, openGate } from '../support/start-runtime.ts';
import { startEdge } from './support.ts';

const GATE = new URL('../fixtures/actors/gate.js', import.meta.url);
const SPINS = new URL('../fixtures/actors/spins.js', import.meta.url);

test('the runtime says what it is, what it holds and what its limits are', async (t) => {
  const { send, worker, runtime } = await startEdge(t, {}, undefined, { store: 'memory' });
  await worker('echo', 'e1');
  const { status, json, headers } = await send('GET', '/v1/runtime');
  assert.equal(status, 200);
  assert.equal(headers['content-type'], 'application/json; charset=utf-8');
  assert.deepEqual(Object.keys(json), ['runtime']);
  assert.equal(json.runtime.runtime_id, runtime.runtimeId);
  assert.equal(json.runtime.status, 'running');
  assert.deepEqual(json.runtime.workers, { total: 1, idle: 1 });
  assert.deepEqual(json.runtime.mailbox, { messages: 0, bytes: 0 });
  assert.equal(json.runtime.limits.max_message_bytes, runtime.supervisor.limits.maxMessageBytes);
  assert.equal(json.runtime.hosts.length, 1);
  assert.deepEqual([json.runtime.store, json.runtime.storage], ['memory', null]);
});

test('a query is refused where none is taken', async (t) => {
  const { send } = await startEdge(t);
  const { status, json } = await send('GET', '/v1/runtime?verbose=1');
  assert.equal(status, 400);
  assert.equal(json.error.code, 'invalid_query');
  assert.deepEqual(json.error.details.issues, [{ path: 'verbose', message: 'unknown key' }]);
});

test('HEAD answers like GET, without the body', async (t) => {
  const { send } = await startEdge(t);
  const { status, text, headers } = await send('HEAD', '/v1/actors');
  assert.equal(status, 200);
  assert.equal(text, '');
  assert.equal(headers['content-length'], String((await send('GET', '/v1/actors')).text.length));
});

test('a drain is answered with its report when it is over, and so is whoever asks again', async (t) => {
  const { send, worker, runtime } = await startEdge(t, {}, undefined, { actors: [GATE], hosts: 1 });
  await worker('gate', 'held');
  const told = await send('POST', '/v1/workers/held/input', { body: { wait: 'drain-route' } });
  assert.equal(told.status, 202);
  const draining = send('POST', '/v1/runtime/drain', { body: { deadline_ms: 10_000 } });
  await eventually(() => runtime.supervisor.status === 'draining');
  const refused = await send('POST', '/v1/workers/held/input', { body: { say: 1 } });
  assert.deepEqual([refused.status, refused.json.error.code], [503, 'runtime_unavailable']);
  assert.equal(refused.headers['retry-after'], '1');
  assert.equal((await send('GET', '/readyz')).status, 503);
  openGate('drain-route');
  const { status, json } = await draining;
  assert.equal(status, 200);
  assert.deepEqual([json.report.finished, json.report.unclean, json.report.unclean_total], [1, [], 0]);
  assert.deepEqual((await send('POST', '/v1/runtime/drain')).json, json);
});

test('the report of a drain names the workers that had to be cancelled or killed', async (t) => {
  const { send, worker, runtime } = await startEdge(t, { cancelGraceMs: 50 }, undefined, {
    actors: [GATE, SPINS],
    hosts: 2,
  });
  await worker('gate', 'waits');
  await worker('spins', 'spins');
  await send('POST', '/v1/workers/waits/input', { body: { wait: 'never-opened' } });
  await send('POST', '/v1/workers/spins/input', { body: { politely: false } });
  await emitted(runtime.worker('spins'), 'spinning');
  await emitted(runtime.worker('waits'), 'waiting');
  const { json } = await send('POST', '/v1/runtime/drain', { body: { deadline_ms: 0 } });
  assert.deepEqual(json.report.unclean.map(({ worker_id: workerId }) => workerId).sort(), ['spins', 'waits']);
  assert.equal(json.report.killed, 1);
});

test('a drain refuses a deadline that is none', async (t) => {
  const { send } = await startEdge(t);
  for (const deadline of [-1, 1.5, '1', null]) {
    const { status, json } = await send('POST', '/v1/runtime/drain', { body: { deadline_ms: deadline } });
    assert.deepEqual([status, json.error.code], [400, 'invalid_request'], String(deadline));
  }
});
