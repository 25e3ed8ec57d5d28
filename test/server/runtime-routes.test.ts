// The view of the whole runtime over HTTP.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEdge } from './support.ts';

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
