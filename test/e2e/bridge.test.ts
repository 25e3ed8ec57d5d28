// A bridge with the published SDK, as a user has it: functions over HTTP that make up a group, called by others; and who is no bridge.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { InitOptions } from 'iii-sdk';
import { TOKEN } from '../server/support.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { gated, startCable, startScene } from './sdk.ts';
import type { Scene } from './sdk.ts';

/** Answers every request with its path, and those of `/held` when it is told to. */
async function startBackend(t: TestContext) {
  const { handler, called, open } = gated<null>();
  const server = createServer((request, response) => {
    request.resume().once('end', () => {
      const answer = (): void => void response.setHeader('content-type', 'application/json').end(`"${request.url}"`);
      if (request.url === '/held') void handler().then(answer);
      else answer();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const urlOf = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  return { urlOf, called, open };
}

const hint = (name: string) => ({ iii: { generatedWorker: name } });
const groupsIn = ({ runtime }: Scene): string[] =>
  [...runtime.workers({ origin: 'group' })].map((each) => each.workerId);
/** What the runtime has refused a worker. */
const refusedOf = ({ runtime }: Scene, name: string): unknown[] =>
  [...runtime.workers({ origin: 'remote' })]
    .filter(({ displayName }) => displayName === name)
    .flatMap(({ workerId }) => runtime.peer(workerId).refused.map(({ functionId, code }) => `${functionId} ${code}`));

describe('a bridge on this machine', () => {
  test('makes a group of functions that anybody calls, listed as a worker of its own', async (t) => {
    const [scene, backend] = [await startScene(t), await startBackend(t)];
    const [bridge, caller] = await Promise.all([scene.worker('bridge'), scene.worker('caller')]);
    const spec = { schema: 'spec-to-worker.http-invocation.v1', sourceType: 'openapi', workerName: 'pets' };
    bridge.sdk.registerFunction('bridge::own', () => Promise.resolve('own'));
    for (const name of ['list', 'show'])
      bridge.sdk.registerFunction(
        `pets::${name}`,
        { url: backend.urlOf(`/${name}`), method: 'POST' },
        { description: `Does ${name}.`, metadata: { ...hint('pets'), spec } },
      );
    await bridge.settled();
    assert.deepEqual([await caller.call('pets::list'), await caller.call('pets::show')], ['/list', '/show']);

    const { connectedAt, version } = scene.runtime.peer('pets');
    const row = {
      id: 'pets',
      name: 'pets',
      description: null,
      version,
      runtime: 'engine',
      os: null,
      status: 'available',
      function_count: 2,
      connected_at_ms: Date.parse(connectedAt),
      active_invocations: 0,
      isolation: null,
      ip_address: null,
    };
    const functions = ['list', 'show'].map((name) => ({
      function_id: `pets::${name}`,
      worker_name: 'pets',
      description: `Does ${name}.`,
      metadata: { spec },
    }));
    type Workers = { workers: { name: string; function_count: number }[] };
    const { workers } = await caller.call<Workers>('engine::workers::list');
    assert.deepEqual(
      workers.filter(({ name }) => name === 'pets'),
      [row],
    );
    assert.equal(workers.find(({ name }) => name === 'bridge')?.function_count, 1);
    assert.deepEqual(await caller.call('engine::workers::info', { name: 'pets' }), {
      worker: { ...row, internal: false },
      functions,
      trigger_types: [],
      registered_triggers: [],
    });
    const ofBridge = await caller.call<{ functions: { function_id: string }[] }>('engine::workers::info', {
      name: 'bridge',
    });
    assert.deepEqual(
      ofBridge.functions.map(({ function_id: id }) => id),
      ['bridge::own'],
    );
    assert.deepEqual(await caller.call('engine::functions::list', { worker: 'pets' }), { functions });
    assert.deepEqual(await caller.call('engine::functions::info', { function_id: 'pets::list' }), {
      ...functions[0],
      registered_triggers: [],
    });
    assert.deepEqual(
      (await scene.send('GET', '/v1/workers?origin=group')).json.workers.map((each) => each.worker_id),
      ['pets'],
    );

    await bridge.sdk.shutdown();
    await eventually(() => groupsIn(scene).length === 0);
    assert.equal(await codeOf(caller.call('pets::list')), 'function_not_found');
  });

  test('cannot hide a group behind a name that a remote gives itself', async (t) => {
    const [scene, backend] = [await startScene(t), await startBackend(t)];
    const bridge = await scene.worker('bridge');
    bridge.sdk.registerFunction('pets::list', { url: backend.urlOf('/list') }, { metadata: hint('pets') });
    await bridge.settled();
    const poser = await scene.worker('pets');
    const { worker } = await poser.call<{ worker: { runtime: string } }>('engine::workers::info', { name: 'pets' });
    assert.equal(worker.runtime, 'engine');
    // The other way round the name is taken.
    bridge.sdk.registerFunction('more::list', { url: backend.urlOf('/list') }, { metadata: hint('bridge') });
    await bridge.settled();
    assert.deepEqual(refusedOf(scene, 'bridge'), ['more::list worker_exists']);
  });

  test('has its group again when its connection was cut', async (t) => {
    const [scene, backend] = [await startScene(t), await startBackend(t)];
    const cable = await startCable(t, scene.port);
    const [bridge, caller] = [await scene.worker('bridge', { address: cable.address }), await scene.worker('caller')];
    bridge.sdk.registerFunction('pets::list', { url: backend.urlOf('/list') }, { metadata: hint('pets') });
    await bridge.settled();
    const before = scene.runtime.functions.get('pets::list');
    assert.equal(cable.cut(), 1);
    const after = await eventually(() => {
      const found = scene.runtime.functions.get('pets::list');
      return found !== before && found;
    });
    assert.equal(after.worker.ownerId, 'pets');
    assert.equal(await caller.call('pets::list'), '/list');
    assert.deepEqual(groupsIn(scene), ['pets']);
  });
});

describe('a worker that is no bridge', () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.internal === false && each.family === 'IPv4')?.address;
  const credentials = [{ name: 'plain', token: 'plain-token' }];
  const kinds: [which: string, options: InitOptions, host: string | undefined][] = [
    ['connects from an address on a network', {}, own],
    ['connects through a proxy', { headers: { 'x-forwarded-for': '127.0.0.1' } }, '127.0.0.1'],
    ['has a credential that may not', { headers: { authorization: 'Bearer plain-token' } }, '127.0.0.1'],
  ];
  for (const [which, options, host] of kinds) {
    const skip = host === undefined && 'this machine has no address but loopback';
    const connect = async (scene: Scene) =>
      scene.worker('w', {
        ...options,
        headers: { authorization: `Bearer ${TOKEN}`, ...options.headers },
        address: `ws://${host}:${scene.port}/v1/gateway`,
      });

    test(`since it ${which} cannot have this machine called`, { skip }, async (t) => {
      const [scene, backend] = [
        await startScene(t, { gateway: { credentials }, host: '0.0.0.0' }),
        await startBackend(t),
      ];
      const worker = await connect(scene);
      worker.sdk.registerFunction('pets::list', { url: backend.urlOf('/list') }, { metadata: hint('pets') });
      worker.sdk.registerFunction('pets::show', { url: 'http://localhost:1/' });
      await worker.settled();
      assert.deepEqual(refusedOf(scene, 'w'), ['pets::list url_validation_failed', 'pets::show url_validation_failed']);
      assert.deepEqual(groupsIn(scene), []);
      assert.equal(await codeOf(worker.call('pets::list')), 'function_not_found');
    });

    test(`since it ${which} makes no group, wherever its functions may be called`, { skip }, async (t) => {
      const scene = await startScene(t, {
        gateway: { credentials },
        host: '0.0.0.0',
        http: { allowAddresses: ['127.0.0.1'] },
      });
      const backend = await startBackend(t);
      const worker = await connect(scene);
      worker.sdk.registerFunction('pets::list', { url: backend.urlOf('/list') }, { metadata: hint('pets') });
      await worker.settled();
      assert.equal(await worker.call('pets::list'), '/list');
      assert.deepEqual([groupsIn(scene), refusedOf(scene, 'w')], [[], []]);
      const [listed] = scene.runtime.listFunctions().functions;
      assert.deepEqual([listed?.origin, listed?.workerName, listed?.metadata], ['remote', 'w', null]);
    });
  }
});

describe('what a bridge registers wrongly', () => {
  const wrong: [what: string, invocation: object, code: string][] = [
    ['a definition with a method that there is not', { method: 'TRACE' }, 'invalid_request'],
    ['a URL of another machine on the network', { url: 'http://10.0.0.1/' }, 'url_validation_failed'],
    ['a URL of this machine over https', { url: 'https://127.0.0.1/' }, 'url_validation_failed'],
    ['a URL that is none', { url: 'not a URL' }, 'url_validation_failed'],
    ['a secret that is not there', { auth: { type: 'bearer', token_key: 'NO_SUCH_TOKEN' } }, 'token_not_found'],
  ];
  for (const [what, invocation, code] of wrong)
    test(`${what}: leaves nothing of a new id, and all of one that serves`, async (t) => {
      const [scene, backend] = [await startScene(t), await startBackend(t)];
      const [bridge, caller] = await Promise.all([scene.worker('bridge'), scene.worker('caller')]);
      const register = (id: string, more: object, group: string): void =>
        void bridge.sdk.registerFunction(id, { url: backend.urlOf('/held'), ...more }, { metadata: hint(group) });
      register('pets::old', {}, 'pets');
      await bridge.settled();
      const before = scene.runtime.functions.get('pets::old');
      const held = caller.call('pets::old');
      await backend.called;
      register('pets::new', invocation, 'news');
      // The SDK has one registration of each id; another version of the bridge would send another.
      (bridge.sdk as unknown as { functions: Map<string, unknown> }).functions.delete('pets::old');
      register('pets::old', invocation, 'olds');
      await bridge.settled();
      assert.deepEqual(refusedOf(scene, 'bridge'), [`pets::new ${code}`, `pets::old ${code}`]);
      assert.deepEqual([scene.runtime.functions.get('pets::new'), groupsIn(scene)], [undefined, ['pets']]);
      assert.equal(scene.runtime.functions.get('pets::old'), before);
      backend.open(null);
      assert.deepEqual([await held, await caller.call('pets::old')], ['/held', '/held']);
    });
});
