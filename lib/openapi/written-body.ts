// A body as it is sent: bytes, and channels whose files go between them. It is written without opening anything, which a thread may do, and
// opened by who sends it.

import { Readable } from 'node:stream';
import type { ChannelRef } from '../protocol/channel-ref.ts';
import type { OpenReader } from './files.ts';
import { invalidAt } from './styles.ts';

export interface WrittenBody {
  readonly contentType: string;
  /** In order. */
  readonly chunks: readonly BodyChunk[];
}

export type BodyChunk = Uint8Array | ChannelRef<'read'>;

/** Characters that become bytes together: a form may have millions of fields. */
const PIECE_CHARS = 64 * 1_024;

/** Puts a body together, within bounds: a name that a list repeats may come to far more than the payload has. */
export class BodyWriter {
  readonly #maxBytes: number;
  readonly #chunks: BodyChunk[] = [];
  #pending: Uint8Array[] = [];
  #text = '';
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Throws `invalid_input` when it is too much. */
  add(content: string | BodyChunk): void {
    if (typeof content === 'string') {
      // Each character is one byte at least: what is too long is found before it is encoded.
      if (this.#bytes + this.#text.length + content.length > this.#maxBytes) throw this.#tooLarge();
      this.#text += content;
      if (this.#text.length >= PIECE_CHARS) this.#endText();
      return;
    }
    this.#endText();
    if (content instanceof Uint8Array) this.#push(content);
    else {
      this.#endBytes();
      this.#chunks.push(content);
    }
  }

  end(contentType: string): WrittenBody {
    this.#endText();
    if (this.#pending.length > 0 || this.#chunks.length === 0) this.#endBytes();
    return { contentType, chunks: this.#chunks };
  }

  #endText(): void {
    if (this.#text === '') return;
    this.#push(Buffer.from(this.#text));
    this.#text = '';
  }

  #push(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > this.#maxBytes) throw this.#tooLarge();
    this.#pending.push(bytes);
  }

  #endBytes(): void {
    const pending = this.#pending;
    this.#pending = [];
    const [only] = pending;
    if (pending.length === 1 && only !== undefined && only.byteLength === only.buffer.byteLength) {
      this.#chunks.push(only);
      return;
    }
    // Bytes have their memory to themselves, so that it can move to another thread. The result of Buffer.concat may lie in a shared one.
    const whole = new Uint8Array(pending.reduce((sum, { byteLength }) => sum + byteLength, 0));
    let at = 0;
    for (const each of pending) {
      whole.set(each, at);
      at += each.byteLength;
    }
    this.#chunks.push(whole);
  }

  #tooLarge(): Error {
    return invalidAt('body', `takes more than ${this.#maxBytes} bytes as it is sent`);
  }
}

/** One chunk after the other; a stream only where there is a channel. Throws what opening one throws. */
export function openBody({ chunks }: WrittenBody, open: OpenReader): Uint8Array | Readable {
  const [only] = chunks;
  if (chunks.length === 1 && only instanceof Uint8Array) return only;
  const opened: Readable[] = [];
  const closeAll = (): void => {
    for (const source of opened) source.destroy();
  };
  try {
    const sources = chunks.map((chunk) => {
      if (chunk instanceof Uint8Array) return chunk;
      const source = open(chunk);
      // Whoever reads it sees the failure; until then nobody listens.
      source.on('error', () => undefined);
      opened.push(source);
      return source;
    });
    // A body that nobody began to read is closed without its generator ever running.
    return Readable.from(inOrder(sources), { objectMode: false }).once('close', closeAll);
  } catch (error) {
    closeAll();
    throw error;
  }
}

async function* inOrder(sources: readonly (Uint8Array | Readable)[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const source of sources) {
    if (source instanceof Uint8Array) yield source;
    else for await (const chunk of source) yield chunk as Buffer;
  }
}
