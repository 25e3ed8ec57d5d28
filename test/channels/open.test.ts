// Channels as an embedding Backend has them.

import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Channels } from '../../lib/channels/channels.ts';
import { createChannel, openChannel } from '../../lib/channels/open.ts';
import type { ChannelRef } from '../../lib/protocol/channel-ref.ts';
import { resolveLimits } from '../../lib/limits.ts';

function start(t: TestContext): Channels {
  const channels = new Channels(resolveLimits());
  t.after(() => channels.closeAll());
  return channels;
}

test('a channel has streams at both ends', async (t) => {
  const channel = createChannel(start(t));
  channel.writable().end('hello');
  assert.equal(await text(channel.readable()), 'hello');
});

test('a reference that came from elsewhere is opened as the end that it names', async (t) => {
  const channels = start(t);
  const { reader, writer } = createChannel(channels);
  const passedOn = JSON.parse(JSON.stringify([writer, { ...reader, note: 'from an SDK' }])) as ChannelRef[];
  const [writable, readable] = passedOn.map((ref) => openChannel(channels, ref));
  (writable as NodeJS.WritableStream).end('hello');
  assert.equal(await text(readable as NodeJS.ReadableStream), 'hello');
});

test('an end that has been taken, and what is no reference, is refused', (t) => {
  const channels = start(t);
  const channel = createChannel(channels);
  channel.writable().on('error', () => undefined); // with the channels
  assert.throws(() => channel.writable(), { code: 'channel_taken' });
  assert.throws(() => openChannel(channels, channel.writer), { code: 'channel_taken' });
  const { reader } = channel;
  const wrong: unknown[] = [
    undefined,
    null,
    'x',
    {},
    { ...reader, direction: 'both' },
    { ...reader, channel_id: '' },
    { ...reader, access_key: 1 },
    { ...reader, access_key: 'x'.repeat(129) },
  ];
  for (const ref of wrong) assert.throws(() => openChannel(channels, ref as ChannelRef), { code: 'invalid_request' });
  channels.check(reader);
});
