// The ends of channels in a host: what is read and written here goes over the wire to the runtime, one call at a time for each end.
// These calls may wait for long, and count against the ends that there are, not against the calls that a host may have pending.

import { PACK_BYTES, PACK_MESSAGES } from '../channels/bounds.ts';
import type { Message, ReadEnd, WriteEnd } from '../channels/end.ts';
import { MessagePack } from '../channels/pack.ts';
import { asGreenroomError } from '../errors.ts';
import type { GreenroomError } from '../errors.ts';

/** The calls for one end. */
export interface EndCalls {
  read(): Promise<MessagePack | null>;
  write(pack: MessagePack): Promise<void>;
  end(isWhole: boolean): Promise<void>;
}

/** What both ends have of the wire. */
class Wire {
  readonly calls: EndCalls;
  error: GreenroomError | null = null;
  isClosed = false;
  tell: () => void = () => undefined;

  constructor(calls: EndCalls) {
    this.calls = calls;
  }

  fail(thrown: unknown): void {
    this.error ??= asGreenroomError(thrown);
    this.tell();
  }

  /** Nobody is left here to hear how it went. */
  release(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.calls.end(false).catch((thrown: unknown) => this.fail(thrown));
  }
}

export class WireReadEnd implements ReadEnd {
  readonly #wire: Wire;
  #messages: Iterator<Message, void, undefined> | null = null;
  #isAsking = false;
  #isOver = false;

  constructor(calls: EndCalls) {
    this.#wire = new Wire(calls);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get failure(): GreenroomError | null {
    return this.#messages === null ? this.#wire.error : null;
  }

  listen(listener: () => void): void {
    this.#wire.tell = listener;
  }

  /** Asks for more when it has none. */
  read(): Message | null {
    const next = this.#messages?.next();
    if (next?.done === false) return next.value;
    this.#messages = null;
    const { error, isClosed } = this.#wire;
    if (!this.#isAsking && !this.#isOver && !isClosed && error === null) void this.#ask();
    return null;
  }

  close(): void {
    this.#wire.release();
  }

  /** Never rejects. */
  async #ask(): Promise<void> {
    this.#isAsking = true;
    try {
      const pack = await this.#wire.calls.read();
      this.#isAsking = false;
      if (pack === null) this.#isOver = true;
      else this.#messages = pack.messages();
      this.#wire.tell();
    } catch (thrown) {
      this.#isAsking = false;
      this.#wire.fail(thrown);
    }
  }
}

export class WireWriteEnd implements WriteEnd {
  readonly #wire: Wire;
  #messages: Message[] = [];
  #bytes = 0;
  /** What is being sent, all of it. */
  #sending: Promise<void> | null = null;

  constructor(calls: EndCalls) {
    this.#wire = new Wire(calls);
  }

  get hasRoom(): boolean {
    return this.#bytes < PACK_BYTES && this.#messages.length < PACK_MESSAGES;
  }

  get failure(): GreenroomError | null {
    return this.#wire.error;
  }

  listen(listener: () => void): void {
    this.#wire.tell = listener;
  }

  write(message: Message): boolean {
    if (this.#wire.error !== null) throw this.#wire.error;
    this.#messages.push(message);
    this.#bytes += message.bytes.byteLength;
    this.#sending ??= this.#send();
    return this.hasRoom;
  }

  /** Resolves when the runtime has all of it. */
  async end(): Promise<void> {
    await this.#sending;
    if (this.#wire.error !== null) throw this.#wire.error;
    if (this.#wire.isClosed) return;
    this.#wire.isClosed = true;
    await this.#wire.calls.end(true);
  }

  abort(): void {
    this.#wire.release();
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    try {
      while (this.#messages.length > 0 && !this.#wire.isClosed) {
        // What is written in one turn leaves together.
        await Promise.resolve();
        const pack = MessagePack.of(() => this.#messages.shift() ?? null);
        this.#bytes -= pack.bytes.byteLength;
        this.#wire.tell();
        await this.#wire.calls.write(pack);
      }
    } catch (thrown) {
      this.#wire.fail(thrown);
    } finally {
      this.#sending = null;
    }
  }
}
