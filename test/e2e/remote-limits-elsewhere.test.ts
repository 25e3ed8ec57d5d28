// The same limit on everything else that crosses a socket: listings, telemetry, channels, registrations, compressed frames.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { createChannel } from 'iii-sdk/helpers';
import { WebSocket } from 'ws';
import { TOKEN } from '../server/support.ts';
import { codeOf, eventually } from '../support/start-runtime.ts';
import { HARD_CAP, LIMIT, measure, startLimits, text } from './limit-scene.ts';
import { TOO_LARGE } from './sdk.ts';

describe('a listing', { timeout: 60_000 }, () => {
  test('arrives at the limit; a byte above, whoever asked is told, and may ask for less', async (t) => {
    const { caller, callee, connect, requireUndisturbed } = await startLimits(t);
    const peer = await connect();
    const sizes = measure(peer);
    const list = () => peer.call('engine::functions::list', { worker: 'callee' });
    const describeAs = async (description: string): Promise<void> => {
      callee.sdk.registerFunction('callee::described', async () => 1, { description }).unregister();
      callee.sdk.registerFunction('callee::described', async () => 1, { description });
      await callee.settled();
    };
    await describeAs('x');
    await list();
    const room = LIMIT - (sizes.at(-1) as number) + 1;
    await describeAgain(text(room));
    assert.equal((await list()).error, undefined);
    assert.equal(sizes.at(-1), LIMIT);
    await describeAgain(text(room + 1));
    assert.equal((await list()).error?.code, TOO_LARGE);
    assert.equal(await codeOf(caller.call('engine::functions::list', { worker: 'callee' })), TOO_LARGE);
    const { functions } = await caller.call<{ functions: unknown[] }>('engine::functions::list', {
      search: 'neighbour',
    });
    assert.equal(functions.length, 1);
    await requireUndisturbed();

    async function describeAgain(description: string): Promise<void> {
      (callee.sdk as unknown as { functions: Map<string, unknown> }).functions.delete('callee::described');
      await describeAs(description);
    }
  });
});

describe('telemetry', { timeout: 60_000 }, () => {
  /** A collector that says how large what it got was, without its prefix. */
  async function startCollector(t: TestContext): Promise<{ url: string; sizes: number[] }> {
    const sizes: number[] = [];
    const collector = createServer((request, response) => {
      let bytes = 0;
      request.on('data', (part: Buffer) => (bytes += part.length));
      request.on('end', () => {
        sizes.push(bytes);
        response.end('{}');
      });
    });
    collector.listen(0, '127.0.0.1');
    await once(collector, 'listening');
    t.after(() => collector.close());
    return { url: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`, sizes };
  }

  const PREFIX_BYTES = 4;
  const telemetry = (bytes: number) => Buffer.from('OTLP{"x":"'.padEnd(bytes - 2, 'x') + '"}');

  for (const path of ['', '/otel'])
    test(`is taken at the limit on ${path || 'the socket of the worker'}; a byte above, it is dropped alone`, async (t) => {
      const collector = await startCollector(t);
      const { address, requireUndisturbed, log } = await startLimits(t, { otlpEndpoint: collector.url });
      const socket = new WebSocket(address + path, { headers: { authorization: `Bearer ${TOKEN}` } });
      await once(socket, 'open');
      t.after(() => socket.terminate());
      for (const bytes of [LIMIT, LIMIT + 1, 100]) socket.send(telemetry(bytes));
      await eventually(() => collector.sizes.length === 2);
      assert.deepEqual(collector.sizes, [LIMIT - PREFIX_BYTES, 100 - PREFIX_BYTES]);
      assert.equal(socket.readyState, socket.OPEN);
      const told = log.filter(({ fields }) => fields['payload_bytes'] === LIMIT + 1);
      assert.deepEqual(
        told.map(({ level, fields }) => [level, fields['limit_bytes']]),
        [['warn', LIMIT]],
      );
      await requireUndisturbed();
    });

  test('above the hard cap costs its own socket alone', async (t) => {
    const { address, requireUndisturbed, log } = await startLimits(t);
    const socket = new WebSocket(`${address}/otel`, { headers: { authorization: `Bearer ${TOKEN}` } });
    await once(socket, 'open');
    const closed = once(socket, 'close');
    socket.send(telemetry(HARD_CAP + 1));
    const [code] = (await closed) as [number];
    assert.equal(code, 1009);
    const told = log.filter(({ message }) => message === 'a telemetry socket was ended');
    assert.deepEqual(
      told.map(({ level, fields }) => [level, fields['reason'], fields['limit_bytes']]),
      [['warn', 'payload_too_large', HARD_CAP]],
    );
    await requireUndisturbed();
  });
});

describe('a message of a channel', { timeout: 60_000 }, () => {
  test('arrives at the limit; a byte above, the channel ends for both, and nothing else', async (t) => {
    const { caller, address, requireUndisturbed } = await startLimits(t);
    const { writerRef, readerRef } = await createChannel(caller.sdk);
    const open = async ({ channel_id: id, access_key: key, direction }: typeof writerRef) => {
      const socket = new WebSocket(`${address}/ws/channels/${id}?key=${key}&dir=${direction}`);
      await once(socket, 'open');
      t.after(() => socket.terminate());
      return { socket, closed: once(socket, 'close') as Promise<[number, Buffer]> };
    };
    const [writer, reader] = await Promise.all([open(writerRef), open(readerRef)]);
    const received: number[] = [];
    reader.socket.on('message', (data: Buffer) => received.push(data.length));
    for (const message of [text(LIMIT), Buffer.alloc(LIMIT), text(LIMIT + 1)]) writer.socket.send(message);
    const [[code, reason], [readerCode]] = await Promise.all([writer.closed, reader.closed]);
    assert.deepEqual([code, reason.toString()], [1009, 'payload_too_large']);
    assert.notEqual(readerCode, 1000);
    assert.deepEqual(received, [LIMIT, LIMIT]);
    await requireUndisturbed();
  });

  test('that the SDK writes as a stream of any length never comes near it', async (t) => {
    const { caller, requireUndisturbed } = await startLimitsOfFrames(t);
    const channel = await createChannel(caller.sdk);
    const received = channel.reader.readAll();
    const sent = Buffer.alloc(1_000_003, 'greenroom');
    channel.writer.stream.end(sent);
    assert.ok(sent.equals(await received));
    await requireUndisturbed();
  });

  /** The SDK cuts streams into frames of 64 KiB, so the limit cannot be lower. */
  const startLimitsOfFrames = (t: TestContext) => startLimits(t, {}, 64 * 1_024);
});

describe('a registration', { timeout: 60_000 }, () => {
  test('above the limit is refused alone, and can be seen in the detail of its worker', async (t) => {
    const { callee, runtime, requireUndisturbed } = await startLimits(t);
    callee.sdk.registerFunction('callee::large', async () => 1, { description: text(LIMIT) });
    callee.sdk.registerFunction('callee::next', async () => 2);
    assert.equal(await callee.call('callee::next'), 2);
    assert.equal(await codeOf(callee.call('callee::large')), 'function_not_found');
    const { workerId } = runtime.peers.summaries().find(({ displayName }) => displayName === 'callee')!;
    assert.deepEqual(runtime.peers.view(workerId)?.refused, [{ functionId: 'callee::large', code: TOO_LARGE }]);
    await requireUndisturbed();
  });
});

describe('a compressed frame', { timeout: 60_000 }, () => {
  test('is judged by what it inflates to: above the limit it is answered, above the hard cap it ends the connection', async (t) => {
    const { caller, connect, requireUndisturbed, runtime } = await startLimits(t, { perMessageDeflate: true });
    const fits = 'x'.repeat(LIMIT / 2);
    assert.equal(await caller.call('callee::echo', fits), fits);
    assert.equal(await codeOf(caller.call('callee::echo', 'x'.repeat(LIMIT))), TOO_LARGE);
    const peer = await connect({ perMessageDeflate: { threshold: 0 } });
    assert.match(peer.socket.extensions, /permessage-deflate/);
    assert.equal((await peer.call('callee::size', 'x'.repeat(LIMIT))).error?.code, TOO_LARGE);
    const id = peer.workerId;
    peer.send({ type: 'invokefunction', invocation_id: 'i', function_id: 'callee::size', data: 'x'.repeat(HARD_CAP) });
    assert.equal((await peer.closed).code, 1009);
    await eventually(() => runtime.peers.view(id)?.disconnectReason === 'payload_too_large');
    await requireUndisturbed();
  });

  test('is not accepted unless the operator says so', async (t) => {
    const { connect } = await startLimits(t);
    const peer = await connect({ perMessageDeflate: true });
    assert.equal(peer.socket.extensions, '');
  });
});
