// The ends of a channel as Node streams. Bytes are a stream, whatever messages they travel in; text is messages: a string that is
// written is one text message. Back-pressure goes through from one stream to the other.

import { Readable, Writable } from 'node:stream';
import { FRAME_BYTES } from './bounds.ts';
import type { Message, ReadEnd, WriteEnd } from './end.ts';

export interface ReadableOptions {
  /** Yields messages, a string or a Buffer each, instead of bytes. Default false: text comes as its UTF-8. */
  readonly messages?: boolean | undefined;
}

/** Ends when the writer is through; fails with `channel_closed` when it is not. Destroying it tells the writer. */
export function readableOf(end: ReadEnd, { messages = false }: ReadableOptions = {}): Readable {
  let isWanted = false;
  const readable = new Readable({
    objectMode: messages,
    highWaterMark: messages ? 1 : FRAME_BYTES,
    read: () => {
      isWanted = true;
      pump();
    },
    destroy: (error, done) => {
      end.close();
      done(error);
    },
  });
  const pump = (): void => {
    if (readable.destroyed) return;
    while (isWanted) {
      const message = end.read();
      if (message === null) break;
      isWanted = readable.push(messages ? valueOf(message) : message.bytes);
    }
    if (end.failure !== null) readable.destroy(end.failure);
    // Once: it is destroyed by itself when it has been read to its end, and not before.
    else if (end.isOver && isWanted) {
      isWanted = false;
      readable.push(null);
    }
  };
  end.listen(pump);
  return readable;
}

/** Ending it ends the channel; destroying it before that tells the reader that something is missing. Fails with `channel_closed`. */
export function writableOf(end: WriteEnd): Writable {
  /** What is being written, and whom to tell then. */
  let parts: Message[] = [];
  let whenWritten: ((error?: Error) => void) | null = null;
  const settle = (error?: Error): void => {
    const done = whenWritten;
    whenWritten = null;
    parts = [];
    done?.(error);
  };
  const pump = (): void => {
    try {
      while (parts.length > 0 && end.hasRoom && end.failure === null) end.write(parts.shift() as Message);
      if (end.failure !== null) writable.destroy(end.failure);
      else if (parts.length === 0) settle();
    } catch (error) {
      settle(error as Error);
    }
  };
  const writable = new Writable({
    decodeStrings: false,
    highWaterMark: FRAME_BYTES,
    write: (chunk: Uint8Array | string, _encoding, done) => {
      parts = partsOf(chunk);
      whenWritten = done;
      pump();
    },
    final: (done) => {
      if (end.failure !== null) done(end.failure);
      else Promise.resolve(end.end()).then(() => done(), done);
    },
    destroy: (error, done) => {
      end.abort();
      done(error);
    },
  });
  end.listen(() => {
    if (!writable.destroyed) pump();
  });
  return writable;
}

function valueOf({ bytes, isText }: Message): string | Buffer {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isText ? buffer.toString() : buffer;
}

function partsOf(chunk: Uint8Array | string): Message[] {
  if (typeof chunk === 'string') return [{ bytes: Buffer.from(chunk), isText: true }];
  const parts: Message[] = [];
  for (let at = 0; at < chunk.byteLength || at === 0; at += FRAME_BYTES) {
    parts.push({ bytes: chunk.subarray(at, at + FRAME_BYTES), isText: false });
  }
  return parts;
}
