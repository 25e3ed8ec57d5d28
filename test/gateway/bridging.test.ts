// What a session may have of functions over HTTP follows from the session: where they may be called, whether they make up a group. And the
// hint of a group is seen by nobody.

import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { describe, test } from 'node:test';
import { bearer, hint, startBridging } from './fake-http.ts';
import { eventually } from '../support/start-runtime.ts';
import type { Frame, PeerOptions } from './raw-peer.ts';

describe('where the functions of a session may be called', () => {
  const own = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.internal === false && each.family === 'IPv4')?.address;

  const sessions: [who: string, options: PeerOptions, reach: string][] = [
    ['the token of the runtime', {}, 'loopback'],
    ['a credential that may bridge', bearer('bridge-token'), 'loopback'],
    ['a credential that may not', bearer('plain-token'), 'public'],
    ['another address of the loopback network', { localAddress: '127.9.8.7' }, 'loopback'],
    ['the IPv6 loopback', { host: '[::1]' }, 'loopback'],
    ['a proxy that says whom it forwards', { headers: { 'x-forwarded-for': '127.0.0.1' } }, 'public'],
    ['a proxy that says it in the standard way', { headers: { forwarded: 'for=127.0.0.1' } }, 'public'],
    ['a proxy that gives an address', { headers: { 'x-real-ip': '::1' } }, 'public'],
    ['a proxy that only says that it is one', { headers: { via: '1.1 proxy' } }, 'public'],
    ['a listener where a function lets peers in', { path: '/v1/gateway/open' }, 'public'],
    ['a listener where the token does', { path: '/v1/gateway/hooked' }, 'loopback'],
    ["the machine's own address on a network", { host: own ?? '' }, 'public'],
  ];
  for (const [who, options, reach] of sessions)
    test(`over ${who}: ${reach}`, { skip: options.host === '' && 'this machine has loopback only' }, async (t) => {
      // The one socket takes IPv4 as well, whose addresses are then IPv6 ones.
      const { connect, http, register, groups } = await startBridging(t, { host: '::' });
      const guard = await connect();
      await guard.serve('door', () => ({}));
      await guard.serve('hook', ({ data }) => data);
      const peer = await connect(options);
      register(peer, 'f', {}, hint('shop'));
      await peer.fence();
      assert.deepEqual(
        http.asked.map((asked) => [asked.reach, asked.group, asked.owner.ownerId]),
        [[reach, reach === 'loopback' ? 'shop' : undefined, peer.workerId]],
      );
      assert.deepEqual(groups(), reach === 'loopback' ? ['shop'] : []);
    });

  test('is nothing that a message can say', async (t) => {
    const { connect, http, register, runtime } = await startBridging(t);
    const [local, plain] = [await connect(), await connect(bearer('plain-token'))];
    plain.send({ type: 'reattach', previous_worker_id: local.workerId, reattach_token: local.token });
    const claims = { trusted_internal: true, trusted: true, reach: 'loopback', mayBridge: true, group: 'shop' };
    const generatedWorker = { name: 'shop', ...claims };
    await plain.call('engine::workers::register', { pid: 1, name: 'x', ip_address: '127.0.0.1', ...claims });
    register(plain, 'f', claims, { ...claims, metadata: { ...claims, iii: { generatedWorker, ...claims } } });
    await plain.fence();
    const [asked] = http.asked;
    assert.deepEqual([asked?.reach, asked?.group], ['public', undefined]);
    assert.deepEqual(runtime.functions.get('f')?.metadata, { ...claims, iii: claims });
    assert.equal(runtime.functions.get('f')?.worker.ownerId, plain.workerId);
  });
});

describe('the hint of a group', () => {
  test('is in nothing that is stored, whoever sends it and whether or not it is followed', async (t) => {
    const { connect, register, runtime, groups } = await startBridging(t);
    const [local, plain] = [await connect(), await connect(bearer('plain-token'))];
    const metadata = { iii: { generatedWorker: 'shop', virtualWorker: { id: 'shop' } }, kept: 1 };
    local.send({ type: 'registerfunction', id: 'local', metadata });
    plain.send({ type: 'registerfunction', id: 'plain', metadata });
    register(plain, 'plain-http', {}, { metadata });
    await Promise.all([local.fence(), plain.fence()]);
    assert.deepEqual(
      runtime.listFunctions().functions.map((each) => [each.functionId, each.origin, each.metadata]),
      ['local', 'plain', 'plain-http'].map((id) => [id, 'remote', { kept: 1 }]),
    );
    assert.deepEqual(groups(), []);
  });

  test('is not told to a hook, and one that a hook makes up is neither followed nor stored', async (t) => {
    const { connect, register, runtime, groups } = await startBridging(t);
    const [guard, peer] = [await connect(), await connect({ path: '/v1/gateway/hooked' })];
    await guard.serve('hook');
    const metadata = { iii: { generatedWorker: 'shop' }, kept: 1 };
    register(peer, 'f', {}, { metadata });
    const first = await guard.nextCall();
    assert.deepEqual((first.data as { metadata: unknown }).metadata, { kept: 1 });
    guard.answer(first, { metadata: { iii: { generatedWorker: 'bank' }, more: 2 } });
    await peer.fence();
    register(peer, 'g');
    guard.answer(await guard.nextCall(), { metadata: { iii: { generatedWorker: 'bank' } } });
    await peer.fence();
    assert.deepEqual(
      [runtime.functions.get('f')?.metadata, runtime.functions.get('g')?.metadata],
      [{ more: 2 }, undefined],
    );
    assert.deepEqual(groups(), ['shop']);
    assert.equal(runtime.functions.get('g')?.worker.ownerId, peer.workerId);
  });
});

describe('a group that comes and goes', () => {
  test('is told to those who listen for functions, and not to those who listen for connections', async (t) => {
    const { connect, register } = await startBridging(t);
    const told: Record<'functions' | 'workers', Frame[]> = { functions: [], workers: [] };
    const listener = await connect();
    for (const what of ['functions', 'workers'] as const) {
      await listener.serve(what, (call) => told[what].push(call));
      const trigger = { id: what, trigger_type: `engine::${what}-available`, function_id: what, config: {} };
      listener.send({ type: 'registertrigger', ...trigger });
    }
    await listener.fence();
    const bridge = await connect();
    register(bridge, 'f', {}, hint('shop'));
    const isTold = (what: keyof typeof told, text: string) => () =>
      told[what].some(({ data }) => JSON.stringify(data).includes(text));
    await eventually(isTold('functions', '"worker_name":"shop"'));
    const before = told.functions.length;
    bridge.send({ type: 'unregisterfunction', id: 'f' });
    await eventually(() => told.functions.length > before);
    const last = await connect();
    await eventually(isTold('workers', last.workerId));
    assert.ok(isTold('workers', bridge.workerId)() && !isTold('workers', 'shop')());
  });
});
