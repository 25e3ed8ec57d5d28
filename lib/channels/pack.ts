// Messages on their way between a thread and the channels: many in one piece of memory, which is handed over and not copied once more.
// A message by itself would drag along whatever else lies in the memory that it was cut from.

import { PACK_BYTES, PACK_MESSAGES } from './bounds.ts';
import type { Message } from './end.ts';

/** Crosses a port by moving its memory; see services.ts. */
export class MessagePack {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lengths: readonly number[];
  readonly isText: readonly boolean[];

  constructor(bytes: Uint8Array<ArrayBuffer>, lengths: readonly number[], isText: readonly boolean[]) {
    this.bytes = bytes;
    this.lengths = lengths;
    this.isText = isText;
  }

  /** Takes messages until there are none or it is full; there may be none at all. */
  static of(next: () => Message | null): MessagePack {
    const messages: Message[] = [];
    let size = 0;
    while (size < PACK_BYTES && messages.length < PACK_MESSAGES) {
      const message = next();
      if (message === null) break;
      messages.push(message);
      size += message.bytes.byteLength;
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const message of messages) {
      bytes.set(message.bytes, at);
      at += message.bytes.byteLength;
    }
    return new MessagePack(
      bytes,
      messages.map((message) => message.bytes.byteLength),
      messages.map((message) => message.isText),
    );
  }

  *messages(): Generator<Message, void, undefined> {
    let at = 0;
    for (const [nth, length] of this.lengths.entries()) {
      yield { bytes: this.bytes.subarray(at, (at += length)), isText: this.isText[nth] === true };
    }
  }
}
