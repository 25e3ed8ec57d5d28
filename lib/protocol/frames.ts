// What crosses the wire between the supervisor and one host. Frames travel in batches: structured clone is paid per object,
// so the numbers of a batch are one typed array, and its payloads one array of texts beside it. Payloads pass through
// encoded; nobody between sender and user parses them. Both ends import this file, never each other.

import { BATCH_FRAMES } from '../limits.ts';
import type { Payload } from './payload.ts';

export interface Batch {
  /** Four per frame. */
  readonly numbers: Float64Array;
  /** One or two per frame, in the order of the frames. */
  readonly payloads: readonly Payload[];
}

const NUMBERS = 4;

/** Gathers the frames of a batch. Measured against one flat array of both: 110 instead of 290 ns per ask, both ways together. */
export class Outbox {
  #numbers = new Float64Array(NUMBERS * BATCH_FRAMES);
  #payloads: Payload[] = [];
  #frames = 0;

  get frames(): number {
    return this.#frames;
  }

  add(first: number, second: number, third: number, fourth: number, payload: Payload): void {
    const at = NUMBERS * this.#frames++;
    if (at === this.#numbers.length) this.#grow();
    this.#numbers[at] = first;
    this.#numbers[at + 1] = second;
    this.#numbers[at + 2] = third;
    this.#numbers[at + 3] = fourth;
    this.#payloads.push(payload);
  }

  /** A second payload of the frame that was added last. */
  addPayload(payload: Payload): void {
    this.#payloads.push(payload);
  }

  /** Everything that was added. To be posted at once: the numbers are a view of memory that the next batch will use. */
  take(): Batch {
    const batch = { numbers: this.#numbers.subarray(0, NUMBERS * this.#frames), payloads: this.#payloads };
    this.#payloads = [];
    this.#frames = 0;
    return batch;
  }

  #grow(): void {
    const numbers = new Float64Array(2 * this.#numbers.length);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }
}

// --- supervisor → host: inputs ---

/** An input on its way: the supervisor's record of it implements this. */
export interface Ticket {
  /** Number of the input, unique in the runtime's life; names it in cancels and, with a prefix, is its id. */
  readonly seq: number;
  readonly attempt: number;
  readonly payload: Payload;
  /** Encoded size of the payload. */
  readonly bytes: number;
}

/** `slot` is the link's place for the input; the reply carries it back. */
export function pushInput(outbox: Outbox, slot: number, workerSlot: number, ticket: Ticket): void {
  outbox.add(slot, workerSlot, ticket.seq, ticket.attempt, ticket.payload);
}

export function eachInput(
  { numbers, payloads }: Batch,
  visit: (slot: number, workerSlot: number, seq: number, attempt: number, payload: Payload) => void,
): void {
  for (let frame = 0; frame < payloads.length; frame++) {
    const at = NUMBERS * frame;
    visit(
      numbers[at] as number,
      numbers[at + 1] as number,
      numbers[at + 2] as number,
      numbers[at + 3] as number,
      payloads[frame] as Payload,
    );
  }
}

// --- host → supervisor: replies and emitted entries, in the order in which they happened ---

export const COMPLETED = 0;
export const FAILED = 1;
export const CANCELLED = 2;
export type ReplyCode = typeof COMPLETED | typeof FAILED | typeof CANCELLED;

const EMITTED = -1;

/**
 * `startedAt` and `endedAt` are Date.now() of the host, `startedAt` is 0 if it never started. `body` is the output of
 * a completed input, the encoded WireError of another. `state` is the worker's state after it, if it changed.
 */
export function pushReply(
  outbox: Outbox,
  slot: number,
  code: ReplyCode,
  startedAt: number,
  endedAt: number,
  body: Payload,
  state: Payload | null,
): void {
  outbox.add(slot * 4 + code, startedAt, endedAt, state === null ? 0 : 1, body);
  if (state !== null) outbox.addPayload(state);
}

export function pushEmitted(outbox: Outbox, workerSlot: number, seq: number, at: number, data: Payload): void {
  outbox.add(EMITTED, workerSlot, seq, at, data);
}

export interface ReplyVisitor {
  reply(
    slot: number,
    code: ReplyCode,
    startedAt: number,
    endedAt: number,
    body: Payload,
    state: Payload | null,
  ): void;
  emitted(workerSlot: number, seq: number, at: number, data: Payload): void;
}

export function eachReply({ numbers, payloads }: Batch, visitor: ReplyVisitor): void {
  let next = 0;
  for (let at = 0; at < numbers.length; at += NUMBERS) {
    const head = numbers[at] as number;
    const second = numbers[at + 1] as number;
    const third = numbers[at + 2] as number;
    const fourth = numbers[at + 3] as number;
    const payload = payloads[next++] as Payload;
    if (head === EMITTED) {
      visitor.emitted(second, third, fourth, payload);
    } else {
      const state = fourth === 0 ? null : (payloads[next++] as Payload);
      visitor.reply(head >> 2, (head & 3) as ReplyCode, second, third, payload, state);
    }
  }
}

// --- the control lane: its own port, and a doorbell in shared memory that the host looks at before each input ---

/** Cancels one input of a worker, or all that the host holds of it (`seq: null`). */
export interface ControlFrame {
  readonly workerSlot: number;
  readonly seq: number | null;
  readonly reason: string;
  /** Leave it alone if it has started: its deadline has passed, but nobody asked for its end. */
  readonly waitingOnly: boolean;
}

/** Layout of the Int32Array that a host shares with the supervisor. It outlives the host, so a death can be understood. */
export const SHARED = {
  /** Incremented after each control frame. */
  doorbell: 0,
  /** Slot of the worker whose handler is on the stack right now, -1 if none. */
  current: 1,
  /** From here one cell per worker slot: the low 32 bits of the seq of the last input that it started. */
  started: 2,
} as const;
