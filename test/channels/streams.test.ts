// The ends of a channel as Node streams: what goes in comes out, both sides slow each other down, and either may go.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { FRAME_BYTES } from '../../lib/channels/bounds.ts';
import { Channels } from '../../lib/channels/channels.ts';
import { readableOf, writableOf } from '../../lib/channels/streams.ts';
import { CHANNEL_BUFFER_BYTES, resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';
import { eventually } from '../support/start-runtime.ts';

function open(t: TestContext, limits: Partial<Limits> = {}, bufferMessages?: number) {
  const channels = new Channels(resolveLimits(limits));
  t.after(() => channels.closeAll());
  const { reader, writer } = channels.create(null, { bufferMessages });
  return { channels, readEnd: channels.takeReader(reader), writeEnd: channels.takeWriter(writer) };
}

async function codeOfStream(stream: NodeJS.EventEmitter): Promise<unknown> {
  const [error] = (await once(stream, 'error')) as [{ code: string; details: object }];
  return { code: error.code, ...error.details };
}

describe('a stream through a channel', () => {
  test('arrives byte for byte, cut into frames', async (t) => {
    const { readEnd, writeEnd } = open(t);
    const sent = Buffer.alloc(10 * FRAME_BYTES + 7, 'greenroom');
    const received = buffer(readableOf(readEnd));
    await pipeline(Readable.from([sent.subarray(0, 5), sent.subarray(5)]), writableOf(writeEnd));
    assert.ok(sent.equals(await received));
    assert.equal(writeEnd.messages, 1 + Math.ceil((sent.length - 5) / FRAME_BYTES));
  });

  test('keeps text and bytes apart where messages are asked for', async (t) => {
    const { readEnd, writeEnd, channels } = open(t);
    const readable = readableOf(readEnd, { messages: true });
    const writable = writableOf(writeEnd);
    const sent = ['text', Buffer.from('bytes'), '', 'ü', Buffer.alloc(0)];
    for (const message of sent) writable.write(message);
    writable.end();
    assert.deepEqual(await readable.toArray(), sent);
    assert.equal(channels.size, 0);
  });

  test('gives text as its UTF-8 among the bytes', async (t) => {
    const { readEnd, writeEnd } = open(t);
    const writable = writableOf(writeEnd);
    writable.write('grün');
    writable.write('');
    writable.end(Buffer.from([0xff]));
    assert.deepEqual(await buffer(readableOf(readEnd)), Buffer.concat([Buffer.from('grün'), Buffer.from([0xff])]));
  });

  test('stands still while nobody reads, with no more than the channel buffers, and goes on when somebody does', async (t) => {
    const { readEnd, writeEnd } = open(t);
    const chunk = Buffer.alloc(FRAME_BYTES);
    let produced = 0;
    const source = Readable.from(
      (function* () {
        for (; produced < 100; produced++) yield chunk;
      })(),
    );
    const done = pipeline(source, writableOf(writeEnd));
    await eventually(() => !writeEnd.hasRoom);
    for (let n = 0; n < 10; n++) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(writeEnd.bytes, CHANNEL_BUFFER_BYTES);
    const received = await buffer(readableOf(readEnd));
    await done;
    assert.equal(received.length, 100 * FRAME_BYTES);
  });
});

describe('a stream that breaks off', () => {
  test('at the writer fails at the reader, behind what came before', async (t) => {
    const { readEnd, writeEnd } = open(t);
    const readable = readableOf(readEnd);
    const writable = writableOf(writeEnd);
    writable.write(Buffer.from('begin'));
    const [chunk] = (await once(readable, 'data')) as [Buffer];
    writable.destroy();
    assert.deepEqual(await codeOfStream(readable), { code: 'channel_closed', reason: 'writer_gone' });
    assert.equal(chunk.toString(), 'begin');
  });

  test('at the reader fails at the writer, even while it waits for room', async (t) => {
    const { readEnd, writeEnd } = open(t, {}, 1);
    const writable = writableOf(writeEnd);
    writable.write('first');
    writable.write('waits');
    const failed = codeOfStream(writable);
    readableOf(readEnd).destroy();
    assert.deepEqual(await failed, { code: 'channel_closed', reason: 'reader_gone' });
  });

  test('at the reader before the writer ends is not taken for an orderly end', async (t) => {
    const { readEnd, writeEnd } = open(t);
    const writable = writableOf(writeEnd);
    readEnd.close();
    writable.end();
    assert.deepEqual(await codeOfStream(writable), { code: 'channel_closed', reason: 'reader_gone' });
  });

  test('from outside fails at both', async (t) => {
    const { channels, readEnd, writeEnd } = open(t);
    const failures = [readableOf(readEnd).resume(), writableOf(writeEnd)].map(codeOfStream);
    channels.closeAll();
    const closed = { code: 'channel_closed', reason: 'runtime_closed' };
    assert.deepEqual(await Promise.all(failures), [closed, closed]);
  });

  test('over a text message above the limit fails with it, whether there was room or not', async (t) => {
    const { readEnd, writeEnd } = open(t, { maxMessageBytes: 10 }, 1);
    const writable = writableOf(writeEnd);
    writable.write('fits');
    writable.write('too large a text');
    const failed = codeOfStream(writable);
    readEnd.read();
    assert.deepEqual(await failed, { code: 'payload_too_large', payload_bytes: 16, limit_bytes: 10, hop: 'channel' });
    assert.deepEqual(readEnd.failure?.details, { reason: 'writer_gone' });
  });
});
