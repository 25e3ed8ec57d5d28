// Channels as an embedding Backend has them: made and opened in the process that holds them, with streams at both ends.

import type { Readable, Writable } from 'node:stream';
import type { Channels } from './channels.ts';
import { requireChannelRef } from '../protocol/channel-ref.ts';
import type { ChannelOptions, ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';
import { readableOf, writableOf } from './streams.ts';
import type { ReadableOptions } from './streams.ts';

/** A new channel: pass one reference on, and open the other end here. */
export interface RuntimeChannel extends ChannelRefs {
  /** Takes the reading end. Throws `channel_taken` or `channel_not_found`. */
  readable(options?: ReadableOptions): Readable;
  /** Takes the writing end. Throws the same. */
  writable(): Writable;
}

export function createChannel(channels: Channels, options?: ChannelOptions): RuntimeChannel {
  const refs = channels.create(null, options);
  return {
    ...refs,
    readable: (readableOptions) => readableOf(channels.takeReader(refs.reader), readableOptions),
    writable: () => writableOf(channels.takeWriter(refs.writer)),
  };
}

/** The end that a reference names. Throws `invalid_request`, `channel_not_found` or `channel_taken`. */
export function openChannel(channels: Channels, given: ChannelRef, options?: ReadableOptions): Readable | Writable {
  const ref = requireChannelRef(given);
  return isReader(ref)
    ? readableOf(channels.takeReader(ref), options)
    : writableOf(channels.takeWriter(ref as ChannelRef<'write'>));
}

function isReader(ref: ChannelRef): ref is ChannelRef<'read'> {
  return ref.direction === 'read';
}
