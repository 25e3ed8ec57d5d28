// Cancel, stop and restore over HTTP: their optional bodies, and acknowledgements that say what happened.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENDLESS, startEdge } from './support.ts';

test('a cancel of nothing has no effect, with and without a body', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const ack = { worker_id: 'e1', status: 'idle', effect: 'none' };
  assert.deepEqual((await send('POST', '/v1/workers/e1/cancel')).json, { ack });
  assert.deepEqual((await send('POST', '/v1/workers/e1/cancel', { body: '' })).json, { ack });
  assert.deepEqual((await send('POST', '/v1/workers/e1/cancel', { body: {} })).json, { ack });
  assert.deepEqual((await send('POST', '/v1/workers/e1/cancel', { body: { reason: 'user' } })).json, { ack });
});

test('a cancel by id aborts the running input and says so; later it names the outcome', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('digest', 'd1');
  const { input_id } = (await send('POST', '/v1/workers/d1/input', { body: ENDLESS })).json.ack;
  const first = (await send('POST', '/v1/workers/d1/cancel', { body: { input_id, reason: 'user' } })).json.ack;
  assert.equal(first.input_id, input_id);
  assert.ok(['aborting', 'removed'].includes(first.effect));
  // A stop without drain resolves when everything has ended.
  await send('POST', '/v1/workers/d1/stop');
  const second = (await send('POST', '/v1/workers/d1/cancel', { body: { input_id } })).json.ack;
  assert.deepEqual(second, { worker_id: 'd1', status: 'stopped', effect: 'ended', input_id, outcome: 'cancelled' });
  const unknown = await send('POST', '/v1/workers/d1/cancel', { body: { input_id: 'none' } });
  assert.deepEqual([unknown.status, unknown.json.error.code], [404, 'input_not_found']);
});

test('a stop is acknowledged once, and what it refuses is refused by name', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const first = await send('POST', '/v1/workers/e1/stop', { body: { drain: true, reason: 'night' } });
  assert.deepEqual(
    [first.status, first.json],
    [200, { ack: { worker_id: 'e1', status: 'stopped', drained: 0, cancelled: 0, refused: 0, reason: 'night' } }],
  );
  assert.deepEqual((await send('POST', '/v1/workers/e1/stop')).json, first.json);
  const input = await send('POST', '/v1/workers/e1/input', { body: 1 });
  assert.deepEqual([input.status, input.json.error.code], [409, 'worker_stopped']);
});

test('a stopped worker is restored, an active one is not', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('counter', 'c1', { start: 5 });
  const active = await send('POST', '/v1/workers/c1/restore');
  assert.deepEqual([active.status, active.json.error.code], [409, 'worker_active']);
  await send('POST', '/v1/workers/c1/stop');
  const withBody = await send('POST', '/v1/workers/c1/restore', { body: { start: 6 } });
  assert.deepEqual([withBody.status, withBody.json.error.code], [400, 'invalid_request']);
  const { status, json } = await send('POST', '/v1/workers/c1/restore', { body: '' });
  assert.deepEqual([status, json.worker.worker_id, json.worker.status], [200, 'c1', 'idle']);
  assert.equal(
    (await send('POST', '/v1/workers/c1/input', { body: { add: 1 }, headers: { prefer: 'wait=5' } })).json.result
      .output,
    6,
  );
});

const INVALID: [command: string, body: unknown, path: string][] = [
  ['cancel', 'null', ''],
  ['cancel', '[]', ''],
  ['cancel', { input_id: null }, 'input_id'],
  ['cancel', { id: 'x' }, 'id'],
  ['cancel', { reason: 'x'.repeat(1_025) }, 'reason'],
  ['stop', 'null', ''],
  ['stop', '[]', ''],
  ['stop', { drain: 'yes' }, 'drain'],
  ['stop', { force: true }, 'force'],
];

for (const [command, body, path] of INVALID) {
  const shown = JSON.stringify(body).slice(0, 30);
  test(`a ${command} with ${shown} is refused by name and does nothing`, async (t) => {
    const { send, worker } = await startEdge(t);
    await worker('echo', 'e1');
    const { status, json } = await send('POST', `/v1/workers/e1/${command}`, { body });
    assert.deepEqual([status, json.error.code, json.error.details.issues[0]?.path], [400, 'invalid_request', path]);
    assert.equal((await send('GET', '/v1/workers/e1')).json.worker.status, 'idle');
  });
}
