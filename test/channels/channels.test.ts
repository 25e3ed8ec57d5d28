// All channels of a runtime: their number, ids and keys, owners, and what becomes of those that nobody uses.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { TestContext } from 'node:test';
import { Channels } from '../../lib/channels/channels.ts';
import type { ChannelRef } from '../../lib/protocol/channel-ref.ts';
import { MAX_CHANNEL_MESSAGES, resolveLimits } from '../../lib/limits.ts';
import type { Limits } from '../../lib/limits.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const MESSAGE = { bytes: Buffer.from('x'), isText: false };

function open(t: TestContext, limits: Partial<Limits> = {}) {
  const clock = { nowMs: 0 };
  const channels = new Channels(resolveLimits(limits), () => clock.nowMs);
  t.after(() => channels.closeAll());
  return { channels, clock };
}

describe('a reference', () => {
  test('names the end by a random id and key, which both ends share', (t) => {
    const { channels } = open(t);
    const { reader, writer } = channels.create(null);
    assert.match(reader.channel_id, UUID);
    assert.match(reader.access_key, UUID);
    assert.notEqual(reader.channel_id, reader.access_key);
    assert.deepEqual(writer, { ...reader, direction: 'write' });
    assert.notEqual(channels.create(null).reader.access_key, reader.access_key);
  });

  test('is told that there is no such channel for an unknown id and for any wrong key alike', (t) => {
    const { channels } = open(t);
    const { reader } = channels.create(null);
    const other = channels.create(null).reader;
    const wrong: ChannelRef<'read'>[] = [
      { ...reader, channel_id: 'none' },
      { ...reader, access_key: other.access_key },
      { ...reader, access_key: '' },
      { ...reader, access_key: `${reader.access_key}x` },
      { ...reader, access_key: 'é'.repeat(18) },
    ];
    for (const ref of wrong) {
      assert.throws(() => channels.takeReader(ref), { code: 'channel_not_found', details: undefined });
      assert.throws(() => channels.check(ref), { code: 'channel_not_found', details: undefined });
    }
    channels.check(reader);
    channels.takeReader(reader);
  });

  test('is good for one taking', (t) => {
    const { channels } = open(t);
    const { reader, writer } = channels.create(null);
    channels.takeWriter(writer);
    assert.throws(() => channels.takeWriter(writer), { code: 'channel_taken' });
    assert.throws(() => channels.check(writer), { code: 'channel_taken' });
    channels.check(reader);
  });
});

describe('the number of channels', () => {
  test('is bounded, and one that is over makes room', (t) => {
    const { channels } = open(t, { maxChannels: 2 });
    const first = channels.create(null);
    channels.create(null);
    assert.throws(() => channels.create(null), {
      code: 'runtime_overloaded',
      details: { channels: 2, max_channels: 2 },
    });
    void channels.takeWriter(first.writer).end();
    channels.takeReader(first.reader).close();
    assert.equal(channels.size, 1);
    channels.create(null);
    assert.throws(() => channels.check(first.reader), { code: 'channel_not_found' });
  });

  for (const [asked, granted] of [
    [undefined, 64],
    [0, 1],
    [-5, 1],
    [3.9, 3],
    [1e9, MAX_CHANNEL_MESSAGES],
    [Infinity, MAX_CHANNEL_MESSAGES],
  ] as const) {
    test(`of messages that one buffers is ${granted} when ${asked} is asked for`, (t) => {
      const { channels } = open(t);
      const end = channels.takeWriter(channels.create(null, { bufferMessages: asked }).writer);
      let count = 1;
      while (end.write(MESSAGE)) count++;
      assert.equal(count, granted);
    });
  }

  test('of messages is refused when it is none', (t) => {
    const { channels } = open(t);
    for (const bufferMessages of [Number.NaN, '7', null] as number[]) {
      assert.throws(() => channels.create(null, { bufferMessages }), { code: 'invalid_request' });
    }
    assert.equal(channels.size, 0);
  });
});

describe('an owner that goes', () => {
  test('takes its channels along, and nobody else’s', (t) => {
    const { channels } = open(t);
    const owner = {};
    const mine = channels.create(owner);
    const others = [channels.create({}), channels.create('owner'), channels.create(null)];
    const end = channels.takeReader(mine.reader);
    channels.closeOwned(owner);
    channels.closeOwned(owner);
    assert.deepEqual(end.failure?.details, { reason: 'owner_gone' });
    assert.throws(() => channels.check(mine.writer), { code: 'channel_not_found' });
    for (const { reader } of others) channels.check(reader);
    assert.equal(channels.size, others.length);
  });

  test('leaves a channel to its reader whose writer is through', (t) => {
    const { channels } = open(t);
    const { reader, writer } = channels.create('owner');
    const end = channels.takeWriter(writer);
    end.write(MESSAGE);
    void end.end();
    channels.closeOwned('owner');
    const rest = channels.takeReader(reader);
    assert.deepEqual([rest.read(), rest.isOver, rest.failure], [MESSAGE, true, null]);
    rest.close();
    assert.equal(channels.size, 0);
  });
});

describe('a channel that nobody uses', () => {
  const channelIdleMs = 100;

  test('is closed after the idle limit and not before, with its ends told', (t) => {
    const { channels, clock } = open(t, { channelIdleMs });
    const { reader, writer } = channels.create(null);
    const [readEnd, writeEnd] = [channels.takeReader(reader), channels.takeWriter(writer)];
    clock.nowMs = channelIdleMs - 1;
    channels.expire();
    assert.equal(channels.size, 1);
    clock.nowMs = channelIdleMs;
    channels.expire();
    const idle = { code: 'channel_closed', details: { reason: 'idle' } };
    for (const { failure } of [readEnd, writeEnd]) {
      assert.deepEqual({ code: failure?.code, details: failure?.details }, idle);
    }
    assert.equal(channels.size, 0);
  });

  test('is one in which no message is written or read', (t) => {
    const { channels, clock } = open(t, { channelIdleMs });
    const { reader, writer } = channels.create(null);
    const [readEnd, writeEnd] = [channels.takeReader(reader), channels.takeWriter(writer)];
    const movesAndLives = [() => writeEnd.write(MESSAGE), () => readEnd.read(), () => readEnd.read()].map((move) => {
      clock.nowMs += channelIdleMs - 1;
      channels.expire();
      move();
      return channels.size;
    });
    assert.deepEqual(movesAndLives, [1, 1, 1]);
    clock.nowMs += 1; // the last read found nothing
    channels.expire();
    assert.equal(channels.size, 0);
  });

  test('is one whose other end nobody has taken, whatever its writer does', (t) => {
    const { channels, clock } = open(t, { channelIdleMs });
    const writeEnd = channels.takeWriter(channels.create(null, { bufferMessages: 1_000 }).writer);
    for (let n = 0; n < 4; n++) {
      clock.nowMs += channelIdleMs / 4;
      if (writeEnd.failure === null) writeEnd.write(MESSAGE);
      channels.expire();
    }
    assert.deepEqual([channels.size, writeEnd.failure?.details], [0, { reason: 'idle' }]);
  });

  test('is found by a timer', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { channels, clock } = open(t, { channelIdleMs });
    channels.create(null);
    clock.nowMs = channelIdleMs;
    assert.equal(channels.size, 1);
    t.mock.timers.tick(channelIdleMs);
    assert.equal(channels.size, 0);
  });
});

test('the end of the runtime closes all channels and lets none be made', (t) => {
  const { channels } = open(t);
  const { reader } = channels.create(null);
  const end = channels.takeReader(reader);
  channels.closeAll();
  assert.deepEqual([end.failure?.details, channels.size], [{ reason: 'runtime_closed' }, 0]);
  assert.throws(() => channels.create(null), { code: 'runtime_unavailable' });
});
