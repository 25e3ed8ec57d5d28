// Dead letters over HTTP.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, temporaryFolder } from '../support/start-runtime.ts';
import { startEdge } from './support.ts';

const POISON = new URL('../fixtures/actors/poison.js', import.meta.url);

test('dead letters are listed, looked at, redelivered and discarded', async (t) => {
  const { send, worker } = await startEdge(t, {}, undefined, { actors: [POISON], hosts: 1 });
  await worker('poison', 'w');
  const mendedBy = join(temporaryFolder(t), 'mended');
  const ids: string[] = [];
  for (const name of ['a', 'b']) {
    const headers = { prefer: 'wait=9' };
    const { json } = await send('POST', '/v1/workers/w/input', { body: { name, mendedBy }, headers });
    assert.equal(json.result.error.code, 'poison_input');
    ids.push(json.result.input_id);
  }
  const listed = await send('GET', '/v1/dead-letters?limit=1&kind=poison&worker_id=w');
  assert.deepEqual([listed.status, listed.json.next_after], [200, ids[0]]);
  const {
    dead_letters: [letter = assert.fail()],
  } = listed.json as unknown as { dead_letters: Record<string, unknown>[] };
  assert.deepEqual(Object.keys(letter).sort(), [
    'accepted_at',
    'attempts',
    'bytes',
    'ended_at',
    'error',
    'input_id',
    'kind',
    'worker_id',
  ]);
  const rest = await send('GET', `/v1/dead-letters?after=${ids[0]}`);
  assert.deepEqual([rest.json.next_after, rest.text.includes(ids[1] ?? '')], [null, true]);
  const one = await send('GET', `/v1/dead-letters/${ids[0]}`);
  assert.deepEqual([one.status, one.json], [200, { dead_letter: { ...letter, payload: { name: 'a', mendedBy } } }]);

  writeFileSync(mendedBy, '');
  const redelivered = await send('POST', `/v1/dead-letters/${ids[0]}/redeliver`);
  const { input_id, ...ack } = redelivered.json.ack;
  assert.deepEqual(
    [redelivered.status, Object.keys(ack).sort()],
    [202, ['durability', 'position', 'status', 'worker_id']],
  );
  await eventually(async () => {
    const { json } = await send('GET', `/v1/workers/w/inputs/${input_id}`);
    return json.input.outcome === 'completed';
  });
  const discarded = await send('DELETE', `/v1/dead-letters/${ids[1]}`);
  assert.deepEqual([discarded.status, discarded.text.includes(ids[1] ?? '')], [200, true]);
  assert.deepEqual((await send('GET', '/v1/dead-letters')).json, { dead_letters: [], next_after: null });
  for (const [method, path] of [
    ['GET', ''],
    ['DELETE', ''],
    ['POST', '/redeliver'],
  ] as const) {
    const { status, json } = await send(method, `/v1/dead-letters/${ids[0]}${path}`);
    assert.deepEqual([status, json.error.code], [404, 'input_not_found']);
  }
});

test('a query that is none is refused', async (t) => {
  const { send } = await startEdge(t);
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'worker=w', 'kind=a&kind=b']) {
    const { status, json } = await send('GET', `/v1/dead-letters?${query}`);
    assert.deepEqual([status, json.error.code], [400, 'invalid_query'], query);
  }
});
