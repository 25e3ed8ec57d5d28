// Workers over HTTP: create, list, look, delete, and how their ids are read from the path.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEdge } from './support.ts';

test('a worker is created once; the same request finds it, another is refused', async (t) => {
  const { send } = await startEdge(t);
  const body = { kind: 'counter', worker_id: 'c1', config: { start: 3 }, display_name: 'The counter' };
  const created = await send('POST', '/v1/workers', { body });
  assert.equal(created.status, 201);
  assert.equal(created.headers['location'], '/v1/workers/c1');
  assert.equal(created.headers['cache-control'], 'no-store');
  const { created_at: createdAt, host_id: hostId, awake, ...rest } = created.json.worker;
  assert.match(createdAt, /Z$/);
  assert.deepEqual([awake?.reasons, awake?.kept], [['recent'], []]);
  assert.match(awake?.hibernates_at ?? '', /Z$/);
  assert.equal(typeof hostId, 'string');
  assert.deepEqual(rest, {
    worker_id: 'c1',
    origin: 'actor',
    kind: 'counter',
    display_name: 'The counter',
    status: 'idle',
    mailbox: { messages: 0, bytes: 0 },
    config: { start: 3 },
    isolation: 'shared',
    parent_id: null,
    restarts: 0,
    running: null,
    failure: null,
    deaths: [],
    first_sequence: 1,
    last_sequence: 1,
  });
  const again = await send('POST', '/v1/workers', { body });
  assert.equal(again.status, 200);
  assert.equal(again.headers['location'], undefined);
  assert.deepEqual(again.json, created.json);
  const other = await send('POST', '/v1/workers', { body: { ...body, config: { start: 4 } } });
  assert.deepEqual([other.status, other.json.error.code], [409, 'worker_exists']);
  assert.deepEqual((await send('GET', '/v1/workers/c1')).json, created.json);
});

test('a worker without an id gets one', async (t) => {
  const { send } = await startEdge(t);
  const { status, json, headers } = await send('POST', '/v1/workers', { body: { kind: 'echo' } });
  assert.equal(status, 201);
  assert.match(json.worker.worker_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  assert.equal(headers['location'], `/v1/workers/${json.worker.worker_id}`);
});

const INVALID_BODIES: [name: string, body: unknown, code: string, path?: string][] = [
  ['an unknown key', { kind: 'echo', colour: 'red' }, 'invalid_request', 'colour'],
  ['a key of every object', '{"kind":"echo","toString":1}', 'invalid_request', 'toString'],
  ['no kind', {}, 'invalid_request', 'kind'],
  ['a kind that is no text', { kind: 1 }, 'invalid_request', 'kind'],
  [
    'a display name that is too long',
    { kind: 'echo', display_name: 'x'.repeat(257) },
    'invalid_request',
    'display_name',
  ],
  ['a null worker id', { kind: 'echo', worker_id: null }, 'invalid_request', 'worker_id'],
  ['null', 'null', 'invalid_request', ''],
  ['an array', '[]', 'invalid_request', ''],
  ['half an object', '{"kind":', 'invalid_json'],
  ['a prototype key', '{"kind":"echo","config":{"__proto__":{}}}', 'invalid_json'],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'invalid_json'],
  ['a worker id with a slash', { kind: 'echo', worker_id: 'a/b' }, 'invalid_worker_id'],
  ['an empty worker id', { kind: 'echo', worker_id: '' }, 'invalid_worker_id'],
];

for (const [name, body, code, path] of INVALID_BODIES) {
  test(`a create with ${name} is refused with ${code}`, async (t) => {
    const { send } = await startEdge(t);
    const { status, json } = await send('POST', '/v1/workers', { body });
    assert.deepEqual([status, json.error.code], [400, code]);
    if (path !== undefined) assert.equal(json.error.details.issues[0]?.path, path);
  });
}

test('a create without a body misses its kind', async (t) => {
  const { send } = await startEdge(t);
  const { status, json } = await send('POST', '/v1/workers');
  assert.deepEqual([status, json.error.details.issues[0]?.path], [400, 'kind']);
});

test('an unknown kind is not found', async (t) => {
  const { send } = await startEdge(t);
  const { status, json } = await send('POST', '/v1/workers', { body: { kind: 'none' } });
  assert.deepEqual([status, json.error.code], [404, 'actor_not_found']);
});

test('workers are listed in pages, ascending by id, and filtered', async (t) => {
  const { send, worker } = await startEdge(t);
  for (const id of ['w3', 'w1', 'w2']) await worker('echo', id);
  await worker('counter', 'w4');
  const ids = async (query: string) => {
    const { json } = await send('GET', `/v1/workers${query}`);
    return [json.workers.map((item) => item.worker_id), json.next_after];
  };
  assert.deepEqual(await ids(''), [['w1', 'w2', 'w3', 'w4'], null]);
  assert.deepEqual(await ids('?limit=2'), [['w1', 'w2'], 'w2']);
  assert.deepEqual(await ids('?limit=2&after=w2'), [['w3', 'w4'], null]);
  assert.deepEqual(await ids('?kind=counter'), [['w4'], null]);
  assert.deepEqual(await ids('?status=stopped'), [[], null]);
  for (const query of ['status=odd', 'limit=0', 'limit=1001', 'colour=red', 'kind=a&kind=b']) {
    const { status, json } = await send('GET', `/v1/workers?${query}`);
    assert.deepEqual(
      [status, json.error.code, json.error.details.issues[0]?.path],
      [400, 'invalid_query', query.split('=')[0]],
    );
  }
});

test('an active worker is deleted by force only', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const refused = await send('DELETE', '/v1/workers/e1');
  assert.deepEqual([refused.status, refused.json.error.code], [409, 'worker_active']);
  assert.equal((await send('DELETE', '/v1/workers/e1?force=false')).status, 409);
  assert.equal((await send('DELETE', '/v1/workers/e1?force=1')).json.error.code, 'invalid_query');
  assert.equal((await send('DELETE', '/v1/workers/e1', { body: {} })).json.error.code, 'invalid_request');
  const deleted = await send('DELETE', '/v1/workers/e1?force=true');
  assert.deepEqual([deleted.status, deleted.json.worker.worker_id, deleted.json.worker.status], [200, 'e1', 'stopped']);
  assert.equal((await send('GET', '/v1/workers/e1')).json.error.code, 'worker_not_found');
});

const INVALID_IDS: [name: string, path: string][] = [
  ['empty', '/v1/workers/'],
  ['empty before a command', '/v1/workers//transcript'],
  ['too long', `/v1/workers/${'a'.repeat(129)}`],
  ['as long as a path can be', `/v1/workers/${'a'.repeat(12_000)}`],
  ['percent-encoded', '/v1/workers/%61'],
  ['an encoded slash', '/v1/workers/a%2Fb'],
  ['badly encoded', '/v1/workers/%zz'],
  ['of a foreign alphabet', '/v1/workers/a~b'],
];

for (const [name, path] of INVALID_IDS) {
  test(`an id that is ${name} is invalid, not unknown`, async (t) => {
    const { send } = await startEdge(t);
    const { status, json } = await send('GET', path);
    assert.deepEqual([status, json.error.code], [400, 'invalid_worker_id']);
  });
}

test('an id of the greatest length and with every kind of character is reached', async (t) => {
  const { send, worker } = await startEdge(t);
  const id = await worker('echo', `aZ9._:-${'x'.repeat(121)}`);
  assert.equal((await send('GET', `/v1/workers/${id}`)).status, 200);
  assert.equal((await send('GET', `/v1/workers/${id}/transcript?after=0%30`)).status, 200);
});

test('a trailing slash after an id is another route', async (t) => {
  const { send, worker } = await startEdge(t);
  await worker('echo', 'e1');
  const { status, json } = await send('GET', '/v1/workers/e1/');
  assert.deepEqual([status, json.error.code], [404, 'route_not_found']);
});
