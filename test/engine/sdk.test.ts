// The published SDK on a real server: everything of its surface that ends in this runtime's own functions and triggers.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { registerWorker } from 'iii-sdk';
import { EngineFunctions, EngineTriggers } from 'iii-sdk/engine';
import { startServer } from '../../lib/server/server.ts';
import { codeOf, eventually, startRuntime } from '../support/start-runtime.ts';

const TOKEN = 'a-token-that-is-long-enough-to-be-one';

async function setUp(t: TestContext) {
  const runtime = await startRuntime(t);
  const server = await startServer({ runtime, token: TOKEN, gateway: {} });
  t.after(() => server.close());
  const address = `${server.url.replace('http', 'ws')}/v1/gateway`;
  /** Resolves when it is connected and has said what it is. */
  const connect = async (workerName: string) => {
    const sdk = registerWorker(address, {
      workerName,
      headers: { authorization: `Bearer ${TOKEN}` },
      otel: { enabled: false },
      enableMetricsReporting: false,
      reconnectionConfig: { initialDelayMs: 10, jitterFactor: 0 },
    });
    t.after(() => sdk.shutdown());
    const call = <T = Record<string, unknown>>(id: string, payload: unknown = {}): Promise<T> =>
      sdk.trigger({ function_id: id, payload });
    await eventually(async () => {
      const { workers } = await call<{ workers: { name: string }[] }>(EngineFunctions.LIST_WORKERS);
      return workers.some(({ name }) => name === workerName);
    });
    return { sdk, call };
  };
  return { runtime, connect };
}

type Bound = { id: string; function_id: string; config: unknown };

/** Provides the type `clock`; what is bound to it, and what was taken back, can be read. */
function provideClock(sdk: Awaited<ReturnType<Awaited<ReturnType<typeof setUp>>['connect']>>['sdk']) {
  const bound: Bound[] = [];
  const unbound: string[] = [];
  const registerTrigger = async ({ id, function_id, config }: Bound) => {
    if (config === 'refuse') throw new Error('bad config');
    bound.push({ id, function_id, config });
  };
  const type = sdk.registerTriggerType(
    { id: 'clock', description: 'Ticks.' },
    { registerTrigger, unregisterTrigger: async ({ id }) => void unbound.push(id) },
  );
  return { bound, unbound, type };
}

describe('the published SDK', () => {
  test('lists and describes workers, functions, trigger types and triggers', async (t) => {
    const { connect } = await setUp(t);
    const { sdk, call } = await connect('shop');
    sdk.registerFunction('shop::buy', async (payload) => payload as unknown, { description: 'Buys.' });
    const { bound } = provideClock(sdk);
    sdk.registerTrigger({ type: 'clock', function_id: 'shop::buy', config: { every: 1 } });
    await eventually(() => bound.length === 1);
    const { functions } = await call(EngineFunctions.LIST_FUNCTIONS, { worker: 'shop' });
    assert.deepEqual(functions, [{ function_id: 'shop::buy', worker_name: 'shop', description: 'Buys.' }]);
    const [trigger] = bound;
    const row = { id: trigger?.id, trigger_type: 'clock', function_id: 'shop::buy', worker_name: 'shop' };
    const shown = { ...row, config: { every: 1 }, config_summary: '{"every":1}' };
    const { worker, ...rest } = await call(EngineFunctions.INFO_WORKERS, { name: 'shop' });
    const { pid, os, ip_address: address, function_count: count } = worker as Record<string, unknown>;
    assert.deepEqual([pid, typeof os, address, count], [process.pid, 'string', '127.0.0.1', 1]);
    const types = [{ id: 'clock', worker_name: 'shop', description: 'Ticks.' }];
    assert.deepEqual(rest, { functions, trigger_types: types, registered_triggers: [shown] });
    assert.deepEqual(await call(EngineFunctions.LIST_TRIGGERS), { triggers: types });
    assert.deepEqual(await call(EngineFunctions.LIST_REGISTERED_TRIGGERS), { registered_triggers: [shown] });
    assert.deepEqual(await call(EngineFunctions.INFO_REGISTERED_TRIGGERS, { id: trigger?.id }), shown);
    assert.equal(await codeOf(call(EngineFunctions.INFO_FUNCTIONS, { function_id: 'a::b' })), 'NOT_FOUND');
    assert.equal(await codeOf(call(EngineFunctions.INFO_FUNCTIONS)), 'INVALID_ARGUMENTS');
    assert.equal(await codeOf(call(EngineFunctions.INFO_TRIGGERS, [])), 'deserialization_error');
    assert.equal(await codeOf(call('state::get', { scope: 'a', key: 'b' })), 'unsupported_operation');
  });

  test('binds a trigger to a type of another worker, which fires it, and takes it back', async (t) => {
    const { connect } = await setUp(t);
    const [{ sdk: provider }, { sdk: user }] = [await connect('provider'), await connect('user')];
    const ticks: unknown[] = [];
    user.registerFunction('user::tick', async (payload) => void ticks.push(payload));
    const trigger = user.registerTrigger({ type: 'clock', function_id: 'user::tick', config: { every: 1 } });
    const { bound, unbound } = provideClock(provider);
    const [delivered] = await eventually(() => (bound.length === 1 ? bound : undefined));
    assert.deepEqual(delivered?.config, { every: 1 });
    await provider.trigger({ function_id: delivered?.function_id ?? '', payload: [1] });
    assert.deepEqual(ticks, [[1]]);
    trigger.unregister();
    await eventually(() => unbound.length === 1);
    assert.deepEqual(unbound, [delivered?.id]);
  });

  test('binds by a call, and learns why the provider refused', async (t) => {
    const { connect } = await setUp(t);
    const [{ sdk: provider, call: ask }, { call }] = [await connect('provider'), await connect('user')];
    const { bound, unbound } = provideClock(provider);
    await ask(EngineFunctions.LIST_TRIGGERS); // frames are handled in order: now the type is there
    const { id } = await call('engine::register_trigger', { trigger_type: 'clock', function_id: 'a::b', config: 1 });
    assert.deepEqual(bound, [{ id, function_id: 'a::b', config: 1 }]);
    const refused = call('engine::register_trigger', { trigger_type: 'clock', function_id: 'a::b', config: 'refuse' });
    await assert.rejects(refused, { code: 'trigger_registration_failed', message: /bad config/ });
    assert.deepEqual(await call('engine::unregister_trigger', { id }), { removed: true });
    await eventually(() => unbound.length === 1);
  });

  test('hears of functions and workers that come and go', async (t) => {
    const { connect } = await setUp(t);
    const { sdk } = await connect('listener');
    const heard: { event: string; functions?: { function_id: string }[]; worker_id?: string }[] = [];
    sdk.registerFunction('on::event', async (payload) => void heard.push(payload as (typeof heard)[number]));
    sdk.registerTrigger({ type: EngineTriggers.FUNCTIONS_AVAILABLE, function_id: 'on::event', config: {} });
    sdk.registerTrigger({ type: 'engine::workers-available', function_id: 'on::event', config: {} });
    await sdk.trigger({ function_id: EngineFunctions.LIST_WORKERS, payload: {} });
    const { sdk: other } = await connect('other');
    other.registerFunction('other::new', async () => null);
    await eventually(() =>
      heard.some(({ functions }) => functions?.some(({ function_id: id }) => id === 'other::new')),
    );
    await other.shutdown();
    await eventually(() => heard.some(({ event }) => event === 'worker_disconnected'));
    const workerEvents = heard.filter(({ worker_id: id }) => id !== undefined);
    const events = workerEvents.map(({ event }) => event);
    assert.deepEqual(events, ['worker_connected', 'worker_metadata_updated', 'worker_disconnected']);
    assert.equal(new Set(workerEvents.map(({ worker_id: id }) => id)).size, 1);
  });

  test('keeps its triggers under the same ids when its connection is cut', async (t) => {
    const { runtime, connect } = await setUp(t);
    const [{ sdk: provider }, { sdk: user, call }] = [await connect('provider'), await connect('user')];
    const { bound, unbound } = provideClock(provider);
    user.registerFunction('user::tick', async () => null);
    user.registerTrigger({ type: 'clock', function_id: 'user::tick', config: 1 });
    await eventually(() => bound.length === 1);
    assert.ok(runtime.peers.size === 2);
    (user as unknown as { ws: { terminate(): void } }).ws.terminate();
    await eventually(() => bound.length === 2 && unbound.length === 1);
    assert.equal(bound[1]?.id, bound[0]?.id);
    const { registered_triggers: rows } = await call<{ registered_triggers: unknown[] }>(
      EngineFunctions.LIST_REGISTERED_TRIGGERS,
    );
    assert.equal(rows.length, 1);
  });
});
