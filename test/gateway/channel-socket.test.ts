// Ends of channels at real WebSockets: what arrives, who has to wait, and what each side is told when the other one goes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import type { ChannelRef } from '../../lib/protocol/channel-ref.ts';
import { serveChannelSocket } from '../../lib/gateway/channel-socket.ts';
import { CHANNEL_BUFFER_BYTES } from '../../lib/limits.ts';
import { eventually } from '../support/start-runtime.ts';
import { addressOf, closeOf, messagesOf, startChannels } from './channel-support.ts';

const MiB = 1024 * 1024;
const FRAME = Buffer.alloc(65_536, 'x');

/** The status that an upgrade request is refused with. */
async function refusalOf(url: string): Promise<{ status: number; code: string }> {
  const socket = new WebSocket(url);
  socket.on('error', () => undefined);
  const [, response] = (await once(socket, 'unexpected-response')) as [
    unknown,
    AsyncIterable<Buffer> & { statusCode: number },
  ];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const { error } = JSON.parse(Buffer.concat(chunks).toString()) as { error: { code: string } };
  return { status: response.statusCode, code: error.code };
}

describe('a channel between two sockets', () => {
  test('hands on text and binary frames in order and closes with 1000 once the writer has closed', async (t) => {
    const { create, join, channels } = await startChannels(t);
    const { reader, writer } = create();
    const from = await join(writer);
    const received = messagesOf(await join(reader));
    for (const frame of ['a', Buffer.alloc(3), '', Buffer.alloc(0), 'ü', FRAME]) from.send(frame);
    from.close();
    assert.deepEqual(await received, { messages: ['a', 3, '', 0, 'ü', 65_536], code: 1000 });
    await eventually(() => channels.size === 0);
  });

  test('keeps what was written for a reader that comes after the writer has gone', async (t) => {
    const { create, connect, join } = await startChannels(t);
    const { reader, writer } = create();
    const from = await join(writer);
    from.send('early');
    from.close(4_000, 'any code is an orderly close');
    await closeOf(from);
    assert.deepEqual(await messagesOf(connect(reader)), { messages: ['early'], code: 1000 });
  });

  test('holds little of what a reader does not take, and loses none of it', async (t) => {
    const { create, join, served } = await startChannels(t);
    const { reader, writer } = create();
    const to = await join(reader);
    const from = await join(writer);
    const [toServed, fromServed] = served as [WebSocket, WebSocket];
    let receivedBytes = 0;
    to.on('message', (bytes: Buffer) => (receivedBytes += bytes.length));
    to.pause();
    let heldBytes = 0;
    const count = 800; // 50 MiB, more than any buffer of the system takes
    for (let n = 0; n < count; n++) from.send(FRAME);
    await eventually(() => {
      heldBytes = Math.max(heldBytes, toServed.bufferedAmount);
      return fromServed.isPaused && toServed.bufferedAmount >= MiB;
    });
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(fromServed.isPaused, 'the writer’s socket is not read');
    assert.ok(from.bufferedAmount > 20 * MiB, `the writer has the rest: ${from.bufferedAmount}`);
    const frameBytes = FRAME.length + 16;
    assert.ok(heldBytes <= MiB + frameBytes && toServed.bufferedAmount <= MiB + frameBytes, `${heldBytes} held`);
    from.close();
    to.resume();
    assert.equal((await closeOf(to)).code, 1000);
    assert.equal(receivedBytes, count * FRAME.length);
  });

  test('buffers up to its bound before the reader has come', async (t) => {
    const { create, join, served, channels } = await startChannels(t);
    const { reader, writer } = create();
    const from = await join(writer);
    for (let n = 0; n < 400; n++) from.send(FRAME);
    await eventually(() => served[0]?.isPaused);
    const end = channels.takeReader(reader);
    let buffered = 0;
    while (end.read() !== null) buffered += FRAME.length;
    assert.ok(buffered >= CHANNEL_BUFFER_BYTES && buffered <= CHANNEL_BUFFER_BYTES + 2 * FRAME.length, `${buffered}`);
  });
});

describe('a socket that goes', () => {
  test('tells the writer at once that its reader has gone, paused or not', async (t) => {
    const { create, join, served } = await startChannels(t);
    for (const isPaused of [false, true]) {
      const { reader, writer } = create(1);
      const from = await join(writer);
      const to = await join(reader);
      if (isPaused) {
        to.pause();
        for (let n = 0; n < 800; n++) from.send(FRAME);
        await eventually(() => served.at(-2)?.isPaused);
      }
      const closed = closeOf(from);
      to.terminate();
      assert.deepEqual(await closed, { code: 1000, reason: 'reader_gone' });
    }
  });

  test('tells the reader with 1011 that its writer was lost, after what came before', async (t) => {
    const { create, join } = await startChannels(t);
    const { reader, writer } = create();
    const from = await join(writer);
    const received = messagesOf(await join(reader));
    await new Promise((resolve) => from.send('half', resolve));
    from.terminate();
    assert.deepEqual(await received, { messages: ['half'], code: 1011 });
  });

  test('closes with 1011 and the reason when the channel is closed from outside', async (t) => {
    const { create, join, channels } = await startChannels(t);
    const { reader, writer } = create();
    const closes = [closeOf(await join(reader)), closeOf(await join(writer))];
    channels.closeAll();
    const closed = { code: 1011, reason: 'runtime_closed' };
    assert.deepEqual(await Promise.all(closes), [closed, closed]);
  });

  test('closes with 1011 when nobody has used it for too long', async (t) => {
    const { create, join } = await startChannels(t, { channelIdleMs: 50 });
    const { reader } = create();
    assert.deepEqual(await closeOf(await join(reader)), { code: 1011, reason: 'idle' });
  });
});

describe('a frame above the limit', () => {
  const limits = { maxMessageBytes: 100_000, maxFrameBytes: 200_000 };
  for (const [title, bytes] of [
    ['of a message', 100_001],
    ['of what is read at all', 200_001],
  ] as const) {
    test(`${title} closes its sender with 1009 and the reader with 1011`, async (t) => {
      const { create, join } = await startChannels(t, limits);
      const { reader, writer } = create();
      const from = await join(writer);
      const received = messagesOf(await join(reader));
      const closed = closeOf(from);
      from.send(Buffer.alloc(100_000));
      from.send(Buffer.alloc(bytes));
      assert.equal((await closed).code, 1009);
      assert.deepEqual(await received, { messages: [100_000], code: 1011 });
    });
  }

  test('from the reader, who has nothing to say, closes its socket and tells the writer', async (t) => {
    const { create, join } = await startChannels(t, limits);
    const { reader, writer } = create();
    const from = await join(writer);
    const to = await join(reader);
    to.send('ignored');
    to.send(Buffer.alloc(200_001));
    assert.deepEqual(await closeOf(from), { code: 1000, reason: 'reader_gone' });
  });
});

describe('an upgrade request', () => {
  test('is refused before the upgrade when there is no such channel, or the query is not valid', async (t) => {
    const { create, address } = await startChannels(t);
    const { reader } = create();
    const url = new URL(addressOf(address, reader));
    const withQuery = (query: string) => refusalOf(`${url.origin}${url.pathname}${query}`);
    const key = reader.access_key;
    assert.deepEqual(await refusalOf(addressOf(address, { ...reader, channel_id: 'none' })), {
      status: 404,
      code: 'channel_not_found',
    });
    assert.deepEqual(await withQuery('?key=wrong&dir=read'), { status: 404, code: 'channel_not_found' });
    for (const query of ['', `?key=${key}`, `?key=${key}&dir=both`, '?dir=read', `?key=${key}&key=${key}&dir=read`]) {
      assert.deepEqual(await withQuery(query), { status: 400, code: 'invalid_query' }, query);
    }
  });

  test('is refused when the end has been taken', async (t) => {
    const { create, address, join } = await startChannels(t);
    const { reader } = create();
    await join(reader);
    assert.deepEqual(await refusalOf(addressOf(address, reader)), { status: 409, code: 'channel_taken' });
  });

  test('whose end is taken while it is upgraded gets a close with 1008', async (t) => {
    const { create, channels } = await startChannels(t);
    const ref: ChannelRef = create().reader;
    channels.takeReader(ref as ChannelRef<'read'>);
    const closes: unknown[] = [];
    const socket = { on: () => undefined, close: (...given: unknown[]) => closes.push(given) };
    serveChannelSocket(socket as unknown as WebSocket, channels, ref);
    assert.deepEqual(closes, [[1008, 'channel_taken']]);
  });
});
