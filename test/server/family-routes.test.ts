// Families over HTTP: a worker shows its parent, a stop says how many were stopped with it, and a delete takes them along.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEdge } from './support.ts';

const FIXTURES = new URL('../fixtures/actors/', import.meta.url);

test('a family is created, stopped and deleted over HTTP', async (t) => {
  const { send, worker } = await startEdge(t, {}, undefined, { actors: [FIXTURES] });
  await worker('relative', 'top');
  const body = { do: 'create', worker: 'child' };
  const asked = await send('POST', '/v1/workers/top/input', { body, headers: { prefer: 'wait=10' } });
  assert.equal(asked.json.result.output, 'child');
  const { json } = await send('GET', '/v1/workers/child');
  assert.equal((json.worker as unknown as { parent_id: string }).parent_id, 'top');
  const refused = await send('DELETE', '/v1/workers/top');
  assert.deepEqual([refused.status, refused.json.error.code], [409, 'worker_active']);
  const stopped = await send('POST', '/v1/workers/top/stop');
  assert.deepEqual(stopped.json, {
    ack: { worker_id: 'top', status: 'stopped', drained: 0, cancelled: 0, refused: 0, children: 1 },
  });
  assert.equal((await send('DELETE', '/v1/workers/top')).status, 200);
  assert.equal((await send('GET', '/v1/workers/child')).status, 404);
});

test('a cycle of asks is told with its workers', async (t) => {
  const { send, worker } = await startEdge(t, {}, undefined, { actors: [FIXTURES] });
  await worker('relative', 'narcissus');
  const body = { do: 'ask', worker: 'narcissus', input: { do: 'say', value: 1 } };
  const { json } = await send('POST', '/v1/workers/narcissus/input', { body, headers: { prefer: 'wait=10' } });
  const { error } = json.result as unknown as { error: { code: string; details: object } };
  assert.deepEqual([error.code, error.details], ['call_cycle', { chain: ['narcissus', 'narcissus'] }]);
});
