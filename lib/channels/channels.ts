// All channels of a runtime: made, found by their id and key, and closed when their owner goes, when nobody uses them, or with the
// runtime. Bounded in their number. A channel is here until it is over.

import { randomUUID, timingSafeEqual } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { GreenroomError } from '../errors.ts';
import { CHANNEL_MESSAGES, MAX_CHANNEL_MESSAGES } from '../limits.ts';
import type { Limits } from '../limits.ts';
import { EXPIRE_EVERY_MS } from './bounds.ts';
import { Channel } from './channel.ts';
import type { Held } from './channel.ts';
import type { CountingWriteEnd, ReadEnd } from './end.ts';
import type { ChannelOptions, ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';

/** Who made a channel, compared by identity; null: nobody whose end would be known. */
export type ChannelOwner = object | string | null;

interface Entry {
  readonly channel: Channel;
  readonly accessKey: Buffer;
}

export class Channels {
  readonly #limits: Limits;
  readonly #now: () => number;
  readonly #held: Held;
  readonly #entries = new Map<string, Entry>();
  readonly #owned = new Map<ChannelOwner, Set<Channel>>();
  /** Runs while there are channels. */
  #expireTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param now monotonic, in ms */
  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
    this.#held = { bytes: 0, maxBytes: limits.maxTotalBytes };
  }

  /** Channels that are not over. */
  get size(): number {
    return this.#entries.size;
  }

  /** Throws `runtime_overloaded`, `invalid_request`, or `runtime_unavailable` once the runtime is closed. */
  create(owner: ChannelOwner, { bufferMessages = CHANNEL_MESSAGES }: ChannelOptions = {}): ChannelRefs {
    const { maxChannels, maxMessageBytes } = this.#limits;
    if (this.#isClosed) throw GreenroomError.of('runtime_unavailable');
    if (typeof bufferMessages !== 'number' || Number.isNaN(bufferMessages)) throw notANumber();
    if (this.#entries.size >= maxChannels) {
      throw GreenroomError.of('runtime_overloaded', {
        message: 'The runtime holds as many channels as it may.',
        details: { channels: this.#entries.size, max_channels: maxChannels },
      });
    }
    const channelId = randomUUID();
    const accessKey = randomUUID();
    const channel: Channel = new Channel({
      maxMessages: Math.min(Math.max(Math.trunc(bufferMessages), 1), MAX_CHANNEL_MESSAGES),
      maxMessageBytes,
      now: this.#now,
      held: this.#held,
      onOver: () => this.#forget(channelId, channel, owner),
    });
    this.#entries.set(channelId, { channel, accessKey: Buffer.from(accessKey) });
    this.#startTimer();
    if (owner !== null) this.#ownedBy(owner).add(channel);
    const ref = { channel_id: channelId, access_key: accessKey };
    return { reader: { ...ref, direction: 'read' }, writer: { ...ref, direction: 'write' } };
  }

  /** Whether the end could be taken now. Throws `channel_not_found` for an unknown id and for a wrong key alike, `channel_taken`. */
  check(ref: ChannelRef): void {
    const channel = this.#require(ref);
    if (channel.isTaken(ref.direction)) throw GreenroomError.of('channel_taken');
  }

  /** The end is the caller's, who sees to it that it is closed. Throws as `check` does. */
  takeReader(ref: ChannelRef<'read'>): ReadEnd {
    return this.#require(ref).takeReader();
  }

  /** The same for the other end. */
  takeWriter(ref: ChannelRef<'write'>): CountingWriteEnd {
    return this.#require(ref).takeWriter();
  }

  /** Whether it would lose anything if the owner went. */
  hasOwned(owner: ChannelOwner): boolean {
    for (const channel of this.#owned.get(owner) ?? []) if (!channel.isEnded) return true;
    return false;
  }

  /** The owner has gone. A channel whose writer is through stays with its reader: nothing of it is missing. */
  closeOwned(owner: ChannelOwner): void {
    for (const channel of this.#owned.get(owner) ?? []) if (!channel.isEnded) channel.close('owner_gone');
    this.#owned.delete(owner);
  }

  /** Closes what nobody has used for `limits.channelIdleMs`. Called by a timer. */
  expire(): void {
    const oldestMs = this.#now() - this.#limits.channelIdleMs;
    for (const { channel } of this.#entries.values()) if (channel.movedAtMs <= oldestMs) channel.close('idle');
  }

  /** The runtime ends; no channel can be made from now on. */
  closeAll(): void {
    this.#isClosed = true;
    for (const { channel } of this.#entries.values()) channel.close('runtime_closed');
  }

  #require({ channel_id: channelId, access_key: accessKey }: ChannelRef): Channel {
    const entry = this.#entries.get(channelId);
    const presented = Buffer.from(accessKey);
    // Every key has the same length; only what lies within it is secret.
    if (entry?.accessKey.length !== presented.length || !timingSafeEqual(entry.accessKey, presented)) {
      throw GreenroomError.of('channel_not_found');
    }
    return entry.channel;
  }

  #startTimer(): void {
    const everyMs = Math.min(EXPIRE_EVERY_MS, Math.ceil(this.#limits.channelIdleMs / 2));
    this.#expireTimer ??= setInterval(() => this.expire(), everyMs).unref();
  }

  #ownedBy(owner: ChannelOwner): Set<Channel> {
    const owned = this.#owned.get(owner) ?? new Set();
    this.#owned.set(owner, owned);
    return owned;
  }

  #forget(channelId: string, channel: Channel, owner: ChannelOwner): void {
    this.#entries.delete(channelId);
    if (this.#entries.size === 0) {
      clearInterval(this.#expireTimer);
      this.#expireTimer = undefined;
    }
    const owned = this.#owned.get(owner);
    if (owned?.delete(channel) === true && owned.size === 0) this.#owned.delete(owner);
  }
}

function notANumber(): GreenroomError {
  const issues = [{ path: 'buffer_messages', message: 'expected a number' }];
  return GreenroomError.of('invalid_request', { details: { issues } });
}
