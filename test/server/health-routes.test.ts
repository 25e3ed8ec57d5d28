// Liveness and readiness, without a credential.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
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

test('a runtime whose store cannot write is not ready, and ready again when it can', async (t) => {
  const { send, runtime } = await startEdge(t);
  const failed = GreenroomError.of('store_failed', { message: 'ENOSPC in a place of ours' });
  const trouble = t.mock.getter(runtime.supervisor, 'storeTrouble', () => failed);
  const { status, json, text } = await send('GET', '/readyz', { token: null });
  assert.equal(status, 503);
  assert.equal(json.error.code, 'runtime_unavailable');
  assert.deepEqual(json.error.details, { reason: 'store_failed' });
  assert.doesNotMatch(text, /ENOSPC/);
  assert.equal((await send('GET', '/livez', { token: null })).status, 200);
  trouble.mock.restore();
  assert.equal((await send('GET', '/readyz', { token: null })).status, 200);
});
