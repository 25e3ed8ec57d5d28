// Remotes among the workers, over HTTP: listed and looked at like them, and refused what only a worker can do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { FunctionOwner } from '../../lib/functions/function.ts';
import { codeOf } from '../support/start-runtime.ts';
import { peerOf } from '../support/peers.ts';
import { startEdge } from './support.ts';

const commandsOn = (id: string): [method: string, path: string, options?: object][] => [
  ['POST', `/v1/workers/${id}/input`, { body: 1 }],
  ['POST', `/v1/workers/${id}/inputs`, { body: '1\n', headers: { 'content-type': 'application/x-ndjson' } }],
  ['GET', `/v1/workers/${id}/inputs/x-1`],
  ['POST', `/v1/workers/${id}/cancel`],
  ['POST', `/v1/workers/${id}/stop`],
  ['POST', `/v1/workers/${id}/restore`],
  ['GET', `/v1/workers/${id}/transcript`],
  ['DELETE', `/v1/workers/${id}`],
  ['DELETE', `/v1/workers/${id}?force=true`],
];

async function start(t: TestContext) {
  const edge = await startEdge(t);
  const { peers } = edge.runtime;
  for (const id of ['b', 'd']) await edge.worker('echo', id);
  const gone = peerOf('e');
  for (const peer of [peerOf('a'), peerOf('c', { origin: 'group', status: 'available' }), gone]) peers.add(peer);
  gone.leave('closed');
  peers.remove(gone);
  return edge;
}

test('workers, remotes and groups are one listing, ascending by id, in pages and filtered', async (t) => {
  const { send, runtime } = await start(t);
  const idsOf = async (query: string) => {
    const { json } = await send('GET', `/v1/workers${query}`);
    return [json.workers.map(({ worker_id }) => worker_id).join(''), json.next_after];
  };
  const listings: [query: string, ids: string, next: string | null][] = [
    ['', 'abcde', null],
    ['?limit=5', 'abcde', null],
    ['?limit=4', 'abcd', 'd'],
    ['?limit=3', 'abc', 'c'],
    ['?limit=1', 'a', 'a'],
    ['?after=a&limit=2', 'bc', 'c'],
    ['?after=c', 'de', null],
    ['?origin=actor', 'bd', null],
    ['?origin=remote', 'ae', null],
    ['?origin=group', 'c', null],
    ['?status=connected', 'a', null],
    ['?status=available', 'c', null],
    ['?status=disconnected', 'e', null],
    ['?status=disconnected&origin=actor', '', null],
    ['?status=idle', 'bd', null],
    ['?kind=echo', 'bd', null],
    ['?kind=echo&origin=remote', '', null],
    ['?kind=nothing', '', null],
  ];
  for (const [query, ids, next] of listings) assert.deepEqual(await idsOf(query), [ids, next], query);
  assert.equal((await send('GET', '/v1/workers?origin=runtime')).json.error.code, 'invalid_query');
  assert.deepEqual(
    [...runtime.workers({ origin: 'remote' })].map(({ workerId }) => workerId),
    ['a', 'e'],
  );
});

test('a remote has a view of its own, also when it has gone', async (t) => {
  const { send, runtime } = await start(t);
  const { json } = await send('GET', '/v1/workers/a');
  assert.deepEqual(json, {
    worker: {
      worker_id: 'a',
      origin: 'remote',
      kind: null,
      display_name: null,
      status: 'connected',
      created_at: '2026-01-02T03:04:05.006Z',
      mailbox: { messages: 0, bytes: 0 },
      functions: 2,
      runtime: 'node',
      version: '1.0.0',
      connected_at: '2026-01-02T03:04:05.006Z',
      in_flight: 0,
      disconnect_reason: null,
      description: 'A remote.',
      os: 'linux',
      pid: 7,
      isolation: null,
      late_results: 0,
      refused: [],
      address: '127.0.0.1',
    },
  });
  assert.equal((await send('GET', '/v1/workers/e')).json.worker.status, 'disconnected');
  assert.equal(runtime.peer('a').workerId, 'a');
  assert.throws(() => runtime.peer('b'), { code: 'worker_not_found' });
});

test('what only a worker can do is not supported, instead of not found', async (t) => {
  const { send, runtime } = await start(t);
  for (const [method, path, options] of [...commandsOn('a'), ...commandsOn('e')]) {
    const { status, json } = await send(method, path, options);
    assert.deepEqual([status, json.error.code], [409, 'unsupported_operation'], `${method} ${path}`);
  }
  const line = JSON.stringify({ worker_id: 'a', input: 1 });
  const batch = await send('POST', '/v1/inputs', { body: line, headers: { 'content-type': 'application/x-ndjson' } });
  assert.equal((JSON.parse(batch.text) as { error: { code: string } }).error.code, 'unsupported_operation');
  assert.throws(() => runtime.worker('a'), { code: 'unsupported_operation' });
  assert.equal((await send('GET', '/v1/workers/z')).json.error.code, 'worker_not_found');
});

test('a group is listed and looked at, refuses what only a worker can do, and keeps its name from workers', async (t) => {
  const { send, runtime } = await startEdge(t);
  const { functions } = runtime;
  const owner: FunctionOwner = { ownerId: 'o', origin: 'remote', name: null, serve: async () => 'null' };
  const join = (functionId: string) =>
    functions.claim(owner, functionId).publish({ functionId, description: null }, { group: 'shop' });
  join('shop::buy');
  join('shop::sell');
  const summary = {
    worker_id: 'shop',
    origin: 'group',
    kind: null,
    display_name: 'shop',
    status: 'available',
    created_at: runtime.peer('shop').createdAt,
    mailbox: { messages: 0, bytes: 0 },
    functions: 2,
    runtime: 'engine',
    version: runtime.supervisor.identity.version,
    connected_at: runtime.peer('shop').connectedAt,
    in_flight: 0,
    disconnect_reason: null,
  };
  assert.deepEqual((await send('GET', '/v1/workers?origin=group')).json.workers, [summary]);
  const detail = {
    description: null,
    os: null,
    pid: null,
    isolation: null,
    late_results: 0,
    refused: [],
    address: null,
  };
  assert.deepEqual((await send('GET', '/v1/workers/shop')).json.worker, { ...summary, ...detail });
  for (const [method, path, options] of commandsOn('shop')) {
    const { status, json } = await send(method, path, options);
    assert.deepEqual([status, json.error.code], [409, 'unsupported_operation'], `${method} ${path}`);
  }
  const made = await send('POST', '/v1/workers', { body: { kind: 'echo', worker_id: 'shop' } });
  assert.deepEqual([made.status, made.json.error.code], [409, 'worker_exists']);
  functions.releaseAll(owner);
  assert.equal((await send('GET', '/v1/workers/shop')).json.error.code, 'worker_not_found');
  assert.equal((await send('POST', '/v1/workers', { body: { kind: 'echo', worker_id: 'shop' } })).status, 201);
  assert.throws(() => join('shop::buy'), { code: 'worker_exists' });
});

test('a worker cannot be created with the id of a remote', async (t) => {
  const { send, runtime } = await start(t);
  for (const workerId of ['a', 'e']) {
    const { status, json } = await send('POST', '/v1/workers', { body: { kind: 'echo', worker_id: workerId } });
    assert.deepEqual([status, json.error.code], [409, 'worker_exists']);
  }
  assert.equal(await codeOf(runtime.create({ kind: 'echo', workerId: 'c' })), 'worker_exists');
});

test('the view of the runtime counts functions and connected remotes', async (t) => {
  const { send } = await start(t);
  const { functions, remotes } = (await send('GET', '/v1/runtime')).json.runtime;
  assert.deepEqual([functions, remotes], [0, { connected: 1 }]);
});
