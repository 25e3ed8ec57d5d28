// Functions over HTTP that outlive the process that they were registered in. The guard, the registry and the servers are real; the
// store is handed from one runtime's outside to the next one's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { Channels } from '../../lib/channels/channels.ts';
import { GreenroomError } from '../../lib/errors.ts';
import { Groups } from '../../lib/functions/groups.ts';
import { Peers } from '../../lib/functions/peers.ts';
import { Functions } from '../../lib/functions/registry.ts';
import { BackendFunctions } from '../../lib/http/backend.ts';
import type { HttpClient } from '../../lib/http/exchange.ts';
import { HttpFunctions } from '../../lib/http/functions.ts';
import type { Egress } from '../../lib/egress/egress.ts';
import { resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { Outside } from '../../lib/outside.ts';
import type { OutsideOptions } from '../../lib/outside.ts';
import { decode } from '../../lib/protocol/payload.ts';
import { MemoryStore } from '../../lib/store/memory.ts';
import { codeOf, eventually, recordLog, startRuntime, temporaryFolder } from '../support/start-runtime.ts';
import { sendJson, serveHttp } from './setup.ts';

interface Given extends OutsideOptions {
  readonly store?: MemoryStore;
  readonly environment?: Record<string, string>;
  readonly overrides?: Partial<Limits>;
}

const newStore = () => new MemoryStore({ maxEntries: 1, maxBytes: 1, maxAgeMs: 1_000_000 });

async function startOutside(t: TestContext, { store = newStore(), environment = {}, overrides, ...options }: Given) {
  const { log, lines } = recordLog();
  const limits = resolveLimits(overrides);
  const isWorker = () => false;
  const countOf = (group: Parameters<Functions['countListed']>[0]) => functions.countListed(group);
  const functions: Functions = new Functions(new Groups({ peers: new Peers(), version: '0', isWorker, countOf }));
  const http = { allowAddresses: ['127.0.0.0/8'], variables: ['*'], environment };
  const channels = new Channels(limits);
  const parts = { functions, channels, version: '0', limits, log, store, checkPayload: () => undefined };
  const outside = new Outside({ http, ...options }, parts);
  t.after(() => outside.close());
  await outside.open();
  const call = async (functionId: string): Promise<unknown> =>
    decode(
      await functions.call(functionId, {
        payload: '1',
        metadata: null,
        caller: { workerId: null },
        timeoutMs: 10_000,
      }),
    );
  const said = () => lines.map(({ fields, message }) => [message, fields['function_id'], fields['code']]);
  const views = () => functions.list({}).functions;
  return { store, functions, backend: outside.backend, call, said, views };
}

const REFUSED = 'a function of the store is refused';
const echoing = (t: TestContext) => serveHttp(t, ({ path }, response) => sendJson(response, { path }));
const idsIn = (store: MemoryStore) => Array.from(store.functions(), ({ functionId }) => functionId);

test('a function that was registered is there after a restart, one that was replaced is the newer, one that was deleted is not', async (t) => {
  const { url } = await echoing(t);
  const before = await startOutside(t, {});
  const described = { description: 'It.', request_format: { type: 'number' }, group: 'mails' };
  await before.backend.register('a::one', { url: `${url}/one`, ...described });
  await before.backend.register('a::two', { url: `${url}/old` });
  await before.backend.register('a::two', { url: `${url}/two`, description: 'x'.repeat(4_000) });
  await before.backend.register('a::three', { url });
  await before.backend.unregister('a::three');
  assert.deepEqual(idsIn(before.store), ['a::one', 'a::two']);
  const after = await startOutside(t, { store: before.store });
  assert.deepEqual(after.views(), before.views());
  assert.deepEqual([await after.call('a::one'), await after.call('a::two')], [{ path: '/one' }, { path: '/two' }]);
  assert.deepEqual(after.said(), []);
});

test('one that is refused now is listed and logged, and a call tries once more', async (t) => {
  const { url } = await echoing(t);
  const auth = { type: 'bearer', token_key: 'A_TOKEN' };
  const before = await startOutside(t, { environment: { A_TOKEN: 'a' } });
  await before.backend.register('a::one', { url, auth, description: 'It.' });
  await before.backend.register('a::two', { url, auth });
  await before.backend.register('a::three', { url, auth });
  const environment: Record<string, string> = {};
  const after = await startOutside(t, { store: before.store, environment });
  assert.deepEqual(after.said(), [
    [REFUSED, 'a::one', 'token_not_found'],
    [REFUSED, 'a::three', 'token_not_found'],
    [REFUSED, 'a::two', 'token_not_found'],
  ]);
  assert.deepEqual(after.views(), before.views());
  assert.equal(await codeOf(after.call('a::one')), 'token_not_found');
  await after.backend.unregister('a::two');
  assert.equal((await after.backend.register('a::three', { url })).isNew, false);
  environment['A_TOKEN'] = 'a';
  assert.deepEqual(await Promise.all([1, 2].map(() => after.call('a::one'))), [{ path: '/' }, { path: '/' }]);
  assert.deepEqual(await after.call('a::three'), { path: '/' });
  assert.equal(await codeOf(after.call('a::two')), 'function_not_found');
  assert.deepEqual(idsIn(before.store), ['a::one', 'a::three']);
});

test('where a function may go is looked at again', async (t) => {
  const { url } = await echoing(t);
  const before = await startOutside(t, {});
  await before.backend.register('a::one', { url });
  const after = await startOutside(t, { store: before.store, http: {} });
  assert.deepEqual(after.said(), [[REFUSED, 'a::one', 'url_validation_failed']]);
  assert.equal(await codeOf(after.call('a::one')), 'url_validation_failed');
});

/** A restoration of two functions whose names are being looked up, until `answer` is called. */
async function startHeld(t: TestContext) {
  const store = newStore();
  for (const name of ['one', 'two'])
    store.putFunction({ functionId: `a::${name}`, document: '{"url":"https://example.com/"}' });
  let answer = (): void => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  let lookups = 0;
  const check = async (url: string) => {
    lookups++;
    await answered;
    return new URL(url);
  };
  const limits = resolveLimits();
  const functions = new Functions(
    new Groups({ peers: new Peers(), version: '0', isWorker: () => false, countOf: () => 1 }),
  );
  const egress = { check, secret: () => undefined } as Partial<Egress> as Egress;
  const { log, lines } = recordLog();
  const parts = { functions, limits, log, store, egress, client: {} as HttpClient, checkPayload: () => undefined };
  const backend = new BackendFunctions({ ...parts, http: new HttpFunctions(parts) });
  const ending = new AbortController();
  const opened = backend.open({}, ending.signal);
  t.after(() => answer());
  await eventually(() => lookups === 2);
  return { backend, functions, opened, answer, end: () => ending.abort(), lines };
}

test('a function that is deleted or replaced while it is made again stays so', async (t) => {
  const { backend, functions, opened, answer, lines } = await startHeld(t);
  await backend.unregister('a::one');
  const replacing = backend.register('a::two', { url: 'https://example.com/', description: 'The newer.' });
  answer();
  await Promise.all([opened, replacing]);
  const views = functions.list({}).functions;
  assert.deepEqual(
    views.map(({ functionId, description }) => [functionId, description]),
    [['a::two', 'The newer.']],
  );
  assert.deepEqual(lines, []);
});

test('a start does not wait for ever for a name, and not at all when the runtime ends', async (t) => {
  const slow = await startHeld(t);
  slow.end();
  await slow.opened;
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { opened, functions } = await startHeld(t);
  t.mock.timers.tick(5_000);
  await opened;
  // Listed all the same.
  assert.equal(functions.list({}).functions.length, 2);
});

test('functions of the options win, and are not kept; what cannot be read, or is too much, is logged and stays in the store', async (t) => {
  const { url } = await echoing(t);
  const store = newStore();
  store.putFunction({ functionId: 'a::bad', document: '{"url":1}' });
  store.putFunction({ functionId: 'a::broken', document: Buffer.from('no deflated text') });
  store.putFunction({ functionId: 'a::one', document: JSON.stringify({ url: `${url}/stored` }) });
  store.putFunction({ functionId: 'a::two', document: JSON.stringify({ url: `${url}/two` }) });
  store.putFunction({ functionId: 'a::zero', document: JSON.stringify({ url }) });
  const functions = { 'a::one': { url: `${url}/options` }, 'a::other': { url } };
  const { call, said } = await startOutside(t, { store, functions, overrides: { maxFunctionsPerSource: 3 } });
  assert.deepEqual([await call('a::one'), await call('a::two')], [{ path: '/options' }, { path: '/two' }]);
  assert.deepEqual(said(), [
    [REFUSED, 'a::bad', 'invalid_request'],
    [REFUSED, 'a::broken', 'internal'],
    [REFUSED, 'a::one', 'function_exists'],
    [REFUSED, 'a::zero', 'runtime_overloaded'],
  ]);
  assert.deepEqual(idsIn(store), ['a::bad', 'a::broken', 'a::one', 'a::two', 'a::zero']);
});

test('a registration is acknowledged when the store has kept it, and so is its end', async (t) => {
  const { url } = await echoing(t);
  const { backend, store } = await startOutside(t, {});
  const steps: string[] = [];
  t.mock.method(store, 'committed', async () => {
    steps.push(`asked with ${idsIn(store).length}`);
    await setImmediate();
    steps.push('kept');
  });
  await backend.register('a::one', { url });
  steps.push('registered');
  await backend.unregister('a::one');
  steps.push('unregistered');
  assert.deepEqual(steps, ['asked with 1', 'kept', 'registered', 'asked with 0', 'kept', 'unregistered']);
});

test('while the store cannot write nothing is registered and nothing deleted', async (t) => {
  const { url } = await echoing(t);
  const { backend, store, call, views } = await startOutside(t, {});
  await backend.register('a::one', { url });
  const trouble = GreenroomError.of('runtime_unavailable', { details: { reason: 'store_failed' } });
  const failing = t.mock.method(store, 'committed', () => Promise.reject(trouble));
  // It fails in the middle: what was given to the store is tried again by the store.
  assert.equal(await codeOf(backend.register('a::one', { url: `${url}/new` })), 'runtime_unavailable');
  assert.deepEqual(await call('a::one'), { path: '/new' });
  failing.mock.restore();
  Object.defineProperty(store, 'trouble', { value: trouble });
  assert.equal(await codeOf(backend.register('a::two', { url })), 'runtime_unavailable');
  assert.equal(await codeOf(backend.unregister('a::one')), 'runtime_unavailable');
  assert.deepEqual(
    views().map(({ functionId }) => functionId),
    ['a::one'],
  );
});

test('a durable store has the functions and the sources of the runtime before', async (t) => {
  const { url } = await echoing(t);
  const options = {
    hosts: 0,
    store: 'lmdb',
    dataDir: temporaryFolder(t),
    http: { allowAddresses: ['127.0.0.0/8'] },
  } as const;
  const before = await startRuntime(t, options);
  await before.registerFunction('a::kept', { url: `${url}/kept`, description: 'x'.repeat(4_000) });
  await before.registerFunction('a::gone', { url });
  await before.unregisterFunction('a::gone');
  const operation = { get: { operationId: 'list', responses: { 200: { description: 'It.' } } } };
  const document = {
    openapi: '3.1.0',
    info: { title: 'Pets', version: '1' },
    servers: [{ url }],
    paths: { '/pets': operation },
  };
  for (const name of ['pets', 'more']) await before.createSource({ name, type: 'openapi', document });
  await before.deleteSource('more');
  const views = before.listFunctions({ search: 'a::' }).functions;
  await before.close({ deadlineMs: 1 });
  const after = await startRuntime(t, options);
  assert.deepEqual(after.listFunctions({ search: 'a::' }).functions, views);
  assert.deepEqual(
    after.listSources().sources.map(({ name, status }) => [name, status]),
    [['pets', 'available']],
  );
  const answers = [await after.invoke('a::kept', 1), await after.invoke('pets::list', {})];
  assert.deepEqual(answers, [{ path: '/kept' }, { path: '/pets' }]);
});
