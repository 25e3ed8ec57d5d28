// One batch on the wire: lines in, receipts out, both as streams. What is not read by the client is not read from it either: at
// MAX_UNREAD_BYTES of receipts the pump stands still, and TCP tells the sender. Memory: one chunk, one unfinished line, those receipts,
// and with a durable store the receipts of the lines that it does not have yet: reading goes on meanwhile, so that many share one commit.

import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { BatchInputs } from './batch-inputs.ts';
import type { BatchOptions } from './batch-inputs.ts';
import {
  LINE_TIMEOUT_MS,
  LINES_PER_LOOK,
  LINGER_MS,
  MAX_ENVELOPE_BYTES,
  MAX_UNREAD_BYTES,
  RECEIPT_CHUNK_CHARS,
} from './bounds.ts';
import type { Edge } from './edge.ts';
import { lineError } from './errors.ts';
import { ackText } from './input-routes.ts';
import { LineSplitter } from './lines.ts';
import { allowLongUpload } from './long-uploads.ts';
import { ReceiptLine } from './receipt-line.ts';
import type { Receipt } from './receipt-line.ts';
import { Wakeup } from '../protocol/wakeup.ts';

const BATCH_TYPE = 'application/x-ndjson; charset=utf-8';

/** Answers every line of the body; `body` is null when there is none. */
export function answerBatch(
  edge: Edge,
  request: FastifyRequest,
  reply: FastifyReply,
  body: Readable | null,
  options: BatchOptions,
): FastifyReply {
  reply.code(200).header('content-type', BATCH_TYPE).header('cache-control', 'no-store');
  return reply.send(body === null ? '' : new Batch(edge, request, reply, body, options).receipts);
}

class Batch {
  /** Ends with the last line, or when the server closes; destroyed when the batch is cut. */
  readonly receipts: Readable;
  readonly #edge: Edge;
  readonly #request: FastifyRequest;
  readonly #body: Readable;
  readonly #lines: LineSplitter;
  readonly #inputs: BatchInputs;
  /** Receipts that are not known yet. */
  readonly #line: ReceiptLine;
  readonly #wakeup = new Wakeup();
  /** The reader of the receipts has more than it takes; its stream has not asked for any since. */
  #isAhead = false;
  /** Receipts that are not with the stream yet. */
  #text = '';
  /** When the last line ended, or the pump began to read again. */
  #lineAt = performance.now();

  constructor(edge: Edge, request: FastifyRequest, reply: FastifyReply, body: Readable, options: BatchOptions) {
    this.#edge = edge;
    this.#request = request;
    this.#body = body;
    const { maxMessageBytes } = edge.supervisor.limits;
    this.#lines = new LineSplitter(maxMessageBytes + (options.workerId === null ? MAX_ENVELOPE_BYTES : 0), edge.bodies);
    this.#inputs = new BatchInputs(edge, request, options, this.#wakeup);
    const texts = {
      ack: ackText,
      error: (error: GreenroomError) => lineError(request, error, edge.log),
    };
    this.#line = new ReceiptLine(texts, () => this.#goOn());
    this.receipts = new Readable({
      highWaterMark: MAX_UNREAD_BYTES,
      read: () => {
        this.#isAhead = false;
        this.#goOn();
      },
      destroy: (error, done) => {
        this.#wakeup.close();
        done(error);
      },
    });
    const { socket } = request.raw;
    const disallowLongUpload = allowLongUpload(socket);
    reply.raw.once('close', () => {
      disallowLongUpload();
      // Nobody is left to read the rest of it.
      if (!body.readableEnded) socket.destroySoon();
    });
    void this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { wake } = this.#wakeup;
    this.#edge.batches.add(this.#wakeup);
    this.#body.on('readable', wake).on('end', wake).on('error', wake).on('close', wake);
    try {
      const isWhole = await this.#pump();
      if (isWhole) this.receipts.push(null);
      else this.receipts.destroy();
    } catch (error) {
      // Only a mistake of ours gets here: every line has its own error.
      this.receipts.destroy(error as Error);
    } finally {
      this.#lines.close();
      this.#edge.batches.delete(this.#wakeup);
      // The `error` listener stays: a body that is cut short now must not crash the process.
      this.#body.removeListener('readable', wake).removeListener('end', wake).removeListener('close', wake);
    }
  }

  /** False if the client has gone, or leaves its receipts unread. */
  async #pump(): Promise<boolean> {
    for (;;) {
      const chunk = this.#body.read() as Buffer | null;
      if (chunk !== null) {
        if (!(await this.#answer(chunk))) return false;
      } else if (this.#body.readableEnded) {
        this.#lines.pushEnd();
        return (await this.#answerLines()) && this.#untilKnown();
      } else if (this.#body.destroyed || this.#wakeup.isClosed) {
        return false;
      } else if (!(await this.#wakeup.wait(this.#readMs()))) {
        return !this.#wakeup.isClosed && this.#overdue();
      }
    }
  }

  /** How long to wait for the next byte. Once the server closes, only as long as bytes keep coming. */
  #readMs(): number {
    const leftMs = Math.max(0, this.#lineAt + LINE_TIMEOUT_MS - performance.now());
    return this.#edge.isClosing ? Math.min(leftMs, LINGER_MS) : leftMs;
  }

  /** The line that did not come in time gets its error, then the batch ends. */
  async #overdue(): Promise<boolean> {
    if (this.#lines.isInLine) {
      const error = this.#edge.isClosing
        ? GreenroomError.of('runtime_unavailable')
        : GreenroomError.of('timeout', { message: 'The line did not arrive in time.' });
      this.#add(lineError(this.#request, error, this.#edge.log));
    }
    return (await this.#flush()) && this.#untilKnown();
  }

  async #answer(chunk: Buffer): Promise<boolean> {
    await this.#edge.turns.next();
    this.#lines.push(chunk);
    return this.#answerLines();
  }

  /** Answers the lines that have ended. False if there is nobody to answer. */
  async #answerLines(): Promise<boolean> {
    const lines = this.#lines;
    for (let count = 1; lines.next(); count++) {
      const receipt = this.#inputs.receipt(lines);
      if (!(receipt instanceof Promise)) this.#add(receipt);
      else {
        // What is known goes out now: this line may take long. Whether it is read is looked at after that: one wait at a time.
        this.#pushText();
        this.#add(await receipt);
      }
      if (this.#line.isFull && !(await this.#until(() => !this.#line.isFull))) return false;
      if (this.#text.length >= RECEIPT_CHUNK_CHARS && !(await this.#flush())) return false;
      if (count % LINES_PER_LOOK === 0 && this.#edge.turns.isOver) await this.#edge.turns.next();
      if (this.#wakeup.isClosed) return false;
      this.#lineAt = 0;
    }
    // One look at the clock for all of them.
    if (this.#lineAt === 0) this.#lineAt = performance.now();
    return this.#flush();
  }

  #add(receipt: Receipt): void {
    const text = this.#line.pass(receipt);
    if (text !== '') this.#text += `${text}\n`;
  }

  /** Waits until the receipts of all lines are with the stream, and their reader has caught up. */
  #untilKnown(): Promise<boolean> {
    return this.#until(() => this.#line.isEmpty && !this.#isAhead);
  }

  /** Hands the receipts on and waits until their reader has caught up. False if it has gone or is too slow. */
  async #flush(): Promise<boolean> {
    this.#pushText();
    return this.#until(() => !this.#isAhead);
  }

  /** False if the client has gone or leaves its receipts unread, or if the store does not come round, for too long. */
  async #until(isSo: () => boolean): Promise<boolean> {
    if (isSo() || this.#wakeup.isClosed) return !this.#wakeup.isClosed;
    const giveUpAt = performance.now() + LINE_TIMEOUT_MS;
    while (!isSo() && !this.#wakeup.isClosed) {
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) this.#wakeup.close();
      else await this.#wakeup.wait(leftMs);
    }
    return !this.#wakeup.isClosed;
  }

  /** Receipts are known, or their reader takes more. */
  #goOn(): void {
    if (!this.#line.isEmpty && !this.#isAhead && !this.#wakeup.isClosed) {
      this.#text += this.#line.take();
      this.#pushText();
    }
    this.#wakeup.wake();
  }

  #pushText(): void {
    if (this.#text === '') return;
    const text = this.#text;
    this.#text = '';
    if (!this.receipts.push(text)) this.#isAhead = true;
  }
}
