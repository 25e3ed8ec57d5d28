// Registrations of functions that the runtime itself calls over HTTP: made in one step or not at all, and whoever has gone leaves nothing.
// (What is looked at in a definition: test/http/.)

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { eventually } from '../support/start-runtime.ts';
import { bearer, hint, isRejected, startBridging } from './fake-http.ts';
import type { PeerOptions, RawPeer } from './raw-peer.ts';

describe('a function over HTTP', () => {
  test('belongs to its session, is called without it, and goes with it', async (t) => {
    const { connect, register, runtime, groups } = await startBridging(t);
    const [bridge, caller] = [await connect(), await connect()];
    register(
      bridge,
      'f',
      { tag: 'f' },
      { description: 'Does it.', request_format: { type: 'object' }, ...hint('shop') },
    );
    register(bridge, 'g', { tag: 'g' });
    await bridge.fence();
    assert.deepEqual([(await caller.call('f')).result, (await caller.call('g')).result], ['f', 'g']);
    assert.deepEqual(bridge.frames, []);
    const [f, g] = runtime.listFunctions().functions;
    assert.deepEqual(
      [f?.origin, f?.workerId, f?.description, f?.requestFormat, f?.metadata],
      ['group', 'shop', 'Does it.', { type: 'object' }, null],
    );
    assert.deepEqual([g?.origin, g?.workerId], ['remote', bridge.workerId]);
    assert.equal(runtime.peer(bridge.workerId).functions, 1);
    bridge.send({ type: 'unregisterfunction', id: 'f' });
    await bridge.fence();
    assert.equal((await caller.call('f')).error?.code, 'function_not_found');
    assert.deepEqual(groups(), []);
    await bridge.drop();
    await eventually(() => runtime.functions.get('g') === undefined);
  });

  test('has the prefix of its credential, which releases it by its own name', async (t) => {
    const { connect, register, runtime } = await startBridging(t);
    const bridge = await connect(bearer('bridge-token'));
    register(bridge, 'f');
    await bridge.fence();
    assert.equal(runtime.functions.get('b::f')?.owner.ownerId, bridge.workerId);
    bridge.send({ type: 'unregisterfunction', id: 'f' });
    await bridge.fence();
    assert.equal(runtime.functions.get('b::f'), undefined);
  });

  test('counts against what its session may register, in a group or not', async (t) => {
    const { connect, register, groups } = await startBridging(t, { limits: { maxFunctionsPerRemote: 2 } });
    const bridge = await connect();
    register(bridge, 'f', {}, hint('shop'));
    register(bridge, 'g', {}, hint('shop'));
    register(bridge, 'h', {}, hint('bank'));
    assert.equal((await bridge.next(isRejected))['code'], 'runtime_overloaded');
    register(bridge, 'f', {}, hint('bank'));
    await bridge.fence();
    assert.deepEqual([bridge.frames, groups()], [[], ['bank', 'shop']]);
  });

  test('and its group do not count as remotes that are connected', async (t) => {
    const { connect, register, send } = await startBridging(t, { limits: { maxRemotes: 2 } });
    const bridge = await connect();
    register(bridge, 'f', {}, hint('shop'));
    register(bridge, 'g', {}, hint('bank'));
    await bridge.fence();
    await connect();
    const { runtime } = (await send('GET', '/v1/runtime')).json;
    assert.deepEqual(runtime.remotes, { connected: 2 });
  });

  test('leaves its group when it is registered without the hint, or is served by the session again', async (t) => {
    const { connect, register, groups, runtime } = await startBridging(t);
    const bridge = await connect();
    const seen: unknown[] = [];
    for (const registerAgain of [
      () => register(bridge, 'f', {}, hint('shop')),
      () => register(bridge, 'f', {}, hint('bank')),
      () => register(bridge, 'f'),
      () => register(bridge, 'f', {}, hint('shop')),
      () => bridge.send({ type: 'registerfunction', id: 'f', ...hint('shop') }),
    ]) {
      registerAgain();
      await bridge.fence();
      seen.push([groups().join(), runtime.functions.get('f')?.worker.origin]);
    }
    assert.deepEqual(seen, [
      ['shop', 'group'],
      ['bank', 'group'],
      ['', 'remote'],
      ['shop', 'group'],
      ['', 'remote'],
    ]);
    assert.equal(runtime.functions.get('f')?.metadata, undefined);
  });

  test('cannot join a group of another session, or take the name of a worker', async (t) => {
    const { connect, register, worker, groups } = await startBridging(t);
    const [one, two] = [await connect(), await connect()];
    await worker('echo', 'my-worker');
    await two.call('engine::workers::register', { pid: 1, name: 'two' });
    register(one, 'f', {}, hint('shop'));
    await one.fence();
    for (const name of ['shop', 'my-worker', 'echo', 'engine', one.workerId, 'two']) {
      register(two, 'g', {}, hint(name));
      assert.equal((await two.next(isRejected))['code'], 'worker_exists', name);
    }
    register(two, 'g', {}, hint('not a name'));
    assert.equal((await two.next(isRejected))['code'], 'INVALID_ARGUMENTS');
    assert.deepEqual(groups(), ['shop']);
  });

  test('is back in its group when its session reattaches, although the one before was not known to be lost', async (t) => {
    const { connect, register, groups, runtime } = await startBridging(t);
    const before = await connect();
    register(before, 'f', { tag: 'old' }, hint('shop'));
    await before.fence();
    const after = await connect();
    after.send({ type: 'reattach', previous_worker_id: before.workerId, reattach_token: before.token });
    register(after, 'f', { tag: 'new' }, hint('shop'));
    await after.fence();
    assert.deepEqual([after.frames, groups()], [[], ['shop']]);
    assert.equal(runtime.functions.get('f')?.owner.ownerId, after.workerId);
    assert.equal((await after.call('f')).result, 'new');
  });
});

describe('a registration over HTTP that fails', () => {
  /** Registers what fails, or makes it fail. Returns the code on the wire. */
  type Fail = (scene: Awaited<ReturnType<typeof startBridging>>, peer: RawPeer, guard: RawPeer) => Promise<string>;
  const failures: [why: string, id: string, options: PeerOptions, code: string, fail: Fail][] = [
    ...(['invalid_request', 'url_validation_failed', 'token_not_found', 'worker_exists'] as const).map(
      (fail): [string, string, PeerOptions, string, Fail] => [
        `ends with ${fail}`,
        'b::f',
        bearer('bridge-token'),
        fail === 'invalid_request' ? 'INVALID_ARGUMENTS' : fail,
        async ({ register }, peer) => {
          register(peer, 'f', { fail }, hint('bank'));
          return String((await peer.next(isRejected))['code']);
        },
      ],
    ),
    [
      'is not admitted by a hook',
      'f',
      { path: '/v1/gateway/hooked' },
      'FORBIDDEN',
      async ({ register }, peer, guard) => {
        register(peer, 'f', { tag: 'new' }, hint('bank'));
        guard.answer(await guard.nextCall(), 'no');
        return String((await peer.next(isRejected))['code']);
      },
    ],
  ];

  for (const [why, id, options, code, fail] of failures) {
    test(`since it ${why} leaves no trace of a new id, which anybody may then have`, async (t) => {
      const scene = await startBridging(t);
      const [guard, peer] = [await scene.connect(), await scene.connect(options)];
      await guard.serve('hook');
      assert.equal(await fail(scene, peer, guard), code);
      assert.deepEqual([scene.runtime.functions.get(id), scene.groups()], [undefined, []]);
      assert.equal(scene.runtime.peer(peer.workerId).functions, 0);
      await guard.serve(id, () => 'mine');
      assert.equal((await guard.call(id)).result, 'mine');
    });

    test(`since it ${why} leaves what was under the id: its group, and the call that is under way`, async (t) => {
      const scene = await startBridging(t);
      const { runtime, http, register } = scene;
      const [guard, peer] = [await scene.connect(), await scene.connect(options)];
      await guard.serve('hook');
      register(peer, 'f', { tag: 'old', hold: true }, { ...hint('shop'), description: 'Old.' });
      if (id === 'f') guard.answer(await guard.nextCall(), {});
      await peer.fence();
      const before = runtime.functions.get(id);
      const held = guard.call(id);
      await eventually(() => http.calls.length === 1);
      assert.equal(await fail(scene, peer, guard), code);
      assert.equal(runtime.functions.get(id), before);
      assert.equal(before?.description, 'Old.');
      assert.deepEqual(scene.groups(), ['shop']);
      http.answer();
      assert.deepEqual([(await held).result, (await guard.call(id)).result], ['old', 'old']);
    });
  }

  test('since the policy does not allow it is not even looked at', async (t) => {
    const { connect, register, http, log } = await startBridging(t);
    const peer = await connect(bearer('bridge-token'));
    register(peer, 'other', { url: 'http://127.0.0.1:9' });
    assert.equal((await peer.next(isRejected))['code'], 'FORBIDDEN');
    assert.deepEqual(http.asked, []);
    const said = log.filter(({ message }) => message === 'a registration was refused').map(({ fields }) => fields);
    assert.deepEqual(said, [{ worker_id: peer.workerId, worker_name: null, function_id: 'other', code: 'forbidden' }]);
  });

  test('leaves the peer its names, although a hook had made other ids of them', async (t) => {
    const { connect, register, runtime } = await startBridging(t);
    const [guard, peer] = [await connect(), await connect({ path: '/v1/gateway/hooked' })];
    await guard.serve('hook');
    const rename = async (functionId: string): Promise<void> =>
      guard.answer(await guard.nextCall(), { function_id: functionId });
    register(peer, 'f', { tag: 'old' });
    await rename('v1::f');
    await peer.fence();
    register(peer, 'f', { fail: 'token_not_found' });
    await rename('v2::f');
    assert.equal((await peer.next(isRejected))['code'], 'token_not_found');
    assert.equal((await guard.call('v1::f')).result, 'old');
    peer.send({ type: 'unregisterfunction', id: 'f' });
    await peer.fence();
    assert.equal(runtime.functions.get('v1::f'), undefined);
  });

  test('is in the detail of the session, like any that is refused', async (t) => {
    const { connect, register, runtime } = await startBridging(t);
    const peer = await connect();
    register(peer, 'f', { fail: 'url_validation_failed' });
    await peer.fence();
    assert.deepEqual(runtime.peer(peer.workerId).refused, [{ functionId: 'f', code: 'url_validation_failed' }]);
  });
});

describe('a registration over HTTP that takes time', () => {
  test('holds the id, and the frames after it, until it is known what becomes of it', async (t) => {
    const { connect, register, http, runtime } = await startBridging(t);
    const [peer, other] = [await connect(), await connect()];
    register(peer, 'f', { tag: 'old' });
    await peer.fence();
    register(peer, 'f', { tag: 'new', wait: true });
    peer.send({ type: 'ping' });
    await eventually(() => http.asked.length === 2);
    // What was there goes on serving meanwhile.
    assert.equal((await other.call('f')).result, 'old');
    other.send({ type: 'registerfunction', id: 'f' });
    assert.equal((await other.next(isRejected))['code'], 'FUNCTION_NAMESPACE_CONFLICT');
    assert.deepEqual(peer.frames, []);
    http.open();
    await peer.next(({ type }) => type === 'pong');
    assert.equal((await other.call('f')).result, 'new');
    assert.equal(runtime.functions.countOf(runtime.functions.require('f').owner), 1);
  });

  for (const isNew of [true, false])
    test(`ends with its session, and nothing is left of ${isNew ? 'a new id' : 'one that it had'}`, async (t) => {
      const { connect, register, http, runtime, groups, log } = await startBridging(t);
      const [peer, other] = [await connect(), await connect()];
      if (!isNew) register(peer, 'f', { tag: 'old', hold: true }, hint('shop'));
      await peer.fence();
      const held = isNew ? null : other.call('f');
      await eventually(() => isNew || http.calls.length === 1);
      register(peer, 'f', { tag: 'new', wait: true }, hint('bank'));
      await eventually(() => http.asked.length === (isNew ? 1 : 2));
      await peer.drop();
      await eventually(() => runtime.peer(peer.workerId).status === 'disconnected');
      assert.deepEqual([runtime.functions.get('f'), groups()], [undefined, []]);
      await eventually(() => http.ended === http.asked.length);
      // The id is free, whatever the lookup comes to.
      await other.serve('f', () => 'mine');
      http.open();
      http.answer();
      assert.deepEqual([(await other.call('f')).result, (await held)?.result], ['mine', isNew ? undefined : 'old']);
      assert.deepEqual(groups(), []);
      assert.deepEqual(
        log.filter(({ message }) => message === 'a registration was refused'),
        [],
      );
    });
});
