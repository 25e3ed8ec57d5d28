// Sockets whose session waits for somebody's leave: for an auth function before it is ready, for a hook in the middle of its frames.
// What it sends meanwhile waits with it, unread, and nobody else waits.

import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import type { Limits } from '../../lib/limits.ts';
import { eventually } from '../support/start-runtime.ts';
import { RawPeer, startGateway } from './raw-peer.ts';
import type { Frame } from './raw-peer.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const WEB = { path: '/v1/gateway/web' };
const transportOf = (peer: RawPeer): Socket => (peer.socket as unknown as { _socket: Socket })._socket;

/** With a listener whose auth function and hook are answered by hand. */
async function start(t: TestContext, limits: Partial<Limits> = {}) {
  const web = { authFunctionId: 'door', onFunctionRegistrationFunctionId: 'hook', exposeFunctions: ['*'] };
  const edge = await startGateway(t, { limits, gateway: { listeners: { web } } });
  const guard = await edge.connect();
  await guard.serve('door');
  await guard.serve('hook');
  const knock = (): RawPeer => {
    const peer = new RawPeer(edge.port, WEB);
    t.after(() => peer.socket.terminate());
    return peer;
  };
  const nextOf = (functionId: string): Promise<Frame> => guard.next((frame) => frame.function_id === functionId);
  return { ...edge, guard, knock, nextOf };
}

describe('a socket that waits for its auth function', () => {
  test('has no session and no answer; then its frames are handled in the order in which they came', async (t) => {
    const { guard, knock, nextOf, runtime } = await start(t);
    const peer = knock();
    const asked = await nextOf('door');
    for (let n = 0; n < 500; n++) peer.send({ type: 'invokefunction', invocation_id: `${n}`, function_id: 'nothing' });
    await guard.fence();
    assert.equal(runtime.peers.size, 1);
    assert.deepEqual(peer.frames, []);
    guard.answer(asked, {});
    await peer.fence();
    assert.deepEqual(
      peer.frames.map(({ invocation_id: id }) => Number(id)),
      [...Array(500).keys()],
    );
  });

  test('is not read meanwhile, whatever it sends', async (t) => {
    const { guard, knock, nextOf } = await start(t);
    const peer = knock();
    const asked = await nextOf('door');
    flood(peer);
    for (let n = 0; n < 200; n++) await guard.fence();
    assert.ok(transportOf(peer).writableLength > 0);
    guard.answer(asked, {});
    await peer.fence();
  });

  const answers: [string, (guard: RawPeer, asked: Frame) => void][] = [
    ['fails', (guard, { invocation_id }) => guard.send({ type: 'invocationresult', invocation_id, error: 'secret' })],
    ['answers something else', (guard, asked) => guard.answer(asked, 'secret')],
    [
      'answers with a rule that nobody knows',
      (guard, asked) => guard.answer(asked, { forbidden_function: ['secret'] }),
    ],
    ['goes away', (guard) => guard.socket.terminate()],
  ];

  for (const [what, answer] of answers) {
    test(`is refused when that ${what}, and learns nothing of why; the log does`, async (t) => {
      const { guard, knock, nextOf, log } = await start(t);
      const peer = knock();
      answer(guard, await nextOf('door'));
      const { error } = await peer.next(({ type }) => type === 'error');
      assert.equal(error?.code, 'AUTH_ERROR');
      assert.ok(!JSON.stringify(error).includes('secret'));
      assert.equal((await peer.closed).code, 1008);
      const [line] = log.filter(({ message }) => message === 'a remote was not let in');
      assert.deepEqual([typeof line?.fields['code'], line?.fields['refused']], ['string', 1]);
    });
  }

  test('is refused when that does not answer in time', async (t) => {
    const { knock, runtime } = await start(t, { invocationTimeoutMs: 50 });
    const peer = knock();
    assert.equal((await peer.next(({ type }) => type === 'error')).error?.code, 'AUTH_ERROR');
    assert.equal((await peer.closed).code, 1008);
    assert.equal(runtime.peers.size, 1);
  });

  test('and goes meanwhile gets no session, although it is let in', async (t) => {
    const { guard, knock, nextOf, runtime } = await start(t);
    const peer = knock();
    const asked = await nextOf('door');
    await peer.drop();
    guard.answer(asked, {});
    await guard.fence();
    assert.equal(runtime.peers.summaries().length, 1);
  });

  test('counts when it is let in: above maxRemotes it is told to try again', async (t) => {
    const { guard, knock, nextOf, runtime } = await start(t, { maxRemotes: 3 });
    const peers = [knock(), knock(), knock(), knock()];
    const asked = [await nextOf('door'), await nextOf('door'), await nextOf('door'), await nextOf('door')];
    for (const call of asked) guard.answer(call, {});
    const outcomes = await Promise.all(
      peers.map((peer) =>
        Promise.race([peer.ready.then(() => 'ready'), peer.closed.then(({ code }) => String(code))]).catch(
          () => 'closed',
        ),
      ),
    );
    assert.deepEqual(outcomes.filter((outcome) => outcome === 'ready').length, 2);
    assert.equal(runtime.peers.size, 3);
    const refused = peers[outcomes.findIndex((outcome) => outcome !== 'ready')];
    assert.equal((await refused?.closed)?.code, 1013);
    assert.equal(refused?.frames[0]?.error?.code, 'runtime_overloaded');
  });

  test('does not hold up the close of the server', async (t) => {
    const { knock, nextOf, server, runtime } = await start(t);
    const peer = knock();
    await nextOf('door');
    await server.close();
    assert.equal((await peer.closed).code, 1001);
    assert.equal(runtime.peers.size, 0);
  });
});

describe('a session that waits for a hook', () => {
  test('is not read meanwhile, not even when what it waits for came before it was ready', async (t) => {
    const { guard, knock, nextOf } = await start(t);
    const peer = knock();
    const asked = await nextOf('door');
    peer.send({ type: 'registerfunction', id: 'f' });
    peer.send({ type: 'ping' });
    guard.answer(asked, {});
    const hooked = await nextOf('hook');
    flood(peer);
    for (let n = 0; n < 200; n++) await guard.fence();
    assert.ok(transportOf(peer).writableLength > 0);
    assert.deepEqual(peer.frames, []);
    guard.answer(hooked, {});
    await peer.fence();
    assert.equal((await guard.call('nothing')).error?.code, 'function_not_found');
  });

  test('that ends meanwhile registers nothing, and its id is free at once', async (t) => {
    const { connect, guard, knock, nextOf, runtime } = await start(t);
    const peer = knock();
    guard.answer(await nextOf('door'), {});
    await peer.ready;
    peer.send({ type: 'registerfunction', id: 'f' });
    const hooked = await nextOf('hook');
    const other = await connect();
    // The id is claimed while the hook is asked.
    await other.serve('f');
    assert.equal(
      (await other.next(({ type }) => type === 'registrationrejected'))['code'],
      'FUNCTION_NAMESPACE_CONFLICT',
    );
    await peer.drop();
    await eventually(() => runtime.peers.view(peer.workerId)?.status === 'disconnected');
    await other.serve('f', () => 'other');
    guard.answer(hooked, {});
    await guard.fence();
    assert.equal((await guard.call('f')).result, 'other');
  });

  test('gives the id up when the hook refuses, and goes on', async (t) => {
    const { connect, guard, knock, nextOf } = await start(t);
    const peer = knock();
    guard.answer(await nextOf('door'), {});
    await peer.ready;
    peer.send({ type: 'registerfunction', id: 'f' });
    const { invocation_id } = await nextOf('hook');
    guard.send({ type: 'invocationresult', invocation_id, error: { code: 'no', message: 'no' } });
    assert.equal((await peer.next(({ type }) => type === 'registrationrejected'))['code'], 'FORBIDDEN');
    const other = await connect();
    await other.serve('f', () => 1);
    assert.equal((await other.call('f')).result, 1);
    await peer.fence();
  });
});

/** More than the system holds of a stream that is not read. */
function flood(peer: RawPeer): void {
  const text = JSON.stringify({ type: 'unregisterfunction', id: 'x', filler: 'x'.repeat(60 * KiB) });
  for (let sent = 0; sent < 64 * MiB; sent += text.length) peer.socket.send(text);
}
