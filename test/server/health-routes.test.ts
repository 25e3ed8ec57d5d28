// Liveness and readiness, without a credential.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldStore } from '../support/held-store.ts';
import { startEdge } from './support.ts';

test('both answer without a credential', async (t) => {
  const { send } = await startEdge(t);
  for (const path of ['/livez', '/readyz']) {
    assert.equal((await send('GET', path, { token: null })).status, 200, path);
    assert.equal((await send('HEAD', path, { token: 'wrong' })).status, 200, path);
  }
});

test('a runtime that is closed is alive and not ready', async (t) => {
  const { send, runtime } = await startEdge(t);
  t.mock.method(runtime, 'close', () => Promise.resolve());
  await runtime.supervisor.close(1);
  assert.equal((await send('GET', '/livez', { token: null })).status, 200);
  const { status, json } = await send('GET', '/readyz', { token: null });
  assert.equal(status, 503);
  assert.equal(json.error.code, 'runtime_unavailable');
});

test('a runtime whose store cannot write is not ready, refuses inputs, and does neither when it can again', async (t) => {
  const store = new HeldStore(t);
  const { send, worker } = await startEdge(t, {}, undefined, { store: 'memory' });
  await worker('echo', 'e1');
  store.fail('ENOSPC in a place of ours');
  const { status, json, text } = await send('GET', '/readyz', { token: null });
  assert.deepEqual([status, json.error.code], [503, 'runtime_unavailable']);
  assert.deepEqual(json.error.details, { reason: 'store_failed' });
  assert.doesNotMatch(text, /ENOSPC/);
  assert.equal((await send('GET', '/livez', { token: null })).status, 200);
  assert.equal((await send('POST', '/v1/workers/e1/input', { body: '1' })).status, 503);
  store.recover();
  assert.equal((await send('GET', '/readyz', { token: null })).status, 200);
  assert.equal((await send('POST', '/v1/workers/e1/input', { body: '1' })).status, 202);
});
