// The ends of channels that actors hold, at the runtime's side of the wire. Calls pull and push: a read is answered when there is
// something, a write when there is room again, one of either at a time for each end. All of a worker's go when it leaves its host.

import { MessagePack } from '../channels/pack.ts';
import type { Channels } from '../channels/channels.ts';
import type { ReadEnd, WriteEnd } from '../channels/end.ts';
import { requireChannelRef } from '../protocol/channel-ref.ts';
import type { ChannelOptions, ChannelRef, ChannelRefs } from '../protocol/channel-ref.ts';
import { GreenroomError } from '../errors.ts';
import type { RuntimeServices } from '../host/services.ts';
import type { Supervisor } from './supervisor.ts';

export class ActorChannels {
  readonly #channels: Channels;
  readonly #held = new Map<string, Map<number, HeldReader | HeldWriter>>();
  #lastHandle = 0;

  constructor(channels: Channels) {
    this.#channels = channels;
  }

  create(workerId: string, options: ChannelOptions): ChannelRefs {
    return this.#channels.create(workerId, options);
  }

  /** Hands back what the worker calls the end by. Throws `invalid_request`, `channel_not_found` or `channel_taken`. */
  take(workerId: string, given: ChannelRef): number {
    const ref = requireChannelRef(given);
    const held = isReader(ref)
      ? new HeldReader(this.#channels.takeReader(ref))
      : new HeldWriter(this.#channels.takeWriter(ref as ChannelRef<'write'>));
    const ends = this.#held.get(workerId) ?? new Map<number, HeldReader | HeldWriter>();
    this.#held.set(workerId, ends.set(++this.#lastHandle, held));
    return this.#lastHandle;
  }

  /** The next messages, once there are any; null when the writer is through. Rejects with `channel_closed`. */
  read(workerId: string, handle: number): Promise<MessagePack | null> {
    const held = this.#require(workerId, handle);
    if (!(held instanceof HeldReader)) throw wrongEnd();
    return held.read();
  }

  /** Resolves when there is room again. Rejects with `channel_closed` or `payload_too_large`. */
  write(workerId: string, handle: number, pack: MessagePack): Promise<void> {
    const held = this.#require(workerId, handle);
    if (!(held instanceof HeldWriter)) throw wrongEnd();
    return held.write(pack);
  }

  /** `isWhole`: a writer is through, and has not merely gone. */
  end(workerId: string, handle: number, isWhole: boolean): void {
    const ends = this.#held.get(workerId);
    const held = ends?.get(handle);
    if (ends === undefined || held === undefined) return;
    ends.delete(handle);
    if (ends.size === 0) this.#held.delete(workerId);
    held.release(isWhole);
  }

  /** The worker holds an end, or has made a channel that is open. */
  has(workerId: string): boolean {
    return this.#held.has(workerId) || this.#channels.hasOwned(workerId);
  }

  /** The worker has left its host: the other ends of what it held are told, and so are those of what it made. */
  closeOf(workerId: string): void {
    const ends = this.#held.get(workerId);
    this.#held.delete(workerId);
    for (const held of ends?.values() ?? []) held.release(false);
    this.#channels.closeOwned(workerId);
  }

  #require(workerId: string, handle: number): HeldReader | HeldWriter {
    const held = this.#held.get(workerId)?.get(handle);
    if (held === undefined) throw GreenroomError.of('channel_closed');
    return held;
  }
}

type ChannelCalls = 'createChannel' | 'takeChannel' | 'readChannel' | 'writeChannel' | 'endChannel';

/** The calls of actors that are about channels. */
export function channelCalls(supervisor: Supervisor, channels: ActorChannels): Pick<RuntimeServices, ChannelCalls> {
  return {
    createChannel(workerId, options) {
      supervisor.residence.requireOnHost(workerId);
      return channels.create(workerId, options);
    },
    takeChannel(workerId, ref) {
      supervisor.residence.requireOnHost(workerId);
      // Whoever has the other end may be somebody that this worker has told to open it.
      supervisor.telling.flush(workerId);
      return channels.take(workerId, ref);
    },
    readChannel(workerId, handle) {
      supervisor.telling.flush(workerId);
      return channels.read(workerId, handle);
    },
    writeChannel(workerId, handle, pack) {
      supervisor.telling.flush(workerId);
      return channels.write(workerId, handle, pack);
    },
    endChannel: (workerId, handle, isWhole) => channels.end(workerId, handle, isWhole),
  };
}

/** Every wait ends: with the change that it waits for, with the release, or with the idle limit of the channel. */
class Held {
  isReleased = false;
  #wake: (() => void) | null = null;

  /** Looks, and looks again after each change, until there is a result. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      if (this.isReleased) throw GreenroomError.of('channel_closed');
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  readonly changed = (): void => {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  };

  release(): void {
    this.isReleased = true;
    this.changed();
  }
}

class HeldReader {
  readonly #end: ReadEnd;
  readonly #held = new Held();

  constructor(end: ReadEnd) {
    this.#end = end;
    end.listen(this.#held.changed);
  }

  read(): Promise<MessagePack | null> {
    return this.#held.until(() => {
      const pack = MessagePack.of(() => this.#end.read());
      if (pack.lengths.length > 0) return pack;
      if (this.#end.failure !== null) throw this.#end.failure;
      return this.#end.isOver ? null : undefined;
    });
  }

  release(): void {
    this.#end.close();
    this.#held.release();
  }
}

class HeldWriter {
  readonly #end: WriteEnd;
  readonly #held = new Held();

  constructor(end: WriteEnd) {
    this.#end = end;
    end.listen(this.#held.changed);
  }

  async write(pack: MessagePack): Promise<void> {
    for (const message of pack.messages()) {
      await this.#room();
      this.#end.write(message);
    }
    await this.#room();
  }

  release(isWhole: boolean): void {
    if (isWhole) void this.#end.end();
    else this.#end.abort();
    this.#held.release();
  }

  #room(): Promise<true> {
    return this.#held.until(() => {
      if (this.#end.failure !== null) throw this.#end.failure;
      return this.#end.hasRoom || undefined;
    });
  }
}

function isReader(ref: ChannelRef): ref is ChannelRef<'read'> {
  return ref.direction === 'read';
}

function wrongEnd(): GreenroomError {
  return GreenroomError.of('unsupported_operation', { message: 'The other end of a channel does this.' });
}
