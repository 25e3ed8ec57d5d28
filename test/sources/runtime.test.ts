// Sources of a runtime that a Backend embeds.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { GreenroomError } from '../../lib/errors.ts';
import { codeOf, eventually, startRuntime } from '../support/start-runtime.ts';

test('a runtime says which sources it has', async (t) => {
  const runtime = await startRuntime(t, { hosts: 0 });
  assert.deepEqual(runtime.listSources(), { sources: [], nextAfter: null });
  assert.deepEqual((await runtime.describe()).sources, { total: 0, failed: 0 });
  assert.throws(() => runtime.source('a'), { code: 'not_found' });
  assert.equal(await codeOf(runtime.refreshSource('a')), 'not_found');
  assert.equal(await codeOf(runtime.deleteSource('a')), 'not_found');
});

test('a document on a server becomes functions when the runtime starts, and others when it is read again', async (t) => {
  const paths: Record<string, object> = {};
  const operation = (operationId: string) => ({ get: { operationId, responses: { 200: { description: 'It.' } } } });
  let isDown = true;
  const server = createServer((request, response) => {
    response.statusCode = isDown ? 503 : 200;
    response.setHeader('content-type', 'application/json');
    if (request.url !== '/openapi.json') return response.end(JSON.stringify({ at: request.url }));
    return response.end(JSON.stringify({ openapi: '3.1.0', info: { title: 'Pets', version: '1' }, paths }));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/openapi.json`;
  paths['/pets'] = operation('list');
  const sources = [{ name: 'pets', type: 'openapi', url }];
  const runtime = await startRuntime(t, { hosts: 0, http: { allowAddresses: ['127.0.0.1'] }, sources });
  assert.deepEqual([runtime.source('pets').status, runtime.source('pets').error], ['failed', 'http_error']);
  isDown = false;
  await eventually(() => runtime.source('pets').status === 'available');
  assert.deepEqual(await runtime.invoke('pets::list', {}), { at: '/pets' });
  paths['/pets/all'] = operation('all');
  const { lastChange } = await runtime.refreshSource('pets');
  assert.deepEqual(lastChange, { added: 1, changed: 0, removed: 0, unchanged: 1 });
  assert.deepEqual(await runtime.invoke('pets::all', {}), { at: '/pets/all' });
  const preview = await runtime.createSource({ name: 'more', type: 'openapi', url }, { dryRun: true });
  assert.deepEqual(
    preview.functions.map(({ functionId }) => functionId),
    ['more::list', 'more::all'],
  );
  assert.doesNotMatch(JSON.stringify([runtime.listSources(), runtime.listFunctions(), runtime.peer('pets')]), /127\.0/);
  await runtime.deleteSource('pets');
  assert.equal(await codeOf(runtime.invoke('pets::list', {})), 'function_not_found');
});

test('a source of a type that is not known is refused, dry or not', async (t) => {
  const runtime = await startRuntime(t, { hosts: 0 });
  for (const dryRun of [true, false] as const) {
    const making = dryRun
      ? runtime.createSource({ name: 'a', type: 'soap' }, { dryRun })
      : runtime.createSource({ name: 'a', type: 'soap' }, { dryRun });
    await assert.rejects(making, (thrown: GreenroomError) => {
      const [issue] = thrown.details?.['issues'] as { path: string }[];
      return thrown.code === 'invalid_request' && issue?.path === 'type';
    });
  }
  assert.equal(await codeOf(runtime.createSource({ name: 'a', type: 'soap', n: 1n })), 'invalid_input');
  await runtime.close({ deadlineMs: 1 });
  assert.equal(await codeOf(runtime.createSource({ name: 'a', type: 'soap' }, { dryRun: true })), 'invalid_request');
});

test('a runtime whose sources are not valid does not start, and leaves no thread behind', () => {
  const script = `
    import { createRuntime } from ${JSON.stringify(new URL('../../lib/index.js', import.meta.url).href)};
    const refused = createRuntime({ actors: [], hosts: 1, sources: [{ name: 'a', type: 'soap' }] });
    await refused.catch(({ code, message }) => console.log(JSON.stringify([code, message.split(':')[0]])));`;
  // It ends by itself, which it would not with a thread.
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 });
  assert.deepEqual(JSON.parse(said.toString()), ['invalid_option', 'sources[0] (a)']);
});
