// One limit end to end, with the published SDK: what is exactly at it arrives, a byte above it is refused with a code to whoever has
// to know, and nobody else notices. Every frame is measured as it crossed the wire, none is guessed.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TriggerAction } from 'iii-sdk';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { HARD_CAP, keepCalling, LIMIT, measure, startLimits, text } from './limit-scene.ts';
import { errorOf, gated, TOO_LARGE } from './sdk.ts';

const last = (sizes: readonly number[]) => sizes.at(-1) as number;

describe('a request', { timeout: 60_000 }, () => {
  test('arrives at the limit; a byte above, its sender is told on its open connection', async (t) => {
    const { caller, requireUndisturbed } = await startLimits(t);
    await caller.call('callee::size', '');
    const room = LIMIT - last(caller.sent);
    assert.equal(await caller.call('callee::size', text(room)), room);
    assert.equal(last(caller.sent), LIMIT);
    const error = await errorOf(caller.call('callee::size', text(room + 1)));
    assert.equal(last(caller.sent), LIMIT + 1);
    assert.deepEqual(error, {
      name: 'InvocationError',
      code: TOO_LARGE,
      message: `${TOO_LARGE}: The message has ${LIMIT + 1} bytes, the limit is ${LIMIT}. Send larger data through a channel.`,
      function_id: 'callee::size',
    });
    assert.equal(await caller.call('callee::size', text(room)), room);
    await requireUndisturbed();
  });

  test('tells the sizes beside the code to whoever reads them', async (t) => {
    const { connect, requireUndisturbed } = await startLimits(t);
    const peer = await connect();
    const { error } = await peer.call('callee::size', text(LIMIT));
    assert.equal(error?.code, TOO_LARGE);
    assert.equal(error?.['limit_bytes'], LIMIT);
    assert.ok((error?.['payload_bytes'] as number) > LIMIT);
    await requireUndisturbed();
  });

  test('that becomes too large with its caller’s id in it is not sent to the function, and its sender is told', async (t) => {
    const { caller, connect, requireUndisturbed } = await startLimits(t);
    const callee = await connect();
    const sizes = measure(callee);
    await callee.serve('raw::size', ({ data }) => (data as { text: string }).text.length);
    await caller.call('raw::size', { text: '' });
    const room = LIMIT - (sizes.at(-1) as number);
    assert.equal(await caller.call('raw::size', { text: 'x'.repeat(room) }), room);
    assert.equal(sizes.at(-1), LIMIT);
    const count = sizes.length;
    assert.equal(await codeOf(caller.call('raw::size', { text: 'x'.repeat(room + 1) })), TOO_LARGE);
    assert.ok(last(caller.sent) < LIMIT);
    await callee.fence();
    assert.equal(sizes.length, count + 1, 'the answer of the fence alone');
    await requireUndisturbed();
  });

  test('counts its metadata, and one that nobody waits for is dropped alone', async (t) => {
    const { caller, requireUndisturbed } = await startLimits(t);
    assert.equal(await codeOf(caller.call('callee::size', '', { metadata: text(LIMIT) })), TOO_LARGE);
    await caller.call('callee::size', text(LIMIT), { action: TriggerAction.Void() });
    assert.equal(await caller.call('callee::echo', 'still'), 'still');
    await requireUndisturbed();
  });

  test('is judged the same up to the hard cap; a byte above that costs its sender the connection, and nobody else', async (t) => {
    const { connect, caller, requireUndisturbed, log, runtime } = await startLimits(t);
    const sender = await connect();
    const id = '11111111-1111-4111-8111-111111111111';
    const frame = (bytes: number) => {
      const empty = { type: 'invokefunction', invocation_id: id, function_id: 'callee::size', data: '' };
      const overhead = Buffer.byteLength(JSON.stringify(empty));
      return JSON.stringify({ ...empty, data: 'x'.repeat(bytes - overhead) });
    };
    sender.send(frame(HARD_CAP));
    const answer = await sender.next(({ invocation_id }) => invocation_id === id);
    assert.deepEqual([answer.error?.code, answer.error?.['payload_bytes']], [TOO_LARGE, HARD_CAP]);
    sender.send(frame(HARD_CAP + 1));
    assert.equal((await sender.closed).code, 1009);
    await eventually(() => runtime.peers.view(sender.workerId)?.disconnectReason === 'payload_too_large');
    const warnings = log.filter(({ level, fields }) => level === 'warn' && fields['reason'] === 'payload_too_large');
    assert.deepEqual(
      warnings.map(({ fields }) => [fields['worker_id'], typeof fields['address'], fields['limit_bytes']]),
      [[sender.workerId, 'string', HARD_CAP]],
    );
    assert.equal(await caller.call('callee::echo', 1), 1);
    await requireUndisturbed();
  });
});

describe('a result', { timeout: 60_000 }, () => {
  test('arrives at the limit; a byte above, that one call fails with a code and the callee serves on', async (t) => {
    const { caller, callee, requireUndisturbed } = await startLimits(t);
    const { handler, called, open } = gated<string>();
    callee.sdk.registerFunction('callee::slow', handler);
    let bytes = LIMIT / 2;
    const slow = caller.call('callee::slow');
    await called;
    // To the one that is at the limit: how large the frame was is read from what the callee sent.
    for (;;) {
      assert.equal(Buffer.byteLength(await caller.call<string>('callee::give', bytes)), bytes);
      const sent = Math.max(...callee.sent);
      if (sent === LIMIT) break;
      assert.ok(sent < LIMIT, `${sent} bytes arrived`);
      bytes += LIMIT - sent;
    }
    const error = await errorOf(caller.call('callee::give', bytes + 1));
    assert.equal(Math.max(...callee.sent), LIMIT + 1);
    assert.deepEqual([error['code'], error['function_id']], [TOO_LARGE, 'callee::give']);
    open('and the other call of the same callee succeeds');
    assert.equal(await slow, 'and the other call of the same callee succeeds');
    await requireUndisturbed();
  });

  test('above the hard cap ends the callee; all who wait for it are told why, it is listed with the reason, and it comes back', async (t) => {
    const { caller, callee, neighbour, runtime, neighbours, send } = await startLimits(t);
    await neighbours.stop();
    const { handler, called } = gated<never>();
    callee.sdk.registerFunction('callee::slow', handler);
    await callee.settled();
    const own = keepCalling([neighbour, 'neighbour::echo']);
    const waiting = codeOf(caller.call('callee::slow'));
    await called;
    assert.equal(await codeOf(caller.call('callee::give', HARD_CAP)), TOO_LARGE);
    assert.equal(await waiting, TOO_LARGE);
    const lost = runtime.peers
      .summaries()
      .find(({ displayName, status }) => displayName === 'callee' && status === 'disconnected');
    assert.equal(lost?.disconnectReason, 'payload_too_large');
    const { text: detail } = await send('GET', `/v1/workers/${lost.workerId}`);
    assert.match(detail, /"disconnect_reason":"payload_too_large"/);
    await eventually(async () => (await codeOf(caller.call('callee::echo', 1))) === 1);
    assert.ok((await own.stop()) > 0);
  });
});
