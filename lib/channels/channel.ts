// One channel: messages in one direction, from one writer to one reader, in order. Bounded in messages and bytes; full means that the
// writer waits. Knows nothing of sockets or threads: who holds an end is told when to look again, and looks for itself.
// It is over when both ends are through with it, or when it is closed from outside (its owner has gone, nobody uses it, the runtime ends).

import { GreenroomError } from '../errors.ts';
import { CHANNEL_BUFFER_BYTES } from '../limits.ts';
import { payloadTooLarge } from '../protocol/payload.ts';
import type { CloseReason, CountingWriteEnd, Message, ReadEnd } from './end.ts';
import type { ChannelDirection } from '../protocol/channel-ref.ts';

/** What all channels hold together. */
export interface Held {
  bytes: number;
  readonly maxBytes: number;
}

export interface ChannelSettings {
  readonly held: Held;
  readonly maxMessages: number;
  readonly maxMessageBytes: number;
  /** Monotonic, in ms. */
  readonly now: () => number;
  /** Called once, when it is over. */
  readonly onOver: () => void;
}

/** Whoever takes an end gets that and not the channel. */
export class Channel {
  readonly #settings: ChannelSettings;
  #queue: Message[] = [];
  #queuedBytes = 0;
  readonly written = { bytes: 0, messages: 0 };
  readonly #taken = { read: false, write: false };
  /** The writer has ended in an orderly way. */
  #isEnded = false;
  #isReaderGone = false;
  #isOver = false;
  writeFailure: GreenroomError | null = null;
  #readFailure: GreenroomError | null = null;
  /** The writer has been told that there is no room. */
  #isWriterWaiting = false;
  readonly toReader = new Bell();
  readonly toWriter = new Bell();
  #movedAtMs: number;

  constructor(settings: ChannelSettings) {
    this.#settings = settings;
    this.#movedAtMs = settings.now();
  }

  /** Its writer is through: only its reader is of any importance to it. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  isTaken(direction: ChannelDirection): boolean {
    return this.#taken[direction];
  }

  /** Since when no message has moved; while an end is not taken: since the other one was, or since its beginning. */
  get movedAtMs(): number {
    return this.#movedAtMs;
  }

  /** Throws `channel_taken`. */
  takeWriter(): CountingWriteEnd {
    this.#take('write');
    return new Writer(this);
  }

  /** Throws `channel_taken`. */
  takeReader(): ReadEnd {
    this.#take('read');
    return new Reader(this);
  }

  /** Ends it for both; what has not been read is dropped. */
  close(reason: CloseReason): void {
    if (this.#isOver) return;
    const error = closed(reason);
    this.writeFailure ??= error;
    this.#readFailure = error;
    this.#isEnded = false;
    this.#drop();
    this.#finish();
    this.toWriter.ring();
    this.toReader.ring();
  }

  #take(direction: ChannelDirection): void {
    if (this.#taken[direction]) throw GreenroomError.of('channel_taken');
    this.#taken[direction] = true;
    this.#movedAtMs = this.#settings.now();
  }

  /** A writer alone keeps no channel alive: nobody may ever come for the other end. */
  #moved(): void {
    if (this.#taken.read && this.#taken.write) this.#movedAtMs = this.#settings.now();
  }

  // --- the writer ---

  get hasRoom(): boolean {
    // An empty one takes a message, whatever the others hold: each gets on.
    if (this.#queue.length === 0) return true;
    const { maxMessages, held } = this.#settings;
    return this.#queue.length < maxMessages && this.#queuedBytes < CHANNEL_BUFFER_BYTES && held.bytes < held.maxBytes;
  }

  write(message: Message): boolean {
    const { maxMessageBytes } = this.#settings;
    const { byteLength } = message.bytes;
    if (this.writeFailure !== null) throw this.writeFailure;
    if (this.#isEnded) throw GreenroomError.of('channel_closed', { message: 'The writer has ended the channel.' });
    if (byteLength > maxMessageBytes) throw payloadTooLarge(byteLength, maxMessageBytes, 'channel');
    this.#queue.push(message);
    this.#hold(byteLength);
    this.written.bytes += byteLength;
    this.written.messages++;
    this.#moved();
    this.toReader.ring();
    this.#isWriterWaiting = !this.hasRoom;
    return !this.#isWriterWaiting;
  }

  end(): void {
    if (this.#isEnded || this.#isOver) return;
    if (this.writeFailure === null) this.#isEnded = true;
    this.#writerLeft();
  }

  abort(): void {
    if (this.#isEnded || this.#isOver) return;
    const error = closed('writer_gone');
    this.writeFailure ??= error;
    this.#readFailure ??= error;
    this.#writerLeft();
  }

  #writerLeft(): void {
    if (this.#isReaderGone) this.#finish();
    else this.toReader.ring();
  }

  // --- the reader ---

  get isReadToEnd(): boolean {
    return this.#isEnded && this.#queue.length === 0;
  }

  /** Comes after what there is to read. */
  get readFailure(): GreenroomError | null {
    return this.#queue.length === 0 ? this.#readFailure : null;
  }

  read(): Message | null {
    const message = this.#queue.shift();
    if (message === undefined) return null;
    this.#hold(-message.bytes.byteLength);
    this.#moved();
    // At half, so that reader and writer do not take turns with every message.
    const { maxMessages } = this.#settings;
    const isHalf = 2 * this.#queue.length <= maxMessages && 2 * this.#queuedBytes <= CHANNEL_BUFFER_BYTES;
    if (this.#isWriterWaiting && isHalf && this.hasRoom) {
      this.#isWriterWaiting = false;
      this.toWriter.ring();
    }
    return message;
  }

  leave(): void {
    if (this.#isReaderGone) return;
    this.#isReaderGone = true;
    this.#drop();
    if (this.#isEnded || this.writeFailure !== null) {
      this.#finish();
      return;
    }
    this.writeFailure = closed('reader_gone');
    this.toWriter.ring();
    // Its id stays for a writer that has yet to come: it is to learn why there is nothing to do for it.
    if (this.#taken.write) this.#finish();
  }

  #drop(): void {
    this.#queue = [];
    this.#hold(-this.#queuedBytes);
  }

  #hold(bytes: number): void {
    this.#queuedBytes += bytes;
    this.#settings.held.bytes += bytes;
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settings.onOver();
  }
}

class Writer implements CountingWriteEnd {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get hasRoom(): boolean {
    return this.#channel.hasRoom;
  }

  get failure(): GreenroomError | null {
    return this.#channel.writeFailure;
  }

  get bytes(): number {
    return this.#channel.written.bytes;
  }

  get messages(): number {
    return this.#channel.written.messages;
  }

  listen(listener: () => void): void {
    this.#channel.toWriter.set(listener);
  }

  write(message: Message): boolean {
    return this.#channel.write(message);
  }

  end(): void {
    this.#channel.end();
  }

  abort(): void {
    this.#channel.abort();
  }
}

class Reader implements ReadEnd {
  readonly #channel: Channel;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  get isOver(): boolean {
    return this.#channel.isReadToEnd;
  }

  get failure(): GreenroomError | null {
    return this.#channel.readFailure;
  }

  listen(listener: () => void): void {
    this.#channel.toReader.set(listener);
  }

  read(): Message | null {
    return this.#channel.read();
  }

  close(): void {
    this.#channel.leave();
  }
}

/** Tells a listener, once per turn however often it is rung, and never from within the call that rang. */
class Bell {
  #listener: (() => void) | null = null;
  #isRung = false;

  /** What was rung before anybody listened is told as well. */
  set(listener: () => void): void {
    this.#listener = listener;
    if (this.#isRung) queueMicrotask(this.#tell);
  }

  ring(): void {
    if (this.#isRung) return;
    this.#isRung = true;
    if (this.#listener !== null) queueMicrotask(this.#tell);
  }

  readonly #tell = (): void => {
    if (!this.#isRung) return;
    this.#isRung = false;
    this.#listener?.();
  };
}

const CLOSED: Record<CloseReason, string> = {
  reader_gone: 'The reader of the channel has gone.',
  writer_gone: 'The writer of the channel has gone before it was through.',
  owner_gone: 'The owner of the channel has gone.',
  idle: 'Nobody has used the channel for too long.',
  runtime_closed: 'The runtime has been closed.',
};

function closed(reason: CloseReason): GreenroomError {
  return GreenroomError.of('channel_closed', { message: CLOSED[reason], details: { reason } });
}
