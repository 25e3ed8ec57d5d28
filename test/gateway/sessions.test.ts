// One session against another: what is another's stays another's, whatever ids a peer makes up, and whichever way a session ends, everybody
// who waits for it is told.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import type { Limits } from '../../lib/limits.ts';
import { eventually } from '../support/start-runtime.ts';
import { RawPeer, startGateway } from './raw-peer.ts';
import type { Frame } from './raw-peer.ts';

const KiB = 1024;
const LIMITS: Partial<Limits> = { maxMessageBytes: 64 * KiB };
const isAnswer = ({ type }: Frame): boolean => type === 'invocationresult';

describe('ids of others', () => {
  test('a result for a call that another session was asked settles nothing, and is counted', async (t) => {
    const { connect, log } = await startGateway(t);
    const [caller, callee, thief] = [await connect(), await connect(), await connect()];
    await callee.serve('f');
    const answer = caller.call('f');
    const call = await callee.nextCall();
    thief.answer(call, 'forged');
    thief.send({
      type: 'invocationresult',
      invocation_id: call.invocation_id,
      error: { code: 'x', message: 'forged' },
    });
    // Nor does the caller's own id, from whomever.
    for (const peer of [thief, caller, callee])
      peer.send({ type: 'invocationresult', invocation_id: 'call-1', result: 'forged' });
    await Promise.all([thief.fence(), caller.fence(), callee.fence()]);
    callee.answer(call, 'true');
    assert.equal((await answer).result, 'true');
    await thief.end();
    const gone = await eventually(() => log.find(({ fields }) => fields['late_results'] !== undefined));
    assert.deepEqual([gone.fields['worker_id'], gone.fields['late_results']], [thief.workerId, 3]);
  });

  test("an oversize or broken result for another's call fails nothing", async (t) => {
    const { connect } = await startGateway(t, { limits: LIMITS });
    const [caller, callee, thief] = [await connect(), await connect(), await connect()];
    await callee.serve('f');
    const answer = caller.call('f');
    const call = await callee.nextCall();
    const { invocation_id: id } = call;
    thief.answer(call, 'x'.repeat(65 * KiB));
    thief.send(`{"type":"invocationresult","invocation_id":"${id}","result":[}`);
    assert.equal((await thief.next(isAnswer)).error?.code, 'invocation_failed_payload_too_large');
    await thief.fence();
    callee.answer(call, 1);
    assert.equal((await answer).result, 1);
  });

  test('a live owner keeps its function: others can neither register nor unregister it, and are told who has it', async (t) => {
    const { connect, runtime } = await startGateway(t);
    const [owner, thief] = [await connect(), await connect()];
    await owner.serve('f', () => 'owner');
    await thief.serve('f', () => 'thief');
    const { code, function_id, owner_worker_id } = await thief.next(({ type }) => type === 'registrationrejected');
    assert.deepEqual([code, function_id, owner_worker_id], ['FUNCTION_NAMESPACE_CONFLICT', 'f', owner.workerId]);
    thief.send({ type: 'unregisterfunction', id: 'f' });
    thief.send({ type: 'unregisterfunction', id: 'engine::workers::list' });
    assert.equal((await thief.call('f')).result, 'owner');
    assert.equal((await thief.call('engine::workers::list')).error, undefined);
    await thief.end();
    assert.equal(runtime.functions.get('f')?.owner.ownerId, owner.workerId);
    // When the owner gives it up, it is free.
    const next = await connect();
    owner.send({ type: 'unregisterfunction', id: 'f' });
    await owner.fence();
    await next.serve('f', () => 'next');
    assert.equal((await owner.call('f')).result, 'next');
    // And its former owner cannot take it away.
    owner.send({ type: 'unregisterfunction', id: 'f' });
    await owner.end();
    assert.equal((await next.call('f')).result, 'next');
  });

  test('callers that use the same invocation id get each its own answer; so does one that uses it twice', async (t) => {
    const { connect } = await startGateway(t);
    const [one, two, callee] = [await connect(), await connect(), await connect()];
    await callee.serve('echo', ({ data }) => data);
    await callee.serve('f');
    const same = (data: unknown) => ({ type: 'invokefunction', invocation_id: 'same', function_id: 'f', data });
    one.send(same('one'));
    two.send(same('two'));
    one.send(same('one again'));
    const calls = [await callee.nextCall(), await callee.nextCall(), await callee.nextCall()];
    assert.equal(new Set(calls.map(({ invocation_id }) => invocation_id)).size, 3);
    assert.ok(calls.every(({ invocation_id }) => invocation_id !== 'same'));
    for (const call of calls.reverse()) callee.answer(call, call.data);
    assert.deepEqual([(await one.next(isAnswer)).result, (await one.next(isAnswer)).result].sort(), [
      'one',
      'one again',
    ]);
    assert.equal((await two.next(isAnswer)).result, 'two');
  });

  test('any text will do for an invocation id, and comes back as it was', async (t) => {
    const { connect } = await startGateway(t);
    const peer = await connect();
    await peer.serve('f', () => 1);
    for (const id of ['__proto__', 'constructor', '"\\', '\u0000\n\ud800', '*', 'x'.repeat(1_000)]) {
      peer.send({ type: 'invokefunction', invocation_id: id, function_id: 'f' });
      assert.equal((await peer.next(isAnswer)).invocation_id, id);
    }
  });
});

describe('results', () => {
  test('the first counts; another, or one after the deadline, is counted and dropped, and the slot is free', async (t) => {
    const { connect, log, runtime } = await startGateway(t, {
      limits: { invocationTimeoutMs: 50, maxCallsInFlight: 1 },
    });
    const [caller, callee] = [await connect(), await connect()];
    await callee.serve('f');
    const answer = caller.call('f');
    const call = await callee.nextCall();
    assert.equal((await answer).error?.code, 'timeout');
    assert.equal(runtime.peers.view(callee.workerId)?.inFlight, 0);
    callee.answer(call, 'late');
    const again = caller.call('f');
    const second = await callee.nextCall();
    callee.answer(second, 'in time');
    callee.answer(second, 'twice');
    assert.equal((await again).result, 'in time');
    await callee.fence();
    await caller.fence();
    assert.deepEqual(caller.frames, []);
    assert.equal(runtime.peers.view(callee.workerId)?.lateResults, 2);
    await callee.end();
    const gone = await eventually(() => log.find(({ fields }) => fields['late_results'] !== undefined));
    assert.equal(gone.fields['late_results'], 2);
  });

  test('a callee that never answers costs each of its callers one deadline, and nobody else anything', async (t) => {
    const { connect } = await startGateway(t, { limits: { invocationTimeoutMs: 50, maxCallsInFlight: 8 } });
    const [caller, silent, callee] = [await connect(), await connect(), await connect()];
    await silent.serve('silent');
    await callee.serve('f', () => 1);
    for (let round = 0; round < 3; round++) {
      const answers = Array.from({ length: 8 }, () => caller.call('silent'));
      const codes = (await Promise.all(answers)).map(({ error }) => error?.code);
      assert.deepEqual(codes, Array(8).fill('timeout'));
      assert.equal((await caller.call('f')).result, 1);
    }
  });
});

describe('the end of a session', () => {
  const ends: [string, (peer: RawPeer) => Promise<unknown>, string][] = [
    ['a close', (peer) => peer.end(), 'closed'],
    ['a close with a code of its own', (peer) => (peer.socket.close(4_000, 'x'), peer.closed), 'lost'],
    ['a lost socket', (peer) => peer.drop(), 'lost'],
    ['garbage on the socket', (peer) => (rawWrite(peer, 'ff'.repeat(40)), peer.closed), 'protocol_error'],
  ];

  for (const [what, end, reason] of ends) {
    test(`${what}: calls that it had to answer are stopped, its functions go, and its detail says ${reason}`, async (t) => {
      const { connect, runtime } = await startGateway(t);
      const [caller, callee, neighbour] = [await connect(), await connect(), await connect()];
      await callee.serve('f');
      await neighbour.serve('g');
      const innocent = caller.call('g');
      const answers = [1, 2, 3].map(() => caller.call('f'));
      for (let n = 0; n < 3; n++) await callee.nextCall();
      // A call of its own, which nobody will answer any more.
      void callee.call('g').catch(() => undefined);
      const calls = [await neighbour.nextCall(), await neighbour.nextCall()];
      await end(callee);
      const codes = (await Promise.all(answers)).map(({ error }) => error?.code);
      assert.deepEqual(codes, Array(3).fill('invocation_stopped'));
      assert.equal((await caller.call('f')).error?.code, 'function_not_found');
      assert.equal(runtime.peers.view(callee.workerId)?.disconnectReason, reason);
      for (const call of calls) neighbour.answer(call, 1);
      assert.equal((await innocent).result, 1);
      await neighbour.fence();
    });
  }

  test('a frame above the hard cap: 1009 to the peer, its calls fail with the cause, one warning, neighbours notice nothing', async (t) => {
    const { connect, runtime, log } = await startGateway(t, { limits: LIMITS });
    const { maxFrameBytes } = runtime.supervisor.limits;
    const [caller, callee, neighbour] = [await connect(), await connect(), await connect()];
    await callee.serve('f');
    await neighbour.serve('g');
    const innocent = caller.call('g');
    const call = await neighbour.nextCall();
    const answers = [caller.call('f'), caller.call('f')];
    await callee.nextCall();
    callee.answer(await callee.nextCall(), 'x'.repeat(maxFrameBytes));
    assert.equal((await callee.closed).code, 1009);
    const codes = (await Promise.all(answers)).map(({ error }) => error?.code);
    assert.deepEqual(codes, Array(2).fill('invocation_failed_payload_too_large'));
    assert.equal(runtime.peers.view(callee.workerId)?.disconnectReason, 'payload_too_large');
    const warnings = log.filter(({ level }) => level === 'warn');
    assert.deepEqual(
      warnings.map(({ fields }) => [fields['worker_id'], fields['reason'], fields['limit_bytes'], fields['address']]),
      [[callee.workerId, 'payload_too_large', maxFrameBytes, '127.0.0.1']],
    );
    neighbour.answer(call, 1);
    assert.equal((await innocent).result, 1);
  });

  test('a message in pieces is measured as a whole', async (t) => {
    const { connect, runtime } = await startGateway(t, { limits: LIMITS });
    const [peer, other] = [await connect(), await connect()];
    const piece = ' '.repeat(16 * KiB);
    for (let sent = 0; sent <= runtime.supervisor.limits.maxFrameBytes; sent += piece.length) {
      peer.socket.send(piece, { fin: false });
    }
    assert.equal((await peer.closed).code, 1009);
    // And one in as many pieces as it has characters is one message.
    const text = '{"type":"ping"}';
    for (const [at, char] of [...text].entries()) other.socket.send(char, { fin: at === text.length - 1 });
    await other.next(({ type }) => type === 'pong');
  });

  test('a compressed message is measured inflated: refused with an answer, or with 1009, before it fills the memory', async (t) => {
    const gateway = { perMessageDeflate: true };
    const { connect, runtime } = await startGateway(t, { limits: LIMITS, gateway });
    const peer = await connect({ perMessageDeflate: true });
    assert.match(peer.socket.extensions, /permessage-deflate/);
    await peer.serve('f', () => 1);
    const { error } = await peer.call('f', ' '.repeat(65 * KiB));
    assert.equal(error?.code, 'invocation_failed_payload_too_large');
    assert.equal((await peer.call('f', 'x')).result, 1);
    peer.send({ type: 'ping', filler: ' '.repeat(64 * KiB * KiB) });
    assert.equal((await peer.closed).code, 1009);
    assert.equal(runtime.peers.view(peer.workerId)?.disconnectReason, 'payload_too_large');
  });

  test('kill -9 of a process in the middle of a call: the call is stopped and the process is found lost', async (t) => {
    const { connect, runtime, url } = await startGateway(t);
    const caller = await connect();
    const child = spawn(process.execPath, ['--input-type=module', '-e', REMOTE, url.replace('http', 'ws')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    await eventually(() => runtime.functions.get('doomed'));
    const answer = caller.call('doomed');
    await once(child.stdout, 'data'); // It has the call.
    const workerId = runtime.functions.get('doomed')?.owner.ownerId ?? '';
    child.kill('SIGKILL');
    assert.equal((await answer).error?.code, 'invocation_stopped');
    assert.equal(runtime.peers.view(workerId)?.disconnectReason, 'lost');
  });

  test('the server closes although sockets do not answer its close', async (t) => {
    const { connect, server, runtime } = await startGateway(t);
    const peers = [await connect(), await connect(), await connect()];
    for (const peer of peers.slice(1)) transportOf(peer).pause();
    const polite = peers[0]!.closed;
    await server.close();
    assert.equal((await polite).code, 1001);
    assert.equal(runtime.peers.size, 0);
    for (const peer of peers) assert.equal(runtime.peers.view(peer.workerId)?.disconnectReason, 'shutdown');
  });

  test('1,000 sockets that come and go, in any way, leave nothing but what is kept of the latest', async (t) => {
    const { connect, port, runtime } = await startGateway(t);
    const neighbour = await connect();
    await neighbour.serve('f', () => 1);
    for (let round = 0; round < 10; round++) {
      const peers = Array.from({ length: 100 }, () => new RawPeer(port));
      await Promise.all(peers.map(({ ready }) => ready));
      for (const [n, peer] of peers.entries()) {
        peer.send({ type: 'registerfunction', id: `f::${n}` });
        peer.send({ type: 'invokefunction', invocation_id: 'x', function_id: 'f' });
        if (n % 3 === 0) peer.socket.close();
        else peer.socket.terminate();
      }
      await Promise.all(peers.map(({ closed }) => closed));
      await eventually(() => runtime.peers.size === 1);
    }
    assert.equal((await neighbour.call('f')).result, 1);
    assert.ok(runtime.peers.summaries().length <= 300);
    const left = [...runtime.functions.values()].filter(({ owner }) => owner.origin === 'remote');
    assert.deepEqual(
      left.map(({ functionId }) => functionId),
      ['f'],
    );
  });

  test('above maxRemotes an upgrade is refused until another has gone', async (t) => {
    const { connect, port } = await startGateway(t, { limits: { maxRemotes: 2 } });
    const [first] = [await connect(), await connect()];
    const refused = new RawPeer(port);
    const [, response] = (await once(refused.socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 503);
    await first.end();
    await eventually(async () => {
      const peer = new RawPeer(port);
      t.after(() => peer.socket.terminate());
      return peer.ready.then(() => true).catch(() => false);
    });
  });
});

describe('frames before the session is ready', () => {
  test('are handled in their order, however they are sent', async (t) => {
    const { port } = await startGateway(t);
    const peer = new RawPeer(port);
    t.after(() => peer.socket.terminate());
    await once(peer.socket, 'open');
    for (let n = 0; n < 200; n++) {
      peer.send({ type: 'registerfunction', id: 'f', description: 'x'.repeat(n % 2 === 0 ? 10 : 300) });
      peer.send({ type: n % 2 === 0 ? 'unregisterfunction' : 'ping', id: 'f' });
    }
    peer.send({ type: 'invokefunction', invocation_id: 'last', function_id: 'f' });
    peer.answer(await peer.nextCall(), 'served');
    assert.equal((await peer.next(isAnswer)).result, 'served');
  });

  test('a large call and what follows it keep their order, although the large one is checked elsewhere', async (t) => {
    const { connect } = await startGateway(t);
    const [caller, callee] = [await connect(), await connect()];
    await callee.serve('f');
    const data = ['x'.repeat(200 * KiB), 'small', 'y'.repeat(600 * KiB), 'small', 'z'.repeat(100 * KiB), 'last'];
    const answers = data.map((text) => caller.call('f', text));
    for (const text of data) {
      const call = await callee.nextCall();
      assert.equal(call.data, text);
      callee.answer(call, null);
    }
    await Promise.all(answers);
  });
});

const transportOf = (peer: RawPeer) =>
  (peer.socket as unknown as { _socket: NodeJS.WritableStream & { pause: () => void } })._socket;

function rawWrite(peer: RawPeer, hex: string): void {
  transportOf(peer).write(Buffer.from(hex, 'hex'));
}

/** Takes a call and never answers it. */
const REMOTE = `
  const { WebSocket } = await import('ws');
  const headers = { authorization: 'Bearer a-token-for-tests' };
  const socket = new WebSocket(process.argv[1] + '/v1/gateway', { headers });
  socket.on('open', () => socket.send('{"type":"registerfunction","id":"doomed"}'));
  socket.on('message', (data) => String(data).includes('invokefunction') && console.log('called'));
`;
