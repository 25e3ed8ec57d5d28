// From a line of a batch to its input, or to what it is refused with. A line is refused on its own, as a single request would be; but where that one would be
// told to come back later, a line waits for room, for a while. Lines are accepted in the order in which they stand.

import { performance } from 'node:perf_hooks';
import type { FastifyRequest } from 'fastify';
import { GreenroomError } from '../errors.ts';
import { INLINE_PARSE_BYTES } from '../limits.ts';
import { payloadTooLarge } from '../protocol/payload.ts';
import type { Durability } from '../protocol/views.ts';
import type { InputRecord } from '../supervisor/input.ts';
import type { DeliverOptions } from '../supervisor/options.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { overloaded } from './body.ts';
import type { Edge } from './edge.ts';
import { hasMark } from '../protocol/members.ts';
import { EnvelopeReader } from './envelope.ts';
import { lineError } from './errors.ts';
import type { LineSplitter } from './lines.ts';
import type { Receipt } from './receipt-line.ts';
import type { Wakeup } from '../protocol/wakeup.ts';

export interface BatchOptions {
  /** How long a line waits for room; 0: it does not. */
  readonly waitMs: number;
  /** For every line that does not say otherwise. */
  readonly deadlineMs: number | undefined;
  readonly durability: Durability | undefined;
  /** Null: each line names its worker. */
  readonly workerId: string | null;
}

/** Where the input of a line lies, and what becomes of it. */
interface LineInput {
  readonly line: LineSplitter;
  readonly workerId: string;
  readonly start: number;
  readonly end: number;
  readonly options: DeliverOptions;
}

const MARK_BYTES = 3;

export class BatchInputs {
  readonly #edge: Edge;
  readonly #request: FastifyRequest;
  readonly #options: BatchOptions;
  readonly #wakeup: Wakeup;
  readonly #envelope = new EnvelopeReader();
  readonly #deliverOptions: DeliverOptions;
  /** Workers that had no room for as long as a line may wait: until they have some, their lines are refused at once. */
  readonly #stuck = new Set<string>();

  constructor(edge: Edge, request: FastifyRequest, options: BatchOptions, wakeup: Wakeup) {
    this.#edge = edge;
    this.#request = request;
    this.#options = options;
    this.#wakeup = wakeup;
    this.#deliverOptions = { deadlineMs: options.deadlineMs, durability: options.durability };
  }

  /** The input of the line at hand, or its error; a promise where it takes a host or has to wait. Never throws nor rejects. */
  receipt(line: LineSplitter): Receipt | Promise<Receipt> {
    try {
      if (this.#edge.isClosing) throw GreenroomError.of('runtime_unavailable');
      if (line.refusal !== null) throw this.#refusal(line);
      const { workerId } = this.#options;
      if (workerId === null) return this.#ofEnvelope(line);
      const start = hasMark(line.source, line.start, line.end) ? line.start + MARK_BYTES : line.start;
      return this.#deliver({ line, workerId, start, end: line.end, options: this.#deliverOptions });
    } catch (error) {
      return lineError(this.#request, error, this.#edge.log);
    }
  }

  #ofEnvelope(line: LineSplitter): Receipt | Promise<Receipt> {
    if (!this.#envelope.read(line.source, line.start, line.end)) return this.#ofLargeEnvelope(line);
    return this.#deliver(this.#inputOf(line));
  }

  async #ofLargeEnvelope(line: LineSplitter): Promise<Receipt> {
    try {
      do await this.#edge.turns.next();
      while (!this.#envelope.goOn());
      return await this.#deliver(this.#inputOf(line));
    } catch (error) {
      return lineError(this.#request, error, this.#edge.log);
    }
  }

  #inputOf(line: LineSplitter): LineInput {
    const { workerId, inputStart: start, inputEnd: end, idempotencyKey } = this.#envelope;
    const { deadlineMs = this.#options.deadlineMs, durability = this.#options.durability } = this.#envelope;
    return { line, workerId, start, end, options: { idempotencyKey, deadlineMs, durability } };
  }

  #deliver(input: LineInput): Receipt | Promise<Receipt> {
    const { supervisor } = this.#edge;
    const { line, workerId, start, end, options } = input;
    const isFull = this.#options.waitMs > 0 && this.#isFull(input);
    // A large one is accepted only when a host has looked at it: by then others may have taken its room.
    if (end - start > INLINE_PARSE_BYTES || (isFull && !this.#stuck.has(workerId))) return this.#deliverLater(input);
    if (isFull) supervisor.leaveLine(this.#wakeup.wake);
    else if (this.#stuck.size > 0) this.#stuck.delete(workerId);
    return supervisor.deliverText(workerId, textOf(line, start, end), end - start, options);
  }

  async #deliverLater(input: LineInput): Promise<Receipt> {
    const { supervisor, log } = this.#edge;
    const { workerId } = input;
    const giveUpAt = performance.now() + (this.#stuck.has(workerId) ? 0 : this.#options.waitMs);
    try {
      for (;;) {
        const hasRoom = this.#options.waitMs === 0 || (await this.#waitForRoom(input, giveUpAt));
        if (this.#wakeup.isClosed) return '';
        if (this.#edge.isClosing) throw GreenroomError.of('runtime_unavailable');
        if (hasRoom) this.#stuck.delete(workerId);
        else this.#stuck.add(workerId);
        const record = await this.#attempt(input, giveUpAt);
        if (record !== null) return record;
      }
    } catch (error) {
      return lineError(this.#request, error, log);
    } finally {
      supervisor.leaveLine(this.#wakeup.wake);
    }
  }

  /** False if there was none until `giveUpAt`. */
  async #waitForRoom(input: LineInput, giveUpAt: number): Promise<boolean> {
    while (this.#isFull(input)) {
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) return false;
      await this.#wakeup.wait(leftMs);
      if (this.#wakeup.isClosed || this.#edge.isClosing) return false;
    }
    return true;
  }

  /** If it is, this batch stands in line until it asks again or leaves. */
  #isFull({ workerId, start, end, options }: LineInput): boolean {
    return this.#edge.supervisor.joinLine(workerId, end - start, options.idempotencyKey, this.#wakeup.wake);
  }

  /** Null if somebody was quicker and there is time to wait again. */
  async #attempt(input: LineInput, giveUpAt: number): Promise<InputRecord | null> {
    try {
      return await deliver(this.#edge.supervisor, input);
    } catch (error) {
      const { code } = error as GreenroomError;
      if ((code !== 'worker_busy' && code !== 'runtime_overloaded') || performance.now() >= giveUpAt) throw error;
      return null;
    }
  }

  #refusal(line: LineSplitter): GreenroomError {
    const { maxMessageBytes, maxTotalBytes } = this.#edge.supervisor.limits;
    return line.refusal === 'runtime_overloaded'
      ? overloaded(maxTotalBytes)
      : payloadTooLarge(line.bytes, maxMessageBytes, 'http');
  }
}

function deliver(supervisor: Supervisor, input: LineInput): InputRecord | Promise<InputRecord> {
  const { line, workerId, start, end, options } = input;
  const bytes = end - start;
  if (bytes <= INLINE_PARSE_BYTES) return supervisor.deliverText(workerId, textOf(line, start, end), bytes, options);
  // Bytes of their own: a part of a larger buffer would take all of it along to the host.
  const body = Buffer.allocUnsafeSlow(bytes);
  line.source.copy(body, 0, start, end);
  return supervisor.deliverBytes(workerId, body, options);
}

function textOf(line: LineSplitter, start: number, end: number): string {
  const text = line.text(start, end);
  if (text === null) throw GreenroomError.of('invalid_json', { message: 'The line is not valid UTF-8.' });
  return text;
}
