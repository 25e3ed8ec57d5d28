// Hosts over HTTP and by the client: listed, looked at, recycled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '../../lib/client/index.ts';
import { codeOf, emitted, eventually, openGate } from '../support/start-runtime.ts';
import { startEdge, TOKEN } from './support.ts';

const GATE = new URL('../fixtures/actors/gate.js', import.meta.url);

test('hosts are listed as the embedded runtime lists them', async (t) => {
  const { send, worker, runtime } = await startEdge(t, {}, undefined, { actors: [GATE], hosts: 2 });
  await worker('gate', 'g');
  const { status, json } = await send('GET', '/v1/hosts');
  assert.equal(status, 200);
  const { hosts } = json as unknown as { hosts: Record<string, unknown>[] };
  assert.deepEqual(
    hosts.map(({ host_id, isolation, status, workers }) => [host_id, isolation, status, workers]),
    runtime.hosts().map(({ hostId, isolation, status, workers }) => [hostId, isolation, status, workers]),
  );
  assert.deepEqual(hosts.map(({ workers }) => workers).toSorted(), [0, 1]);
  assert.equal((await send('GET', '/v1/hosts?limit=1')).json.error.code, 'invalid_query');
});

test('one is recycled while its worker runs, is told so, and can be looked at when it has ended', async (t) => {
  const { send, worker, runtime } = await startEdge(t, {}, undefined, { actors: [GATE], hosts: 1 });
  await worker('gate', 'g');
  await send('POST', '/v1/workers/g/input', { body: { wait: 'rest-recycle' } });
  await emitted(runtime.worker('g'), 'waiting');
  const host = async (hostId: string) =>
    (await send('GET', `/v1/hosts/${hostId}`)).json as unknown as { host: Record<string, unknown> };
  assert.deepEqual((await host('host-1')).host['certificate'], null);
  const ordered = await send('POST', '/v1/hosts/host-1/recycle');
  assert.deepEqual([ordered.status, Object.keys(ordered.json)], [202, ['host']]);
  const again = await send('POST', '/v1/hosts/host-1/recycle');
  assert.deepEqual([again.status, again.json.error.code], [409, 'unsupported_operation']);
  await eventually(async () => (await host('host-1')).host['status'] === 'recycling');
  openGate('rest-recycle');
  const { ended_at: endedAt } = await eventually(async () => {
    const { host: last } = await host('host-1');
    return last['status'] === 'dead' && last;
  });
  assert.equal(typeof endedAt, 'string');
  const { status, json } = await send('POST', '/v1/hosts/host-1/recycle');
  assert.deepEqual([status, json.error.details], [409, { status: 'dead' }]);
  assert.deepEqual(
    runtime.hosts().map(({ hostId, status }) => [hostId, status]),
    [['host-2', 'ready']],
  );
});

test('one that is not known, or not spelled as it is, is not found', async (t) => {
  const { send } = await startEdge(t);
  for (const [method, path] of [
    ['GET', '/v1/hosts/host-99'],
    ['GET', '/v1/hosts/host%2D1'],
    ['POST', '/v1/hosts/host-99/recycle'],
    ['POST', '/v1/hosts/host%2D1/recycle'],
  ] as const) {
    const { status, json } = await send(method, path);
    assert.deepEqual([status, json.error.code], [404, 'not_found'], `${method} ${path}`);
  }
  const { json } = await send('POST', '/v1/hosts/host-1/recycle', { body: { now: true } });
  assert.equal(json.error.code, 'invalid_request');
});

test('the client lists, looks at and recycles hosts', async (t) => {
  const { runtime, url } = await startEdge(t, {}, undefined, { hosts: 1 });
  const client = createClient({ url, token: TOKEN });
  t.after(() => client.close());
  assert.deepEqual(
    (await client.hosts()).map(({ hostId, isolation }) => [hostId, isolation]),
    [['host-1', 'shared']],
  );
  assert.deepEqual(
    [(await client.host('host-1')).hostId, await codeOf(client.host('../workers'))],
    ['host-1', 'not_found'],
  );
  assert.equal((await client.recycleHost('host-1')).hostId, 'host-1');
  await eventually(() => runtime.host('host-1').status === 'dead');
  const { status, endedAt, certificate } = await client.host('host-1');
  assert.deepEqual([status, typeof endedAt, certificate], ['dead', 'string', null]);
  assert.equal(await codeOf(client.recycleHost('host-1')), 'unsupported_operation');
});
