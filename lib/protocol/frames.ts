// What crosses the wire between the supervisor and one host. Frames travel in batches: structured clone is paid per object,
// so the numbers of a batch are one typed array, and its short payloads one text, which is a JSON array and can be parsed at
// once. Nobody between sender and user parses a payload. Both ends import this file, never each other.

import { BATCH_FRAMES, SHORT_PAYLOAD_CHARS, WORKERS_PER_HOST } from '../limits.ts';
import { decode } from './payload.ts';
import type { Payload } from './payload.ts';

export interface Batch {
  /**
   * NUMBERS per frame; the last of them is the length of the frame's payload in `text`, 0 if it lies apart. After those of the last frame
   * comes the number of the batch, see batches.ts.
   */
  readonly numbers: Float64Array;
  /**
   * The short payloads as one JSON array. Measured against an array of texts: 30 instead of 53 ns per payload on the way, and 150
   * instead of 240 ns to parse it.
   */
  readonly text: string;
  /** Long payloads, bytes, and states, which are kept: a slice of the text would keep all of it. In the order of the frames. */
  readonly apart: readonly Payload[];
}

const NUMBERS = 5;

/** Gathers the frames of a batch. */
export class Outbox {
  #numbers = new Float64Array(NUMBERS * BATCH_FRAMES);
  #texts: string[] = [];
  #apart: Payload[] = [];
  #frames = 0;
  /** Batches that were taken. */
  taken = 0;

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
    if (typeof payload === 'string' && payload.length <= SHORT_PAYLOAD_CHARS) {
      this.#numbers[at + 4] = payload.length;
      this.#texts.push(payload);
    } else {
      this.#numbers[at + 4] = 0;
      this.#apart.push(payload);
    }
  }

  /** A second payload of the frame that was added last. */
  addApart(payload: Payload): void {
    this.#apart.push(payload);
  }

  /** Everything that was added. */
  take(): Batch {
    // A copy, not a view: structured clone takes the whole memory behind a view along.
    const end = NUMBERS * this.#frames;
    if (end === this.#numbers.length) this.#grow();
    this.#numbers[end] = ++this.taken;
    const numbers = this.#numbers.slice(0, end + 1);
    if (this.#frames > 2 * BATCH_FRAMES) this.#numbers = new Float64Array(NUMBERS * BATCH_FRAMES);
    const batch = { numbers, text: `[${this.#texts.join(',')}]`, apart: this.#apart };
    this.#texts = [];
    this.#apart = [];
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

/** `value` is the input unless its payload lies apart. */
export function eachInput(
  { numbers, text, apart }: Batch,
  visit: (
    slot: number,
    workerSlot: number,
    seq: number,
    attempt: number,
    value: unknown,
    apart: Payload | null,
  ) => void,
): void {
  const values = JSON.parse(text) as unknown[];
  let next = 0;
  let nextApart = 0;
  for (let at = 0; at + NUMBERS < numbers.length; at += NUMBERS) {
    const isApart = numbers[at + 4] === 0;
    visit(
      numbers[at] as number,
      numbers[at + 1] as number,
      numbers[at + 2] as number,
      numbers[at + 3] as number,
      isApart ? undefined : values[next++],
      isApart ? (apart[nextApart++] as Payload) : null,
    );
  }
}

// --- host → supervisor: replies and emitted entries, in the order in which they happened ---

export const COMPLETED = 0;
export const FAILED = 1;
export const CANCELLED = 2;
export type ReplyCode = typeof COMPLETED | typeof FAILED | typeof CANCELLED;

const EMITTED = -1;
const CRASHED = -2;
/** In the place of a reply code: nobody will say what became of the input. */
const DROPPED = 3;
/** A frame has a payload, whether it has something to say or not. */
const NOTHING = 'null';

/**
 * `startedAt` and `endedAt` are on the clock of the runtime, `startedAt` is 0 if it never started. `body` is the output of
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
  if (state !== null) outbox.addApart(state);
}

export function pushEmitted(outbox: Outbox, workerSlot: number, seq: number, at: number, data: Payload): void {
  outbox.add(EMITTED, workerSlot, seq, at, data);
}

/** The input of a worker that has crashed: it is not at the host any longer. */
export function pushDropped(outbox: Outbox, slot: number): void {
  outbox.add(slot * 4 + DROPPED, 0, 0, 0, NOTHING);
}

/** `crash` is JSON, see Crash in host.ts. */
export function pushCrashed(outbox: Outbox, workerSlot: number, crash: string): void {
  outbox.add(CRASHED, workerSlot, 0, 0, crash);
}

/** The body of a reply, encoded or as a value. To be read during the call that it is handed to. */
export interface Body {
  readonly payload: Payload;
  value(): unknown;
}

/** A body that somebody kept. */
export class KeptBody implements Body {
  readonly payload: Payload;

  constructor(payload: Payload) {
    this.payload = payload;
  }

  value(): unknown {
    return decode(this.payload);
  }
}

export interface ReplyVisitor {
  reply(slot: number, code: ReplyCode, startedAt: number, endedAt: number, body: Body, state: Payload | null): void;
  emitted(workerSlot: number, seq: number, at: number, data: Payload): void;
  dropped(slot: number): void;
  crashed(workerSlot: number, crash: Body): void;
}

export function eachReply(batch: Batch, visitor: ReplyVisitor): void {
  const { numbers } = batch;
  const payloads = new PayloadReader(batch);
  for (let at = 0; at + NUMBERS < numbers.length; at += NUMBERS) {
    const head = numbers[at] as number;
    const second = numbers[at + 1] as number;
    const third = numbers[at + 2] as number;
    const fourth = numbers[at + 3] as number;
    payloads.next(numbers[at + 4] as number);
    if (head === EMITTED) {
      visitor.emitted(second, third, fourth, payloads.payload);
    } else if (head === CRASHED) {
      visitor.crashed(second, payloads);
    } else if ((head & 3) === DROPPED) {
      visitor.dropped(head >> 2);
    } else {
      const state = fourth === 0 ? null : payloads.nextApart();
      visitor.reply(head >> 2, (head & 3) as ReplyCode, second, third, payloads, state);
    }
  }
}

/** Goes through the payloads of a batch; as a body it is the one at hand. */
class PayloadReader implements Body {
  readonly #batch: Batch;
  /** All short payloads, parsed when the first one is asked for: whoever asks for one usually asks for all. */
  #values: unknown[] | null = null;
  #index = -1;
  /** Where the one at hand begins and ends in the text. */
  #start = 0;
  #end = 0;
  #nextApart = 0;
  #apart: Payload | null = null;

  constructor(batch: Batch) {
    this.#batch = batch;
  }

  next(chars: number): void {
    if (chars === 0) {
      this.#apart = this.nextApart();
    } else {
      this.#apart = null;
      this.#index++;
      this.#start = this.#end + 1;
      this.#end = this.#start + chars;
    }
  }

  nextApart(): Payload {
    return this.#batch.apart[this.#nextApart++] as Payload;
  }

  get payload(): Payload {
    return this.#apart ?? this.#batch.text.slice(this.#start, this.#end);
  }

  value(): unknown {
    if (this.#apart !== null) return decode(this.#apart);
    this.#values ??= JSON.parse(this.#batch.text) as unknown[];
    return this.#values[this.#index];
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

/** Asks the host for a turn of its event loop as soon as the running handler is through: a call is waiting there. */
export const TURN = 'turn';

/** Asks the host for a sign of life: it writes the number into the shared memory when it comes to read it. */
export interface PingFrame {
  readonly ping: number;
  /** Batches that were sent to the host before it: a loss of the last one shows by nothing else. */
  readonly sent: number;
}

/** Tells the host how much of what its workers have emitted was taken since the last such frame, as emittedBytes() counts it. */
export interface TakenFrame {
  readonly takenBytes: number;
}

/** What an entry counts on its way, its own memory besides the data included. */
export function emittedBytes(data: Payload): number {
  return data.length + ENTRY_BYTES;
}

const ENTRY_BYTES = 100;

/** Layout of the Int32Array that a host shares with the supervisor. It outlives the host, so a death can be understood. */
export const SHARED = {
  /** Incremented after each control frame. */
  doorbell: 0,
  /** Slot of the worker whose handler is on the stack right now, -1 if none. */
  current: 1,
  /** What `progress` was when the last input was entered. From a process nobody hears of it. */
  entered: 2,
  /** Number of the last ping that was answered. */
  beat: 3,
  /** Counts what the host does: inputs that it enters, and looks of handlers at whether they are cancelled. */
  progress: 4,
  /** Memory of the host when it answered last: its JavaScript heap, and what lies outside (Buffers). */
  heapKiB: 5,
  externalKiB: 6,
  /** Batches that the host has sent. */
  sent: 7,
  /** 1 once the host has found that the wire loses batches. */
  fault: 8,
  /** From here one cell per worker slot: the low 32 bits of the seq of the last input that it started. */
  started: 9,
} as const;

/** Beside each of those cells, behind the last of them: when it started, on the clock of the runtime. */
export const STARTED_AT = SHARED.started + WORKERS_PER_HOST;
const SHARED_CELLS = STARTED_AT + WORKERS_PER_HOST;
/** More than glibc ever serves from its heap, where memory is cleared, and so touched: from the system, pages that nobody touches cost nothing. */
const LEAST_SHARED_BYTES = 33 * 1_024 * 1_024;
/** With the 8 MiB that it needs, each further host would cost as much, once one had ended (`npm run soak`: memory grew by 6 MiB a second). */
export function newShared(): Int32Array {
  const bytes = Math.max(SHARED_CELLS * Int32Array.BYTES_PER_ELEMENT, LEAST_SHARED_BYTES);
  const shared = new Int32Array(new SharedArrayBuffer(bytes));
  shared[SHARED.current] = -1;
  return shared;
}

/** For how long the handler on the stack has given no sign of life, if it has given none at all; 0 otherwise. `nowMs`: of the runtime's clock. */
export function quietMsOf(shared: Int32Array, nowMs: number): number {
  // The progress first: whoever enters another input meanwhile has made some.
  const progress = Atomics.load(shared, SHARED.progress);
  const isQuiet = Atomics.load(shared, SHARED.entered) === progress;
  const current = Atomics.load(shared, SHARED.current);
  return isQuiet && current !== -1 ? Math.max(0, nowMs - Atomics.load(shared, STARTED_AT + current)) : 0;
}
