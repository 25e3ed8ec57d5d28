// Sources over HTTP: made, listed, looked at, read again, deleted; and what none of it tells.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { GreenroomError } from '../../lib/errors.ts';
import { unpackLater } from '../../lib/protocol/packed.ts';
import { gate } from '../sources/fake-type.ts';
import { startServed } from '../sources/served.ts';
import { eventually } from '../support/start-runtime.ts';
import { clientOf, head } from './support.ts';

interface Answered {
  source: Record<string, unknown> & { unmapped: unknown[] };
  sources: { name: string }[];
  next_after: string | null;
  preview: Record<string, unknown> & { functions: unknown[] };
  workers: { worker_id: string; origin: string; functions: number }[];
  runtime: { sources: unknown };
  result: { output: unknown };
  error: { code: string; details?: { issues?: { path: string }[] } };
}

async function start(t: TestContext) {
  const served = await startServed(t, { maxFunctionsPerSource: 100 });
  const { send, port } = clientOf(t, served.url);
  const ask = async (method: string, path: string, body?: unknown) => {
    const { status, json, headers, text } = await send(method, path, body === undefined ? {} : { body });
    return { status, headers, text, json: json as unknown as Answered };
  };
  const refusal = async (method: string, path: string, body?: unknown) => {
    const { status, json } = await ask(method, path, body);
    return [status, json.error.code, json.error.details?.issues?.[0]?.path];
  };
  return { ...served, ask, refusal, port };
}

const PETS = { name: 'pets', type: 'fake', url: 'http://secret.example', auth: { token_key: 'SECRET' } };

test('a source is made, listed, called, read again and deleted', async (t) => {
  const { ask, place } = await start(t);
  place('pets').unmapped = [{ operation: 'GET /x', reason: 'No.', isServed: false }];
  const made = await ask('POST', '/v1/sources', PETS);
  assert.deepEqual([made.status, made.headers['location']], [201, '/v1/sources/pets']);
  const { created_at, refreshed_at } = made.json.source;
  assert.match(String(created_at), /^\d{4}-.*Z$/);
  const source = {
    name: 'pets',
    type: 'fake',
    title: 'A place',
    status: 'available',
    error: null,
    functions: 2,
    created_at,
    refreshed_at,
    last_change: { added: 2, changed: 0, removed: 0, unchanged: 0 },
    unmapped_total: 1,
    unmapped: [{ operation: 'GET /x', reason: 'No.', is_served: false }],
  };
  assert.deepEqual(made.json, { source });
  assert.deepEqual((await ask('GET', '/v1/sources/pets')).json, { source });
  const { unmapped, ...summary } = source;
  assert.equal(unmapped.length, 1);
  assert.deepEqual((await ask('GET', '/v1/sources')).json, { sources: [summary], next_after: null });
  const group = (await ask('GET', '/v1/workers?origin=group')).json.workers;
  assert.deepEqual(
    group.map(({ worker_id, functions }) => [worker_id, functions]),
    [['pets', 2]],
  );
  assert.deepEqual((await ask('POST', '/v1/functions/pets::one/invoke', 7)).json.result.output, {
    version: 1,
    reads: 1,
    payload: 7,
  });
  place('pets').functions = { one: 2, three: 1 };
  const refreshed = await ask('POST', '/v1/sources/pets/refresh');
  assert.equal(refreshed.status, 200);
  assert.deepEqual(refreshed.json.source['last_change'], { added: 1, changed: 1, removed: 1, unchanged: 0 });
  assert.deepEqual((await ask('GET', '/v1/runtime')).json.runtime.sources, { total: 1, failed: 0 });
  assert.equal((await ask('DELETE', '/v1/sources/pets')).json.source.name, 'pets');
  assert.deepEqual((await ask('GET', '/v1/sources')).json.sources, []);
  assert.equal((await ask('POST', '/v1/functions/pets::one/invoke')).json.error.code, 'function_not_found');
  assert.deepEqual((await ask('GET', '/v1/workers?origin=group')).json.workers, []);
});

test('no answer and no line of the log tells where a source is or how it is reached', async (t) => {
  const { ask, place, lines } = await start(t);
  const texts: string[] = [];
  const look = async (method: string, path: string, body?: unknown) =>
    void texts.push((await ask(method, path, body)).text);
  await look('POST', '/v1/sources?dry_run=true', PETS);
  await look('POST', '/v1/sources', PETS);
  place('pets').failure = new Error('cannot connect to http://secret.example with SECRET');
  await look('POST', '/v1/sources/pets/refresh');
  for (const path of [
    'sources',
    'sources/pets',
    'functions',
    'functions/pets::one',
    'workers',
    'workers/pets',
    'runtime',
  ])
    await look('GET', `/v1/${path}`);
  await look('DELETE', '/v1/sources/pets');
  assert.equal(texts.length, 11);
  assert.doesNotMatch(texts.join(), /secret/i);
  assert.ok(lines.some(({ message }) => message === 'a source cannot be read'));
  assert.doesNotMatch(JSON.stringify(lines.filter(({ message }) => message.includes('source'))), /secret/i);
});

test('a dry run shows the functions and their schemas, and nothing is made', async (t) => {
  const { ask } = await start(t);
  const { status, json, headers } = await ask('POST', '/v1/sources?dry_run=true', { ...PETS, include: ['one'] });
  assert.deepEqual([status, headers['location']], [200, undefined]);
  assert.deepEqual(json, {
    preview: {
      name: 'pets',
      type: 'fake',
      title: 'A place',
      functions: [
        {
          function_id: 'pets::one',
          description: 'Does one.',
          request_format: { type: 'object', title: 'one 1' },
          response_format: null,
        },
      ],
      formats_omitted: 0,
      unmapped: [],
      unmapped_total: 0,
    },
  });
  assert.deepEqual((await ask('GET', '/v1/sources')).json.sources, []);
  assert.equal((await ask('GET', '/v1/functions/pets::one')).json.error.code, 'function_not_found');
  assert.equal((await ask('POST', '/v1/sources?dry_run=false', PETS)).status, 201);
});

test('what is not valid, not there or taken is refused', async (t) => {
  const { refusal, ask, place } = await start(t);
  assert.deepEqual(await refusal('POST', '/v1/sources'), [400, 'invalid_request', 'name']);
  assert.deepEqual(await refusal('POST', '/v1/sources', []), [400, 'invalid_request', '']);
  assert.deepEqual(await refusal('POST', '/v1/sources', '{'), [400, 'invalid_json', undefined]);
  assert.deepEqual(await refusal('POST', '/v1/sources', { ...PETS, wrong: 1 }), [400, 'invalid_request', 'wrong']);
  assert.deepEqual(await refusal('POST', '/v1/sources', { ...PETS, type: 'x' }), [400, 'invalid_request', 'type']);
  assert.deepEqual(await refusal('POST', '/v1/sources', { ...PETS, command: 'sh' }), [403, 'forbidden', undefined]);
  assert.deepEqual(await refusal('POST', '/v1/sources?dry_run=1', PETS), [400, 'invalid_query', 'dry_run']);
  assert.deepEqual(await refusal('GET', '/v1/sources?limit=0'), [400, 'invalid_query', 'limit']);
  assert.deepEqual(await refusal('PUT', '/v1/sources/pets', {}), [405, 'method_not_allowed', undefined]);
  for (const [method, path] of [
    ['GET', '/v1/sources/pets'],
    ['DELETE', '/v1/sources/pets'],
    ['POST', '/v1/sources/pets/refresh'],
    ['GET', '/v1/sources/%70ets'],
    ['GET', `/v1/sources/${'x'.repeat(200)}`],
  ] as const)
    assert.deepEqual(await refusal(method, path), [404, 'not_found', undefined], path);
  await ask('POST', '/v1/workers', { kind: 'serving', worker_id: 'w' });
  assert.deepEqual(await refusal('POST', '/v1/sources', { ...PETS, name: 'w' }), [409, 'worker_exists', undefined]);
  assert.deepEqual(await refusal('POST', '/v1/sources', { ...PETS, name: 'engine' }), [
    409,
    'worker_exists',
    undefined,
  ]);
  place('pets').failure = GreenroomError.of('invalid_source');
  assert.deepEqual(await refusal('POST', '/v1/sources', PETS), [422, 'invalid_source', undefined]);
  place('pets').failure = null;
  assert.equal((await ask('POST', '/v1/sources', PETS)).status, 201);
  assert.deepEqual(await refusal('POST', '/v1/sources', PETS), [409, 'worker_exists', undefined]);
  assert.deepEqual(await refusal('POST', '/v1/workers', { kind: 'serving', worker_id: 'pets' }), [
    409,
    'worker_exists',
    undefined,
  ]);
  assert.deepEqual(await refusal('POST', '/v1/sources/pets/refresh', {}), [400, 'invalid_request', '']);
  assert.deepEqual(await refusal('GET', '/v1/sources/%70ets'), [404, 'not_found', undefined]);
});

test('a large document reaches the type as it was sent, and the store as the whole body', async (t) => {
  const { ask, place, store } = await start(t);
  const document = `{ "openapi": "3.1.0", "x": "${'ü'.repeat(100_000)}" }`;
  const body = `{"name":"a","type":"fake","document":${document}}`;
  assert.equal((await ask('POST', '/v1/sources', body)).status, 201);
  assert.deepEqual(place('a').definition?.settings, { document });
  assert.equal(place('a').definition?.isFromOperator, false);
  const [record, ...others] = store.sources();
  assert.deepEqual(others, []);
  assert.equal(String(await unpackLater(record?.document ?? '')), body);
});

test('a client that goes before there is an answer leaves nothing', async (t) => {
  const { port, place, sources } = await start(t);
  const held = gate();
  place('pets').gate = held.promise;
  const body = JSON.stringify(PETS);
  const lines = ['content-type: application/json', `content-length: ${body.length}`];
  const socket = connect(port, '127.0.0.1');
  socket.write(head('POST', '/v1/sources', ...lines) + body);
  await eventually(() => place('pets').reads === 1);
  socket.destroy();
  await eventually(() => sources.counts.total === 0);
  held.open();
  assert.equal(place('pets').closes, 1);
});

test('a server that closes answers those who wait', async (t) => {
  const { ask, place, server, sources } = await start(t);
  place('pets').gate = new Promise(() => undefined);
  const made = ask('POST', '/v1/sources', PETS);
  await eventually(() => place('pets').reads === 1);
  await server.close();
  const { status, json } = await made;
  assert.deepEqual([status, json.error.code, sources.counts.total], [503, 'runtime_unavailable', 0]);
});
