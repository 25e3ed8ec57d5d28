// Who knows the secret token of a session takes its place, and nobody else can: ids are public.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, test } from 'node:test';
import { MAX_ORPHANS } from '../../lib/gateway/bounds.ts';
import { startGateway } from './raw-peer.ts';
import type { RawPeer } from './raw-peer.ts';

describe('reattach', () => {
  const reattach = ({ workerId, token }: RawPeer, more: object = {}) => ({
    type: 'reattach',
    previous_worker_id: workerId,
    reattach_token: token,
    ...more,
  });

  test('with the token: the session before is ended and cleaned up first, so that the replay finds its ids free', async (t) => {
    const { connect, runtime } = await startGateway(t);
    const [before, caller] = [await connect(), await connect()];
    await before.serve('f');
    const answer = caller.call('f');
    await before.nextCall();
    const after = await connect();
    after.send(reattach(before));
    await after.serve('f', () => 'after');
    assert.equal((await answer).error?.code, 'invocation_stopped');
    assert.deepEqual(after.frames, []);
    await before.closed;
    assert.equal(runtime.peers.view(before.workerId)?.disconnectReason, 'replaced');
    assert.equal((await caller.call('f')).result, 'after');
  });

  const wrong: [string, (before: RawPeer, own: RawPeer) => object | string][] = [
    ['a wrong token', (before) => reattach(before, { reattach_token: randomUUID() })],
    ['a longer token', (before) => reattach(before, { reattach_token: `${before.token}x` })],
    ['no token', (before) => reattach(before, { reattach_token: undefined })],
    ['a token that is null', (before) => reattach(before, { reattach_token: null })],
    ['an empty token', (before) => reattach(before, { reattach_token: '' })],
    ['a token that is a list', (before) => reattach(before, { reattach_token: [before.token] })],
    ['the own token', (before, own) => reattach(before, { reattach_token: own.token })],
    ['an unknown id', (before) => reattach(before, { previous_worker_id: randomUUID() })],
    ['an id that is an object', (before) => reattach(before, { previous_worker_id: { id: before.workerId } })],
    ['no id', (before) => reattach(before, { previous_worker_id: undefined })],
    ['an id from a prototype', (before) => reattach(before, { previous_worker_id: 'constructor' })],
    [
      'two ids',
      ({ workerId, token }) =>
        `{"type":"reattach","previous_worker_id":"${workerId}","previous_worker_id":"${workerId}","reattach_token":"${token}"}`,
    ],
    ['the own id and token', (_before, own) => reattach(own)],
  ];

  for (const [what, frame] of wrong) {
    test(`with ${what}: ignored, and the live owner keeps everything`, async (t) => {
      const { connect } = await startGateway(t);
      const [before, after] = [await connect(), await connect()];
      await before.serve('f', () => 'before');
      after.send(frame(before, after));
      await after.serve('f', () => 'after');
      assert.equal(
        (await after.next(({ type }) => type === 'registrationrejected'))['code'],
        'FUNCTION_NAMESPACE_CONFLICT',
      );
      assert.equal((await after.call('f')).result, 'before');
    });
  }

  test('the calls that nobody answered are told to the successor, once, and to nobody without the token', async (t) => {
    const { connect } = await startGateway(t, { limits: { maxCallsInFlight: 2 * MAX_ORPHANS } });
    const [before, callee] = [await connect(), await connect()];
    await callee.serve('f');
    for (let n = 0; n < MAX_ORPHANS + 10; n++) {
      before.send({ type: 'invokefunction', invocation_id: `id-${n}`, function_id: 'f' });
    }
    before.send({ type: 'invokefunction', function_id: 'f', action: { type: 'void' } });
    await before.fence();
    await before.drop();
    const [thief, after] = [await connect(), await connect()];
    thief.send(reattach(before, { reattach_token: 'x' }));
    await thief.fence();
    assert.deepEqual(thief.frames, []);
    for (let n = 0; n < 2; n++) after.send(reattach(before));
    await after.fence();
    assert.equal(after.frames.length, MAX_ORPHANS);
    assert.ok(after.frames.every(({ error, function_id: id }) => error?.code === 'invocation_stopped' && id === 'f'));
    // What is answered now comes too late: it has been told.
    for (let n = 0; n < 5; n++) callee.answer(await callee.nextCall(), 1);
    await callee.fence();
    await after.fence();
    assert.equal(after.frames.length, MAX_ORPHANS);
  });

  test('two that reattach to the same session: the second takes nothing from the first', async (t) => {
    const { connect } = await startGateway(t);
    const before = await connect();
    await before.serve('f');
    const [first, second] = [await connect(), await connect()];
    first.send(reattach(before));
    await first.serve('f', () => 'first');
    second.send(reattach(before));
    await second.serve('f', () => 'second');
    assert.equal((await second.call('f')).result, 'first');
  });
});
