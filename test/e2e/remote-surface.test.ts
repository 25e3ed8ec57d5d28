// Conformance: the rest of the SDK's surface on the real server: channels, streams, triggers, the HTTP registration, telemetry.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import type { ChannelReader, ChannelWriter } from 'iii-sdk/channel';
import { createChannel, createStream, extractChannelRefs } from 'iii-sdk/helpers';
import { eventually } from '../support/start-runtime.ts';
import { startCable, startScene } from './sdk.ts';

const MiB = 1_024 * 1_024;

describe('a channel of the SDK', () => {
  test('brings bytes and texts from the caller to the function that it calls', async (t) => {
    const { worker } = await startScene(t);
    const [caller, callee] = await Promise.all([worker('caller'), worker('callee')]);
    callee.sdk.registerFunction('callee::read', async ({ reader }: { reader: ChannelReader }) => {
      const texts: string[] = [];
      reader.onMessage((message) => texts.push(message));
      const { length } = await reader.readAll();
      return { length, texts };
    });
    await callee.settled();
    const { writer, readerRef } = await createChannel(caller.sdk, 7);
    const result = caller.call('callee::read', { reader: readerRef });
    writer.sendMessage('begin');
    writer.stream.write(Buffer.alloc(3 * MiB));
    writer.sendMessage('end');
    writer.stream.end();
    assert.deepEqual(await result, { length: 3 * MiB, texts: ['begin', 'end'] });
  });

  test('brings what a function writes back to its caller, while the call has long been answered', async (t) => {
    const { worker, runtime } = await startScene(t);
    const [caller, callee] = await Promise.all([worker('caller'), worker('callee')]);
    callee.sdk.registerFunction('callee::write', async ({ writer }: { writer: ChannelWriter }) => {
      writer.stream.end(Buffer.alloc(3 * MiB, 'x'));
      return 'begun';
    });
    await callee.settled();
    const { reader, writerRef } = await createChannel(caller.sdk);
    const received = reader.readAll();
    assert.equal(await caller.call('callee::write', { writer: writerRef }), 'begun');
    assert.equal((await received).length, 3 * MiB);
    await eventually(() => runtime.channels.size === 0);
  });

  test('goes through a call as what it is: the references arrive unchanged where nobody opens them', async (t) => {
    const { worker, connect } = await startScene(t);
    const { sdk, call } = await worker('w');
    const peer = await connect();
    await peer.serve('raw::refs', ({ data }) => extractChannelRefs(data));
    const { writerRef, readerRef } = await createChannel(sdk);
    assert.deepEqual(await call('raw::refs', [{ w: writerRef }, { r: readerRef }]), [
      ['[0].w', writerRef],
      ['[1].r', readerRef],
    ]);
  });
});

describe('createStream', () => {
  test('serves the functions of a stream, which other workers then call', async (t) => {
    const { worker } = await startScene(t);
    const [provider, user] = await Promise.all([worker('provider'), worker('user')]);
    const items = new Map<string, unknown>();
    createStream(provider.sdk, 'prices', {
      get: async ({ item_id: id }: { item_id: string }) => items.get(id) as never,
      set: async ({ item_id: id, data }: { item_id: string; data: unknown }) => {
        items.set(id, data);
        return { new_value: data } as never;
      },
      delete: async () => ({ old_value: undefined }),
      list: async () => [...items.values()] as never,
      listGroups: async () => [],
      update: async () => null,
    });
    await provider.settled();
    await user.call('stream::set(prices)', { group_id: 'g', item_id: 'tea', data: { eur: 3 } });
    assert.deepEqual(await user.call('stream::get(prices)', { group_id: 'g', item_id: 'tea' }), { eur: 3 });
    assert.deepEqual(await user.call('stream::list(prices)', { group_id: 'g' }), [{ eur: 3 }]);
  });
});

describe('a trigger of the SDK', () => {
  test('waits for the worker that provides its type, fires through it, and survives that worker’s lost connection', async (t) => {
    const scene = await startScene(t);
    const cable = await startCable(t, scene.port);
    const shop = await scene.worker('shop');
    const got: unknown[] = [];
    shop.sdk.registerFunction('shop::tick', async (data: unknown, metadata) => got.push([data, metadata]));
    shop.sdk.registerTrigger({ type: 'clock', function_id: 'shop::tick', config: { every: 1 }, metadata: { m: 1 } });
    await shop.settled();

    const provider = await scene.worker('provider', { address: cable.address });
    const bound: { id: string; function_id: string; config: unknown; metadata?: unknown }[] = [];
    const unbound: string[] = [];
    provider.sdk.registerTriggerType(
      { id: 'clock', description: 'Ticks.' },
      {
        registerTrigger: async (binding) => void bound.push(binding),
        unregisterTrigger: async ({ id }) => void unbound.push(id),
      },
    );
    const [first] = await eventually(() => bound.length === 1 && bound);
    assert.deepEqual([first?.function_id, first?.config, first?.metadata], ['shop::tick', { every: 1 }, { m: 1 }]);
    await provider.call('shop::tick', 'tick', { metadata: first?.metadata });
    assert.deepEqual(got, [['tick', { m: 1 }]]);

    cable.cut();
    const [, again] = await eventually(() => bound.length === 2 && bound);
    assert.equal(again?.id, first?.id);
    await shop.sdk.shutdown();
    await eventually(() => unbound.length === 1);
    assert.deepEqual(unbound, [first?.id]);
  });

  test('hears of workers that come and go', async (t) => {
    const { worker } = await startScene(t);
    const { sdk, settled } = await worker('watcher');
    const events: { event: string; worker_id: string }[] = [];
    sdk.registerFunction('watcher::seen', async (event: { event: string; worker_id: string }) => events.push(event));
    sdk.registerTrigger({ type: 'engine::workers-available', function_id: 'watcher::seen', config: {} });
    await settled();
    const guest = await worker('guest');
    await eventually(() => events.some(({ event }) => event === 'worker_connected'));
    const { worker_id: id } = events.find(({ event }) => event === 'worker_connected')!;
    await guest.sdk.shutdown();
    await eventually(() => events.some((seen) => seen.event === 'worker_disconnected' && seen.worker_id === id));
  });
});

describe('the telemetry of the SDK', () => {
  test('has a socket of its own, which is no worker, and reaches the collector', async (t) => {
    const got: string[] = [];
    const collector = createServer((request, response) => {
      void text(request).then((body) => {
        got.push(`${request.url} ${body}`);
        response.end('{}');
      });
    });
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    t.after(() => collector.close());
    const otlpEndpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const { worker, runtime } = await startScene(t, { gateway: { otlpEndpoint } });
    const { sdk, call } = await worker('measured', { otel: { enabled: true, fetchInstrumentationEnabled: false } });
    sdk.registerFunction('measured::f', async () => 1);
    assert.equal(await call('measured::f'), 1);
    await eventually(() => got.some((request) => /^\/v1\/traces .*"execute measured::f"/.test(request)));
    assert.deepEqual(
      runtime.peers.summaries().map(({ displayName }) => displayName),
      ['measured'],
    );
  });
});
