// Functions over HTTP that a Backend registers: over REST, embedded, and when the runtime starts. The guard is the real one.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import type { HttpFunctionDocument } from '../../lib/protocol/http-function.ts';
import { createRuntime } from '../../lib/runtime.ts';
import type { RuntimeOptions } from '../../lib/runtime.ts';
import { startServer } from '../../lib/server/index.ts';
import { sendJson, serveHttp } from '../http/setup.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { clientOf, exchange, head, TOKEN } from './support.ts';

const SERVING = new URL('../fixtures/actors/serving.js', import.meta.url);
const ENVIRONMENT = { ALLOWED_TOKEN: 'the-token', OTHER_TOKEN: 'other' };
const LOOPBACK = { allowAddresses: ['127.0.0.0/8'], variables: ['ALLOWED_*'], environment: ENVIRONMENT };

async function startRuntime(t: TestContext, options: Partial<RuntimeOptions> = {}) {
  const runtime = await createRuntime({ actors: [SERVING], hosts: 0, http: LOOPBACK, ...options });
  t.after(async () => {
    if (runtime.supervisor.status === 'running') await runtime.close({ deadlineMs: 1 });
  });
  return runtime;
}

async function start(t: TestContext, options: Partial<RuntimeOptions> = {}) {
  const runtime = await startRuntime(t, options);
  const server = await startServer({ runtime, token: TOKEN });
  t.after(() => server.close());
  const { send, port } = clientOf(t, server.url);
  const put = (functionId: string, body: unknown) => send('PUT', `/v1/functions/${functionId}`, { body });
  return { send, port, put };
}

const echoing = (t: TestContext) =>
  serveHttp(t, ({ body }, response) => sendJson(response, { echo: JSON.parse(body) as unknown }));

test('a function is made by a PUT, called, replaced by another, and deleted', async (t) => {
  const { url, seen } = await echoing(t);
  const { send, put } = await start(t);
  const made = await put('math::add', {
    url: `${url}/one`,
    description: 'Adds.',
    request_format: { type: 'object' },
    response_format: { type: 'number' },
    metadata: { team: 'a', iii: { generatedWorker: 'hinted' } },
  });
  const view = {
    function_id: 'math::add',
    origin: 'group',
    worker_id: 'http',
    worker_name: 'http',
    description: 'Adds.',
    request_format: { type: 'object' },
    response_format: { type: 'number' },
    metadata: { team: 'a' },
  };
  assert.deepEqual([made.status, made.json], [201, { function: view }]);
  const invoked = await send('POST', '/v1/functions/math::add/invoke', { body: { a: 1 } });
  assert.deepEqual(invoked.json.result, { function_id: 'math::add', output: { echo: { a: 1 } } });
  const replaced = await put('math::add', { url: `${url}/two`, group: 'calculators' });
  assert.equal(replaced.status, 200);
  await send('POST', '/v1/functions/math::add/invoke', { body: 1 });
  assert.deepEqual(
    seen.map(({ path }) => path),
    ['/one', '/two'],
  );
  const { workers } = (await send('GET', '/v1/workers?origin=group')).json;
  assert.deepEqual(
    workers.map(({ worker_id }) => worker_id),
    ['calculators'],
  );
  const deleted = await send('DELETE', '/v1/functions/math::add');
  assert.deepEqual([deleted.status, deleted.json], [200, replaced.json]);
  assert.equal((await send('DELETE', '/v1/functions/math::add')).json.error.code, 'function_not_found');
  assert.deepEqual((await send('GET', '/v1/workers?origin=group')).json.workers, []);
});

test('nothing of where a function leads is in any answer', async (t) => {
  const { url } = await echoing(t);
  const { send, put } = await start(t);
  const headers = { 'x-private-name': 'private-value' };
  const auth = { type: 'bearer', token_key: 'ALLOWED_TOKEN' };
  const texts = [(await put('a::b', { url: `${url}/private-path`, headers, auth })).text];
  for (const path of ['functions', 'functions/a::b', 'workers', 'workers/http', 'runtime', 'actors'])
    texts.push((await send('GET', `/v1/${path}`)).text);
  assert.ok(texts.every((text) => text !== ''));
  for (const text of texts) assert.doesNotMatch(text, /private|127\.0\.0\.1|ALLOWED_TOKEN|the-token/);
});

test('what a document says is checked, and where it leads', async (t) => {
  const { url } = await echoing(t);
  const { send, put, port } = await start(t);
  const token = (name: string) => ({ url, auth: { type: 'bearer', token_key: name } });
  const refused: [string, unknown, number, string][] = [
    ['a::b', { method: 'POST' }, 400, 'invalid_request'],
    ['a::b', [], 400, 'invalid_request'],
    ['a::b', { url, owner: 'me' }, 400, 'invalid_request'],
    ['a::b', { url, group: 'two words' }, 400, 'invalid_request'],
    ['a::b', { url, group: 'serving' }, 409, 'worker_exists'],
    ['a::b', { url, headers: { Host: 'a' } }, 400, 'invalid_request'],
    ['a::b', { url: 'http://169.254.169.254/' }, 403, 'url_validation_failed'],
    ['a::b', { url: 'file:///etc/passwd' }, 403, 'url_validation_failed'],
    ['a::b', token('OTHER_TOKEN'), 422, 'token_not_found'],
    ['a::b', token('ALLOWED_BUT_MISSING'), 422, 'token_not_found'],
    ['a::b', '{"url":', 400, 'invalid_json'],
    ['a::b', { url, description: 'x'.repeat(256 * 1_024) }, 413, 'payload_too_large'],
    ['engine::b', { url }, 400, 'invalid_request'],
    ['serving::add', { url }, 409, 'function_exists'],
  ];
  await send('POST', '/v1/workers', { body: { kind: 'serving', worker_id: 'serving', config: {} } });
  for (const [functionId, body, status, code] of refused) {
    const answer = await put(functionId, body);
    assert.deepEqual([answer.status, answer.json.error.code], [status, code], JSON.stringify(body).slice(0, 80));
  }
  assert.equal((await send('GET', '/v1/functions/a::b')).status, 404);
  assert.equal((await send('DELETE', '/v1/functions/serving::add')).json.error.code, 'unsupported_operation');
  const headers = ['content-type: application/json', 'content-length: 999999999', 'expect: 100-continue'];
  assert.equal((await exchange(port, head('PUT', '/v1/functions/a::b', ...headers))).status, 413);
});

test('a runtime reaches no loopback address of its own accord', async (t) => {
  const { url, seen } = await echoing(t);
  const { put } = await start(t, { http: {} });
  const answer = await put('a::b', { url });
  assert.deepEqual([answer.status, answer.json.error.code], [403, 'url_validation_failed']);
  assert.equal(seen.length, 0);
});

test('as many as may be are registered; replacing one of them is always possible', async (t) => {
  const { url } = await echoing(t);
  const { put } = await start(t, { limits: { maxFunctionsPerSource: 2 } });
  const statuses = await Promise.all([1, 2, 3].map(async (n) => (await put(`a::${n}`, { url })).status));
  assert.deepEqual(statuses.sort(), [201, 201, 503]);
  assert.deepEqual([(await put('a::1', { url })).status, (await put('a::4', { url })).status], [200, 503]);
});

test('an embedding Backend registers and unregisters, and cannot change what it gave afterwards', async (t) => {
  const { url, seen } = await echoing(t);
  const runtime = await startRuntime(t);
  const metadata = { team: 'a' };
  const document = { url, method: 'PUT', metadata } as const;
  const view = await runtime.registerFunction('a::b', document);
  assert.deepEqual([view.functionId, view.workerId, view.metadata], ['a::b', 'http', { team: 'a' }]);
  metadata.team = 'b';
  assert.deepEqual(runtime.function('a::b').metadata, { team: 'a' });
  assert.deepEqual(await runtime.invoke('a::b', [1]), { echo: [1] });
  assert.equal(seen[0]?.method, 'PUT');
  assert.equal((await runtime.unregisterFunction('a::b')).functionId, 'a::b');
  assert.equal(await codeOf(runtime.unregisterFunction('a::b')), 'function_not_found');
  assert.equal(await codeOf(runtime.unregisterFunction('serving::add')), 'unsupported_operation');
  const aborted = runtime.registerFunction('a::b', { url: 'http://localhost:1/' }, { signal: AbortSignal.abort() });
  assert.equal(await codeOf(aborted), 'cancelled');
});

test('the end of the runtime settles the calls that are under way', async (t) => {
  const { url, seen } = await serveHttp(t, () => undefined);
  const runtime = await startRuntime(t);
  await runtime.registerFunction('a::b', { url });
  const outcome = codeOf(runtime.invoke('a::b'));
  await eventually(() => seen.length === 1);
  await runtime.close({ deadlineMs: 1 });
  assert.equal(await outcome, 'invocation_stopped');
});

test('functions of the options are there when the runtime is', async (t) => {
  const { url } = await echoing(t);
  const functions = { 'a::one': { url }, 'a::two': { url, group: 'g' } };
  const runtime = await startRuntime(t, { functions });
  const ids = runtime.listFunctions({ search: 'a::' }).functions.map(({ functionId }) => functionId);
  assert.deepEqual(ids, ['a::one', 'a::two']);
  assert.deepEqual(await runtime.invoke('a::two', 1), { echo: 1 });
});

test('a function of the options that cannot be registered ends the start, and is named', async (t) => {
  const { url } = await echoing(t);
  const wrong: [string, unknown, RegExp][] = [
    ['a::two', { url, method: 'get' }, /^functions\["a::two"\]: method expected/],
    ['a::two', { url: 'http://10.0.0.1/' }, /^functions\["a::two"\]: The host of the URL is/],
    [
      'a::two',
      { url, auth: { type: 'bearer', token_key: 'MISSING' } },
      /^functions\["a::two"\]: The variable of the bearer/,
    ],
    ['a::two', null, /^functions\["a::two"\]: expected an object/],
    ['serving::add', { url }, /^functions\["serving::add"\]: Another live owner/],
  ];
  for (const [functionId, document, message] of wrong) {
    const functions = { 'a::one': { url }, [functionId]: document as HttpFunctionDocument };
    await assert.rejects(startRuntime(t, { functions }), { code: 'invalid_option', message });
  }
});
