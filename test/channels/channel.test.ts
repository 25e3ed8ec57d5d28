// One channel by itself: order, bounds, the ways in which either end can go, and who is told what.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Channel } from '../../lib/channels/channel.ts';
import type { Held } from '../../lib/channels/channel.ts';
import type { CountingWriteEnd, Message, ReadEnd } from '../../lib/channels/end.ts';
import { CHANNEL_BUFFER_BYTES } from '../../lib/limits.ts';

interface Scene {
  channel: Channel;
  writer: CountingWriteEnd;
  reader: ReadEnd;
  /** How often each has been told to look. */
  told: { writer: number; reader: number };
  over: () => number;
}

const ALONE: Held = { bytes: 0, maxBytes: Infinity };

function open(maxMessages = 64, maxMessageBytes = 4 * CHANNEL_BUFFER_BYTES, held = ALONE): Scene {
  let over = 0;
  const channel = new Channel({ maxMessages, maxMessageBytes, now: () => 0, held, onOver: () => over++ });
  const told = { writer: 0, reader: 0 };
  const writer = channel.takeWriter();
  const reader = channel.takeReader();
  writer.listen(() => told.writer++);
  reader.listen(() => told.reader++);
  return { channel, writer, reader, told, over: () => over };
}

const text = (value: string): Message => ({ bytes: Buffer.from(value), isText: true });
const binary = (bytes: number): Message => ({ bytes: Buffer.alloc(bytes), isText: false });
const turn = () => new Promise((resolve) => setImmediate(resolve));
const failureOf = ({ failure }: ReadEnd | CountingWriteEnd) =>
  failure && { code: failure.code, reason: failure.details?.['reason'] };
const closed = (reason: string) => ({ code: 'channel_closed', reason });

describe('a channel', () => {
  test('hands on text and binary messages as they were, in their order', () => {
    const { writer, reader } = open();
    const sent = [text('a'), binary(3), text(''), binary(0), text('b')];
    for (const message of sent) writer.write(message);
    assert.deepEqual(
      Array.from({ length: 6 }, () => reader.read()),
      [...sent, null],
    );
    assert.deepEqual({ bytes: writer.bytes, messages: writer.messages }, { bytes: 5, messages: 5 });
  });

  test('has room for so many messages and tells the writer once half of them have been read', async () => {
    const { writer, reader, told } = open(4);
    assert.deepEqual(
      [1, 2, 3, 4].map(() => writer.write(text('x'))),
      [true, true, true, false],
    );
    reader.read();
    await turn();
    assert.equal(told.writer, 0);
    reader.read();
    assert.equal(told.writer, 0, 'never from within a call');
    await turn();
    assert.deepEqual([told.writer, writer.hasRoom], [1, true]);
  });

  test('has room for so many bytes, and one message may go beyond them', async () => {
    const { writer, reader, told } = open();
    assert.equal(writer.write(binary(CHANNEL_BUFFER_BYTES - 1)), true);
    assert.equal(writer.write(binary(2 * CHANNEL_BUFFER_BYTES)), false);
    reader.read();
    await turn();
    assert.equal(told.writer, 0);
    reader.read();
    await turn();
    assert.equal(told.writer, 1);
  });

  test('refuses a message above the limit and goes on as if it had not come', () => {
    const { writer, reader } = open(64, 10);
    assert.throws(() => writer.write(binary(11)), {
      code: 'payload_too_large',
      details: { payload_bytes: 11, limit_bytes: 10, hop: 'channel' },
    });
    assert.equal(writer.write(binary(10)), true);
    assert.equal(reader.read()?.bytes.length, 10);
    assert.deepEqual([reader.read(), reader.failure], [null, null]);
  });

  test('tells the reader once of everything that was written in one turn', async () => {
    const { writer, told } = open();
    for (let n = 0; n < 5; n++) writer.write(text('x'));
    await turn();
    assert.equal(told.reader, 1);
  });

  test('tells a listener of what came before it listened', async () => {
    const channel = new Channel({
      maxMessages: 1,
      maxMessageBytes: 1,
      now: () => 0,
      held: ALONE,
      onOver: () => undefined,
    });
    channel.takeWriter().write(text('x'));
    await turn();
    let told = 0;
    channel.takeReader().listen(() => told++);
    await turn();
    assert.equal(told, 1);
  });

  test('gives each end to one taker', () => {
    const { channel } = open();
    assert.throws(() => channel.takeReader(), { code: 'channel_taken' });
    assert.throws(() => channel.takeWriter(), { code: 'channel_taken' });
  });
});

describe('the end of a channel', () => {
  test('comes after everything that was written, and is over when the reader has left', async () => {
    const { writer, reader, told, over } = open();
    writer.write(text('last'));
    await turn();
    void writer.end();
    await turn();
    assert.deepEqual([told.reader, reader.isOver, reader.read()?.isText, reader.isOver], [2, false, true, true]);
    assert.deepEqual([reader.failure, over()], [null, 0]);
    reader.close();
    assert.deepEqual([over(), writer.failure], [1, null]);
    assert.throws(() => writer.write(text('more')), { code: 'channel_closed' });
  });

  test('is a failure for the reader when the writer was not through, after everything that was written', async () => {
    const { writer, reader, told, over } = open();
    writer.write(text('last'));
    writer.abort();
    await turn();
    assert.deepEqual([told.reader, reader.failure], [1, null]);
    reader.read();
    assert.deepEqual(failureOf(reader), closed('writer_gone'));
    assert.equal(reader.isOver, false);
    reader.close();
    assert.equal(over(), 1);
  });

  test('is told to the writer at once when the reader leaves', async () => {
    const { writer, reader, told, over } = open();
    writer.write(text('unread'));
    reader.close();
    await turn();
    assert.deepEqual([failureOf(writer), told.writer, over()], [closed('reader_gone'), 1, 1]);
    assert.throws(() => writer.write(text('more')), { code: 'channel_closed' });
  });

  test('waits for a writer that has yet to learn that its reader has left', () => {
    let over = 0;
    const channel = new Channel({
      maxMessages: 1,
      maxMessageBytes: 1,
      now: () => 0,
      held: ALONE,
      onOver: () => over++,
    });
    channel.takeReader().close();
    assert.equal(over, 0);
    const writer = channel.takeWriter();
    assert.deepEqual(failureOf(writer), closed('reader_gone'));
    void writer.end();
    assert.equal(over, 1);
  });

  test('from outside drops what is unread and is told to both', async () => {
    const { channel, writer, reader, told, over } = open();
    writer.write(text('unread'));
    await turn();
    channel.close('idle');
    channel.close('owner_gone');
    await turn();
    assert.deepEqual([failureOf(writer), failureOf(reader)], [closed('idle'), closed('idle')]);
    assert.deepEqual([reader.read(), told, over()], [null, { writer: 1, reader: 2 }, 1]);
  });

  test('from outside makes an end that was not read a failure', () => {
    const { channel, writer, reader } = open();
    void writer.end();
    channel.close('idle');
    assert.deepEqual([reader.isOver, failureOf(reader)], [false, closed('idle')]);
  });

  test('counts once, whatever follows', () => {
    const { writer, reader, over, channel } = open();
    void writer.end();
    writer.abort();
    reader.close();
    reader.close();
    writer.abort();
    channel.close('idle');
    assert.deepEqual([over(), writer.failure, reader.failure], [1, null, null]);
  });

  test('has no room beyond its first message while all together hold too much, and goes on as it is read', async () => {
    const held: Held = { bytes: 0, maxBytes: 10 };
    const [one, other] = [open(64, 100, held), open(64, 100, held)];
    assert.equal(one.writer.write(binary(10)), false);
    assert.equal(other.writer.hasRoom, true);
    assert.equal(other.writer.write(binary(10)), false);
    assert.equal(held.bytes, 20);
    other.reader.read();
    await turn();
    assert.deepEqual([other.told.writer, other.writer.hasRoom], [1, true]);
    one.channel.close('idle');
    assert.equal(held.bytes, 0);
  });
});
