// The published SDK at both ends: its writer and its reader as a user has them, against our sockets.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { describe, test } from 'node:test';
import { ChannelReader, ChannelWriter } from 'iii-sdk/channel';
import { eventually } from '../support/start-runtime.ts';
import { closeOf, messagesOf, startChannels } from './channel-support.ts';

describe('the SDK', () => {
  test('moves bytes and text, mixed, from its writer to its reader', async (t) => {
    const { address, create, channels } = await startChannels(t);
    const refs = create();
    const writer = new ChannelWriter(address, refs.writer);
    const reader = new ChannelReader(address, refs.reader);
    const texts: string[] = [];
    reader.onMessage((message: string) => texts.push(message));
    const received = reader.readAll();
    const sent = Buffer.alloc(1_000_003, 'greenroom');
    writer.sendMessage('begin');
    writer.stream.write(sent);
    writer.sendMessage('in between');
    writer.stream.end();
    assert.ok(sent.equals(await received));
    assert.deepEqual(texts, ['begin', 'in between']);
    await eventually(() => channels.size === 0);
  });

  test('has its writer slowed down by a reader that does not read, and loses nothing', async (t) => {
    const { address, create, served } = await startChannels(t);
    const refs = create();
    const writer = new ChannelWriter(address, refs.writer);
    const reader = new ChannelReader(address, refs.reader);
    const count = 800;
    let produced = 0;
    const source = Readable.from(
      (function* () {
        for (; produced < count; produced++) yield Buffer.alloc(65_536, 'x');
      })(),
    );
    reader.stream.read(0); // connects; takes what its own buffer holds and no more
    const done = pipeline(source, writer.stream);
    await eventually(() => served.length === 2 && served.some((socket) => socket.isPaused));
    assert.ok(produced < count, `${produced} produced`);
    let bytes = 0;
    for await (const chunk of reader.stream) bytes += (chunk as Buffer).length;
    await done;
    assert.equal(bytes, count * 65_536);
  });

  test('closes a channel that only carried text', async (t) => {
    const { address, create, join } = await startChannels(t);
    const refs = create();
    const received = messagesOf(await join(refs.reader));
    const writer = new ChannelWriter(address, refs.writer);
    writer.sendMessage('one');
    writer.sendMessage('two');
    writer.close();
    assert.deepEqual(await received, { messages: ['one', 'two'], code: 1000 });
  });

  test('that destroys its reader ends the writer’s socket', async (t) => {
    const { address, create, join } = await startChannels(t);
    const refs = create();
    const from = await join(refs.writer);
    const reader = new ChannelReader(address, refs.reader);
    from.send(Buffer.alloc(10));
    await once(reader.stream, 'readable');
    const closed = closeOf(from);
    reader.stream.destroy();
    assert.deepEqual(await closed, { code: 1000, reason: 'reader_gone' });
  });

  test('is told with 404 that there is no such channel', async (t) => {
    const { address, create } = await startChannels(t);
    const reader = new ChannelReader(address, { ...create().reader, access_key: 'wrong' });
    await assert.rejects(reader.readAll(), { message: 'Unexpected server response: 404' });
  });
});
