// Peers that want too much: calls, registrations, and answers that they never read. What they hold is bounded, what is refused is told, and
// their neighbours notice nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import { MAX_REGISTERED_BYTES, MAX_UNSENT_BYTES, PING_INTERVAL_MS } from '../../lib/gateway/bounds.ts';
import { MAX_FUNCTION_ID_CHARS, MAX_REGISTRATION_BYTES } from '../../lib/limits.ts';
import { eventually } from '../support/start-runtime.ts';
import { startGateway } from './raw-peer.ts';
import type { RawPeer } from './raw-peer.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
/** What the system may hold of a stream between two processes of one machine; above what Linux does by default. */
const SYSTEM_BUFFERS_BYTES = 32 * MiB;

const transportOf = (peer: RawPeer): Socket => (peer.socket as unknown as { _socket: Socket })._socket;

describe('calls above maxCallsInFlight', () => {
  test('of one function: as many as may are made, the others are told how long the line is and when to come back', async (t) => {
    const limits = { maxCallsInFlight: 4 };
    const { connect } = await startGateway(t, { limits });
    const callers = [await connect(), await connect(), await connect()] as const;
    const callee = await connect();
    await callee.serve('f');
    const answers = callers.flatMap((caller) => [1, 2, 3].map((data) => caller.call('f', data)));
    for (const caller of callers) await caller.fence();
    await callee.fence();
    const calls = callee.frames.splice(0);
    assert.equal(calls.length, 4);
    for (const call of calls) callee.answer(call, 'done');
    const frames = await Promise.all(answers);
    const refused = frames.flatMap(({ error }) => error ?? []);
    assert.deepEqual(
      frames.flatMap(({ result }) => result ?? []),
      ['done', 'done', 'done', 'done'],
    );
    assert.deepEqual(
      refused.map(({ code, messages, capacity, retry_after_ms: retry }) => [code, messages, capacity, typeof retry]),
      Array(5).fill(['worker_busy', 4, 4, 'number']),
    );
    const after = callers[0].call('f');
    callee.answer(await callee.nextCall(), 1);
    assert.equal((await after).result, 1);
  });

  test('of one caller: likewise, and all of a flood is answered once', async (t) => {
    const { connect, runtime } = await startGateway(t, { limits: { maxCallsInFlight: 64 } });
    const [caller, callee, neighbour] = [await connect(), await connect(), await connect()];
    await callee.serve('f', ({ data }) => data);
    await neighbour.serve('g', ({ data }) => data);
    const answers = Array.from({ length: 5_000 }, (_, n) => caller.call('f', n));
    const innocent = Array.from({ length: 50 }, (_, n) => neighbour.call('g', n));
    for (const [n, { result }] of (await Promise.all(innocent)).entries()) assert.equal(result, n);
    const frames = await Promise.all(answers);
    const codes = new Set(frames.map(({ error }) => error?.code));
    assert.ok(codes.size <= 2 && codes.has(undefined), [...codes].join());
    for (const [n, { result, error }] of frames.entries()) assert.ok(result === n || error?.code === 'worker_busy');
    await caller.fence();
    assert.deepEqual(caller.frames, []);
    assert.equal(runtime.peers.view(callee.workerId)?.inFlight, 0);
  });

  test('a credential may have less than the runtime allows', async (t) => {
    const credential = { name: 'small', token: 'small-token', limits: { maxCallsInFlight: 1 } };
    const { connect } = await startGateway(t, { gateway: { credentials: [credential] } });
    const small = await connect({ headers: { authorization: 'Bearer small-token' } });
    const callee = await connect();
    await callee.serve('f');
    const first = small.call('f');
    const call = await callee.nextCall();
    assert.equal((await small.call('f')).error?.code, 'worker_busy');
    callee.answer(call, 1);
    assert.equal((await first).result, 1);
  });
});

describe('registrations', () => {
  test('above the limit are refused one by one and told; the peer keeps what it has, and the server what it promised', async (t) => {
    const limits = { maxFunctionsPerRemote: 100 };
    const { connect, runtime, log } = await startGateway(t, { limits });
    const [greedy, neighbour] = [await connect(), await connect()];
    for (let n = 0; n < 10_000; n++) greedy.send({ type: 'registerfunction', id: `greedy::${n}` });
    await greedy.fence();
    assert.equal(runtime.peers.view(greedy.workerId)?.functions, 100);
    const refused = greedy.frames.filter(({ type }) => type === 'registrationrejected');
    assert.equal(refused.length, 9_900);
    assert.deepEqual([refused[0]?.['code'], refused[0]?.['function_id']], ['runtime_overloaded', 'greedy::100']);
    assert.ok(log.filter(({ level }) => level === 'warn').length < 50);
    await neighbour.serve('n', () => 1);
    const answer = neighbour.call('greedy::99');
    greedy.answer(await greedy.nextCall(), 2);
    assert.equal((await answer).result, 2);
    // One that is there may be registered again, and one that is given up makes room.
    greedy.frames.length = 0;
    greedy.send({ type: 'registerfunction', id: 'greedy::5', description: 'new' });
    greedy.send({ type: 'unregisterfunction', id: 'greedy::6' });
    greedy.send({ type: 'registerfunction', id: 'greedy::100' });
    await greedy.fence();
    assert.deepEqual(greedy.frames, []);
    assert.equal(runtime.functions.get('greedy::5')?.description, 'new');
    await greedy.end();
    await eventually(() => runtime.functions.get('greedy::5') === undefined);
  });

  test('are bounded in bytes, each and together', async (t) => {
    const { connect, runtime } = await startGateway(t);
    const peer = await connect();
    const metadata = 'x'.repeat(MAX_REGISTRATION_BYTES - 2);
    peer.send({ type: 'registerfunction', id: 'too::large', metadata, description: 'd' });
    const { function_id: refusedId, code } = await peer.next(({ type }) => type === 'registrationrejected');
    assert.deepEqual([refusedId, code], ['too::large', 'INVALID_ARGUMENTS']);
    const fits = Math.floor(MAX_REGISTERED_BYTES / (MAX_REGISTRATION_BYTES + 'f::00'.length));
    for (let n = 10; n < 10 + fits + 5; n++) peer.send({ type: 'registerfunction', id: `f::${n}`, metadata });
    await peer.fence();
    assert.equal(runtime.peers.view(peer.workerId)?.functions, fits);
    assert.equal(peer.frames.length, 5);
    // Again with less, and given up: both make room.
    peer.frames.length = 0;
    peer.send({ type: 'registerfunction', id: 'f::10' });
    peer.send({ type: 'registerfunction', id: 'f::90', metadata });
    peer.send({ type: 'unregisterfunction', id: 'f::11' });
    peer.send({ type: 'unregisterfunction', id: 'f::11' });
    peer.send({ type: 'registerfunction', id: 'f::91', metadata });
    peer.send({ type: 'registerfunction', id: 'f::92', metadata });
    await peer.fence();
    assert.deepEqual(
      peer.frames.map(({ function_id }) => function_id),
      ['f::92'],
    );
  });

  test('with ids that are none are refused and told', async (t) => {
    const { connect, runtime } = await startGateway(t);
    const peer = await connect();
    const ids = [
      'engine::workers::list',
      'engine::mine',
      ' a',
      'a\n',
      'a\u0000b',
      'x'.repeat(MAX_FUNCTION_ID_CHARS + 1),
    ];
    for (const id of ids) peer.send({ type: 'registerfunction', id });
    for (const id of ['', 7, null, {}, ['a'], undefined]) peer.send({ type: 'registerfunction', id });
    peer.send({ type: 'registerfunction', id: 'a', description: 7 });
    peer.send('{"type":"registerfunction","id":"a","metadata":{"__proto__":{}}}');
    peer.send('{"type":"registerfunction","id":"a","metadata":{]}');
    peer.send({ type: 'registerfunction', id: '__proto__' });
    peer.send({ type: 'registerfunction', id: 'constructor' });
    await peer.fence();
    assert.equal(peer.frames.length, ids.length + 6 + 3);
    for (const { type, code } of peer.frames)
      assert.match(`${type} ${String(code)}`, /^registrationrejected (INVALID_ARGUMENTS|invalid_json)/);
    assert.deepEqual(
      [...runtime.functions.values()].flatMap(({ functionId, owner }) => (owner.origin === 'remote' ? functionId : [])),
      ['__proto__', 'constructor'],
    );
  });
});

describe('a peer that does not read', () => {
  test('gets errors instead of results above the bound, each call one answer, while its neighbours are served', async (t) => {
    const { connect, runtime } = await startGateway(t, { limits: { maxCallsInFlight: 1_000 } });
    const [slow, callee, neighbour] = [await connect(), await connect(), await connect()];
    const large = 'x'.repeat(1 * MiB);
    let served = 0;
    await callee.serve('large', () => (served++, large));
    await callee.serve('small', () => 1);
    transportOf(slow).pause();
    const answers = Array.from({ length: 120 }, () => slow.call('large'));
    await eventually(() => served === 120 && runtime.peers.view(slow.workerId)?.inFlight === 0);
    assert.equal((await neighbour.call('small')).result, 1);
    assert.equal((await neighbour.call('large')).result, large);
    // A call of its own function is refused too: it would wait behind all that.
    slow.send({ type: 'registerfunction', id: 'its' });
    await eventually(() => runtime.functions.get('its'));
    await eventually(async () => (await neighbour.call('its')).error?.code === 'worker_busy');
    transportOf(slow).resume();
    const codes = (await Promise.all(answers)).map(({ error }) => error?.code ?? 'ok');
    const fine = codes.filter((code) => code === 'ok').length;
    assert.ok(fine * MiB <= MAX_UNSENT_BYTES + SYSTEM_BUFFERS_BYTES && fine < 120, `${fine}`);
    assert.ok(codes.every((code) => code === 'ok' || code === 'runtime_overloaded'));
    assert.equal((await slow.call('small')).result, 1);
  });

  const floods: [string, string, (peer: RawPeer) => void][] = [
    [
      'errors',
      'slow_reader',
      (peer) => {
        const id = 'x'.repeat(900);
        for (let n = 0; n < 1_000; n++) peer.send({ type: 'invokefunction', invocation_id: id, function_id: id });
      },
    ],
    [
      'pongs',
      'lost', // The WebSocket package gives it up by itself.
      (peer) => {
        const most = Buffer.alloc(125);
        for (let n = 0; n < 1_000; n++) peer.socket.ping(most);
      },
    ],
  ];

  for (const [what, reason, flood] of floods) {
    test(`and asks for ever is given up when too many ${what} wait for it`, async (t) => {
      const { connect, runtime } = await startGateway(t, { limits: { maxMessageBytes: 64 * KiB } });
      const [slow, neighbour] = [await connect(), await connect()];
      transportOf(slow).pause();
      const view = await eventually(() => {
        if (transportOf(slow).writableLength < MiB) flood(slow);
        const now = runtime.peers.view(slow.workerId);
        return now?.status === 'disconnected' && now;
      }, 60_000);
      assert.equal(view.disconnectReason, reason);
      await neighbour.fence();
    });
  }

  test('is ended as a slow reader by the clock, even if it goes on sending', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { connect, runtime } = await startGateway(t);
    const [slow, callee] = [await connect(), await connect()];
    let served = 0;
    await callee.serve('large', () => (served++, 'x'.repeat(8 * MiB)));
    transportOf(slow).pause();
    for (let n = 0; n < 8; n++) void slow.call('large').catch(() => undefined);
    await eventually(() => served === 8 && runtime.peers.view(slow.workerId)?.inFlight === 0);
    for (let n = 0; n < 3; n++) {
      assert.equal(runtime.peers.view(slow.workerId)?.status, 'connected');
      slow.send({ type: 'unregisterfunction', id: `x${n}` });
      await callee.fence();
      const pinged = once(callee.socket, 'ping');
      t.mock.timers.tick(PING_INTERVAL_MS);
      await pinged;
    }
    assert.equal(runtime.peers.view(slow.workerId)?.disconnectReason, 'slow_reader');
    assert.equal(runtime.peers.view(callee.workerId)?.status, 'connected');
  });

  test('but reads slowly is waited for, though its pongs stand in line', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { connect, runtime } = await startGateway(t);
    const [slow, callee] = [await connect({ autoPong: false }), await connect()];
    let served = 0;
    await callee.serve('large', () => (served++, 'x'.repeat(4 * MiB)));
    const transport = transportOf(slow);
    transport.pause();
    const answers = Array.from({ length: 15 }, () => slow.call('large'));
    await eventually(() => served === 15 && runtime.peers.view(slow.workerId)?.inFlight === 0);
    for (let n = 0; n < 5; n++) {
      const before = transport.bytesRead;
      transport.resume();
      await eventually(() => transport.bytesRead - before > 6 * MiB);
      transport.pause();
      t.mock.timers.tick(PING_INTERVAL_MS);
      assert.equal(runtime.peers.view(slow.workerId)?.status, 'connected');
    }
    transport.resume();
    assert.equal((await Promise.all(answers)).length, 15);
  });
});

describe('a peer that has gone without a word', () => {
  test('is found within three pings: its calls fail, its functions go, whoever answers pings stays', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { connect, runtime } = await startGateway(t);
    const [silent, alive] = [await connect({ autoPong: false }), await connect()];
    await silent.serve('f');
    const answer = alive.call('f');
    await silent.nextCall();
    for (let n = 0; n < 3; n++) {
      assert.equal(runtime.peers.view(silent.workerId)?.status, 'connected');
      await alive.fence();
      const pinged = once(alive.socket, 'ping');
      t.mock.timers.tick(PING_INTERVAL_MS);
      await pinged;
    }
    assert.equal((await answer).error?.code, 'invocation_stopped');
    assert.equal(runtime.peers.view(silent.workerId)?.disconnectReason, 'unresponsive');
    assert.equal(runtime.functions.get('f'), undefined);
    assert.ok(3 * PING_INTERVAL_MS <= 60_000);
  });

  test('a pong is a word', async (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { connect, runtime, send } = await startGateway(t);
    const idle = await connect();
    for (let n = 0; n < 10; n++) {
      const pinged = once(idle.socket, 'ping');
      t.mock.timers.tick(PING_INTERVAL_MS);
      await pinged;
      await send('GET', '/livez'); // The pong came before it.
    }
    assert.equal(runtime.peers.view(idle.workerId)?.status, 'connected');
  });
});
