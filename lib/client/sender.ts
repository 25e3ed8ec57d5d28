// The sending half of a batch: takes items as fast as they are read, and no faster, makes a line of each, and sends them in chunks.
// What cannot be sent is refused here, in its place.

import { Readable } from 'node:stream';
import { GreenroomError } from '../errors.ts';
import { requireSize } from '../protocol/payload.ts';

/** Characters gathered before they are sent, unless the items pause. */
const CHUNK_CHARS = 64 * 1_024;
/** Refusals of ours that nobody has read yet; then no further item is taken. */
const MAX_REFUSED = 64;
/** The runtime ends a batch that says nothing for two minutes; an empty line is something. */
const HEARTBEAT_MS = 30_000;

export class Sender<Item> {
  /** The lines, for the request. */
  readonly body: Readable;
  /** Lines so far. */
  sent = 0;
  /** There will be no further line. */
  isDone = false;
  /** What the items ended with instead of their end. */
  failure: { readonly error: unknown } | null = null;

  readonly #items: Iterator<Item> | AsyncIterator<Item>;
  readonly #lineOf: (item: Item) => string;
  readonly #maxBytes: number;
  /** Something has been sent, refused or ended. */
  readonly #onEvent: () => void;
  #lines: string[] = [];
  #chars = 0;
  /** Errors of items that were not sent, each with the number of lines before it. */
  #refused: { readonly after: number; readonly error: GreenroomError }[] = [];
  #isTaking = false;
  /** The connection has more than it takes. */
  #isAhead = false;
  #isClosed = false;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(
    items: Iterable<Item> | AsyncIterable<Item>,
    lineOf: (item: Item) => string,
    maxBytes: number,
    onEvent: () => void,
  ) {
    this.#items = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
    this.#lineOf = lineOf;
    this.#maxBytes = maxBytes;
    this.#onEvent = onEvent;
    this.body = new Readable({
      highWaterMark: CHUNK_CHARS,
      read: () => {
        this.#isAhead = false;
        void this.#take();
      },
    });
    // Whoever reads the answer hears of a broken connection; here it ends the sending.
    this.body.on('error', () => undefined);
    this.#heartbeat = setInterval(() => {
      if (!this.#isAhead && !this.isDone) this.body.push('\n');
    }, HEARTBEAT_MS);
  }

  /** The error of the next item, if that item has been refused here; `received` lines have been answered. */
  takeRefused(received: number): GreenroomError | undefined {
    if (this.#refused[0]?.after !== received) return undefined;
    const refusal = this.#refused.shift();
    if (this.#refused.length === MAX_REFUSED - 1) void this.#take();
    return refusal?.error;
  }

  /** Takes no further item and tells their source. Never rejects: nobody is left to be told. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    this.body.destroy();
    if (this.isDone) return;
    try {
      await this.#items.return?.();
    } catch {
      // The source failed to end; what it holds is its own affair.
    }
  }

  /** One item after the other, until the connection has enough. Never rejects. */
  async #take(): Promise<void> {
    if (this.#isTaking) return;
    this.#isTaking = true;
    try {
      while (!this.#isClosed && !this.isDone && !this.#isAhead && this.#refused.length < MAX_REFUSED) {
        const next = await this.#items.next();
        if (this.#isClosed) return;
        if (next.done === true) this.#end();
        else this.#add(next.value);
      }
    } catch (error) {
      this.failure = { error };
      this.#end();
    } finally {
      this.#isTaking = false;
    }
  }

  #add(item: Item): void {
    let line: string;
    try {
      line = this.#lineOf(item);
      requireSize(Buffer.byteLength(line), this.#maxBytes, 'client');
    } catch (error) {
      if (!(error instanceof GreenroomError)) throw error;
      this.#refused.push({ after: this.sent, error });
      this.#onEvent();
      return;
    }
    this.sent++;
    this.#lines.push(line, '\n');
    this.#chars += line.length;
    if (this.#chars >= CHUNK_CHARS) this.#flush();
    // Items that come one by one are not kept waiting for more.
    else if (this.#lines.length === 2) setImmediate(() => this.#flush());
  }

  #flush(): void {
    if (this.#lines.length === 0 || this.#isClosed) return;
    const text = this.#lines.join('');
    this.#lines = [];
    this.#chars = 0;
    if (!this.body.push(text)) this.#isAhead = true;
    this.#onEvent();
  }

  #end(): void {
    this.#flush();
    this.isDone = true;
    clearInterval(this.#heartbeat);
    if (!this.#isClosed) this.body.push(null);
    this.#onEvent();
  }
}
